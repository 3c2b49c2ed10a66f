#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Checks the order of includes between rooms (docs/architecture.md): a file includes its own room
# and the rooms before it, each path in its one spelling; catch (...) stands in src/api alone.
# Run by ./dev test and ./dev check.
import re
import sys
from pathlib import Path

from source_files import CPP, tracked_files

# Rooms in order: a file may include rooms of a lower rank, and its own.
RANKS = {
    "kernels/core": 0, "kernels/ptx": 1, "kernels/tile": 2, "kernels/op": 3, "include/weft": 4,
    "src/base": 5, "src/plan": 6, "src/jit": 7, "src/cuda": 8, "src/cpu": 8, "src/ops": 9,
    "src/api": 10,
}
# Outside the library there is no order, only a limit: what else a room may include.
PUBLIC = {"include/weft", "kernels/core", "kernels/op"}
BESIDE = {
    "examples": PUBLIC | {"examples"},
    "tests/oracle": PUBLIC | {"tests/oracle"},  # a reference that shares no code with the library
    "tests/consumers": {"include/weft"},
}
PUBLIC_KERNEL_HEADER = re.compile(r"kernels/(core/\w+|\w+/(spec|params))\.h$")
# NVRTC has the functions of math.h built in and no <cstdint>: both stand behind __CUDACC_RTC__.
KERNEL_SYSTEM_HEADERS = {"cstdint", "math.h", "cuda_fp16.h", "cuda_bf16.h", "cuda_fp8.h"}
FOREIGN = re.compile(r"^(cuda|nvrtc|cu|torch|dlpack|Python|ATen|c10)\b|^cuda")
ON_HOST = "tests/simt/"  # runs device code on the host
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
CATCH_ALL = re.compile(r"\bcatch\s*\(\s*\.\.\.\s*\)")


def room_of(path):
    """The room of a path from the repository's root; None when the order does not speak of it."""
    parts = path.split("/")
    if len(parts) < 2:
        return None
    if parts[0] == "kernels":
        return f"kernels/{parts[1]}" if parts[1] in ("core", "ptx", "tile") else "kernels/op"
    pair = "/".join(parts[:2])
    if pair in RANKS or pair in BESIDE:
        return pair
    return parts[0]


def resolve(spelling, root):
    """The file a quoted include names from the root of the repository, or None."""
    path = f"include/{spelling}" if spelling.startswith("weft/") else spelling
    parts = spelling.split("/")
    clean = len(parts) > 1 and ".." not in parts and parts[0] != "include"
    return path if clean and (root / path).is_file() else None


def allowed(path, target):
    """None when `path` may include the file `target`; otherwise the reason."""
    room, other = room_of(path), room_of(target)
    if room == "include/weft" and other.startswith("kernels/"):
        return None if PUBLIC_KERNEL_HEADER.search(target) else "a public header includes only " \
            "kernels/core/*.h and kernels/<op>/{spec,params}.h"
    if not path.endswith(".cuh") and target.endswith(".cuh") and not path.startswith(ON_HOST):
        return "a .cuh is for device code alone"
    if room in RANKS:
        if other == room or (other in RANKS and RANKS[other] < RANKS[room]):
            return None
        return f"{room} comes before {other}" if other in RANKS else f"{room} knows no {other}"
    if room in BESIDE and other not in BESIDE[room]:
        return f"{room} knows only {', '.join(sorted(BESIDE[room]))}"
    return None


def check_include(path, bracket, spelling, root):
    room = room_of(path)
    if bracket == "<":
        if room != "tests/consumers" and re.match(r"(weft|kernels|src)/", spelling):
            return f'<{spelling}>: our headers are included as "{spelling}"'
        if path.startswith("kernels/") and spelling not in KERNEL_SYSTEM_HEADERS:
            only = ", ".join(sorted(KERNEL_SYSTEM_HEADERS))
            return f"<{spelling}>: kernels/ includes only {only}"
        if room == "include/weft" and FOREIGN.match(spelling):
            return f"<{spelling}>: nothing foreign is reachable from a public header"
        return None
    target = resolve(spelling, root)
    if target is None:
        return f'"{spelling}": expected a path from the root, as "weft/x.h" or "src/base/x.h"'
    reason = allowed(path, target)
    return f'"{spelling}": {reason}' if reason else None


def check_file(path, text, root):
    """Problems of one file as (line number, message); `path` is relative to `root`."""
    problems = []
    library = path.startswith(("src/", "include/", "kernels/", "examples/", "tools/"))
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            message = check_include(path, found[1], found[2], root)
            if message:
                problems.append((number, message))
        elif library and not path.startswith("src/api/") and CATCH_ALL.search(line.split("//")[0]):
            problems.append((number, "catch (...) stands in src/api alone"))
    return problems


def main():
    root = Path(__file__).resolve().parents[1]
    count = 0
    for file in tracked_files(root):
        if file.suffix in CPP:
            path = file.relative_to(root).as_posix()
            for number, message in check_file(path, file.read_text(), root):
                print(f"{path}:{number}: {message}")
                count += 1
    print(f"check_layers: {f'{count} problems' if count else 'ok'}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
