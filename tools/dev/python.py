# SPDX-License-Identifier: Apache-2.0
# The Python package: a wheel around the library that is built already, installed into an empty
# virtual environment, the README's example in it, then tests/python. Called by `test` and `bench`.
import os
import re
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec

from dev import system
from dev.build import directory
from dev.steps import LOGS, ROOT, StepFailed, run, say, show
from dev.suite import Tally

PLACE = ROOT / "build" / "python"
VENV = PLACE / "venv"
PYTHON = VENV / "bin" / "python"
TEST_PACKAGES = ("pytest", "ml_dtypes", "pyelftools", "matplotlib")
OFFLINE = re.compile(r"NewConnectionError|Temporary failure in name resolution|ConnectTimeout|"
                     r"ReadTimeout|Network is unreachable|ProxyError|Connection refused|"
                     r"No matching distribution found for scikit-build-core")
README_EXAMPLE = re.compile(r"```python\n(.*?)```", re.S)


class Offline(Exception):
    """No package index can be reached."""


def _pip(title, *arguments):
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    if run(title, command, fatal=False) == 0:
        return
    log = LOGS / (re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + ".log")
    if OFFLINE.search(log.read_text(errors="replace")):
        raise Offline(title)
    raise StepFailed(title)


def install():
    """A fresh environment with nothing but the wheel and what it asks for."""
    system.ensure(system.PYTHON)
    wheels = PLACE / "wheel"
    shutil.rmtree(wheels, ignore_errors=True)
    run("python venv", [sys.executable, "-m", "venv", "--clear", VENV])
    library = directory("release") / "python" / "libweft.so"
    _pip("pip wheel", "wheel", "-q", "--no-deps", "-w", wheels,
         f"--config-settings=build-dir={PLACE / 'cmake'}",
         f"--config-settings=cmake.define.WEFT_PYTHON_LIBRARY={library}", ".")
    [wheel] = wheels.glob("weft-*-py3-none-*.whl")
    _pip("pip install weft", "install", "-q", wheel)
    return wheel


def run_example(tally, command=(PYTHON, "-I"), environment=None):
    """The README's example; by default where nothing but the installed package is found."""
    script = PLACE / "readme_example.py"
    script.write_text(README_EXAMPLE.search((ROOT / "README.md").read_text())[1])
    status = run("python example of the README", [*command, script], environment, fatal=False)
    tally.check("python: the README's example", status == 0)


def count(path):
    """A tally over a pytest JUnit file."""
    tally = Tally()
    for case in ElementTree.parse(path).iter("testcase"):
        bad = [child for child in case if child.tag in ("failure", "error")]
        if bad:
            what = "".join(f"\n    {line}" for line in (bad[0].get("message") or "")
                           .splitlines()[:8])
            tally.failures.append(f"python: {case.get('classname')}.{case.get('name')}{what}")
        elif case.find("skipped") is not None:
            tally.skipped += 1
        else:
            tally.passed += 1
    return tally


def run_pytest(title, python, env=None):
    report = PLACE / (re.sub(r"[^a-z0-9]+", "-", title) + ".xml")
    report.unlink(missing_ok=True)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}",
               "tests/python"]
    status = run(title, command, env, fatal=False)
    if not report.exists():
        return Tally(failures=[f"{title}: left no report"])
    tally = count(report)
    if status != 0 and not tally.failures:
        tally.failures.append(f"{title}: exit status {status}")
    return tally


def _alone():
    """The installed package in a folder of its own, for an interpreter with its own packages."""
    [package] = VENV.glob("lib/python3*/site-packages/weft")
    place = PLACE / "path"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(package, place / "weft")
    return place


def has_torch():
    """Whether this interpreter can run the tests of frameworks: torch, tvm-ffi and pytest."""
    return all(find_spec(name) for name in ("torch", "tvm_ffi", "pytest"))


def run_with_build(build):
    """The README's example and tests/python under this interpreter, around the library of a build
    made elsewhere; None where torch is missing, or the build has no such library."""
    library = build / "python" / "libweft.so"
    if not has_torch() or not library.exists():
        return None
    place = PLACE / "path"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(ROOT / "python" / "weft", place / "weft", symlinks=True,
                    ignore=shutil.ignore_patterns("libweft.so", "__pycache__"))
    shutil.copy(library, place / "weft")
    path = os.pathsep.join([str(place), *filter(None, [os.environ.get("PYTHONPATH")])])
    tally = Tally()
    run_example(tally, [sys.executable], {"PYTHONPATH": path})
    tally.add(run_pytest("pytest gpu", sys.executable, {"PYTHONPATH": path}))
    return tally


def run_tests(other=None):
    """Everything above; with `other`, tests/python again under an interpreter that has torch and
    its like. Without a package index nothing runs, and the verdict says so."""
    tally = Tally()
    try:
        install()
        run_example(tally)
        _pip("pip install pytest", "install", "-q", *TEST_PACKAGES)
    except Offline as offline:
        say(f"PYTHON TESTS NOT RUN: no package index can be reached ({offline})")
        tally.skipped += 1
        return tally
    tally.add(run_pytest("pytest", PYTHON))
    if other:
        tally.add(run_pytest(f"pytest of {other}", other, {"PYTHONPATH": str(_alone())}))
    return tally


def bench(other=None):
    """Host costs of the package, under `other` when it is given (which may have torch)."""
    install()
    env = {"PYTHONPATH": str(_alone())} if other else {}
    return show([other or PYTHON, "bench/python_host.py"], env) == 0
