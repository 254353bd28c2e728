"""samples/get_gpu_version.sh, with an nvcc and an nvidia-smi that are made up."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "samples" / "get_gpu_version.sh"
USED = ("bash", "dirname", "grep", "sed", "sort")
# As the guide prints them.
NVCC = """nvcc: NVIDIA (R) Cuda compiler driver
Copyright (c) 2005-2016 NVIDIA Corporation
Built on Tue Jan 10 13:22:03 CST 2017
Cuda compilation tools, release 8.0, V8.0.61"""
OPTION_61 = "Compile option: -gencode arch=compute_61,code=sm_61"


class GetGpuVersion(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        (self.folder / "samples").mkdir()
        shutil.copy(SCRIPT, self.folder / "samples")
        for tool in USED:
            os.symlink(shutil.which(tool), self.bin / tool)

    def program(self, name, says, status=0):
        path = self.bin / name
        path.write_text(f"#!{self.bin}/bash\necho '{says}'\nexit {status}\n")
        path.chmod(0o755)

    def library(self, options, path="lib/libgfpq_gpu.so"):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x7fELF\0\xff " + options.encode() + b"\0\xfe\n")
        return path

    def run_script(self, *arguments):
        done = subprocess.run(
            [self.bin / "bash", self.folder / "samples" / SCRIPT.name, *arguments],
            env={"PATH": str(self.bin)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def test_prints_what_the_guide_shows(self):
        self.program("nvcc", NVCC)
        self.program("nvidia-smi", "0, Pretended GPU, 470.1, 6.1")
        status, output = self.run_script()
        self.assertEqual(status, 0)
        self.assertTrue(output.startswith(NVCC + "\n\n"), output)
        self.assertIn(f"\n{OPTION_61}\n", output)
        self.assertIn("Library: libgfpq_gpu.so not found; give its path as the argument", output)
        self.assertNotIn("Served", output)

    def test_every_gpu_is_told_and_whether_the_library_serves_it(self):
        self.program("nvcc", NVCC)
        gpus = ("6.1", "7.5", "8.6", "8.9", "9.0", "12.1")
        self.program("nvidia-smi", "\n".join(f"{i}, GPU {i}, 1.2, {gpu}" for i, gpu in enumerate(gpus)))
        codes = ("75,code=sm_75", "80,code=sm_80", "86,code=sm_86", "90,code=sm_90", "90,code=compute_90")
        library = self.library(" ".join(f"-gencode arch=compute_{code}" for code in codes))
        status, output = self.run_script()
        self.assertEqual(status, 0)
        self.assertIn(f"Library: {self.folder}/samples/../lib/libgfpq_gpu.so\n  -gencode arch=compute_75,code=sm_75\n", output)
        self.assertEqual(self.run_script(library)[1].replace(str(library), ""), output.replace(
            f"{self.folder}/samples/../lib/libgfpq_gpu.so", ""))
        served = [line.split(": ", 1)[1] for line in output.splitlines() if line.startswith("Served")]
        self.assertEqual(
            served,
            [
                "NO: build it with CMAKE_CUDA_ARCHITECTURES=61",
                "yes, with machine code (sm_75)",
                "yes, with machine code (sm_86)",
                "yes, with machine code (sm_86)",
                "yes, with machine code (sm_90)",
                "yes, with PTX (compute_90): the driver compiles it at the first call",
            ],
        )
        for i, gpu in enumerate(gpus):
            number = gpu.replace(".", "")
            self.assertIn(
                f"GPU {i}: GPU {i}, driver 1.2, compute capability {gpu}\n"
                f"Compile option: -gencode arch=compute_{number},code=sm_{number}\n",
                output,
            )

    def test_a_file_that_is_no_library_is_reported(self):
        self.program("nvidia-smi", "0, GPU, 1.2, 9.0")
        output = self.run_script(self.library("nothing", "other.so"))[1]
        self.assertIn("none: this is not libgfpq_gpu", output)
        self.assertNotIn("Served", output)

    def test_a_missing_driver_is_reported(self):
        status, output = self.run_script()
        self.assertEqual(status, 1)
        self.assertIn("Driver: nvidia-smi not found; is NVIDIA's driver installed?", output)

    def test_a_missing_gpu_is_reported(self):
        self.program("nvidia-smi", "No devices were found", 6)
        status, output = self.run_script()
        self.assertEqual(status, 1)
        self.assertIn("Driver: nvidia-smi says: No devices were found", output)

    def test_a_driver_too_old_to_tell_the_compute_capability_is_reported(self):
        path = self.bin / "nvidia-smi"
        path.write_text(
            f"#!{self.bin}/bash\ncase $* in *compute_cap*) echo 'Field \"compute_cap\" is not a valid field to query.';"
            " exit 2;; esac\necho '0, Old GPU, 470.1'\n"
        )
        path.chmod(0o755)
        status, output = self.run_script()
        self.assertEqual(status, 1)
        self.assertIn("too old to tell", output)
        self.assertIn("0, Old GPU, 470.1", output)

    @unittest.skipIf(os.path.exists("/usr/local/cuda/bin/nvcc"), "CUDA is where the script looks for it")
    def test_a_missing_nvcc_is_reported(self):
        self.program("nvidia-smi", "0, GPU, 1.2, 6.1")
        output = self.run_script()[1]
        self.assertTrue(output.startswith("nvcc: not found\n\n"), output)
        self.assertIn(OPTION_61, output)


if __name__ == "__main__":
    unittest.main()
