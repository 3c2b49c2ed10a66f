// SPDX-License-Identifier: Apache-2.0
// The page of `weft replay --report`: one file, no scripts, nothing fetched. Every plot is there
// twice, for a desk and for a phone, and style sheets show the one that fits.
#include <functional>

#include "tools/weft/format.h"
#include "tools/weft/progress.h"
#include "tools/weft/replay_charts.h"
#include "tools/weft/svg.h"
#include "weft/version.h"

namespace weft::cli {
namespace {

constexpr double kWide = 760, kNarrow = 340;

// Colours pass 4.5:1 for text and 3:1 for marks against either ground, and differ in lightness.
constexpr const char* kStyle = R"css(
:root{color-scheme:light dark;--ground:#fbfaf8;--card:#fff;--ink:#1d2430;--soft:#5b6574;
--line:#e3e1dc;--prefill:#c2570c;--decode:#1f5fbf;--mixed:#7a3fb0;--cache:#3f7d5a;--good:#1b7245;
--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ground:#14171c;--card:#1c2027;--ink:#e8eaee;
--soft:#a3acba;--line:#2e343e;--prefill:#f0924a;--decode:#6aa5f5;--mixed:#c39af0;--cache:#74c398;
--good:#6fce9b;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:816px;margin:0 auto;padding:32px 16px 64px}
h1{font-size:1.65rem;line-height:1.2;margin:0 0 .35rem;letter-spacing:-.01em}
h2{font-size:1.08rem;margin:0 0 .2rem}
p{margin:.2rem 0 .8rem;color:var(--soft)}
.lead{max-width:62ch}
.verdict{display:inline-block;margin:.4rem 0 1.2rem;padding:.2rem .75rem;border-radius:999px;
border:1.5px solid currentColor;font-weight:600;font-size:.92rem}
.good{color:var(--good)}.bad{color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;
margin:0 0 18px;padding:0;list-style:none}
.tiles li{background:var(--card);border:1px solid var(--line);border-radius:12px;
padding:12px 14px}
.tiles b{display:block;font-size:1.42rem;line-height:1.25;font-weight:650;
font-variant-numeric:tabular-nums;letter-spacing:-.01em}
.tiles span{color:var(--soft);font-size:.86rem}
section{background:var(--card);border:1px solid var(--line);border-radius:14px;
padding:18px 18px 12px;margin:0 0 18px}
section p{font-size:.92rem}
svg{display:block;max-width:100%;height:auto;font-family:inherit}
.narrow{display:none}
@media (max-width:640px){.wide{display:none}.narrow{display:block}
section{padding:14px 8px 8px}section>h2,section>p,section>.key{padding:0 6px}
main{padding:20px 10px 40px}h1{font-size:1.4rem}}
.pair{display:grid;grid-template-columns:1fr;gap:6px}
text{font-size:12px;fill:var(--soft)}text.label{fill:var(--ink);font-weight:600}
text.title{fill:var(--soft)}
.grid{stroke:var(--line);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1}
.mark{stroke:var(--ink);stroke-width:1.2;stroke-dasharray:3 3}
.roof{fill:none;stroke:var(--ink);stroke-width:2;stroke-linejoin:round}
.prefill{fill:var(--prefill)}.decode{fill:var(--decode)}.mixed{fill:var(--mixed)}
.cache{fill:var(--cache)}.fill{opacity:.85}.dot{opacity:.5}.odd{opacity:.62}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 8px;padding:0;list-style:none;
font-size:.88rem;color:var(--soft)}
.key i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}
i.prefill{background:var(--prefill)}i.decode{background:var(--decode)}
i.mixed{background:var(--mixed)}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:6px 6px;border-top:1px solid var(--line);vertical-align:top}
th{font-weight:500;color:var(--soft);width:11.5rem}
tr:first-child th,tr:first-child td{border-top:0}
@media (max-width:640px){th,td{display:block;width:auto;padding:2px 6px}
td{border:0;padding-bottom:8px}}
footer{color:var(--soft);font-size:.86rem}
)css";

using Chart = std::function<std::string(double width)>;

std::string figure(const Chart& chart) {
  return "<div class=\"wide\">" + chart(kWide) + "</div><div class=\"narrow\">" + chart(kNarrow) +
         "</div>\n";
}

std::string section(const char* title, const char* text, const std::string& content) {
  return strf("<section><h2>%s</h2>\n<p>%s</p>\n", title, text) + content + "</section>\n";
}

std::string key(const std::vector<std::pair<const char*, const char*>>& entries) {
  std::string out = "<ul class=\"key\">";
  for (const auto& [css, label] : entries) {
    out += strf("<li><i class=\"%s\"></i>%s</li>", css, label);
  }
  return out + "</ul>\n";
}

std::string tile(const std::string& value, const char* label) {
  return "<li><b>" + escape_html(value) + "</b><span>" + label + "</span></li>\n";
}

std::string tiles(const ReplayResult& r, const ReplaySummary& s) {
  std::string out = "<ul class=\"tiles\">\n";
  out += tile(grouped(r.prompt_tokens), "prompt tokens");
  out += tile(grouped(r.generated_tokens), "generated tokens");
  out += tile(strf("%.0f %%", s.roof_share * 100), "of the roofs, over all steps");
  out += tile(strf("%.0f", s.gflops), "GFLOP/s when arithmetic binds");
  out += tile(strf("%.1f", s.gbs), "GB/s when memory binds");
  if (s.plan_us_p50 > 0) out += tile(strf("%.1f us", s.plan_us_p50), "to plan a step (median)");
  out += tile(strf("%.3f", s.balance_mean), "worker balance, max over mean");
  out += tile(grouped(r.rows_checked), "rows checked against float64");
  return out + "</ul>\n";
}

/// The lines of the printed table, "  label   value", as rows.
std::string table_rows(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with("  ")) continue;
    const size_t gap = line.find("  ", 2);
    const size_t value = line.find_first_not_of(' ', gap == std::string::npos ? 24 : gap);
    out += "<tr><th scope=\"row\">" + escape_html(line.substr(2, gap - 2)) + "</th><td>" +
           escape_html(line.substr(value)) + "</td></tr>\n";
  }
  return out;
}

std::string charts(const ReplayContext& c, const ReplayResult& r) {
  std::string out;
  out += section("What a step holds",
                 "Prompts are computed in chunks beside the requests that are already generating.",
                 figure([&](double w) { return chart_batch_mix(c, r, w); }));
  out += section(
      "One step, group by group",
      strf("Step %zu: the work list of each group of workers (%zu groups; every worker of a group "
           "runs its list for its own KV heads). Shades tell neighbouring requests apart.",
           r.busiest_step + 1, r.busiest_plan.groups().size())
          .c_str(),
      key({{"prefill", "prefill"}, {"decode", "decode"}}) +
          figure([&](double w) { return chart_timeline(r, w); }));
  out += section("Roofline",
                 "Each dot is a step. The line is what this machine did at best during the same "
                 "run: registers on the right, memory on the left. Dots above the slope read from "
                 "a cache.",
                 key({{"prefill", "prefill only"}, {"mixed", "mixed"}, {"decode", "decode only"}}) +
                     figure([&](double w) { return chart_roofline(r, w); }));
  out += section("Time to the first token",
                 "From a request's arrival to its first token: waiting, then prefill.",
                 figure([&](double w) { return chart_first_token(r, w); }));
  out += section("Time between tokens", "Of one request, while it generates.",
                 figure([&](double w) { return chart_token_gap(r, w); }));
  return out;
}

}  // namespace

std::string replay_report(const ReplayContext& c, const ReplayResult& r) {
  const ReplaySummary s = summarize(r);
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>weft replay</title>\n<style>";
  out += kStyle;
  out += "</style>\n</head>\n<body>\n<main>\n";
  out += strf("<h1>%s requests replayed</h1>\n", grouped(c.trace.requests.size()).c_str());
  out += "<p class=\"lead\">" +
         escape_html(strf("%s, %s. Attention and append only; %s with the checks.",
                          describe_model(c.options).c_str(), to_string(c.target).c_str(),
                          human_time(r.wall_s).c_str())) +
         "</p>\n";
  out += r.ok() ? "<div class=\"verdict good\">\u2713 every check passed</div>\n"
                : "<div class=\"verdict bad\">\u2717 a check failed</div>\n";
  if (!r.ok()) out += "<p>" + escape_html(r.first_failure) + "</p>\n";
  out += tiles(r, s) + charts(c, r);
  out += "<section><h2>All figures</h2>\n<table>\n" + table_rows(replay_header(c)) +
         table_rows(replay_table(c, r)) + "</table>\n</section>\n";
  out += strf(
      "<footer>weft %s. The clock counts plan, append and attention, and skips idle "
      "gaps.</footer>\n",
      version());
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace weft::cli
