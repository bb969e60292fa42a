"""Tests of the verdict on a suite: it must be able to fail."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

from suites import PASSED, MariaDBTest
from verdict import expected, judge


def passes(direct, through, excepted=()):
    with contextlib.redirect_stdout(io.StringIO()):
        return judge("s", {"direct": direct, "through": through}, excepted)


class Verdict(unittest.TestCase):
    def test_a_failure_through_the_gateway_alone_fails_the_suite(self):
        both = {"a": PASSED, "b": PASSED}
        self.assertTrue(passes(both, both))
        self.assertFalse(passes(both, {"a": PASSED, "b": "why"}))
        self.assertFalse(passes(both, {"a": PASSED}))
        self.assertTrue(passes(both, {"a": PASSED, "b": "why"}, ["s/b"]))

    def test_what_fails_directly_says_nothing_and_nothing_alone_is_no_success(self):
        self.assertTrue(passes({"a": PASSED, "b": "why"}, {"a": PASSED, "b": "why"}))
        self.assertFalse(passes({"a": "why"}, {"a": "why"}))
        self.assertFalse(passes({}, {}))

    def test_another_output_is_a_failure_through_the_gateway(self):
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            for side in ("direct", "through"):
                (work / f"vardir-{side}").mkdir()
                (work / f"vardir-{side}" / "a.result").write_text("same")
                (work / f"vardir-{side}" / "b.result").write_text(side)
            results = {side: {"a": PASSED, "b": PASSED} for side in ("direct", "through")}
            MariaDBTest().compare(results, work)
            self.assertEqual(results["through"]["a"], PASSED)
            self.assertIn("differs", results["through"]["b"])

    def test_an_expected_failure_needs_a_reason(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "expected.txt"
            path.write_text("# comment\ns/b  because of a reason\n")
            self.assertEqual(expected(path), ["s/b"])
            path.write_text("s/b\n")
            self.assertRaises(ValueError, expected, path)


if __name__ == "__main__":
    unittest.main()
