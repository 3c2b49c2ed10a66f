#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Rows for tools/dev/gpu.py: what ./dev test says of the report, and the hash it compares.
import json
import tempfile
import unittest
from pathlib import Path

from dev.gpu import REPORT, kernel_tree_hash, report_line


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "kernels" / "core").mkdir(parents=True)
        (self.root / "kernels" / "core" / "a.h").write_text("int a;\n")
        (self.root / "kernels" / "b.cuh").write_text("int b;\n")

    def line(self, tree):
        report = {"device": "NVIDIA H200", "kernel_tree_hash": tree, "passed": 7, "failed": 0}
        (self.root / REPORT).write_text(json.dumps(report))
        return report_line(self.root, self.root)

    def test_without_a_report_it_says_so(self):
        self.assertIn("none", report_line(self.root, self.root))

    def test_fresh_until_a_kernel_changes(self):
        tree = kernel_tree_hash(self.root)
        self.assertEqual(self.line(tree), "GPU report: fresh (NVIDIA H200, 7 passed, 0 failed)")
        (self.root / "kernels" / "b.cuh").write_text("int c;\n")
        self.assertIn("stale", self.line(tree))

    def test_a_name_counts_as_much_as_a_text(self):
        before = kernel_tree_hash(self.root)
        (self.root / "kernels" / "b.cuh").rename(self.root / "kernels" / "c.cuh")
        self.assertNotEqual(kernel_tree_hash(self.root), before)

    def test_other_files_do_not_count(self):
        before = kernel_tree_hash(self.root)
        (self.root / "kernels" / "notes.md").write_text("x")
        self.assertEqual(kernel_tree_hash(self.root), before)


if __name__ == "__main__":
    unittest.main()
