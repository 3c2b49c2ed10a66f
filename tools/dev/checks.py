# SPDX-License-Identifier: Apache-2.0
# The checks that need no test run: format, text, include order, size, the tools' own tests, and
# clang-tidy. Called by `test`, `fmt` and `check`; each result becomes one line of a Tally.
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from dev import system
from dev.build import build, directory
from dev.steps import LOGS, ROOT, run, say
from dev.suite import Tally

sys.path.insert(0, str(ROOT / "tools"))
from source_files import CPP, tracked_files  # noqa: E402  (shared with tools/check_*)

SCRIPTS = ("check_text", "check_layers", "check_size")


def cpp_files():
    return [path for path in tracked_files(ROOT) if path.suffix in CPP]


def _formatted(path):
    text = path.read_text()
    command = [system.clang_format(), f"--assume-filename={path}"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return path, text, done.stdout


def format_files(write):
    """Formats every C++ file in place, or only names the files that this would change."""
    system.ensure(system.FORMAT)
    with ThreadPoolExecutor(system.jobs()) as pool:
        results = pool.map(_formatted, cpp_files())
        changed = [(path, new) for path, old, new in results if old != new]
    for path, new in changed:
        say(f"  {path.relative_to(ROOT)}")
        if write:
            path.write_text(new)
    outcome = f"{len(changed)} files changed" if write else "FAILED: run ./dev fmt"
    say(f"clang-format: {outcome if changed else 'ok'}")
    return write or not changed


def run_scripts(tally):
    for script in SCRIPTS:
        command = [sys.executable, "-B", f"tools/{script}.py"]
        tally.check(script, run(script, command, fatal=False) == 0)


def run_tool_tests(tally):
    """The Python tools' own unit tests; each test function counts."""
    title = "unittest tools"
    command = [sys.executable, "-B", "-m", "unittest", "discover", "-v", "-s", "tools/tests",
               "-t", "tools"]
    status = run(title, command, fatal=False)
    text = (LOGS / "unittest-tools.log").read_text(errors="replace")
    tally.passed += len(re.findall(r"\.\.\. ok$", text, re.M))
    bad = re.findall(r"^(?:FAIL|ERROR): (.*)$", text, re.M)
    if status != 0 and not bad:
        bad = [f"exit status {status}"]
    tally.failures += [f"{title}: {name}" for name in bad]


def cheap_checks(tally):
    run_scripts(tally)
    if system.clang_format():  # dev test does not install a formatter; dev check does
        tally.check("clang-format", format_files(write=False))
    run_tool_tests(tally)


def _tidy_one(path):
    command = ["clang-tidy", "-quiet", "-p", directory("release"), "--warnings-as-errors=*",
               "--extra-arg=-Wno-unknown-warning-option", path]  # the build's flags are gcc's
    done = subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    return path, done.returncode, done.stdout


def run_tidy(tally):
    system.ensure(system.TIDY)
    build("release", ["weft"])  # clang-tidy reads the compile commands, and generated headers
    rooms = ("src/", "tools/weft/", "examples/")
    files = [path for path in cpp_files()
             if path.suffix == ".cc" and path.relative_to(ROOT).as_posix().startswith(rooms)]
    say(f"clang-tidy, {len(files)} files ...")
    bad = []
    with ThreadPoolExecutor(system.jobs()) as pool:
        for number, (path, status, text) in enumerate(pool.map(_tidy_one, files), 1):
            if status != 0:
                bad.append(os.path.relpath(path, ROOT))
                say(text.rstrip())
            if number % 20 == 0:
                say(f"  clang-tidy: {number}/{len(files)}")
    say(f"clang-tidy: {f'FAILED in {len(bad)} files' if bad else 'ok'}")
    tally.check("clang-tidy: " + ", ".join(bad), not bad)
