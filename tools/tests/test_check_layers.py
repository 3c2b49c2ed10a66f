# SPDX-License-Identifier: Apache-2.0
# Rows for tools/check_layers.py: which include is legal from where.
import tempfile
import unittest
from pathlib import Path

import check_layers

FILES = (
    "include/weft/tensor.h", "kernels/core/base.h", "kernels/attention/spec.h",
    "kernels/attention/smem.h", "kernels/attention/sm90.cuh", "kernels/ptx/tma.cuh",
    "src/base/check.h", "src/plan/plan.h", "src/cpu/simd.h", "src/cuda/driver.h",
    "src/ops/attention/select.h", "tests/oracle/attention.h", "examples/engine/engine.h",
)
LEGAL = (
    ("kernels/attention/spec.h", '#include "kernels/core/base.h"'),
    ("kernels/attention/sm90.cuh", '#include "kernels/ptx/tma.cuh"'),
    ("kernels/attention/sm90.cuh", "#include <cuda_bf16.h>"),
    ("include/weft/x.h", '#include "kernels/attention/spec.h"'),
    ("include/weft/x.h", "#include <vector>"),
    ("src/ops/attention/run.cc", '#include "src/cpu/simd.h"'),
    ("src/api/c_api.cc", "} catch (...) {"),
    ("src/base/check.cc", "// never catch (...) here"),
    ("examples/engine/main.cc", '#include "examples/engine/engine.h"'),
    ("tests/unit/x_test.cc", '#include "src/plan/plan.h"'),
    ("tests/consumers/find_package/main.cc", "#include <weft/tensor.h>"),
)
ILLEGAL = (
    ("include/weft/x.h", '#include "src/base/check.h"'),
    ("include/weft/x.h", '#include "kernels/attention/smem.h"'),
    ("include/weft/x.h", "#include <cuda_runtime.h>"),
    ("kernels/core/x.h", '#include "kernels/attention/spec.h"'),
    ("kernels/core/x.h", '#include "weft/tensor.h"'),
    ("kernels/core/x.h", "#include <vector>"),
    ("kernels/attention/params.h", '#include "kernels/attention/sm90.cuh"'),
    ("src/base/x.cc", '#include "src/plan/plan.h"'),
    ("src/cpu/x.cc", '#include "src/cuda/driver.h"'),
    ("src/plan/x.cc", '#include "src/ops/attention/select.h"'),
    ("src/plan/x.cc", '#include "plan.h"'),
    ("src/plan/x.cc", '#include "include/weft/tensor.h"'),
    ("src/plan/x.cc", '#include "src/plan/../base/check.h"'),
    ("src/plan/x.cc", "#include <weft/tensor.h>"),
    ("src/plan/x.cc", '#include "tests/oracle/attention.h"'),
    ("src/plan/x.cc", "  } catch (...) {"),
    ("examples/engine/main.cc", '#include "src/plan/plan.h"'),
    ("tests/oracle/x.cc", '#include "src/base/check.h"'),
)


class CheckLayers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        for name in FILES:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text("")

    def tearDown(self):
        self.folder.cleanup()

    def test_legal_lines(self):
        for path, line in LEGAL:
            with self.subTest(path=path, line=line):
                self.assertEqual(check_layers.check_file(path, line, self.root), [])

    def test_illegal_lines(self):
        for path, line in ILLEGAL:
            with self.subTest(path=path, line=line):
                problems = check_layers.check_file(path, "\n" + line, self.root)
                self.assertEqual([number for number, _ in problems], [2])


if __name__ == "__main__":
    unittest.main()
