"""Tests of the runner. Run: python3 -m unittest discover -s script/runner"""

import importlib.util
import json
import tempfile
import unittest
from pathlib import Path

SPEC = importlib.util.spec_from_file_location("runner", Path(__file__).parent / "__main__.py")
runner = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(runner)


def artifact(name, executable, is_test=True):
    return json.dumps({
        "reason": "compiler-artifact", "manifest_path": "/w/tests/Cargo.toml", "executable": executable,
        "profile": {"test": is_test}, "target": {"name": name, "src_path": f"/w/tests/{name}.rs"},
    })


class Messages(unittest.TestCase):
    def test_only_test_programs_are_run_the_slowest_first(self):
        messages = "\n".join([
            artifact("e2e_b", "/t/b"), artifact("e2e_a", "/t/a"), artifact("e2e_acme", "/t/acme"), artifact("helper", None),
            artifact("client-rust", "/t/client", is_test=False), '{"reason": "build-finished", "success": true}', "noise",
        ])
        found = runner.programs_in(messages)
        self.assertEqual([program.name for program in found], ["e2e_acme", "e2e_a", "e2e_b"])
        self.assertEqual(found[1].title(), "     Running e2e_a.rs (/t/a)")


class Runs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.said = []

    def program(self, name, script):
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return runner.Program(name, path, self.folder, path)

    def run_all(self, programs, at_once=2, wait_seconds=60):
        return runner.Runner(wait_seconds, self.said.append).run(programs, at_once)

    def test_a_program_that_fails_is_named_and_the_others_run(self):
        programs = [self.program("bad", "echo before; exit 101"), self.program("good", "pwd")]
        self.assertEqual(self.run_all(programs, at_once=1), ["bad"])
        bad, good = self.said
        self.assertIn("before", bad)
        self.assertIn("1 failed", bad)
        self.assertIn("it ended with 101", bad)
        self.assertIn(str(self.folder), good)

    def test_programs_run_beside_each_other_and_their_output_is_kept_together(self):
        # Each ends only if the other has begun.
        meet = "echo {0}1; touch {0}; until [ -e {1} ]; do sleep 0.01; done; echo {0}2"
        programs = [self.program("one", meet.format("a", "b")), self.program("two", meet.format("b", "a"))]
        self.assertEqual(self.run_all(programs), [])
        for text in self.said:
            self.assertTrue("a1\na2" in text or "b1\nb2" in text, text)

    def test_a_program_that_hangs_is_ended_with_its_output(self):
        self.assertEqual(self.run_all([self.program("hung", "echo here; exec sleep 1000")], wait_seconds=1), ["hung"])
        self.assertIn("here", self.said[0])
        self.assertIn("did not end within 1 s", self.said[0])

    def test_a_program_that_is_not_there_is_a_failure(self):
        gone = runner.Program("gone", self.folder / "gone.rs", self.folder, self.folder / "gone")
        self.assertEqual(self.run_all([gone]), ["gone"])

    def test_a_process_that_is_left_behind_keeps_nobody_waiting(self):
        self.assertEqual(self.run_all([self.program("parent", "sleep 20 & echo $!")]), [])


class Sums(unittest.TestCase):
    def test_a_program_without_a_sum_gets_one(self):
        said = "test one ... ok\nsome words\ntest two ... ok\ntest three ... FAILED\n"
        self.assertEqual(runner.result_line(said, "it ended with 101"), "\ntest result: FAILED. 2 passed; 1 failed; 0 ignored")
        self.assertEqual(runner.result_line("test one ... ok", ""), "\ntest result: ok. 1 passed; 0 failed; 0 ignored")
        self.assertEqual(runner.result_line("test result: ok. 3 passed; 0 failed", ""), "")

    def test_a_crash_counts_as_a_failure(self):
        self.assertEqual(runner.result_line("memory", "it ended with -11"), "\ntest result: FAILED. 0 passed; 1 failed; 0 ignored")


if __name__ == "__main__":
    unittest.main()
