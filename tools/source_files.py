# SPDX-License-Identifier: Apache-2.0
# Which files are ours and which are C++; the one list that the checks and ./dev work on.
import os
import subprocess
from pathlib import Path

CPP = {".h", ".cuh", ".cc", ".c"}


def tracked_files(root):
    """Files git tracks or would track; in an unpacked archive, all but build and dot folders."""
    root = Path(root)
    command = ["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        names = done.stdout.split("\0") if done.returncode == 0 else None
    except OSError:
        names = None
    if names is None:
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if f != "build" and (f == ".ci" or f[0] != ".")]
            names += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    paths = (root / name for name in sorted(set(names)) if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]
