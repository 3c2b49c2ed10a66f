# SPDX-License-Identifier: Apache-2.0
# The command line of ./dev: one function a command, one verdict line and an exit status each.
# Commands compose the other rooms; no command line of a compiler or test runner is built here.
import argparse
import signal
import sys
import time

from pathlib import Path

from dev import checks, gpu, python, system
from dev.build import PRESETS, build, directory
from dev.steps import StepFailed, say, show
from dev.suite import Tally, run_suite

TRACE = "data/traces/azure_llm_2023_conv_300.csv"
SANITIZERS = ("asan", "tsan")  # asan is also ubsan
WEFT = directory("release") / "tools" / "weft"


def demo(options):
    """build, run a transformer whose text is known, replay real requests and check them"""
    build("release", ["weft_cli"], options.jobs)
    text_ok = show([WEFT, "generate", "--demo"]) == 0
    replay_ok = show([WEFT, "replay", TRACE, "--requests", str(options.requests)]) == 0
    return text_ok and replay_ok


def build_command(options):
    """configure and build one preset into build/<preset>"""
    build(options.preset, options.targets, options.jobs)
    return True


def finish(tally):
    """Prints what failed, then the counts alone on the last line."""
    for failure in tally.failures:
        say(f"FAILED {failure}")
    if tally.skipped:
        say(f"{tally.skipped} skipped (this machine lacks what they need)")
    say(f"{tally.passed} passed, {len(tally.failures)} failed")
    return not tally.failures and tally.passed > 0


def collect(tally, name, step):
    """Runs a step that may fail as a whole; such a failure counts as one failed test."""
    try:
        tally.add(step() or Tally())
    except StepFailed as failed:
        tally.failures.append(f"{name}: {failed}")


def test_preset(options, preset):
    system.ensure(system.TEST)
    build(preset, ["all" if preset == "release" else "weft_tests"], options.jobs)
    return run_suite(preset, options.match, options.jobs)


def test(options):
    """build a preset, run every test and the cheap checks; the last line counts them"""
    tally = Tally()
    if not options.match:
        collect(tally, "checks", lambda: checks.cheap_checks(tally))
    collect(tally, options.preset, lambda: test_preset(options, options.preset))
    if not options.match and options.preset == "release":
        collect(tally, "python", lambda: python.run_tests(options.python))
    if not options.match:
        say(gpu.report_line())
    return finish(tally)


def fmt(options):
    """format every C++ file in place with clang-format 14"""
    return checks.format_files(write=True)


def check(options):
    """format, include order, sizes, clang-tidy, then the tests under ASan, UBSan and TSan"""
    tally = Tally()
    options.match = None
    collect(tally, "tools", lambda: system.ensure(system.TEST + system.FORMAT + system.TIDY))
    collect(tally, "checks", lambda: checks.cheap_checks(tally))
    collect(tally, "clang-tidy", lambda: checks.run_tidy(tally))
    for preset in options.presets.split(","):
        collect(tally, preset, lambda: test_preset(options, preset))
    return finish(tally)


def bench(options):
    """build, then run `weft bench` with the arguments that follow (-- --help: its own help), or
    with --python [FILE] print host costs from Python (under an interpreter that has torch)"""
    if options.arguments[:1] == ["--python"]:
        build("release", ["weft_python"])
        return python.bench(*options.arguments[1:2])
    build("release", ["weft_cli"])
    return show([WEFT, "bench", *options.arguments]) == 0


def gpu_command(options):
    """on a machine with a GPU: its tests, sanitizers and benchmarks; writes bench/results"""
    if not options.build_dir:
        build("release", (), options.jobs)
    if options.pack:
        return gpu.pack(options.build_dir or directory("release"), options.pack)
    return gpu.run_gpu(options.build_dir or directory("release"), options.results,
                       not options.no_bench)


def fuzz(options):
    """build the libFuzzer targets and run each (or the named one) for some seconds"""
    build("fuzz", (), options.jobs)
    programs = sorted(p for p in (directory("fuzz") / "tests" / "fuzz").glob("*_fuzz"))
    chosen = [p for p in programs if options.target in (None, p.name, p.name[:-len("_fuzz")])]
    if not chosen:
        say(f"fuzz: expected one of {', '.join(p.name for p in programs)}, got {options.target}")
        return False
    failed = []
    for program in chosen:
        name = program.name[:-len("_fuzz")]
        found = directory("fuzz") / "corpus" / name  # new inputs stay out of the source tree
        found.mkdir(parents=True, exist_ok=True)
        status = show([program, f"-max_total_time={options.seconds}", "-print_final_stats=1",
                       f"-artifact_prefix={found.parent}/{name}-", found,
                       f"tests/fuzz/corpus/{name}"])
        failed += [name] if status else []
    return not failed


def parser():
    top = argparse.ArgumentParser(prog="./dev", description="Builds, tests and shows weft.",
                                  epilog="Missing system packages are installed as root, or named.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, function, jobs=True):
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        command.set_defaults(function=function)
        if jobs:
            command.add_argument("-j", "--jobs", type=int, help="parallel jobs (default: all)")
        return command

    add("demo", demo).add_argument("--requests", type=int, default=24, metavar="N",
                                   help="requests of the trace to replay (default %(default)s)")
    command = add("build", build_command)
    command.add_argument("--preset", choices=PRESETS, default="release")
    command.add_argument("targets", nargs="*", help="targets to build (default: all)")
    command = add("test", test)
    command.add_argument("--preset", choices=PRESETS[:-1], default="release")
    command.add_argument("-k", "--match", metavar="REGEX", help="only CTest tests that match")
    command.add_argument("--python", metavar="FILE",
                         help="run tests/python under this interpreter too (one with torch)")
    add("fmt", fmt, jobs=False)
    add("check", check).add_argument("--presets", default=",".join(SANITIZERS),
                                     help="sanitizer presets (default: %(default)s)")
    command = add("bench", bench, jobs=False)
    command.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT")
    command = add("gpu", gpu_command)
    command.add_argument("--build-dir", type=Path, metavar="DIR",
                         help="a build made elsewhere (default: build one here)")
    command.add_argument("--results", type=Path, metavar="DIR", default=gpu.RESULTS,
                         help="where the report goes (default: bench/results)")
    command.add_argument("--no-bench", action="store_true", help="tests only")
    command.add_argument("--pack", type=Path, metavar="DIR",
                         help="run nothing: gather there what a machine with a GPU needs")
    command = add("fuzz", fuzz)
    command.add_argument("target", nargs="?", help="one target (default: all)")
    command.add_argument("--seconds", type=int, default=60, help="for each (default %(default)s)")
    return top


def interrupt(_signal, _frame):
    raise KeyboardInterrupt  # a terminated ./dev ends what it started, as on Ctrl-C


def main(arguments):
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, interrupt)
    start = time.monotonic()
    try:
        ok = options.function(options)
    except StepFailed as failed:
        ok = False
        say(f"stopped at: {failed}")
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        say(f"dev {options.command}: interrupted")
        return 130
    if options.function not in (test, check):  # those end in their counts
        say(f"dev {options.command}: {'ok' if ok else 'FAILED'} ({time.monotonic() - start:.0f} s)")
    return 0 if ok else 1
