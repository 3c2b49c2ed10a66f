# SPDX-License-Identifier: Apache-2.0
# `./dev gpu`: everything that needs a GPU, from a build that may have been made elsewhere (--pack
# gathers what has to be carried): tests, compute-sanitizer on a subset, a replayed trace,
# benchmarks; and the report that ./dev test compares with the tree.
import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from dev import python
from dev.plot import roofs_svg
from dev.steps import ROOT, StepFailed, run, say
from dev.suite import Tally, count_gtest

RESULTS = ROOT / "bench" / "results"
REPORT = "gpu_report.json"
BENCH = "h200.jsonl"
PLOT = "h200.svg"
SECONDS = 200  # for one program
TABLES = ("gpu_attention_test", "gpu_prefill_test")  # in as many parts as there are cores
ALONE = ("gpu_attention_fault_test",)
REPLAYED = 60  # requests of a trace: half a minute, most of it the float64 reference
TIMED = "*Time*:*HostCost*"  # tests that measure
# What compute-sanitizer sees: one case of each kind of kernel, since it slows them a hundredfold.
SANITIZED = (
    ("memcheck", "attention_test", ("page_7_nhd", "mixed", "strided_hnd_page_33", "custom")),
    ("memcheck", "prefill_test", ("ragged_hd128_group4", "page16_hd192_128_window")),
    ("racecheck", "attention_test", ("page_7_nhd", "mixed")),
    ("racecheck", "prefill_test",
     ("ragged_hd128_group4", "page16_hd64_group8", "neox_bf16", "page_7_hnd")),
    ("racecheck", "logprobs_test", ("LogprobsOnGpu.CasesHaveTheBitsOfTheCpu",)),
    ("initcheck", "planner_test", ("AWrongBatchGetsAnEmptyPlanAndTheReason",)),
)


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
    if not report["bench_rows"]:
        what += ", nothing measured"
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


def programs(build):
    """Every program that needs a GPU, of a build."""
    return sorted((build / "tests" / "gpu").glob("gpu_*_test")) + \
        sorted((build / "tests" / "capi").glob("capi_cuda*_test"))


def pack(build, to):
    """Copies what run_gpu needs of a build to `to`, stripped, so that it can be carried."""
    shutil.rmtree(to, ignore_errors=True)
    files = [*programs(build), build / "tools" / "weft", build / "python" / "libweft.so"]
    for file in files:
        target = to / file.relative_to(build)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
    run("strip", ["strip", *(to / file.relative_to(build) for file in files)])
    size = sum(file.stat().st_size for file in to.rglob("*") if file.is_file())
    say(f"{len(files)} files, {size / 2**20:.0f} MB, in {to}")
    return True


def _run_part(task):
    program, name, arguments, shard, reports = task
    report = reports / f"{program.name}.{name}.xml"
    log = report.with_suffix(".log")
    env = {**os.environ, "GTEST_TOTAL_SHARDS": str(shard[1]), "GTEST_SHARD_INDEX": str(shard[0])}
    command = [str(program), "--gtest_brief=1", f"--gtest_output=xml:{report}", *arguments]
    start = time.monotonic()
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
        tally.failures.append(f"{program.name}, part {name}: exit status {status}")
    return program.name, tally, log.read_text(errors="replace"), time.monotonic() - start


def _tasks(build, reports):
    """Of all GPU tests: parts that check numbers, side by side, those long alone first; then those
    that must be alone: the faults, which fill the device's memory, and what measures."""
    beside, alone = [], []
    for program in programs(build):
        if program.name in ALONE:
            alone.append((program, "0", (), (0, 1), reports))
            continue
        parts = max(1, _cores() - 4) if program.name in TABLES else 3
        beside += [(program, str(i), (f"--gtest_filter=-{TIMED}",), (i, parts), reports)
                   for i in range(parts)]
        alone.append((program, "time", (f"--gtest_filter={TIMED}",), (0, 1), reports))
    beside.sort(key=lambda task: task[0].name in TABLES)
    return beside, alone


def _cores():
    return max(2, min(16, len(os.sched_getaffinity(0))))


def _run_tasks(tasks, width, tally):
    """Runs them, `width` at a time; a line for each program. Returns what they printed."""
    left = Counter(program.name for program, *_ in tasks)
    done, text = {name: [Tally(), 0.0] for name in left}, ""
    with ThreadPoolExecutor(width) as pool:
        for part in as_completed([pool.submit(_run_part, task) for task in tasks]):
            name, of_part, log, seconds = part.result()
            mine = done[name][0]
            mine.add(of_part)
            done[name][1] = max(done[name][1], seconds)
            text += log
            left[name] -= 1
            if left[name] == 0:
                tally.add(mine)
                say(f"{name}: {mine.passed} passed, {len(mine.failures)} failed, "
                    f"{mine.skipped} skipped ({done[name][1]:.1f} s)")
    return text


def _check(build, tally, reports):
    """What checks numbers: tests, and beside them sanitizers, replays and Python. Returns the tests
    that are left, and what the sanitizers said."""
    beside, alone = _tasks(build, reports)
    start = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        checks = [pool.submit(check, build, reports) for check in (_sanitizers, _replays, _python)]
        _run_tasks(beside, _cores(), tally)
        sanitizers = {}
        for check in checks:
            of_check, results = check.result()
            tally.add(of_check)
            sanitizers.update(results)
    say(f"checks: {time.monotonic() - start:.1f} s")
    return alone, sanitizers


def _sanitizers(build, reports):
    tally, results = Tally(), {}
    if shutil.which("compute-sanitizer") is None:
        say("compute-sanitizer: not on this machine")
        return tally, results
    for tool, name, cases in SANITIZED:
        program = build / "tests" / "gpu" / f"gpu_{name}"
        report = reports / f"{tool}.{name}.xml"
        command = ["timeout", str(SECONDS), "compute-sanitizer", "--tool", tool, "--error-exitcode",
                   "9", program, "--gtest_brief=1", f"--gtest_output=xml:{report}",
                   "--gtest_filter=" + ":".join(f"*{case}" for case in cases)]
        ok = run(f"compute-sanitizer {tool} {name}", command, fatal=False) == 0
        # A tool that hides the device leaves tests that are skipped, and nothing seen.
        seen = count_gtest(report, tool) if report.exists() else Tally()
        ok = ok and seen.passed >= len(cases) and not seen.skipped
        tally.check(f"compute-sanitizer {tool} {name}: {seen.passed} tests, "
                    f"{seen.skipped} skipped", ok)
        results[f"{tool} {name}"] = f"clean in {seen.passed} tests" if ok else "not clean"
    return tally, results


def _replays(build, _):
    """Real requests over a captured layer stack, sampled rows checked; each trace in the tree."""
    tally = Tally()
    for trace in sorted((ROOT / "data" / "traces").glob("*.csv")):
        command = [build / "tools" / "weft", "replay", trace, "--device", "cuda", "--requests",
                   str(REPLAYED)]
        ok = run(f"replay {trace.stem}", command, fatal=False) == 0
        tally.check(f"weft replay {trace.name} --device cuda", ok)
    return tally, {}


def _python(build, _):
    """The Python package on the device, where this interpreter has torch."""
    done = python.run_with_build(build.resolve())
    if done is not None:
        return done, {}
    say("tests/python: not run, they need torch, apache-tvm-ffi, pytest and the build's "
        "python/libweft.so")
    return Tally(skipped=1), {}


def _benches(build, printed, tally):
    """Lines of JSON: those of the benchmark programs and those that the tests printed."""
    lines = [line for line in printed.splitlines() if line.startswith('{"id"')]
    command = [build / "tools" / "weft", "bench", "--device", "cuda", "--json", "--targets",
               ROOT / "bench" / "targets.jsonl"]
    try:
        lines += [line for line in _output(command).splitlines() if line.startswith('{"id"')]
    except StepFailed as failed:  # what was measured before is still worth a report
        tally.failures.append(f"benchmarks: {failed}")
    return _with_targets([json.loads(line) for line in lines])


def _targets():
    """Microseconds by id."""
    lines = (ROOT / "bench" / "targets.jsonl").read_text().splitlines()
    targets = [json.loads(line) for line in lines]
    return {row["id"]: row["target_us"] for row in targets if "target_us" in row}


def _with_targets(rows):
    """Rows whose id has a target in microseconds say whether it is met."""
    wanted = _targets()
    for row in rows:
        if "us" in row and "met" not in row and row["id"] in wanted:
            row["target_us"] = wanted[row["id"]]
            row["met"] = row["us"] <= row["target_us"]
    return rows


def _print_table(rows):
    say(f"{'case':36s} {'us':>9s} {'roof':>9s} {'share':>6s} {'TFLOP/s':>8s} {'peer':>5s} "
        f"{'target':>9s}")
    for row in rows:
        if "us" not in row:
            continue
        roof = f"{row['roof_us']:9.2f} {100 * row['share_of_roof']:4.0f} %" \
            if "share_of_roof" in row else " " * 16
        rate = f"{row['tflops']:8.1f} {row.get('peer_tflops', ''):>5}" \
            if "tflops" in row else " " * 14
        target = f"{row.get('target_tflops', row.get('target_us')):9.1f} " \
            f"{'met' if row['met'] else 'MISS'}" if "met" in row else ""
        say(f"{row['id']:36s} {row['us']:9.2f} {roof} {rate} {target}".rstrip())


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
    alone, sanitizers = _check(build, tally, reports)
    _write_report(results, info, tally, sanitizers)  # a run that is cut off here has checked
    printed = _run_tasks(alone, 1, tally)
    rows = _benches(build, printed, tally) if bench else []
    _print_table(rows)
    met, asked = _write_report(results, info, tally, sanitizers, rows)
    for failure in tally.failures:
        say(f"FAILED {failure}")
    say(f"{tally.passed} passed, {len(tally.failures)} failed, {tally.skipped} skipped; "
        f"{met} of {asked} targets met")
    return not tally.failures and tally.passed > 0


def _write_report(results, info, tally, sanitizers, rows=()):
    """What is known by now; returns how many targets are met, and of how many."""
    device = info["gpus"][0]["name"]
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
        (results / PLOT).write_text(roofs_svg(rows, device))
    return report["targets_met"], len(asked)
