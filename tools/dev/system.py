# SPDX-License-Identifier: Apache-2.0
# What the machine has and how it gets the rest: apt-get as root on Debian and Ubuntu, a local .venv
# for clang-format, otherwise one line that says what to install. Called before a tool is needed.
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from typing import Callable

from dev.steps import ROOT, StepFailed, run, say

VENV = ROOT / ".venv"


def output_of(command, text=None):
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def version_of(program, *arguments):
    """The first dotted number a program prints, as a tuple; () when it is absent."""
    found = re.search(r"(\d+)\.(\d+)", output_of([program, *arguments]) or "")
    return tuple(int(n) for n in found.groups()) if found else ()


def has(program):
    return shutil.which(program) is not None


def has_venv():
    invalidate_caches()  # it may have been installed a moment ago
    return sys.version_info >= (3, 10) and find_spec("ensurepip") is not None


def has_gtest():
    source = "#include <gtest/gtest.h>\nint main() {}\n"
    return output_of(["g++", "-x", "c++", "-", "-lgtest", "-o", "/dev/null"], source) is not None


def has_libfuzzer():
    source = "extern \"C\" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }\n"
    flags = ["-fsanitize=fuzzer,address", "-x", "c++", "-", "-o", "/dev/null"]
    return output_of(["clang++", *flags], source) is not None


def clang_format():
    """The path of a clang-format of version 14 (other versions format differently), or None."""
    for name in ("clang-format-14", "clang-format", VENV / "bin" / "clang-format"):
        if version_of(str(name), "--version")[:1] == (14,):
            return str(name)
    return None


@dataclass(frozen=True)
class Need:
    name: str
    found: Callable[[], bool]
    packages: tuple[str, ...]


# CMake 3.25 for presets version 6; g++ 12 for C++20 class-type template arguments with defaults.
BUILD = (
    Need("g++ 12 or newer", lambda: version_of("g++", "-dumpfullversion") >= (12,), ("g++",)),
    Need("cmake 3.25 or newer", lambda: version_of("cmake", "--version") >= (3, 25), ("cmake",)),
    Need("ninja", lambda: has("ninja"), ("ninja-build",)),
    Need("GoogleTest", has_gtest, ("libgtest-dev",)),
)
FORMAT = (Need("clang-format 14", lambda: clang_format() is not None, ("clang-format-14",)),)
TIDY = (Need("clang-tidy", lambda: has("clang-tidy"), ("clang-tidy",)),)
FUZZ = (Need("clang++ with libFuzzer", has_libfuzzer, ("clang", "libclang-rt-dev")),)
PYTHON = (Need("python3 3.10 or newer with venv", has_venv, ("python3-venv",)),)
TEST = BUILD + (Need("pkg-config", lambda: has("pkg-config"), ("pkg-config",)),)


def _apt_install(packages):
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    options = ["-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3"]
    run("apt-get update", ["apt-get", *options, "update"], env)
    run("apt-get install " + " ".join(packages),
        ["apt-get", *options, "install", "-y", "--no-install-recommends", *packages], env)


def _venv_clang_format():
    if not (VENV / "bin" / "pip").exists():
        run("python venv", ["python3", "-m", "venv", VENV])
    pip = VENV / "bin" / "pip"
    run("pip install clang-format", [pip, "install", "-q", "clang-format==14.0.6"])


def ensure(needs):
    """Finds every need or installs what is missing; else says what to do and raises StepFailed."""
    missing = [need for need in needs if not need.found()]
    if not missing:
        return
    packages = [p for need in missing for p in need.packages]
    say("missing: " + ", ".join(need.name for need in missing))
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _apt_install(packages)
    elif missing == list(FORMAT) and find_spec("ensurepip"):  # Debian's python3 may come without
        _venv_clang_format()
    still = [need for need in missing if not need.found()]
    if still:
        say(f"needs {', '.join(n.name for n in still)}: "
            f"sudo apt-get update && sudo apt-get install -y {' '.join(packages)}")
        raise StepFailed("missing tools")


def jobs():
    """Parallel jobs: the processors this process may use, by cgroup quota and 1 GiB a job."""
    count = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass  # no cgroup v2 here
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    return max(1, min(count, memory_gib))
