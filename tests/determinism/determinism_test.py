#!/usr/bin/python3
"""The workload's digest is the golden one with each instruction set, thread count, compiler and optimization, and in a
caller that was built with -ffast-math."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
DIGEST, DIGEST_FAST_MATH, LIBRARY = (sys.argv.pop(1) for _ in range(3))
GOLDEN = (PROJECT / "golden/generated/digest.csv").read_text().splitlines()[1:]
TARGETS = ("scalar", "sse4", "avx2", "avx512", "neon")
NOT_SUPPORTED = "the library returned -65519"  # GFPQ_ERR_NOT_SUPPORT: this machine lacks the target


class DeterminismTest(unittest.TestCase):
    def digests(self, library, program=DIGEST, **environment):
        """What the caller does with denormal numbers, and the digests; None for both where the target is lacking."""
        run = subprocess.run([program, library], capture_output=True, text=True, check=False,
                             env={**os.environ, "GFPQ_MESSAGES": "none", **environment})
        if NOT_SUPPORTED in run.stderr and "GFPQ_TARGET" in environment:
            return None, None
        self.assertEqual(run.returncode, 0, run.stderr)
        denormals, *digests = run.stdout.splitlines()
        return denormals, digests

    def check_targets(self, library):
        """Every instruction set of this machine."""
        ran = []
        for target in TARGETS:
            _, digests = self.digests(library, GFPQ_TARGET=target)
            if digests is not None:
                self.assertEqual(digests, GOLDEN, target)
                ran.append(target)
        self.assertIn("scalar", ran)
        print(library, *ran, file=sys.stderr)


class CallerTest(DeterminismTest):
    def test_every_instruction_set_gives_the_golden_digest(self):
        self.check_targets(LIBRARY)

    def test_any_number_of_threads_gives_the_golden_digest(self):
        for threads in ("1", "2", "3", "7"):
            self.assertEqual(self.digests(LIBRARY, OMP_NUM_THREADS=threads), ("denormal numbers: kept", GOLDEN),
                             threads)

    def test_a_caller_built_with_fast_math_gets_the_golden_digest(self):
        """-ffast-math has the program flush denormal numbers from its start on."""
        self.assertEqual(self.digests(LIBRARY, DIGEST_FAST_MATH), ("denormal numbers: flushed", GOLDEN))
        for target in TARGETS:
            _, digests = self.digests(LIBRARY, DIGEST_FAST_MATH, GFPQ_TARGET=target)
            self.assertIn(digests, (GOLDEN, None), target)


class CompilerTest(DeterminismTest):
    """With an optimization that no other test has: the presets build with -O3. EveryOptimizationTest takes longer."""

    levels = ("-O2",)

    def check(self, compiler):
        if shutil.which(compiler) is None:
            self.skipTest(f"there is no {compiler}")
        with tempfile.TemporaryDirectory() as folder:
            for level in self.levels:
                with self.subTest(compiler=compiler, level=level):
                    for command in (
                        ["cmake", "-S", PROJECT, "-B", folder, "-DCMAKE_BUILD_TYPE=None",
                         f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCMAKE_CXX_FLAGS={level}", "-DGFPQ_BUILD_TESTS=OFF",
                         "-DGFPQ_BUILD_BENCHMARKS=OFF", "-DGFPQ_BUILD_GPU=OFF"],
                        ["cmake", "--build", folder, "--target", "gfpq_shared"],
                    ):
                        run = subprocess.run(command, capture_output=True, text=True, check=False)
                        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
                    self.check_targets(f"{folder}/lib/libgfpq.so")

    def test_gcc_gives_the_golden_digest(self):
        self.check("g++-12")

    def test_clang_gives_the_golden_digest(self):
        self.check("clang++-14")


class EveryOptimizationTest(CompilerTest):
    levels = ("-O0", "-O1", "-O2", "-O3", "-Os")


if __name__ == "__main__":
    unittest.main()
