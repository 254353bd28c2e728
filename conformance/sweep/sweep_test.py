#!/usr/bin/python3
"""gfpq_sweep: what it finds, that it goes on after a kill, and that shards, threads and ranks change no result."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

SWEEP, FAULTY_LIBRARY, GOOD_LIBRARY, MPIRUN = (sys.argv.pop(1) for _ in range(4))
# The first three deltas of 8 bit: -511, 511, 1.
ALL = ("--bits=8", "--limit=3", "--doubles=5000")
PART = (*ALL, "--floats=borders")
MANY = ("--bits=8", "--limit=300", "--doubles=5000", "--floats=borders")
FLOATS = 2**32


def sweep(*arguments, launcher=(), library=FAULTY_LIBRARY):
    """Status, standard output and error."""
    run = subprocess.run([*launcher, SWEEP, f"--library={library}", *arguments], capture_output=True, text=True,
                         check=False)
    return run.returncode, run.stdout, run.stderr


class SweepTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.journal = self.folder / "journal"

    def results(self, *arguments, status=1, **others):
        """The JSON results, and what they say of the run apart from them."""
        file = self.folder / "results.json"
        found, _, error = sweep(f"--json={file}", *arguments, **others)
        self.assertEqual(found, status, error)
        results = json.loads(file.read_text())
        return results, results.pop("run")

    @property
    def whole(self):
        """The results that every way to make the sweep of PART must have."""
        if not hasattr(SweepTest, "whole_results"):
            SweepTest.whole_results = self.results(*PART)[0]
        return SweepTest.whole_results


def shape(found, delta, kind):
    """The ranges of wrong numbers at a delta."""
    return [(entry["first"], entry["last"], entry["count"]) for entry in found["ranges"]
            if (entry["delta"], entry["type"]) == (delta, kind)]


class FindingTest(SweepTest):
    def test_a_faulty_librarys_wrong_ranges_are_found(self):
        found, _ = self.results("--bits=8", "--deltas=1", "--doubles=5000")
        self.assertEqual(found["widths"][0]["floats"], FLOATS)
        self.assertEqual(shape(found, 1, "float"), [("7fc00001", "7fc00001", 1), ("ff800000", "ff800000", 1)])
        nan, infinity = (entry for entry in found["ranges"] if entry["type"] == "float")
        self.assertEqual((nan["want"], nan["got"]), ("00000000", "00000001"))
        self.assertEqual(int(infinity["want"], 16) ^ int(infinity["got"], 16), 1)
        for first, last, _ in shape(found, 1, "double"):
            self.assertTrue("4000000000000000" <= first <= last <= "400fffffffffffff", found["ranges"])

    def test_right_library_in_every_mode_and_length(self):
        for arguments in (("--mode=init", "--deltas=511"), ("--mode=update", "--deltas=-511"),
                          ("--mode=apply", "--deltas=1", "--length=5003")):
            status, _, error = sweep("--bits=8", "--doubles=1000", "--floats=borders", *arguments, library=GOOD_LIBRARY)
            self.assertEqual(status, 0, error)

    def test_a_right_library_has_none(self):
        status, output, error = sweep("--bits=8", "--deltas=1", "--floats=borders", library=GOOD_LIBRARY)
        self.assertEqual(status, 0, error)
        self.assertIn("1 of 1 deltas, 33152 floats, 0 wrong, 143152 doubles, 0 wrong", output)
        self.assertIn("left", error)

    def test_random_doubles_depend_on_the_seed(self):
        """Random doubles depend on the seed, and find wrong results."""
        arguments = ("--bits=8", "--deltas=1", "--floats=borders", "--doubles=20000")
        one, other = (self.results(*arguments, f"--seed={seed}")[0]["widths"][0] for seed in (1, 2))
        self.assertEqual(one["doubles"], other["doubles"])
        self.assertNotEqual(one["wrong_doubles"], other["wrong_doubles"])


class WholeTest(SweepTest):
    """All floats, time after time."""

    def test_a_faulty_librarys_wrong_ranges_are_found_at_every_delta(self):
        found, _ = self.results(*ALL)
        width, = found["widths"]
        self.assertEqual(width["done"], "-511,1,511")
        self.assertEqual(width["floats"], 3 * FLOATS)
        self.assertEqual(width["wrong_floats"], 33 + 4 + 1 + 1)
        self.assertEqual(found["library"]["version"], "9.8.7")
        self.assertTrue(found["complete"])
        self.assertEqual(shape(found, -511, "float"), [("3f80fff0", "3f810010", 33)])
        # One range on either side of the threshold, for the right results differ.
        self.assertEqual(shape(found, 511, "float"), [("4f88980d", "4f88980e", 2), ("4f88980f", "4f889810", 2)])
        self.assertEqual(shape(found, 511, "double"), [("7fefffffffffffff", "7ff0000000000000", 2)])
        self.assertEqual({entry["status"] for entry in found["ranges"] if (entry["delta"], entry["type"]) == (-511, "double")},
                         {-0xFFEF})  # GFPQ_ERR_NOT_SUPPORT

    def test_modes_that_find_delta(self):
        # Before INIT the block holds -511, at which the library spoils these.
        found, _ = self.results("--bits=8", "--deltas=2", "--mode=init", "--doubles=0")
        self.assertEqual([(entry["first"], entry["last"]) for entry in found["ranges"] if entry["type"] == "float"],
                         [("3f80fff0", "3f810010")])
        found, _ = self.results("--bits=8", "--deltas=2", "--mode=update", "--doubles=0")
        width, = found["widths"]
        self.assertEqual(width["wrong_floats"], width["floats"])  # the block is not as it should be
        self.assertLess(width["floats"], FLOATS)  # without those that ask for a larger delta
        self.assertEqual((found["mode"], found["length"]), ("update", 65536))

    def test_a_right_library_has_none(self):
        for arguments in (("--mode=update", "--deltas=-511"), ("--mode=apply", "--deltas=1", "--length=5003")):
            status, _, error = sweep("--bits=8", "--doubles=1000", *arguments, library=GOOD_LIBRARY)
            self.assertEqual(status, 0, error)


class SameResultsTest(SweepTest):
    def test_shards_on_any_number_of_threads_add_up_to_the_whole(self):
        parts = [self.results(*PART, f"--shard={shard}/3", f"--threads={shard}")[0] for shard in (1, 2, 3)]
        for key in ("deltas_done", "floats", "wrong_floats", "doubles", "wrong_doubles", "range_count"):
            self.assertEqual(sum(part["widths"][0][key] for part in parts), self.whole["widths"][0][key], key)
        ranges = sorted((entry for part in parts for entry in part["ranges"]), key=lambda entry: entry["delta"])
        self.assertEqual(ranges, self.whole["ranges"])

    def test_a_killed_sweep_goes_on_from_its_journal(self):
        whole, _ = self.results(*MANY)
        run = subprocess.Popen([SWEEP, f"--library={FAULTY_LIBRARY}", *MANY, f"--journal={self.journal}"],
                               stderr=subprocess.DEVNULL)
        while not self.journal.exists() or self.journal.read_text().count("\n") < 2:  # a header and a delta
            self.assertIsNone(run.poll(), "ended before it could be killed")
            time.sleep(0.01)
        run.kill()
        run.wait()
        done = self.journal.read_text().count("\n") - 1
        with self.journal.open("a") as file:
            file.write('{"bits":8,"delta":-25')  # as if it had been killed while it wrote
        results, facts = self.results(*MANY, f"--journal={self.journal}")
        self.assertEqual(facts["deltas_resumed"], done)
        self.assertEqual(results, whole)
        # And once more, with nothing left to do.
        start = time.monotonic()
        results, facts = self.results(*MANY, f"--journal={self.journal}")
        self.assertEqual((results, facts["deltas_resumed"]), (whole, 300))
        self.assertLess(time.monotonic() - start, 1)

    def test_a_signal_ends_it_with_the_results_so_far(self):
        file = self.folder / "results.json"
        run = subprocess.Popen([SWEEP, f"--library={GOOD_LIBRARY}", "--bits=8", "--limit=6", f"--json={file}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        run.stderr.readline()  # it has begun
        run.send_signal(signal.SIGTERM)
        run.communicate()
        self.assertEqual(run.returncode, 3)
        results = json.loads(file.read_text())
        self.assertFalse(results["complete"])
        self.assertIn(results["widths"][0]["done"], ("", "-511", "-511,511"))  # no more than those in hand


@unittest.skipUnless(MPIRUN, "built without MPI")
class RanksTest(SweepTest):
    def setUp(self):
        super().setUp()
        os.environ.update({"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})

    def launcher(self, ranks):
        return [MPIRUN, "--oversubscribe", "-n", str(ranks)]

    def test_two_ranks_give_the_whole(self):
        results, facts = self.results(*PART, launcher=self.launcher(2))
        self.assertEqual(results, self.whole)
        self.assertEqual(facts["ranks"], 2)

    def test_any_number_of_ranks_goes_on_from_the_journals_of_others(self):
        """Three ranks begin, one process ends; and what one process began, two ranks end."""
        self.results("--bits=8", "--limit=2", "--doubles=5000", "--floats=borders", f"--journal={self.journal}",
                     launcher=self.launcher(3))
        lines = {file.name: file.read_text().count("\n") for file in self.folder.glob("journal*")}
        self.assertEqual(lines, {"journal": 2, "journal.1": 2, "journal.2": 1})  # a header, and what each rank did
        results, facts = self.results(*PART, f"--journal={self.journal}")
        self.assertEqual((results, facts["deltas_resumed"]), (self.whole, 2))
        results, facts = self.results(*PART, f"--journal={self.journal}", launcher=self.launcher(2))
        self.assertEqual((results, facts["deltas_resumed"], facts["ranks"]), (self.whole, 3, 2))

    def test_wrong_arguments_are_refused_on_every_rank(self):
        self.assertEqual(sweep("--bits=9", launcher=self.launcher(2))[0], 2)
        self.assertEqual(sweep(launcher=self.launcher(2), library="no-such-library.so")[0], 2)


class RefusalTest(SweepTest):
    def assert_refused(self, wanted, *arguments, library=GOOD_LIBRARY):
        status, output, error = sweep(*arguments, library=library)
        self.assertEqual(status, 2, output + error)
        self.assertIn(wanted, output + error)

    def test_wrong_arguments_are_refused_with_their_reason(self):
        self.assert_refused("no-such-library.so", library="no-such-library.so")
        self.assert_refused("--bits", "--bits=9")
        for deltas in ("x", "1:", "3:1", "1:5:0", "1,,2", "1:2:3:4", "1 2"):
            self.assert_refused("neither a delta nor", f"--deltas={deltas}")
        self.assert_refused("beyond the 8-bit deltas", "--deltas=512")
        self.assert_refused("beyond the 16-bit deltas", "--deltas=-4096", "--bits=16")
        for shard in ("0/2", "3/2", "1", "a/b", "1/2/3", "-1/2"):
            self.assert_refused("is not i/n", f"--shard={shard}")
        self.assert_refused("cannot write", "--json=/no/such/folder/results.json")
        self.assert_refused("there is no such folder", "--journal=/no/such/folder/journal")

    def begin_journal(self):
        self.results("--bits=8", "--deltas=511", "--doubles=7", f"--journal={self.journal}")
        return self.journal.read_text().splitlines(True)

    def test_a_journal_of_another_sweep_or_damaged_is_refused_and_kept(self):
        mine = (f"--journal={self.journal}", "--bits=8", "--deltas=511")
        lines = self.begin_journal()
        self.assert_refused("of another sweep, with library_sha256", *mine, "--doubles=7")
        self.assert_refused("of another sweep, with random_doubles 7 instead of 8", *mine, "--doubles=8",
                            library=FAULTY_LIBRARY)
        self.assert_refused("of another sweep, with floats", *mine, "--doubles=7", "--floats=borders",
                            library=FAULTY_LIBRARY)
        self.assert_refused("of another sweep, with seed", *mine, "--doubles=7", "--seed=3", library=FAULTY_LIBRARY)
        with unittest.mock.patch.dict(os.environ, GFPQ_TARGET="scalar"):
            self.assert_refused("of another sweep, with target", *mine, "--doubles=7", library=FAULTY_LIBRARY)
        self.assertEqual(self.journal.read_text(), "".join(lines))  # nothing is lost

        self.journal.write_text(lines[0] + lines[1][:20] + "\n" + lines[1])
        self.assert_refused("line 2 is damaged", *mine, "--doubles=7", library=FAULTY_LIBRARY)
        self.journal.write_text("a text of mine\n")
        self.assert_refused("line 1 is damaged or no line of a sweep's journal", *mine)
        self.assertEqual(self.journal.read_text(), "a text of mine\n")

    def test_a_journal_has_one_writer(self):
        run = subprocess.Popen([SWEEP, f"--library={GOOD_LIBRARY}", f"--journal={self.journal}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(run.communicate)
        self.addCleanup(run.kill)
        run.stderr.readline()
        self.assert_refused("another sweep writes this journal", f"--journal={self.journal}", "--limit=1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
