#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Checks sizes: a file has at most 500 lines, a function at most 50 (a device function, 150), and
# says what the median file is. C++ functions are found by their braces, which is right for code in
# our format. Run by ./dev test and ./dev check.
import ast
import re
import statistics
import sys
from pathlib import Path

from source_files import CPP, tracked_files

FILE_LINES, MEDIAN_LINES, FUNCTION_LINES, DEVICE_FUNCTION_LINES = 500, 150, 50, 150
NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s"\\]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<!\w)'(?:\\.|[^'\\\n])+'", re.S)
SCOPE = re.compile(r'(^|[\s;}>])(namespace|class|struct|union|enum|extern)\b')
NAME = re.compile(r"([~\w:]+|operator\S+)\s*\(")


def blank_noise(text):
    """Comments and literals removed, line breaks kept, so that braces are code."""
    text = NOISE.sub(lambda m: "\n" * m[0].count("\n") if m[0][0] == "/" else
                     '""' + "\n" * m[0].count("\n"), text)
    return re.sub(r"^\s*#(?:.*\\\n)*.*$", lambda m: "\n" * m[0].count("\n"), text, flags=re.M)


def is_scope(head):
    """Whether the text before an opening brace opens a namespace or a type, not a function."""
    head = re.sub(r"\btemplate\s*<.*?>\s*(?=\w)", " ", head, flags=re.S)
    if not SCOPE.search(head):
        return False
    return "(" not in re.sub(r"\balignas\s*\([^)]*\)|__attribute__\s*\(\(.*?\)\)", "", head)


def kind_of_brace(head):
    """What the brace after `head` opens. Our format puts a blank before a body's brace only."""
    if not head[-1:].isspace() or head.rstrip().endswith("=") or ")" not in head:
        return "scope" if is_scope(head) else "value"
    return "scope" if is_scope(head) else "function"


def cpp_functions(text):
    """(name, first line, lines) of each outermost function body; rows of tables in it are free."""
    code, found, open_braces, start, rows = blank_noise(text), [], [], 0, 0
    for match in re.finditer(r"[{};]", code):
        at, inside = match.start(), any(kind != "scope" for kind, _, _ in open_braces)
        line = code.count("\n", 0, at) + 1
        if match[0] == "{":
            head = code[start:at]
            kind = "inner" if inside else kind_of_brace(head)
            if kind == "inner" and head.rstrip().endswith(("=", "return")):
                kind = "table"
            name = NAME.search(head) if kind == "function" else None
            open_braces.append((kind, name[1] if name else "?", line))
            start = at + 1 if kind == "scope" else start
        elif match[0] == "}" and open_braces:
            kind, name, begin = open_braces.pop()
            if kind == "function":
                found.append((name, begin, line + 1 - begin - rows))
                rows = 0
            elif kind == "table" and "table" not in [other for other, _, _ in open_braces]:
                rows += line - begin
            start = at + 1 if kind in ("scope", "function") else start
        elif not inside:
            start = at + 1
    return found


def python_functions(text):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [(node.name, node.lineno, node.end_lineno - node.lineno + 1)
            for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]


def check_file(path, text):
    """Problems of one file as (line number, message)."""
    problems = []
    lines = text.count("\n")
    if lines > FILE_LINES:
        problems.append((lines, f"{lines} lines, expected at most {FILE_LINES}"))
    limit = DEVICE_FUNCTION_LINES if path.suffix == ".cuh" else FUNCTION_LINES
    functions = cpp_functions(text) if path.suffix in CPP else python_functions(text)
    for name, number, length in functions:
        if length > limit:
            problems.append((number, f"{name}: {length} lines, expected at most {limit}"))
    return problems


def main():
    root = Path(__file__).resolve().parents[1]
    count, sizes = 0, []
    for file in tracked_files(root):
        path = file.relative_to(root)
        if path.suffix not in CPP and path.suffix != ".py" and path.name != "dev":
            continue
        text = file.read_text()
        sizes.append(text.count("\n"))
        for number, message in check_file(path, text):
            print(f"{path}:{number}: {message}")
            count += 1
    median = statistics.median(sizes)
    print(f"check_size: {len(sizes)} files, median {median:g} lines (aim: {MEDIAN_LINES})")
    print(f"check_size: {f'{count} problems' if count else 'ok'}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
