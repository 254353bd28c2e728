#!/usr/bin/env python3
"""Runs gfpq_bench and looks at what it writes and how it ends.

Usage: test_gfpq_bench.py BENCH FAULTY_FOLDER RESULTS_FOLDER [unittest arguments]
"""

import glob
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BENCH, FAULTY_FOLDER, RESULTS_FOLDER = sys.argv[1:4]

SEGMENTS = [
    ("device", r"gpu"), ("system", r"linux|windows"), ("lib", r"ours|peer|vendor"), ("target", r"[a-z0-9_]+"),
    ("op", r"scale|max|copy|max\+scale"), ("type", r"f32|f64"), ("bits", r"8|16"), ("mode", r"init|update|apply|job|unstated"),
    ("data", r"guide|weights|activations"), ("count", r"\d+"), ("threads", r"\d+|own|unstated"),
    ("cache", r"cold|warm|unstated"),
]
PASSES = {"job": 2, "apply": 2, "init": 3, "update": 3, "scale": 2, "copy": 2, "max": 1, "max+scale": 3}
ANY_CONTEXT = {"schema": str, "quoted": bool, "device": str, "title": str, "date": str}
MEASURED_CONTEXT = {
    "suite": str, "project_version": str, "project_revision": str, "compiler": str, "compiler_flags": str,
    "cpu_model": str, "architecture": str, "physical_cores": (int, type(None)), "logical_cpus": int,
    "cache_l1d_bytes": (int, type(None)), "cache_l2_bytes": (int, type(None)), "cache_l3_bytes": (int, type(None)),
    "numa_nodes": (int, type(None)), "frequency_governor": str, "huge_pages": str, "os": str, "kernel": str,
    "memory_bytes": int, "library": dict, "peer": (dict, type(None)), "num_cpus": int,
}
# Of the results that are committed, older ones do not have these.
NEW_CONTEXT = {
    "cpu_family": (int, type(None)), "cpu_model_number": (int, type(None)), "cpu_stepping": (int, type(None)),
    "hypervisor": str, "usable_cpus": int, "environment": dict,
}  # fmt: skip
RUN = {
    "seconds": float, "steal_share": (float, type(None)), "others_share": (float, type(None)),
    "calibration_start_ns": float, "calibration_end_ns": float,
}  # fmt: skip
LIBRARY = {"file": str, "version": str, "revision": int, "build_time": str, "targets": list, "threads": str}


def run(*arguments, **environment):
    return subprocess.run(
        [BENCH, *arguments], capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment}
    )


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def faulty(fault):
    return os.path.join(FAULTY_FOLDER, f"libgfpq_faulty_{fault}.so")


class SchemaTest(unittest.TestCase):
    def check_types(self, values, types):
        for key, kind in types.items():
            self.assertIn(key, values)
            self.assertIsInstance(values[key], kind, key)

    def parse(self, name):
        kind, *segments = name.split("/")
        self.assertIn(kind, ("quantize", "limit"), name)
        pairs = [segment.split(":") for segment in segments]
        order = [key for key, _ in SEGMENTS]
        keys = [key for key, _ in pairs]
        self.assertEqual(keys, sorted(set(keys), key=order.index), name)
        for key, value in pairs:
            self.assertRegex(value, f"^({dict(SEGMENTS)[key]})$", name)
        needed = {"type", "count", "threads", "cache"}
        needed |= {"op"} if kind == "limit" else {"lib", "target", "bits", "mode", "data"}
        self.assertEqual(needed - set(keys), set(), name)
        return kind, dict(pairs)

    def check_row(self, row, quoted):
        kind, segments = self.parse(row["run_name"])
        self.assertEqual(row["time_unit"], "ns")
        if row["run_type"] == "aggregate":
            self.assertEqual(row["name"], row["run_name"] + "_" + row["aggregate_name"])
            self.assertIn(row["aggregate_name"], ("mean", "median", "stddev", "cv", "min", "max"))
            return
        self.assertEqual(row["name"], row["run_name"])
        self.assertGreater(row["real_time"], 0)
        count, time = int(segments["count"]), row["real_time"]
        size = count * (4 if segments["type"] == "f32" else 8)
        self.assertAlmostEqual(row["ns_per_element"] / (time / count), 1, places=3)
        passes = PASSES.get(segments.get("op") or segments["mode"])
        if passes is None:
            self.assertNotIn("gbytes_per_second", row)
        else:
            self.assertAlmostEqual(row["gbytes_per_second"] / (size * passes / time), 1, places=3)
        if kind == "quantize":
            self.assertAlmostEqual(row["guide_gib_per_second"] / (size / (time * 1e-9) / 2**30), 1, places=3)
        if not quoted:
            self.assertGreaterEqual(row["samples"], 1)
            self.assertGreaterEqual(row["calls_per_sample"], 1)
        if not quoted and kind == "quantize":
            self.assertAlmostEqual(row["limit_ratio"] / (row["limit_time"] / time), 1, places=3)
        if "peer_ratio" in row:
            self.assertEqual(segments["lib"], "ours")
            self.assertAlmostEqual(row["peer_ratio"] / (row["peer_time"] / time), 1, places=3)

    def check_file(self, path):
        with open(path, encoding="utf-8") as stream:
            result = json.load(stream)
        context = result["context"]
        self.check_types(context, ANY_CONTEXT)
        self.assertEqual(context["schema"], "gfpq-bench/1")
        self.assertNotIn("host_name", context)
        if context["quoted"]:
            self.check_types(context, {"source": str})
        else:
            self.check_types(context, MEASURED_CONTEXT)
            self.check_types(context, {"threads_all": int} if context["device"] == "cpu" else {"gpu": dict})
            for library in filter(None, (context["library"], context["peer"])):
                is_template = library["file"].startswith("cub::")  # of the program itself
                self.check_types(library, {key: LIBRARY[key] for key in ("file", "version")} if is_template else LIBRARY)
                self.assertNotIn("/", library["file"])
        self.assertTrue(result["benchmarks"])
        for row in result["benchmarks"]:
            self.check_row(row, context["quoted"])
        return result

    def test_a_run_with_a_peer(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "result.json")
            default = re.search(r"--library TEXT=(\S+)", run("--help").stdout).group(1)
            done = run("--suite=smoke", "--peer=" + default, "--benchmark_out=" + path, "--benchmark_repetitions=2",
                       OMP_DISPLAY_ENV="no", GFPQ_MESSAGES="/a/folder/x", HOME_OF_SOMEBODY="/home/me")  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertRegex(done.stdout, r"\d+ rows in .* 0 failed")
            result = self.check_file(path)
        raw = [row for row in result["benchmarks"] if row["run_type"] == "iteration"]
        seen = [self.parse(row["run_name"]) for row in raw]
        for key in ("type", "bits", "mode", "data", "cache", "op"):
            wanted = set(dict(SEGMENTS)[key].replace("\\", "").split("|")) - {"unstated", "job"}  # not measured; of GPUs
            self.assertEqual({segments[key] for _, segments in seen if key in segments}, wanted)
        self.check_types(result["context"], NEW_CONTEXT)
        environment = result["context"]["environment"]
        self.assertEqual((environment["GFPQ_MESSAGES"], environment["OMP_DISPLAY_ENV"]), ("x", "no"))
        self.assertNotIn("HOME_OF_SOMEBODY", environment)
        self.check_types(result["run"], RUN)
        self.assertGreater(result["run"]["calibration_start_ns"], 1e5)
        for share in ("steal_share", "others_share"):
            self.assertTrue(0 <= (result["run"][share] or 0) <= 1, result["run"])
        rounds = [row["repetition_index"] for row in raw]
        self.assertEqual(rounds, sorted(rounds), "all rows once, then all rows again")
        self.assertEqual(set(rounds), {0, 1})
        for line in done.stdout.splitlines():
            self.assertLessEqual(len(line), 80, line)
        self.assertRegex(done.stdout, r"\n +time +\+/- ")
        self.assertIn("+/-: half the interval that holds the median, with 50.0 %", done.stdout)
        medians = [row for row in result["benchmarks"] if row.get("aggregate_name") == "median"]
        self.assertEqual({row["run_name"] for row in medians}, {row["run_name"] for row in raw})
        for median in medians:
            times = [row["real_time"] for row in raw if row["run_name"] == median["run_name"]]
            self.assertAlmostEqual(median["real_time"] / (sum(times) / 2), 1, places=3)
        fastest = result["context"]["library"]["targets"][0]
        for row, (kind, segments) in zip(raw, seen):
            if kind == "quantize" and segments["lib"] == "ours" and segments["target"] == fastest:
                self.assertIn("peer_ratio", row)
        targets = {segments["target"] for _, segments in seen if segments.get("lib") == "ours"}
        self.assertEqual(targets, set(result["context"]["library"]["targets"]))

    def test_committed_results(self):
        files = glob.glob(os.path.join(RESULTS_FOLDER, "*.json"))
        self.assertTrue(files)
        for path in files:
            with self.subTest(os.path.basename(path)):
                self.check_file(path)


class FailureTest(unittest.TestCase):
    def test_wrong_results(self):
        for fault, filter_, message in (
            (0, "bits:8/mode:init.*count:1000/", "wrong result: element"),
            (1, "bits:16/mode:apply.*count:1000/", "wrong result: element 999, .* 1 of 1000 elements differ"),
            (2, "bits:8/mode:init.*count:1000/", "wrong parameter block: delta 0 instead of"),
            (3, "type:f64/bits:8/mode:init.*count:1000/", "the call returns 0xffff0011"),
        ):
            with self.subTest(fault=fault), tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "result.json")
                done = run(
                    "--suite=smoke", "--library=" + faulty(fault), "--benchmark_filter=^quantize.*" + filter_,
                    "--benchmark_out=" + path,
                )
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertRegex(done.stdout, message)
                with open(path, encoding="utf-8") as stream:
                    rows = json.load(stream)["benchmarks"]
                self.assertTrue(rows)
                for row in rows:
                    self.assertTrue(row["error_occurred"])
                    self.assertRegex(row["error_message"], message)
                    self.assertNotIn("gbytes_per_second", row)

    def test_a_wrong_peer(self):
        done = run("--suite=smoke", "--peer=" + faulty(1), "--benchmark_filter=bits:8/mode:apply.*count:1000/")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("FAILED quantize/lib:ours", done.stdout)
        self.assertIn("the peer", done.stdout)


class OutputTest(unittest.TestCase):
    """Yesterday's results stay until today's are whole; what was measured is kept."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "result.json")
        with open(self.path, "w", encoding="utf-8") as stream:
            stream.write("yesterday's")
        self.flags = ("--suite=smoke", "--benchmark_filter=count:1000/", "--benchmark_out=" + self.path)

    def rows_of_the_partial_file(self):
        return json.loads(read(self.path + ".partial"))["benchmarks"]

    def test_a_finished_file_replaces_the_old_one(self):
        done = run(*self.flags, "--benchmark_repetitions=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(json.loads(read(self.path))["benchmarks"])
        self.assertFalse(os.path.exists(self.path + ".partial"))

    def ended_early(self, end):
        """A long run for which `end` is called when it has written some rows: (exit status, what it said)."""
        with subprocess.Popen(
            [BENCH, *self.flags, "--benchmark_repetitions=1000"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
        ) as running:  # fmt: skip
            for _ in range(600):
                time.sleep(0.1)
                if os.path.exists(self.path + ".partial") and os.path.getsize(self.path + ".partial") > 20000:
                    break
            end(running)
            errors = running.communicate(timeout=60)[1]
        self.assertEqual(read(self.path), "yesterday's")
        self.assertTrue(self.rows_of_the_partial_file())
        return running.returncode, errors

    def test_a_full_disk(self):
        def fill(run):
            full = os.path.getsize(self.path + ".partial") + 100000  # bytes, for each file: more than it grows meanwhile
            resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (full, full))
        status, errors = self.ended_early(fill)
        self.assertEqual(status, 2)
        self.assertRegex(errors, "cannot write .*result.json.partial: File too large")

    def test_an_interrupted_run(self):
        status, errors = self.ended_early(lambda run: run.send_signal(signal.SIGINT))
        self.assertEqual(status, -signal.SIGINT)
        self.assertIn("interrupted; what was measured is in " + self.path + ".partial", errors)

    def test_a_folder_that_is_not_there(self):
        done = run(*self.flags[:2], "--benchmark_out=" + self.path + "/no/result.json")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("cannot write", done.stderr)

    def test_a_device_is_not_replaced(self):
        done = run(*self.flags[:2], "--benchmark_out=/dev/null")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("/dev/null is not a file", done.stderr)


class UsageTest(unittest.TestCase):
    def check(self, message, *arguments, **environment):
        done = run(*arguments, **environment)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertRegex(done.stderr, message)

    def test_libraries(self):
        self.check("/no/such.so: no such file", "--library=/no/such.so")
        self.check("/no/such.so: no such file", "--peer=/no/such.so")
        self.check("cannot be loaded", "--library=" + os.path.abspath(__file__))
        self.check("not a GFPQ library: it does not export _Z23HI", "--library=" + faulty("empty"))
        done = run("--suite=smoke", "--list", TMPDIR="/no/such/folder")
        self.assertEqual(done.returncode, 0, "no temporary folder is needed: " + done.stderr)
        self.check("GFPQ_TARGET=z80: .*this machine has", "--suite=smoke", GFPQ_TARGET="z80")

    def test_flags(self):
        self.check("--no-such-flag", "--no-such-flag")
        self.check("--benchmark_no_such_flag", "--benchmark_no_such_flag=1")
        self.check("--suite: huge not in", "--suite=huge")
        self.check("--threads", "--threads=0")
        self.check("no row matches the filter zzz", "--suite=smoke", "--benchmark_filter=zzz")
        self.check("--benchmark_out_format: csv", "--benchmark_out_format=csv")
        self.check("--benchmark_format: json", "--benchmark_format=json")
        for number in ("0", "-1", "many"):
            self.check("--benchmark_repetitions", "--benchmark_repetitions=" + number)

    def test_submit(self):
        self.check("--submit excludes --suite|--suite excludes --submit", "--submit", "--suite=full")
        self.check("excludes", "--submit", "--benchmark_repetitions=3")
        self.check("takes no filter", "--submit", "--benchmark_filter=apply")

    def test_help(self):
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("--benchmark_out", done.stdout)
        self.assertIn("Ends with 0; 1 where a row failed", done.stdout)

    def test_version(self):
        done = run("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^gfpq_bench \d+\.\d+\.\d+, revision \w+\n$")

    def test_list(self):
        for flag in ("--list", "--benchmark_list_tests"):
            done = run("--suite=full", flag, "--benchmark_filter=count:134217728/")
            self.assertEqual(done.returncode, 0)
            names = done.stdout.splitlines()
            self.assertEqual(len(names), len(set(names)))
            for name in names:
                self.assertRegex(name, "^quantize/.*/count:134217728/threads:[0-9]+/cache:(cold|warm)$")

    def test_quiet(self):
        done = run("--suite=smoke", "--benchmark_filter=count:1000/", "--benchmark_repetitions=1", "--quiet")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^\d+ rows in [0-9.]+ s, 0 failed\n$")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
