#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Checks the text of every source file: licence line, 100 columns, no tabs, no trailing blanks, a
# final newline, no leftover markers. Run by ./dev test and ./dev check.
import re
import sys
from pathlib import Path

from source_files import CPP, tracked_files

COLUMNS = 100
SPDX = "SPDX-License-Identifier: Apache-2.0"
SUFFIXES = CPP | {".py", ".cmake", ".sh", ".toml", ".yml", ".yaml"}
NAMES = {"CMakeLists.txt", "CITATION.cff", "dev", "run", ".clang-format", ".clang-tidy",
         ".editorconfig"}
MARKER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def is_source(path):
    return path.suffix in SUFFIXES or path.name in NAMES


def check_text(text):
    """Problems of a file's text as (line number, message)."""
    lines = text.split("\n")
    problems = []
    first = lines[1:2] if lines[0].startswith("#!") else lines[:1]
    if not first or SPDX not in first[0]:
        problems.append((1, f"expected the licence line: {SPDX}"))
    if lines[-1] != "":
        problems.append((len(lines), "no newline at the end of the file"))
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            problems.append((number, f"{len(line)} columns, expected at most {COLUMNS}"))
        if "\t" in line:
            problems.append((number, "a tab"))
        if line != line.rstrip():
            problems.append((number, "trailing blanks"))
        if MARKER.search(line):
            problems.append((number, "a leftover marker; open an issue instead"))
    return problems


def main():
    root = Path(__file__).resolve().parents[1]
    count = 0
    for file in tracked_files(root):
        path = file.relative_to(root)
        if is_source(path):
            for number, message in check_text(file.read_text()):
                print(f"{path}:{number}: {message}")
                count += 1
    print(f"check_text: {f'{count} problems' if count else 'ok'}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
