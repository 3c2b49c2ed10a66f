// SPDX-License-Identifier: Apache-2.0
// weft: the command line. Finds the command, catches what it throws, and turns that into an exit
// status: 0 fine, 1 a check failed or weft reported an error, 2 wrong use.
#include <cstdio>

#include "tools/weft/commands.h"
#include "tools/weft/trace.h"
#include "weft/weft.h"

namespace weft::cli {
namespace {

const std::vector<const CommandEntry*>& all_commands() {
  static const std::vector<const CommandEntry*> commands{
      &replay_command(), &generate_command(), &bench_command(), &explain_command(),
      &info_command(),   &jit_command(),      &aot_command()};
  return commands;
}

void print_usage(std::FILE* to) {
  std::fprintf(to, "weft %s: attention for LLM inference\n\nusage: weft COMMAND [options]\n\n",
               version());
  for (const CommandEntry* entry : all_commands()) {
    std::fprintf(to, "  %-10s %s\n", entry->command.name.c_str(), entry->command.summary.c_str());
  }
  std::fprintf(to,
               "\nweft COMMAND --help tells its options.\n"
               "exit status: 0 fine, 1 a check failed, 2 wrong use\n");
}

const CommandEntry& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const CommandEntry* entry : all_commands()) {
    if (entry->command.name == name) return *entry;
    names.push_back(entry->command.name);
  }
  const std::string near = nearest(name, names);
  throw UsageError("'" + name + "': no such command" +
                   (near.empty() ? "" : "; did you mean " + near + "?"));
}

int run(const std::vector<std::string>& words) {
  if (words.empty()) {
    print_usage(stderr);
    return 2;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print_usage(stdout);
    return 0;
  }
  if (words[0] == "--version") {
    std::printf("weft %s\n", version());
    return 0;
  }
  const CommandEntry& entry = find_command(words[0]);
  const Args args(entry.command, {words.begin() + 1, words.end()});
  if (args.has("--help")) {
    std::printf("%s", help_of(entry.command).c_str());
    return 0;
  }
  return entry.run(args);
}

}  // namespace
}  // namespace weft::cli

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::string command = words.empty() ? "" : " " + words[0];
  try {
    return weft::cli::run(words);
  } catch (const weft::cli::UsageError& error) {
    std::fprintf(stderr, "weft: %s\ntry: weft%s --help\n", error.what(),
                 error.what()[0] == '\'' ? "" : command.c_str());
    return 2;
  } catch (const weft::cli::TraceError& error) {
    std::fprintf(stderr, "weft: %s\n", error.what());
    return 2;
  } catch (const weft::Error& error) {
    std::fprintf(stderr, "weft: %s: %s\n", name_of(error.kind()), error.what());
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "weft: %s\n", error.what());
    return 1;
  }
}
