"""Tests of the comparison itself: it must be able to fail."""

import tempfile
import unittest
from pathlib import Path

from compare import Permitted, compare, read_permitted, transcript

SEEN = [("planted", {"packets": ["01 aa"]}), ("one", {"packets": ["01 00", "02 fe"], "n": 1}), ("two", {"packets": []})]


def changed(step, **seen):
    return [(name, {**was, **seen} if name == step else was) for name, was in SEEN]


class Compare(unittest.TestCase):
    def test_equal_transcripts_have_no_difference(self):
        self.assertEqual(compare("p", SEEN, SEEN, []).differences, [])

    def test_each_changed_value_is_found(self):
        for step, was in SEEN[1:]:
            for name in was:
                found = compare("p", SEEN, changed(step, **{name: "other"}), []).differences
                self.assertEqual([(d.step, d.field) for d in found], [(step, name)])

    def test_a_missing_packet_and_a_missing_step_are_found(self):
        self.assertEqual(len(compare("p", SEEN, changed("one", packets=["01 00"]), []).differences), 1)
        self.assertEqual(len(compare("p", SEEN, SEEN[:-1], []).differences), 1)
        self.assertEqual(len(compare("p", SEEN, changed("one", more=1), []).differences), 1)

    def test_a_planted_difference_is_told_and_no_failure(self):
        verdict = compare("p", SEEN, changed("planted", packets=["01 bb"]), [])
        self.assertTrue(verdict.planted)
        self.assertEqual(verdict.differences, [])
        self.assertFalse(compare("p", SEEN, SEEN, []).planted)

    def test_a_permitted_difference_must_be_as_the_line_says(self):
        rule = Permitted("p/one", "packets", "01 ff", "a reason")
        self.assertEqual(compare("p", SEEN, changed("one", packets=["01 ff"]), [rule]).differences, [])
        self.assertTrue(rule.used)
        self.assertEqual(len(compare("p", SEEN, changed("one", packets=["01 ee"]), [rule]).differences), 1)
        self.assertEqual(len(compare("other", SEEN, changed("one", packets=["01 ff"]), [rule]).differences), 1)

    def test_permitted_lines_need_a_narrow_step_and_a_reason(self):
        good = "p/step_name  packets  01 ff  because of a reason"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "permitted.txt"
            path.write_text(f"# comment\n{good}\n")
            self.assertEqual(read_permitted(path)[0].through, "01 ff")
            for bad in ("*/*  *  01 ff  because of a reason", "p/step_name  packets  01 ff", "p/step_name  *  f  because of it",
                        "\n".join([good] * 20)):
                path.write_text(bad)
                self.assertRaises(ValueError, read_permitted, path)

    def test_lines_that_are_no_steps_are_left_out(self):
        self.assertEqual(transcript('noise\n{"step": "a", "x": 1}\n'), [("a", {"x": 1})])


if __name__ == "__main__":
    unittest.main()
