#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Rows for tools/dev/gpu.py: what ./dev test says of the report, the hash it compares, and a whole
# run over programs that only pretend.
import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from dev import gpu
from dev.gpu import REPORT, kernel_tree_hash, report_line
from dev.suite import Tally

# A GoogleTest program of one test, and of one more that measures.
PROGRAM = """#!/bin/sh
for argument; do
  case $argument in
    --gtest_output=xml:*) report=${argument#--gtest_output=xml:} ;;
    --gtest_filter=-*) name=checks ;;
    --gtest_filter=*) name=times; echo '{"id": "row", "us": 2.0}' ;;
  esac
done
echo "<testsuites><testsuite><testcase name='$name' status='run' classname='T'>%s</testcase>\\
</testsuite></testsuites>" > "$report"
exit %d
"""
WEFT = """#!/bin/sh
case $1 in
  info) echo '{"gpus": [{"name": "a GPU"}], "kernel_tree_hash": "abc", "version": "1"}' ;;
  bench) exit 1 ;;
esac
"""


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "kernels" / "core").mkdir(parents=True)
        (self.root / "kernels" / "core" / "a.h").write_text("int a;\n")
        (self.root / "kernels" / "b.cuh").write_text("int b;\n")

    def line(self, tree):
        report = {"device": "NVIDIA H200", "kernel_tree_hash": tree, "passed": 7, "failed": 0,
                  "bench_rows": 3}
        (self.root / REPORT).write_text(json.dumps(report))
        return report_line(self.root, self.root)

    def test_without_a_report_it_says_so(self):
        self.assertIn("none", report_line(self.root, self.root))

    def test_fresh_until_a_kernel_changes(self):
        tree = kernel_tree_hash(self.root)
        self.assertEqual(self.line(tree), "GPU report: fresh (NVIDIA H200, 7 passed, 0 failed)")
        (self.root / "kernels" / "b.cuh").write_text("int c;\n")
        self.assertIn("stale", self.line(tree))

    def test_what_was_cut_off_before_it_measured_says_so(self):
        gpu._write_report(self.root, {"gpus": [{"name": "a GPU"}], "version": "1",
                                      "kernel_tree_hash": kernel_tree_hash(self.root)},
                          Tally(passed=2), {})
        self.assertEqual(report_line(self.root, self.root),
                         "GPU report: fresh (a GPU, 2 passed, 0 failed, nothing measured)")

    def test_a_name_counts_as_much_as_a_text(self):
        before = kernel_tree_hash(self.root)
        (self.root / "kernels" / "b.cuh").rename(self.root / "kernels" / "c.cuh")
        self.assertNotEqual(kernel_tree_hash(self.root), before)

    def test_other_files_do_not_count(self):
        before = kernel_tree_hash(self.root)
        (self.root / "kernels" / "notes.md").write_text("x")
        self.assertEqual(kernel_tree_hash(self.root), before)


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.add("tools/weft", WEFT)
        self.add("tests/gpu/gpu_good_test", PROGRAM % ("", 0))

    def add(self, name, text):
        path = self.root / "build" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run_gpu(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), mock.patch.object(gpu, "ROOT", self.root), \
                mock.patch.object(gpu.shutil, "which", return_value=None), \
                mock.patch.object(gpu, "_targets", return_value={"row": 3.0}):
            ok = gpu.run_gpu(self.root / "build", self.root / "results")
        report = json.loads((self.root / "results" / REPORT).read_text())
        return ok, report, said.getvalue()

    def test_counts_what_checks_and_what_measures(self):
        _, report, said = self.run_gpu()
        # Three parts that check, one that measures.
        self.assertIn("gpu_good_test: 3 passed, 0 failed", said)
        self.assertEqual((report["passed"], report["bench_rows"], report["targets_met"]), (4, 1, 1))
        self.assertEqual(report["failures"], ["benchmarks: weft: "])

    def test_a_failing_program_is_named(self):
        self.add("tests/gpu/gpu_bad_test", PROGRAM % ("<failure message='wrong'/>", 1))
        ok, report, said = self.run_gpu()
        self.assertFalse(ok)
        self.assertIn("gpu_bad_test: T.checks", report["failures"])
        self.assertIn("FAILED gpu_bad_test: T.checks", said)


if __name__ == "__main__":
    unittest.main()
