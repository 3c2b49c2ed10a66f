# SPDX-License-Identifier: Apache-2.0
# Rows for tools/check_size.py: what counts as a function and how long it is.
import unittest
from pathlib import Path

import check_size

# (text, the functions expected as (name, lines))
FUNCTIONS = (
    ("int f() {\n  return 1;\n}\n", [("f", 3)]),
    ("int f() { return 1; }\n", [("f", 1)]),
    ("namespace a {\nstruct B {\n  int g() const {\n    return x;\n  }\n};\n}\n", [("g", 3)]),
    ("B::B(int x) : x_(x), y_{x} {\n  use(x);\n}\n", [("B::B", 3)]),
    ("enum class E : int { a, b };\nint x{5};\nint f() {\n}\n", [("f", 2)]),
    ("struct A {\n  int f() {\n  }\n};\nint g() {\n}\n", [("f", 2), ("g", 2)]),
    ("template <class T>\nvoid f(T x) {\n  if (x) {\n    g();\n  }\n}\n", [("f", 5)]),
    ("constexpr int kTable[] = {\n  1,\n  2,\n};\nint f() {\n  return 2;\n}\n", [("f", 3)]),
    ('const char* s = "{";\n// {\nint f() {\n  return \'{\';\n}\n', [("f", 3)]),
    ('auto s = R"x(\n{{{\n)x";\nvoid f() {\n}\n', [("f", 2)]),
    ("#define M(x) \\\n  {             \\\n    x\nint f() {\n}\n", [("f", 2)]),
    ('extern "C" {\nint f(void) {\n}\n}\n', [("f", 2)]),
    ("TEST(Plan, Covers) {\n  auto g = [] {\n    return 1;\n  };\n}\n", [("TEST", 5)]),
    ("int f() {\n  int rows[] = {\n    {1},\n    {2},\n  };\n  return rows[0];\n}\n", [("f", 4)]),
    ("T f() {\n  return {\n    1,\n  };\n}\nint g() {\n}\n", [("f", 3), ("g", 2)]),
    ("constexpr long k = 1'000'000;\nint f() {\n  return k;\n}\n", [("f", 3)]),
)


class CheckSize(unittest.TestCase):
    def test_functions_are_found(self):
        for text, expected in FUNCTIONS:
            with self.subTest(text=text):
                found = [(name, lines) for name, _, lines in check_size.cpp_functions(text)]
                self.assertEqual(found, expected)

    def test_limits(self):
        body = "void f() {\n" + "  g();\n" * 48 + "}\n"
        longer = "void f() {\n" + "  g();\n" * 49 + "}\n"
        self.assertEqual(check_size.check_file(Path("x.cc"), body), [])
        self.assertEqual(len(check_size.check_file(Path("x.cc"), longer)), 1)
        self.assertEqual(check_size.check_file(Path("x.cuh"), longer), [])
        self.assertEqual(len(check_size.check_file(Path("x.h"), "int x;\n" * 501)), 1)
        self.assertEqual(check_size.check_file(Path("x.h"), "int x;\n" * 500), [])

    def test_python_functions(self):
        text = "def f():\n" + "    pass\n" * 50
        self.assertEqual(len(check_size.check_file(Path("x.py"), text)), 1)
        self.assertEqual(check_size.check_file(Path("x.py"), "def f():\n    pass\n"), [])


if __name__ == "__main__":
    unittest.main()
