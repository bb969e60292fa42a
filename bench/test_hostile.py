"""Tests of which promises the hostile run reports as kept and broken. Run: python3 -m unittest discover -s bench"""

import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "hostile"))

import table  # noqa: E402
import wire  # noqa: E402


def timing(p99):
    return {"count": 10, "p50": 1, "p95": 2, "p99": p99, "max": p99}


def results(p99=3000, failures=None, resident=100.0, alive=True, asked=("bare",)):
    def good(ninety_nine, failed):
        return {"queries": timing(ninety_nine), "logins": timing(1), "failures": failed}
    return {"dummy": {"good": good(1000, {})}, "alive": alive, "limited": "half a core", "log_lines": 1,
            "asked": list(asked),
            "attack": {"good": good(p99, failures or {}), "server_mb": {"resident": resident, "anonymous": resident},
                       "attacks": {"done": {"bare": 1}, "errors": {"bare": {"closed": 2}}}, "frozen": 1}}


class Verdicts(unittest.TestCase):
    def kept(self, **changed):
        return [v["met"] for v in table.verdicts(results(**changed))]

    def test_each_promise_is_broken_by_its_own_figure(self):
        self.assertEqual(self.kept(), [True, True, True, True, True])
        self.assertEqual(self.kept(failures={"closed": 1}), [False, True, True, True, True])
        self.assertEqual(self.kept(p99=3001), [True, False, True, True, True])
        self.assertEqual(self.kept(resident=200.0), [True, True, False, True, True])
        self.assertEqual(self.kept(asked=("bare", "1 MB logins")), [True, True, True, False, True])
        self.assertEqual(self.kept(alive=False), [True, True, True, True, False])

    def test_the_table_names_what_failed(self):
        found = results(failures={"the server said 1040": 7})
        about = {"machine": {"cores": 2, "cpu": "c", "memory_gb": 1, "system": "s", "kernel": "k"}, "date": "d",
                 "commit": "c", "uncommitted": False, "tidegate": "t", "minutes": 10}
        text = table.text(found, table.verdicts(found), about)
        self.assertIn("| the server said 1040 | 7 |", text)
        self.assertIn("closed (2)", text)


class Wire(unittest.TestCase):
    def test_an_error_packet_gives_its_code_and_others_none(self):
        self.assertEqual(wire.error_code(b"\xff" + struct.pack("<H", 1045) + b"#28000no"), 1045)
        self.assertIsNone(wire.error_code(b"\x00\x00\x00\x02\x00"))

    def test_a_large_login_says_the_length_of_its_attributes(self):
        sent = wire.attributes(1 << 20)
        self.assertEqual(sent[0], 0xfd)
        self.assertEqual(int.from_bytes(sent[1:4], "little"), len(sent) - 4)
        self.assertGreater(len(sent), 1_000_000)

    def test_sources_differ_and_stay_in_their_network(self):
        some = {wire.next_source(24) for _ in range(300)}
        self.assertEqual(len(some), 300)
        self.assertTrue(all(s.startswith("127.24.") for s in some))


if __name__ == "__main__":
    unittest.main()
