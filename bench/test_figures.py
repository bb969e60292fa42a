"""Tests of the arithmetic and of reading other programs' output. Run: python3 -m unittest discover -s bench"""

import unittest

import figures
import gateway
import measure
import report
from targets import Target, options_of


class Figures(unittest.TestCase):
    def test_a_percentile_is_a_value_that_was_measured(self):
        values = list(range(1, 51))
        self.assertEqual(figures.percentile(values, 99), 50)
        self.assertEqual(figures.percentile(values, 95), 48)
        self.assertEqual(figures.percentile([7], 50), 7)

    def test_a_target_is_met_at_its_edge_and_missed_beyond(self):
        self.assertTrue(figures.row("x", 0.56, 0.56)["met"])
        self.assertFalse(figures.row("x", 0.559, 0.56)["met"])
        self.assertTrue(figures.row("x", 16, 16, most=True)["met"])
        self.assertFalse(figures.row("x", 1, 0, most=True)["met"])

    def test_targets_compare_within_one_run(self):
        one = {"qps": 100.0, "proxy_cpu_us": 10.0}
        run = {n: {"direct": {"qps": 200.0}, "haproxy": dict(one), "tidegate": dict(one)} for n in ("1", "8", "32")}
        run["8"]["tidegate"] = {"qps": 120.0, "proxy_cpu_us": 11.0}
        met = {r["what"]: r["met"] for r in figures.rows({"qps": run})}
        self.assertTrue(met["throughput, 8 threads, of direct TLS"])
        self.assertTrue(met["throughput, 8 threads, of HAProxy"])
        self.assertFalse(met["gateway CPU per query, 8 threads, of HAProxy's"])
        self.assertFalse(met["throughput, 32 threads, of direct TLS"])
        self.assertTrue(met["latency of one session, of HAProxy's"])

    def test_the_distance_to_a_bare_relay_is_told_for_each_number_of_threads(self):
        conn = {"1": {"bare": {"per_second": 100.0, "proxy_cpu_us": 200.0},
                      "tidegate": {"per_second": 90.0, "proxy_cpu_us": 230.0}},
                "tls": {"bare": "TLSv1_3", "tidegate": "TLSv1_3"}}
        told = figures.distance_rows({"conn": conn})
        self.assertEqual(told, [{"what": "new connections, 1 thread", "rate": 0.9, "cpu": 30.0}])

    def test_a_woken_engine_or_a_telling_code_is_a_miss(self):
        state = {"median_apart": 0.1, "codes": ["1045", "1046"], "state_after": "awake"}
        met = {r["what"]: r["met"] for r in figures.rows({"login": {"asleep": state}})}
        self.assertFalse(met["different error codes, asleep"])
        self.assertFalse(met["engines woken by wrong logins"])
        self.assertTrue(met["verdicts apart, asleep (medians of 3 kinds)"])

    def test_a_target_left_out_has_no_line(self):
        run = {n: {"direct": {"qps": 1.0}} for n in ("1", "8", "32")}
        self.assertEqual(figures.rows({"qps": run}), [])


class Reading(unittest.TestCase):
    def test_sysbench_output_is_read(self):
        text = ("    queries:                             50123  (8353.68 per sec.)\n"
                "         avg:                                    0.12\n"
                "         95th percentile:                        0.15\n")
        self.assertEqual(measure.read_sysbench(text), {"queries": 50123, "qps": 8353.68, "avg_ms": 0.12, "p95_ms": 0.15})
        self.assertRaises(ValueError, measure.read_sysbench, "FATAL: no")

    def test_wrong_logins_are_alike_in_length_and_all_wrong(self):
        target = Target("t", 1, "abcdefghjkmn.root", "right", "ca")
        logins = gateway.wrong_logins(target)
        self.assertEqual({len(x["user"]) for x in logins}, {len(target.user)})
        self.assertEqual({len(x["password"]) for x in logins}, {5})
        self.assertEqual(len({x["user"] for x in logins}), 3)
        self.assertNotIn("right", [x["password"] for x in logins])

    def test_turns_rotate(self):
        self.assertEqual([measure.rotated([1, 2, 3], n)[0] for n in range(4)], [1, 2, 3, 1])

    def test_published_options_hold_no_path(self):
        self.assertEqual(report.shareable(["--b=1", "--tmpdir=/tmp/x", "--a"]), ["--a", "--b=1"])

    def test_a_process_that_is_gone_has_no_options(self):
        from proc import BenchError
        self.assertRaises(BenchError, options_of, 2**22 + 1)


if __name__ == "__main__":
    unittest.main()
