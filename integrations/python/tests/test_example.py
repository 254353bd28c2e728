"""The example on scikit-learn's digits, shortened; and the README's first steps."""

import doctest
import importlib.util
import json
import re
import sys
import tempfile
import unittest
from pathlib import Path

from support import FOLDER, needs_torch, run_python


def needs(*packages):
    """Skips where a package is missing."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


@needs_torch
@needs("sklearn", "matplotlib")
class DigitsTest(unittest.TestCase):
    def test_accuracy(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run_python(FOLDER / "examples" / "digits.py", "--quick", "--output", folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual({file.name for file in Path(folder).iterdir()},
                             {"model.pt", "parameters.json", "nnie.json", "digits.png"})
            clips = json.loads((Path(folder) / "nnie.json").read_text())["nnie"]["gfpq_param_dict"]
        self.assertEqual(list(clips), ["conv1", "conv2", "pool2", "conv3", "pool3", "classes"])
        table = {
            match[1]: [float(number) for number in match[2].split()]
            for match in re.finditer(r"^(digits|hard case) +([\d. ]+)$", result.stdout, re.MULTILINE)
        }
        floating, _, tuned, sixteen = table["digits"]
        self.assertGreater(floating, 97)
        self.assertLess(floating - tuned, 0.5)
        self.assertLessEqual(floating - sixteen, 0.12)  # one of the 899 images is 0.11%
        floating, post_training, tuned, _ = table["hard case"]
        self.assertGreater(floating - post_training, 5)
        self.assertGreaterEqual(tuned - post_training, 0.8 * (floating - post_training))

    def test_spreading_leaves_the_float_network_alone(self):
        import torch

        sys.path.insert(0, str(FOLDER / "examples"))
        import digits

        model, x = digits.network().eval(), digits.load().test_x
        spread = digits.spread(model, octaves=10)
        torch.testing.assert_close(spread(x), model(x), rtol=1e-4, atol=1e-5)
        weights = spread.conv2.weight.abs().amax((0, 2, 3))
        self.assertGreater((weights.max() / weights.min()).item(), 2**8)


@needs_torch
@needs("torchvision", "sklearn", "PIL")
class TorchvisionTest(unittest.TestCase):
    def test_a_row(self):
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "table.md"
            result = run_python(FOLDER / "examples" / "torchvision_table.py", "--output", table, "mobilenet_v3_small")
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            cells = [cell.strip() for cell in table.read_text().splitlines()[-1].strip("|").split("|")]
        self.assertEqual(cells[0], "mobilenet_v3_small")
        quantized, _, folded, unfolded = map(int, cells[1:5])
        self.assertGreater(quantized, 53)  # its layers: Concat, Eltwise and pooling come on top
        self.assertEqual((folded, unfolded), (34, 0))
        difference, noise, eight, sixteen, alone = map(float, cells[5:])
        self.assertLess(difference, 1e-4)
        self.assertGreater(noise, 0.9)
        self.assertGreater(eight, 0.9)
        self.assertGreater(sixteen, 0.99)
        self.assertGreater(alone, 0.9)

    def test_a_network_that_fails_is_a_row_and_a_status(self):
        result = run_python(FOLDER / "examples" / "torchvision_table.py", "no_such_network")
        self.assertEqual(result.returncode, 1)
        self.assertIn("| no_such_network | AttributeError", result.stdout)


@needs_torch
@needs("facenet_pytorch", "skimage", "matplotlib")
class MtcnnTest(unittest.TestCase):
    def test_quantized_networks_find_the_same_faces(self):
        sys.path.insert(0, str(FOLDER / "examples"))
        import mtcnn

        found, differences = mtcnn.run()
        self.assertEqual([len(faces.boxes) for faces in found["float"].values()], [1, 20, 1])
        for (network, name), difference in differences.items():
            self.assertEqual((difference.lost, difference.added), (0, 0), (network, name))
            if name != "faces in the wild":  # one of its twenty has two candidates that are nearly as probable
                self.assertGreater(difference.overlap, {"8 bit": 0.85, "16 bit": 0.98, "noise": 0.9}[network])
        with tempfile.TemporaryDirectory() as folder:
            mtcnn.draw(found, Path(folder) / "faces.png")
            self.assertGreater((Path(folder) / "faces.png").stat().st_size, 100_000)


@needs_torch
@needs("sklearn")
class ReadmeTest(unittest.TestCase):
    def test_arrays(self):
        flags = doctest.NORMALIZE_WHITESPACE
        wrong, tried = doctest.testfile(str(FOLDER / "README.md"), module_relative=False, optionflags=flags)
        self.assertEqual(wrong, 0)
        self.assertGreater(tried, 4)

    def test_first_steps(self):
        snippet = (FOLDER / "README.md").read_text().split("```python\n")[1].split("```")[0]
        lines = snippet.splitlines()
        self.assertLessEqual(len(lines) - lines.index("import gfpq"), 10)
        with tempfile.TemporaryDirectory() as folder:
            script = f"import os; os.chdir({folder!r})\n{snippet}"
            result = run_python("-c", script)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(len(list(Path(folder).glob("*/*"))), 3)
        self.assertIn("Param", result.stdout)


if __name__ == "__main__":
    unittest.main()
