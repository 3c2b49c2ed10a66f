# SPDX-License-Identifier: Apache-2.0
# Shared by the Python tests: a random generator by test, and what this machine has.
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def rng(request):
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))


def devices():
    """Devices of torch to test on: the CPU, and a GPU when there is one."""
    try:
        import torch
    except ImportError:
        return []
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
