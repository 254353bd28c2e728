"""The guide's two Python samples print what the guide shows."""

import unittest

from support import PROJECT, gpu_library, run_python

import gfpq

VALUES = ("0.0000000000 1.0000000000 2.0000000000 2.9536523819 4.0000000000 4.9674310684 5.9073047638 7.0250086784 "
          "8.0000000000 8.7240619659")  # fmt: skip
SHOWN = f"""\
Origin data: 0.0000000000 1.0000000000 2.0000000000 3.0000000000 4.0000000000 5.0000000000 6.0000000000 7.0000000000 \
8.0000000000 9.0000000000
QuantAndDeQuant: {VALUES}
Data expected: {VALUES}
HI_GFPQ_QuantAndDeQuant@_PY time:0:00:0\\d\\.\\d{{6}}
HI_GFPQ_QuantAndDeQuant success
GFPQ PARAM: 0x60 0x62 -0x7e 0x69 -0x4d -0x1 -0x1 -0x1 -0x3b -0x39 0x27 -0x34 0x3a 0x38 -0x28 0x33
"""


class SamplesTest(unittest.TestCase):
    def test_cpu(self):
        result = run_python(PROJECT / "samples" / "sample_on_python.py", gfpq.info().path)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, f"^{SHOWN.replace('@', '')}$")

    def test_without_gpu_the_sample_says_so(self):
        result = run_python(PROJECT / "samples" / "sample_on_python_gpu.py", CUDA_VISIBLE_DEVICES="")
        self.assertEqual(result.returncode, 77, result.stderr)
        self.assertRegex(result.stdout, r"^No (GPU|CUDA runtime)")

    def test_gpu(self):
        result = run_python(PROJECT / "samples" / "sample_on_python_gpu.py", gpu_library())
        if result.returncode == 77:
            self.skipTest(result.stdout.strip())
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, f"^{SHOWN.replace('@', '_GPU')}$")


if __name__ == "__main__":
    unittest.main()
