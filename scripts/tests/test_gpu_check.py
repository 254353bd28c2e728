"""scripts/gpu_check.sh, as far as it goes without a GPU: with an nvidia-smi and programs that are made up."""

import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "gpu_check.sh"


class GpuCheck(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.carry = self.folder / "build" / "gpu" / "carry"
        for part in ("scripts", "samples", "bin"):
            (self.folder / part).mkdir()
        for part in ("bin", "lib"):
            (self.carry / part).mkdir(parents=True)
        shutil.copy(SCRIPT, self.folder / "scripts")
        shutil.copy(SCRIPT.parents[1] / "samples" / "get_gpu_version.sh", self.folder / "samples")
        self.write(self.folder / "bin" / "nvidia-smi", "echo '0, Pretended GPU, 1.2, 9.0'")

    def write(self, program, line):
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)

    def run_script(self, *arguments):
        done = subprocess.run(
            [self.folder / "scripts" / SCRIPT.name, "--out", self.folder / "out", *arguments],
            env={**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
        )  # fmt: skip
        return done.returncode, done.stdout

    def archived(self, file, name="gpu-steps"):
        with tarfile.open(self.folder / "out" / f"{name}.tgz") as archive:
            return archive.extractfile(f"{name}/{file}").read().decode()

    def steps(self, name="gpu-steps"):
        steps = [json.loads(line) for line in self.archived("steps.jsonl", name).splitlines()]
        return [(step["step"], step["result"]) for step in steps]

    def test_it_parses_and_shellcheck_is_content(self):
        commands = [["bash", "-n", SCRIPT]] + ([["shellcheck", SCRIPT]] if shutil.which("shellcheck") else [])
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @unittest.skipIf(shutil.which("nvidia-smi"), "this machine has NVIDIA's driver")
    def test_without_a_driver_it_skips(self):
        (self.folder / "bin" / "nvidia-smi").unlink()
        for arguments in (["first"], ["second"], ["tests"]):
            status, output = self.run_script(*arguments)
            self.assertEqual(status, 77)
            self.assertIn("no NVIDIA driver", output)

    def test_without_what_prebuild_makes_it_says_so(self):
        shutil.rmtree(self.carry)
        status, output = self.run_script("first")
        self.assertEqual(status, 2)
        self.assertIn("run gpu_check.sh prebuild", output)

    def test_an_unknown_step_is_refused(self):
        status, output = self.run_script("bnech")
        self.assertEqual(status, 2)
        self.assertIn("no step bnech; there are: facts smoke", output)

    def test_a_step_leaves_a_log_and_its_result_in_one_archive(self):
        status, output = self.run_script("facts")
        self.assertEqual(status, 0, output)
        self.assertIn("GPU 0: Pretended GPU", self.archived("facts.log"))
        self.assertEqual(self.steps(), [("facts", "passed")])
        self.assertEqual([file.name for file in (self.folder / "out").iterdir()], ["gpu-steps.tgz"])

    def test_a_failed_step_is_told_and_the_next_one_runs(self):
        status, output = self.run_script("exhaustive8", "facts")
        self.assertEqual(status, 1)
        self.assertRegex(output, r"exhaustive8 +\d+ s +failed: status 127")
        self.assertIn("gfpq_gpu_exhaustive: No such file", output)
        self.assertEqual(self.steps(), [("exhaustive8", "failed: status 127"), ("facts", "passed")])

    def test_a_step_that_finds_no_end_is_ended_and_what_the_time_does_not_allow_is_not_begun(self):
        self.write(self.carry / "bin" / "gfpq_gpu_exhaustive", "echo begun; sleep 50")
        status, _ = self.run_script("ends", "facts", "--seconds", "9")  # some pass on a busy machine before it begins
        self.assertEqual(status, 1)
        (first, ended), second = self.steps()
        self.assertEqual((first, second), ("ends", ("facts", "not begun: the time is over")))
        self.assertRegex(ended, r"^failed: no end after \d s$")
        self.assertIn("begun", self.archived("ends.log"))

    def test_tests_that_find_no_gpu_or_are_none_at_all_fail_their_step(self):
        self.write(self.carry / "bin" / "gfpq_gpu_job_tests", "echo '[  PASSED  ] 3 tests.'")
        for words in ("[==========] Running 0 tests from 0 test suites.", "gpu_test.cpp:1: Skipped\nno GPU: no device"):
            self.write(self.carry / "bin" / "gfpq_gpu_tests", f"echo '{words}'")
            self.assertEqual(self.run_script("tests")[0], 1)
        self.write(self.carry / "bin" / "gfpq_gpu_tests", "echo '[  PASSED  ] 3 tests.'")
        self.assertEqual(self.run_script("tests")[0], 0)

    def test_the_two_parts_run_their_steps_in_order(self):
        text = SCRIPT.read_text()
        for part in ("first", "second"):
            named = text.split(f"gpu_check.sh {part} ")[1].split(": ", 1)[1].split("gpu_check.sh")[0].split("--out")[0]
            named = [word for word in named.split() if word != "#"]
            status, _ = self.run_script(part, "--seconds", "4")  # too little for any
            self.assertEqual(status, 1)
            self.assertEqual(self.steps(f"gpu-{part}"), [(step, "not begun: the time is over") for step in named])
            for step in named:
                self.assertIn(f"\n{step}() {{", text)


if __name__ == "__main__":
    unittest.main()
