#!/usr/bin/python3
"""An nvcc that cannot be used ends the configuration, and in its own words: the GPU library is not left out silently."""

import pathlib
import tempfile
import unittest

from support import PROJECT, run

REFUSAL = "unsupported GNU version! gcc versions later than 11 are not supported!"
PRETENDED_NVCC = f"""#!/bin/sh
case $1 in
  --list-gpu-code) echo sm_70 ;;
  --version) echo "nvcc: NVIDIA (R) Cuda compiler driver" ;;
  *) echo "#\\$ TOP=$(dirname "$0")"; echo "{REFUSAL}"; exit 1 ;;
esac
"""


def configure(nvcc, build_folder):
    """All that CMake says, on one line."""
    return " ".join(run("cmake", "-S", PROJECT, "-B", build_folder, "-DGFPQ_BUILD_TESTS=OFF", "-DGFPQ_BUILD_BENCHMARKS=OFF",
                        status=1, CUDACXX=nvcc).split())


class NvccTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_one_that_refuses_the_host_compiler_is_reported_with_the_way_out(self):
        nvcc = self.folder / "nvcc"
        nvcc.write_text(PRETENDED_NVCC)
        (self.folder / "nvvm" / "libdevice").mkdir(parents=True)  # by which CMake knows a toolkit
        nvcc.chmod(0o755)
        said = configure(nvcc, self.folder / "build")
        self.assertIn(REFUSAL, said)
        self.assertIn("CUDAHOSTCXX=", said)
        self.assertIn("GFPQ_BUILD_GPU=OFF", said)

    def test_one_that_is_not_there_is_reported(self):
        nvcc = self.folder / "nvcc"
        self.assertIn(f"{nvcc} names no architectures", configure(nvcc, self.folder / "build"))


if __name__ == "__main__":
    unittest.main()
