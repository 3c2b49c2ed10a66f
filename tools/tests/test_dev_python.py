# SPDX-License-Identifier: Apache-2.0
# Rows for tools/dev/python.py: what a pytest report counts, and which failures of pip mean that no
# package index can be reached.
import tempfile
import unittest
from pathlib import Path

from dev.python import OFFLINE, README_EXAMPLE, count
from dev.steps import ROOT

REPORT = """<testsuites><testsuite>
<testcase classname="a" name="ok"/>
<testcase classname="a" name="skip"><skipped message="no torch"/></testcase>
<testcase classname="a" name="bad"><failure message="assert 1 == 2&#x0A;more"/></testcase>
<testcase classname="a" name="broken"><error message="fixture">text</error></testcase>
</testsuite></testsuites>"""


class Python(unittest.TestCase):
    def test_cases_of_a_report(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.xml"
            path.write_text(REPORT)
            tally = count(path)
        self.assertEqual((tally.passed, tally.skipped, len(tally.failures)), (1, 1, 2))
        self.assertIn("a.bad", tally.failures[0])
        self.assertIn("assert 1 == 2", tally.failures[0])

    def test_what_offline_looks_like(self):
        for text in ("NewConnectionError('<pip._vendor.urllib3 ...>: Failed to establish')",
                     "Temporary failure in name resolution", "Network is unreachable"):
            self.assertTrue(OFFLINE.search(text), text)
        for text in ("error: subprocess-exited-with-error", "ninja: build stopped",
                     "ERROR: Could not build wheels for weft"):
            self.assertFalse(OFFLINE.search(text), text)

    def test_the_readme_has_an_example(self):
        self.assertIn("import weft", README_EXAMPLE.search((ROOT / "README.md").read_text())[1])
