# SPDX-License-Identifier: Apache-2.0
# Rows for tools/check_text.py: one bad habit each, and files that have none.
import unittest
from pathlib import Path

import check_text

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
CLEAN = (
    SPDX + "int x;\n",
    "#!/usr/bin/env python3\n# SPDX-License-Identifier: Apache-2.0\n",
    SPDX + "/" * 100 + "\n",
)
BAD = (
    ("int x;\n", 1, "licence"),
    (SPDX + "/" * 101 + "\n", 2, "101 columns"),
    (SPDX + "\tint x;\n", 2, "tab"),
    (SPDX + "int x; \n", 2, "trailing"),
    (SPDX + "int x;", 2, "newline"),
    (SPDX + "// TO" "DO: later\n", 2, "marker"),
)


class CheckText(unittest.TestCase):
    def test_clean_files(self):
        for text in CLEAN:
            with self.subTest(text=text):
                self.assertEqual(check_text.check_text(text), [])

    def test_bad_files(self):
        for text, line, word in BAD:
            with self.subTest(word=word):
                problems = check_text.check_text(text)
                self.assertEqual([number for number, _ in problems], [line])
                self.assertIn(word, problems[0][1])

    def test_which_files_are_sources(self):
        for name, expected in (("src/x.cc", True), ("dev", True), ("data/x.csv", False),
                               ("CMakeLists.txt", True), ("README.md", False)):
            self.assertEqual(check_text.is_source(Path(name)), expected, name)


if __name__ == "__main__":
    unittest.main()
