#!/usr/bin/python3
"""Whatever a library does to its process, the runner ends in time, with a status that is not 0, with the whole table
and JSON, and names the case and the requirement; the cases behind it are judged all the same."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

RUNNER, LIBRARY = sys.argv.pop(1), sys.argv.pop(1)
FILTER = "--gtest_filter=Interface.Information:Memory.Alignment:Ladder.FloatValuesAt8Bit:Sample.*"
TRIGGERED = "Memory.Alignment"  # the case of these with tensors of 333 numbers

ENDS = ["exit", "_exit", "exit_77", "abort", "stack_overflow", "sigterm", "sigsegv", "sigkill", "pthread_exit",
        "fork_daemon_and_exit"]
HANGS = ["hang", "spin", "sigstop"]
LEAVES = {
    "denormals_are_zero": "GFPQ-ENV-02", "flush_to_zero": "GFPQ-ENV-02", "rounding": "GFPQ-ENV-02",
    "locale": "GFPQ-ENV-03",
    "signal_mask": "GFPQ-ENV-04", "signal_handler": "GFPQ-ENV-04", "alarm": "GFPQ-ENV-04",
    "close_output": "GFPQ-ENV-05", "redirect_output": "GFPQ-ENV-05",
    "folder": "GFPQ-ENV-06", "umask": "GFPQ-ENV-06",
    "fork_both_return": "GFPQ-ENV-07", "fork_child_stays": "GFPQ-ENV-07",
}
if len(os.sched_getaffinity(0)) > 1:
    LEAVES["cpus"] = "GFPQ-ENV-08"


class Run:
    """One run of the runner on the library, misbehaving so."""

    def __init__(self, misbehaviour, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            results = pathlib.Path(folder) / "results.json"
            begin = time.monotonic()
            run = subprocess.run(
                [RUNNER, f"--library={LIBRARY}", f"--json={results}", *arguments], text=True, check=False, timeout=300,
                env={**os.environ, "MISBEHAVIOUR": misbehaviour}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.seconds = time.monotonic() - begin
            self.status, self.output = run.returncode, run.stdout
            self.json = json.loads(results.read_text()) if results.exists() else None
            self.others = sorted(file.name for file in pathlib.Path(folder).iterdir() if file != results)

    def failing(self):
        return {entry["id"] for entry in self.json["requirements"] if entry["result"] == "unexpected failure"}

    def findings(self):
        return {(entry["case"], entry["requirement"]) for entry in self.json["findings"]}


def processes_with(mark):
    """How many have this mark in their environment, and still run."""
    found = 0
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            found += state != "Z" and f"MARK={mark}".encode() in (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    return found


def wait_for_processes(mark, counts, seconds=25):
    """Waits until as many run as one of the counts says. Returns how many then do."""
    end = time.monotonic() + seconds
    while processes_with(mark) not in counts and time.monotonic() < end:
        time.sleep(0.05)
    return processes_with(mark)


class MisbehaviourTest(unittest.TestCase):
    def assert_whole(self, run):
        """All requirements of the specification, and the verdict."""
        self.assertIsNotNone(run.json, run.output)
        self.assertGreater(len(run.json["requirements"]), 80)
        self.assertEqual(run.others, [])
        self.assertIn("arithmetic, 8 bit float", run.output)
        self.assertNotIn(" computes GFPQ", run.output)

    def assert_goes_on(self, run):
        """The cases before and behind the one that was hit were judged."""
        held = {entry["id"] for entry in run.json["requirements"] if entry["result"] == "expected pass"}
        self.assertLessEqual({"GFPQ-LADDER-01", "GFPQ-SAMPLE-01", "GFPQ-SAMPLE-03", "GFPQ-INTERFACE-03"}, held, run.output)

    def test_a_library_that_behaves_passes(self):
        run = Run("nothing", FILTER)
        self.assertEqual(run.status, 0, run.output)
        self.assertEqual(run.json["suite"]["casualties"], 0)

    def test_the_end_of_the_process_fails_the_case_alone(self):
        for how in ENDS:
            with self.subTest(how=how):
                run = Run(f"call:{how}", FILTER)
                self.assertEqual(run.status, 3, run.output)
                self.assert_whole(run)
                self.assert_goes_on(run)
                self.assertEqual(run.failing(), {"GFPQ-MEMORY-03", "GFPQ-ENV-01"})
                self.assertIn("333 numbers", run.output)

    def test_a_call_that_does_not_return_ends_after_its_time(self):
        for how in HANGS:
            with self.subTest(how=how):
                run = Run(f"call:{how}", FILTER, "--timeout=3")
                self.assertEqual(run.status, 3, run.output)
                self.assert_whole(run)
                self.assert_goes_on(run)
                self.assertEqual(run.failing(), {"GFPQ-MEMORY-03", "GFPQ-ENV-01"})
                self.assertIn("did not return", run.output)
                self.assertLess(run.seconds, 60)

    def test_a_library_that_always_hangs_ends_too(self):
        run = Run("always:hang", FILTER, "--timeout=1")
        self.assertEqual(run.status, 3, run.output)
        self.assert_whole(run)
        self.assertLess(run.seconds, 120)

    def test_exceptions_fail_the_case(self):
        for how, text in (("throw_int", "threw an exception"), ("throw_exception", "no more numbers")):
            with self.subTest(how=how):
                run = Run(f"call:{how}", FILTER)
                self.assertIn(run.status, (1, 3), run.output)
                self.assert_whole(run)
                self.assert_goes_on(run)
                self.assertEqual(run.failing(), {"GFPQ-MEMORY-03", "GFPQ-ENV-01"})
                self.assertIn(text, run.output)

    def test_what_a_call_changes_around_it_breaks_its_own_requirement_and_nothing_else(self):
        for how, requirement in LEAVES.items():
            with self.subTest(how=how):
                run = Run(f"call:{how}", FILTER)
                self.assertEqual(run.status, 1, run.output)
                self.assert_whole(run)
                self.assert_goes_on(run)
                self.assertEqual(run.failing(), {requirement}, run.output)
                self.assertIn((TRIGGERED, requirement), run.findings())

    def test_descriptors_that_are_closed(self):
        for how in ("close_descriptors", "close_all_descriptors"):
            with self.subTest(how=how):
                run = Run(f"call:{how}", FILTER)
                self.assertEqual(run.status, 3, run.output)
                self.assert_whole(run)
                self.assert_goes_on(run)
                self.assertEqual(run.failing(), {"GFPQ-MEMORY-03", "GFPQ-ENV-05"}, run.output)

    def test_a_report_cannot_be_forged(self):
        run = Run("call:talk_on_all_descriptors", FILTER)
        self.assertEqual(run.status, 3, run.output)
        self.assert_whole(run)
        self.assert_goes_on(run)
        self.assertIn("GFPQ-MEMORY-03", run.failing())

    def test_the_end_of_the_process_while_the_library_is_loaded(self):
        for how in ("exit", "_exit", "sigsegv", "throw_int", "hang"):
            with self.subTest(how=how):
                run = Run(f"load:{how}", FILTER, "--timeout=2")
                self.assertEqual(run.status, 3, run.output)
                self.assert_whole(run)
                self.assertEqual(run.failing(), {"GFPQ-ENV-01"})
                self.assertIn("while it was loaded", run.output)
                self.assertIn("cannot be judged", run.output)

    def test_crashes_before_the_first_case_hit_their_own_cases(self):
        run = Run("info:sigsegv", FILTER)
        self.assertEqual(run.status, 3, run.output)
        self.assert_whole(run)
        self.assertEqual(run.failing(), {"GFPQ-INTERFACE-03", "GFPQ-INTERFACE-04", "GFPQ-ENV-01"}, run.output)
        run = Run("16bit:sigsegv", FILTER)
        self.assertEqual(run.status, 3, run.output)
        self.assert_whole(run)
        self.assertEqual(run.failing(), {"GFPQ-MEMORY-03", "GFPQ-ENV-01"}, run.output)

    def test_fewer_calls_of_a_slow_library_are_told_and_thorough_makes_them_all(self):
        shared = "--gtest_filter=Thread.SharedParameter"
        run = Run("always:slow", shared)
        self.assertEqual(run.status, 0, run.output)
        self.assertEqual(run.json["suite"]["left_out"], {"Thread.SharedParameter": ["calls of each thread: 60 instead of 300"]})
        self.assertGreater(run.json["library"]["call_seconds"]["12 numbers"], 1e-4)
        self.assertRegex(run.output, r"fewer calls than usual, .*\n  Thread.SharedParameter\n")
        for arguments in (["nothing", shared], ["always:slow", shared, "--thorough"]):
            run = Run(*arguments)
            self.assertEqual((run.status, run.json["suite"]["left_out"]), (0, {}), run.output)
            self.assertNotIn("fewer calls", run.output)

    def test_signals_that_a_case_sends_hit_none_after_it(self):
        run = Run("pairs:keep_threads", "--gtest_filter=Thread.TwoKindsAtOnce:Thread.NeighboursInUse")
        self.assertEqual(run.status, 0, run.output)

    def test_no_process_outlives_a_runner_that_is_ended(self):
        """Neither a worker that hangs nor a child that a case has forked and that hangs."""
        for where, depth, case in (("call", 2, "Memory.Alignment"), ("forked", 3, "State.ForkedChild")):
            for end in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
                with self.subTest(where=where, end=end.name):
                    mark = uuid.uuid4().hex
                    runner = subprocess.Popen(
                        [RUNNER, f"--library={LIBRARY}", f"--gtest_filter={case}"], stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL, env={**os.environ, "MISBEHAVIOUR": f"{where}:hang", "MARK": mark})
                    self.assertGreaterEqual(wait_for_processes(mark, range(depth, 100)), depth)
                    runner.send_signal(end)
                    runner.wait()
                    self.assertEqual(wait_for_processes(mark, [0]), 0)

    def test_a_run_of_some_cases_never_says_that_all_is_well(self):
        run = Run("nothing", FILTER)
        self.assertIn("INCOMPLETE", run.output)
        self.assertIn("--gtest_filter", run.output)


if __name__ == "__main__":
    unittest.main()
