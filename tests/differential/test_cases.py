"""Tests of docs/protocol-cases.md: every case has a row, and every test that it names exists."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CASES = range(1, 85)
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| (.+) \|$")
TEST = re.compile(r"`([\w./-]+\.(?:rs|py))` `(\w+)`")


def rows():
    lines = (ROOT / "docs" / "protocol-cases.md").read_text().splitlines()
    return [match.groups() for match in map(ROW.match, lines) if match]


class Cases(unittest.TestCase):
    def test_every_case_has_one_row_with_tests_or_a_reason(self):
        self.assertEqual([int(number) for number, _, _ in rows()], list(CASES))
        for number, _, cell in rows():
            self.assertTrue(TEST.search(cell) or re.match(r"no test: .{15,}", cell), f"case {number}: {cell}")

    def test_every_named_test_exists(self):
        named = [(number, *test) for number, _, cell in rows() for test in TEST.findall(cell)]
        self.assertGreater(len(named), len(CASES))
        for number, path, name in named:
            file = ROOT / path
            self.assertTrue(file.is_file(), f"case {number}: {path} is not there")
            self.assertRegex(file.read_text(), rf"\b(fn|def) {name}\b", f"case {number}: {path} has no test {name}")


if __name__ == "__main__":
    unittest.main()
