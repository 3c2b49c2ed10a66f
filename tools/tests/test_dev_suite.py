# SPDX-License-Identifier: Apache-2.0
# Rows for tools/dev/suite.py: what the last line of ./dev test counts, from the reports on disk.
import tempfile
import unittest
from pathlib import Path

from dev.suite import count

CTEST = """<testsuite>
<testcase name="unit/plan" status="run"/>
<testcase name="cpu/attention" status="fail"/>
<testcase name="cpu/crash" status="fail"/>
<testcase name="package/install" status="run"/>
<testcase name="package/c" status="fail"/>
<testcase name="gpu/none" status="disabled"/>
</testsuite>"""
PLAN = """<testsuites><testsuite>
<testcase name="A" classname="Plan" status="run"/>
<testcase name="B" classname="Plan" status="run"><skipped message="no AMX"/></testcase>
<testcase name="DISABLED_C" classname="Plan" status="notrun"/>
</testsuite></testsuites>"""
ATTENTION = """<testsuites><testsuite>
<testcase name="A" classname="Cpu" status="run"/>
<testcase name="B" classname="Cpu" status="run"><failure message="1 != 2&#x0A;row 3"/></testcase>
</testsuite></testsuites>"""


class Count(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.reports = Path(folder.name)
        (self.reports / "ctest.xml").write_text(CTEST)
        (self.reports / "unit.plan.xml").write_text(PLAN)
        (self.reports / "cpu.attention.xml").write_text(ATTENTION)
        (self.reports / "cpu.crash.xml").write_text("<testsuites><tests")

    def test_cases_are_counted_one_by_one(self):
        tally = count(self.reports / "ctest.xml", self.reports)
        self.assertEqual(tally.passed, 3)  # Plan.A, Cpu.A, package/install
        self.assertEqual(tally.skipped, 3)  # Plan.B, Plan.DISABLED_C, gpu/none
        self.assertEqual(tally.failures, [
            "cpu/attention: Cpu.B\n    1 != 2\n    row 3",
            "cpu/crash: crashed or timed out",
            "package/c: failed",
        ])


if __name__ == "__main__":
    unittest.main()
