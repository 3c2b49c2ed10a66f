# SPDX-License-Identifier: Apache-2.0
# Configure and build one preset. Called by every command that needs a binary; knows no tests.
from dev import system
from dev.steps import ROOT, run

PRESETS = ("release", "debug", "asan", "ubsan", "tsan", "fuzz")


def directory(preset):
    return ROOT / "build" / preset


def build(preset="release", targets=(), jobs=None):
    system.ensure(system.FUZZ + system.BUILD if preset == "fuzz" else system.BUILD)
    run(f"configure {preset}", ["cmake", "--preset", preset])
    command = ["cmake", "--build", directory(preset), "-j", str(jobs or system.jobs())]
    run(f"build {preset}", [*command, "--target", *targets] if targets else command)
