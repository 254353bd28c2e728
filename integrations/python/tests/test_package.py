"""The wheel: built offline, carries the library, works away from the checkout."""

import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

from support import FOLDER, run_python


class WheelTest(unittest.TestCase):
    def test_wheel(self):
        if not os.environ.get("GFPQ_PREBUILT"):
            self.skipTest("GFPQ_PREBUILT names no folder with a built library (ctest sets it)")
        with tempfile.TemporaryDirectory() as folder:
            self.pip("wheel", "--no-build-isolation", "-w", folder, FOLDER, TMPDIR=folder)
            (wheel,) = Path(folder).glob("gfpq-*-py3-none-*.whl")
            self.assertFalse(wheel.stem.endswith("any"))
            self.assertIn("gfpq/nnie/caffe.proto", zipfile.ZipFile(wheel).namelist())
            site = Path(folder) / "site"
            self.pip("install", "--target", site, wheel)
            script = (
                "import numpy, gfpq; print(gfpq.info().path); "
                "print(gfpq.quantize(numpy.arange(10, dtype='f4')).tolist())"
            )
            result = run_python("-c", script, PYTHONPATH=str(site), GFPQ_LIBRARY="")
            self.assertEqual(result.returncode, 0, result.stderr)
            path, values = result.stdout.splitlines()
            self.assertEqual(path, str(site / "gfpq" / "lib" / "libgfpq.so.1"))
            self.assertIn("2.953652", values)

    def pip(self, command, *arguments, **environment):
        line = [sys.executable, "-m", "pip", command, "--no-deps", "--no-index", *map(str, arguments)]
        changed = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment}
        result = subprocess.run(line, capture_output=True, text=True, env=changed, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
