# SPDX-License-Identifier: Apache-2.0
# Runs one command as a named step: progress while it runs, a log, its last lines when it fails.
# Called by every other room; knows nothing of what the commands do.
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "logs"
TAIL_LINES = 40
ERROR = re.compile(r"\b(fatal error|error|FAILED|undefined reference)\b:?")
PROGRESS = re.compile(rb"\[(\d+)/(\d+)\]|^\s*(\d+)/(\d+) Test", re.M)  # ninja's, ctest's


class StepFailed(Exception):
    """A step ended badly; what there is to see has been printed already."""


def say(text=""):
    print(text, flush=True)


class Progress:
    """One rewritten line on a terminal; elsewhere a plain line every 15 seconds."""

    def __init__(self, title):
        self.title, self.start, self.count = title, time.monotonic(), ""
        self.tty = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.next_line = self.start + 15
        if not self.tty:
            say(f"{title} ...")

    def elapsed(self):
        return time.monotonic() - self.start

    def read(self, chunk):
        found = PROGRESS.findall(chunk)
        if found:
            groups = [g.decode() for g in found[-1] if g]
            self.count = f" {groups[0]}/{groups[1]}"

    def tick(self):
        if self.tty:
            sys.stdout.write(f"\r\x1b[K{self.title}{self.count}  {self.elapsed():.0f} s")
            sys.stdout.flush()
        elif time.monotonic() >= self.next_line:
            self.next_line = time.monotonic() + 15
            say(f"  {self.title}:{self.count or ' running'}, {self.elapsed():.0f} s")

    def end(self, verdict):
        lead = "\r\x1b[K" if self.tty else ""
        say(f"{lead}{self.title}: {verdict} ({self.elapsed():.1f} s)")


def _stop(process):
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=5)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        process.kill()


def _pump(process, log, progress):
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    while True:
        if selector.select(timeout=0.5):
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                return
            log.write(chunk)
            log.flush()
            progress.read(chunk)
        progress.tick()


def run(title, command, env=None, fatal=True):
    """Runs a command, output to build/logs; returns its exit status, or raises when fatal."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log_path = LOGS / (re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + ".log")
    progress = Progress(title)
    try:
        process = subprocess.Popen([str(c) for c in command], cwd=ROOT, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env={**os.environ, **(env or {})}, start_new_session=True)
    except OSError as error:
        progress.end("FAILED")
        say(f"  {command[0]}: {error.strerror}")
        raise StepFailed(title) from error
    try:
        with open(log_path, "wb") as log:
            _pump(process, log, progress)
        status = process.wait()
    except BaseException:
        _stop(process)
        raise
    if status == 0:
        progress.end("ok")
        return 0
    progress.end(f"FAILED with exit status {status}")
    lines = log_path.read_text(errors="replace").splitlines()
    for line in [line for line in lines[:-TAIL_LINES] if ERROR.search(line)][:8]:
        say(f"  > {line}")  # what went wrong first is often above the last lines
    for line in lines[-TAIL_LINES:]:
        say(f"  | {line}")
    say(f"  the whole log: {log_path.relative_to(ROOT)}")
    if fatal:
        raise StepFailed(title)
    return status


def show(command, env=None):
    """Runs a command that speaks to the user itself, on the user's terminal; returns its status."""
    say("$ " + " ".join(str(c) for c in command))
    return subprocess.run([str(c) for c in command], cwd=ROOT, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(env or {})}).returncode
