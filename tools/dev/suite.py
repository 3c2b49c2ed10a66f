# SPDX-License-Identifier: Apache-2.0
# Runs the CTest suite of a preset and counts single test cases from the reports the tests leave in
# build/<preset>/reports. Called by `test` and `check`; knows nothing of building.
import platform
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

from dev import system
from dev.build import directory
from dev.steps import ROOT, run

SANITIZER_ENV = {
    # Not detect_stack_use_after_return: gcc 12 does not align the frames it then makes to the 64
    # bytes of an AVX-512 register (gcc bug 110027), and every such unit faults.
    "ASAN_OPTIONS": "strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": f"second_deadlock_stack=1:suppressions={ROOT / 'tests' / 'tsan.supp'}",
}


@dataclass
class Tally:
    passed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other):
        self.passed += other.passed
        self.skipped += other.skipped
        self.failures += other.failures

    def check(self, name, ok):
        if ok:
            self.passed += 1
        else:
            self.failures.append(name)


def count_gtest(path, test):
    """One tally over a GoogleTest report; `test` names its program in failures."""
    tally = Tally()
    for case in ElementTree.parse(path).iter("testcase"):
        failure = case.find("failure")
        if case.get("status") == "notrun" or case.find("skipped") is not None:
            tally.skipped += 1
        elif failure is None:
            tally.passed += 1
        else:
            what = "".join(f"\n    {line}" for line in failure.get("message").splitlines()[:8])
            tally.failures.append(f"{test}: {case.get('classname')}.{case.get('name')}{what}")
    return tally


def count(junit_path, reports):
    """One tally over a CTest JUnit file: a GoogleTest program counts by cases, others as one."""
    tally = Tally()
    for test in ElementTree.parse(junit_path).iter("testcase"):
        name, ok = test.get("name"), test.get("status") == "run"
        report = reports / (name.replace("/", ".") + ".xml")
        cases = Tally()
        if report.exists():
            try:
                cases = count_gtest(report, name)
            except ElementTree.ParseError:
                ok = False  # the program died while it wrote the report
        tally.add(cases)
        if not report.exists() and test.get("status") in ("notrun", "disabled"):
            tally.skipped += 1
        elif not ok and not cases.failures:
            how = "crashed or timed out" if report.exists() else "failed"
            tally.failures.append(f"{name}: {how}")
        elif ok and not report.exists():
            tally.passed += 1
    return tally


def _tsan_prefix():
    """gcc 12's TSan cannot map its shadow under 32-bit mmap randomisation: off, if allowed."""
    command = ["setarch", platform.machine(), "-R"]
    if shutil.which("setarch") is None:
        return []
    works = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return command if works else []


def run_suite(preset="release", pattern=None, jobs=None):
    reports = directory(preset) / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    junit = reports / "ctest-junit.xml"
    prefix = _tsan_prefix() if preset == "tsan" else []
    command = [*prefix, "ctest", "--preset", preset, "-j", str(jobs or system.jobs()),
               "--output-junit", junit]
    status = run(f"ctest {preset}", [*command, "-R", pattern] if pattern else command,
                 SANITIZER_ENV, fatal=False)
    if not junit.exists():
        return Tally(failures=[f"ctest {preset}: left no report"])
    tally = count(junit, reports)
    if status != 0 and not tally.failures:
        tally.failures.append(f"ctest {preset}: exit status {status}")
    return tally
