# SPDX-License-Identifier: Apache-2.0
# `./dev gpu`: everything that needs a GPU, from a build that may have been made elsewhere: tests,
# compute-sanitizer on a subset, a replayed trace, benchmarks; and the report that ./dev test
# compares with the tree.
import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dev import python
from dev.steps import ROOT, StepFailed, run, say
from dev.suite import Tally, count_gtest

RESULTS = ROOT / "bench" / "results"
REPORT = "gpu_report.json"
BENCH = "h200.jsonl"
SECONDS = 300  # for one program
# What compute-sanitizer sees: one case of each kind of kernel, since it slows them a hundredfold.
SANITIZED = {
    "memcheck": ("attention_test", ("page_7_nhd", "mixed", "strided_hnd_page_33", "custom")),
    "racecheck": ("attention_test", ("page_7_nhd", "mixed")),
    "initcheck": ("planner_test", ("AWrongBatchGetsAnEmptyPlanAndTheReason",)),
}


def kernel_tree_hash(root=ROOT):
    """That of cmake/embed_kernels.cmake, from the files as they are now."""
    files = [p for suffix in ("*.h", "*.cuh") for p in (root / "kernels").rglob(suffix)]
    lines = [f"{p.relative_to(root).as_posix()} {hashlib.sha256(p.read_bytes()).hexdigest()}\n"
             for p in files]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def report_line(results=RESULTS, root=ROOT):
    """One line for ./dev test: whether the report of the last GPU run still fits the tree."""
    path = results / REPORT
    if not path.exists():
        return "GPU report: none (./dev gpu writes it on a machine with a GPU)"
    report = json.loads(path.read_text())
    fresh = report["kernel_tree_hash"] == kernel_tree_hash(root)
    what = f"{report['device']}, {report['passed']} passed, {report['failed']} failed"
    return (f"GPU report: fresh ({what})" if fresh else
            f"GPU report: stale ({what}): kernels/ is no longer what was measured")


def _output(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StepFailed(f"{Path(command[0]).name}: {done.stderr.strip()}")
    return done.stdout


def _information(build):
    """What `weft info --json` of that build says, with at least one GPU."""
    program = build / "tools" / "weft"
    if not program.exists():
        raise StepFailed(f"{program}: not there; ./dev build, here or where the build comes from")
    info = json.loads(_output([program, "info", "--json"]).splitlines()[-1])
    if not info["gpus"]:
        raise StepFailed("no GPU on this machine")
    return info


def _run_shard(task):
    program, number, shards, reports = task
    report = reports / f"{program.name}.{number}.xml"
    log = report.with_suffix(".log")
    env = {**os.environ, "GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(number)}
    command = [str(program), "--gtest_brief=1", f"--gtest_output=xml:{report}"]
    try:
        with open(log, "wb") as to:
            status = subprocess.run(command, env=env, stdout=to, stderr=subprocess.STDOUT,
                                    stdin=subprocess.DEVNULL, timeout=SECONDS,
                                    check=False).returncode
    except subprocess.TimeoutExpired:
        status = f"more than {SECONDS} s"
    tally = Tally()
    if report.exists():
        tally = count_gtest(report, program.name)
    if status != 0 and not tally.failures:
        tally.failures.append(f"{program.name}, part {number}: exit status {status}")
    return tally, log.read_text(errors="replace")


def _tests(build, tally, reports):
    """All GPU tests; the case tables over several processes, the faults, which fill the device's
    memory, and the timings alone. Returns what they printed."""
    programs = sorted((build / "tests" / "gpu").glob("gpu_*_test"))
    programs += sorted((build / "tests" / "capi").glob("capi_cuda_test"))
    shards = max(1, min(16, len(os.sched_getaffinity(0)) - 1))
    text = ""
    for program in programs:
        n = shards if program.name == "gpu_attention_test" else 1
        start = time.monotonic()
        mine = Tally()
        with ThreadPoolExecutor(n) as pool:
            for part, log in pool.map(_run_shard, [(program, i, n, reports) for i in range(n)]):
                mine.add(part)
                text += log
        say(f"{program.name}: {mine.passed} passed, {len(mine.failures)} failed, {mine.skipped} "
            f"skipped ({time.monotonic() - start:.1f} s)")
        tally.add(mine)
    return text


def _sanitizers(build, tally, reports):
    results = {}
    if shutil.which("compute-sanitizer") is None:
        say("compute-sanitizer: not on this machine")
        return results
    for tool, (name, cases) in SANITIZED.items():
        program = build / "tests" / "gpu" / f"gpu_{name}"
        report = reports / f"{tool}.xml"
        command = ["timeout", str(SECONDS), "compute-sanitizer", "--tool", tool, "--error-exitcode",
                   "9", program, "--gtest_brief=1", f"--gtest_output=xml:{report}",
                   "--gtest_filter=" + ":".join(f"*{case}" for case in cases)]
        ok = run(f"compute-sanitizer {tool}", command, fatal=False) == 0
        # A tool that hides the device leaves tests that are skipped, and nothing seen.
        seen = count_gtest(report, tool) if report.exists() else Tally()
        ok = ok and seen.passed >= len(cases) and not seen.skipped
        tally.check(f"compute-sanitizer {tool}: {seen.passed} tests, {seen.skipped} skipped", ok)
        results[tool] = f"clean in {seen.passed} tests" if ok else "not clean"
    return results


def _replays(build, tally):
    """Real requests over a captured layer stack, sampled rows checked; each trace in the tree."""
    for trace in sorted((ROOT / "data" / "traces").glob("*.csv")):
        command = [build / "tools" / "weft", "replay", trace, "--device", "cuda"]
        ok = run(f"replay {trace.stem}", command, fatal=False) == 0
        tally.check(f"weft replay {trace.name} --device cuda", ok)


def _python(build, tally):
    """The Python package on the device, where this interpreter has torch."""
    done = python.run_with_build(build.resolve())
    if done is None:
        say("tests/python: not run, they need torch, apache-tvm-ffi, pytest and the build's "
            "python/libweft.so")
        tally.skipped += 1
    else:
        tally.add(done)


def _benches(build, printed, tally):
    """Lines of JSON: those of the benchmark programs and those that the tests printed."""
    lines = [line for line in printed.splitlines() if line.startswith('{"id"')]
    command = [build / "tools" / "weft", "bench", "--device", "cuda", "--json", "--targets",
               ROOT / "bench" / "targets.jsonl"]
    try:
        lines += [line for line in _output(command).splitlines() if line.startswith('{"id"')]
    except StepFailed as failed:  # what was measured before is still worth a report
        tally.failures.append(f"benchmarks: {failed}")
    rows = [json.loads(line) for line in lines]
    for row in rows:
        if "us" in row:
            target = f"  target {row['target_us']}" if "target_us" in row else ""
            roof = f"  {100 * row['share_of_roof']:.0f} % of the roof" \
                if "share_of_roof" in row else ""
            say(f"{row['id']:36s} {row['us']:10.2f} us{roof}{target}"
                f"{'' if row.get('met', True) else '  MISS'}")
    return rows


def run_gpu(build, results, bench=True):
    """Tests, sanitizers and benchmarks of `build`; writes the report. True when nothing failed."""
    info = _information(build)
    device = info["gpus"][0]["name"]
    if info["kernel_tree_hash"] != kernel_tree_hash():
        say("the build is of another kernels/ than this tree: the report will be stale here")
    say(f"{device}, kernels {info['kernel_tree_hash'][:16]}")
    results.mkdir(parents=True, exist_ok=True)
    reports = ROOT / "build" / "gpu_reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    tally = Tally()
    printed = _tests(build, tally, reports)
    sanitizers = _sanitizers(build, tally, reports)
    _replays(build, tally)
    _python(build, tally)
    rows = _benches(build, printed, tally) if bench else []
    asked = [row for row in rows if "met" in row]
    report = {"device": device, "kernel_tree_hash": info["kernel_tree_hash"],
              "version": info["version"], "host": platform.machine(),
              "date": time.strftime("%Y-%m-%d", time.gmtime()), "passed": tally.passed,
              "failed": len(tally.failures), "skipped": tally.skipped,
              "failures": [failure.splitlines()[0] for failure in tally.failures],
              "sanitizers": sanitizers, "bench_rows": len(rows), "targets": len(asked),
              "targets_met": sum(row["met"] for row in asked)}
    (results / REPORT).write_text(json.dumps(report, indent=2) + "\n")
    if rows:
        (results / BENCH).write_text("".join(json.dumps(row) + "\n" for row in rows))
    for failure in tally.failures:
        say(f"FAILED {failure}")
    say(f"{tally.passed} passed, {len(tally.failures)} failed, {tally.skipped} skipped; "
        f"{report['targets_met']} of {len(asked)} targets met")
    return not tally.failures and tally.passed > 0
