#!/usr/bin/python3
"""An nvcc that cannot be used ends the configuration, and in its own words: the GPU library is not left out silently."""

import functools
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from support import PROJECT, run

NVCC = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
REFUSAL = "unsupported GNU version! gcc versions later than 11 are not supported!"
PRETENDED_NVCC = f"""#!/bin/sh
case $1 in
  --list-gpu-code) echo sm_70 ;;
  --version) echo "nvcc: NVIDIA (R) Cuda compiler driver" ;;
  *) echo "#\\$ TOP=$(dirname "$0")"; echo "{REFUSAL}"; exit 1 ;;
esac
"""


def configure(nvcc, build_folder, *options, status=1, **environment):
    """All that CMake says, on one line."""
    return " ".join(run("cmake", "-S", PROJECT, "-B", build_folder, "-DGFPQ_BUILD_TESTS=OFF", "-DGFPQ_BUILD_BENCHMARKS=OFF",
                        *options, status=status, CUDACXX=nvcc, **environment).split())


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

    def test_lacks_an_architecture(self):
        nvcc = self.folder / "nvcc"
        nvcc.write_text(PRETENDED_NVCC)
        nvcc.chmod(0o755)
        wanted = f"{nvcc} has no architecture '52'. It has 70 (each also with -real or -virtual), all, all-major, native"
        self.assertIn(wanted, configure(nvcc, self.folder / "build", "-DCMAKE_CUDA_ARCHITECTURES=52"))
        self.assertIn(wanted, configure(nvcc, self.folder / "build2", CUDAARCHS="70-real;52"))

    def test_a_release_is_for_every_architecture(self):
        """Not for the few that are enough for developers, whose preset it inherits from."""
        presets = {each["name"]: each for each in json.loads((PROJECT / "CMakePresets.json").read_text())["configurePresets"]}

        def variables(name):
            inherited = variables(presets[name]["inherits"]) if "inherits" in presets[name] else {}
            return {**inherited, **presets[name].get("cacheVariables", {})}

        self.assertEqual(variables("portable-gpu")["GFPQ_BUILD_GPU"], "ON")
        for variable in ("GFPQ_FEW_GPU_ARCHITECTURES", "CMAKE_CUDA_ARCHITECTURES"):
            self.assertIn(variables("portable-gpu").get(variable, "OFF"), ("OFF", "all"), variable)


@unittest.skipUnless(NVCC, "nvcc is not here")
class ArchitecturesTest(unittest.TestCase):
    """CMake's own ways to choose architectures."""

    @staticmethod
    @functools.cache
    def built_for(*options, **environment):
        with tempfile.TemporaryDirectory() as folder:
            said = configure(NVCC, pathlib.Path(folder), *options, status=0, **environment)
        return re.search(r"GPU library for (\S+)", said).group(1).split(";")

    def test_all(self):
        every = self.built_for()
        self.assertEqual(self.built_for("-DCMAKE_CUDA_ARCHITECTURES=all"), every)
        self.assertRegex(every[-1], r"^\d+-virtual$")
        major = self.built_for("-DCMAKE_CUDA_ARCHITECTURES=all-major")
        self.assertLess(set(major), set(every))
        self.assertIn(every[0], major)
        self.assertEqual([name for name in major[1:-1] if not name.endswith("0-real")], [])

    def test_environment(self):
        newest = self.built_for()[-1].replace("-virtual", "")
        self.assertEqual(self.built_for(CUDAARCHS=f"{newest}-real"), [f"{newest}-real"])
        self.assertEqual(self.built_for(f"-DCMAKE_CUDA_ARCHITECTURES={newest}", CUDAARCHS="1"), [newest])

    def test_native_without_a_gpu(self):
        if shutil.which("nvidia-smi") and subprocess.run(["nvidia-smi", "-L"], check=False, stdout=subprocess.PIPE).stdout:
            self.assertRegex(self.built_for("-DCMAKE_CUDA_ARCHITECTURES=native")[0], r"^\d+")
        else:
            with tempfile.TemporaryDirectory() as folder:
                said = configure(NVCC, pathlib.Path(folder), "-DCMAKE_CUDA_ARCHITECTURES=native")
            self.assertIn("this machine has no NVIDIA GPU that works; name the architecture", said)


if __name__ == "__main__":
    unittest.main()
