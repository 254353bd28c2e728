"""The example on scikit-learn's digits, as run.sh runs it."""

import importlib.util
import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import FOLDER


@unittest.skipUnless(importlib.util.find_spec("h5py") and importlib.util.find_spec("sklearn"),
                     "h5py or scikit-learn is not installed (Debian: python3-h5py, python3-sklearn)")
class ExampleTest(unittest.TestCase):
    def test_digits(self):
        with tempfile.TemporaryDirectory() as folder:
            command = [FOLDER / "example" / "run.sh", folder]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stderr[-4000:])
            rows = json.loads((Path(folder) / "deployed" / "parameters.json").read_text())
        printed = re.findall(r"^(.+?) +([\d.]+) %$", result.stdout, re.MULTILINE)
        accuracies = {name: float(value) for name, value in printed}
        self.assertGreater(accuracies["float"], 97)
        self.assertLess(accuracies["float"] - accuracies["8 bit, fine-tuned"], 0.5)  # the guide's aim
        self.assertLess(accuracies["float"] - accuracies["exported, folded: weights in 8 bit"], 0.5)
        layers = [row["layer"] for row in rows if row["tensor"] == "data"]
        self.assertEqual(layers, ["conv1", "conv2", "pool2", "ip1", "ip2"])
        self.assertNotIn("below 0.98", result.stdout)


if __name__ == "__main__":
    unittest.main()
