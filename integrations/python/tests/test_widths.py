"""The table of bit widths: the library's, and the one place to add another."""

import ast
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
from support import FOLDER, run_python, torch

import gfpq
from gfpq.widths import WIDTHS, width_names


class WidthsTest(unittest.TestCase):
    def test_the_library_has_the_same_widths(self):
        for bits in range(66):
            if bits in WIDTHS:
                self.assertEqual(gfpq.quantize(np.ones(1), bits).shape, (1,))
            else:
                with self.assertRaises(gfpq.BadFormatError):
                    gfpq.quantize(np.ones(1), bits)

    def test_the_library_has_the_same_constants(self):
        for bits, width in WIDTHS.items():
            param, beyond = gfpq.Param(bits), np.array([1e300, 1e-300])
            result = gfpq.quantize(beyond, param=param)
            self.assertEqual(param.delta, width.delta_limit)
            self.assertEqual(result.tolist(), [param.largest, 0])
            a_step_higher = np.nextafter(gfpq.Param.from_delta(1 - width.largest_code, bits).largest, 2)
            self.assertEqual(a_step_higher, np.nextafter(2 ** (1 / width.steps), 2))
            gfpq.quantize(np.array([a_step_higher]), param=param, mode=gfpq.Mode.INIT)
            self.assertIn(param.delta + width.largest_code, (1, 2))

    def test_another_width_is_a_line_in_the_table(self):
        with tempfile.TemporaryDirectory() as folder:
            package = Path(shutil.copytree(FOLDER / "gfpq", Path(folder) / "gfpq"))
            table = package / "widths.py"
            text = table.read_text()
            changed = text.replace("WIDTHS = {", "WIDTHS = {12: Width(64, 703, 2047), ")
            self.assertNotEqual(changed, text)
            table.write_text(changed)
            script = (
                "import gfpq\n"
                "from gfpq import __main__ as cli\n"
                "param = gfpq.Param.from_delta(-703, 12)\n"
                "assert (param.bits, param.largest) == (12, 1.0), param\n"
                "assert gfpq.Param.from_bytes(bytes(param), 12) == param\n"
                "open('block', 'wb').write(bytes(param))\n"
                "assert cli.main(['param', 'block', '--bits', '12']) == 0\n"
                "try: gfpq.Param(9)\n"
                "except gfpq.BadFormatError as error: print(error)\n"
            )
            if torch is not None:
                script += "import gfpq.torch\nassert '12' in repr(gfpq.torch.FakeQuantize(12))\n"
            result = run_python("-c", f"import os; os.chdir({folder!r})\n{script}", PYTHONPATH=folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("Param(bits=12, delta=-703, 0.000493", result.stdout)
            self.assertIn("use 12, 8 or 16", result.stdout)

    def test_names(self):
        self.assertEqual(width_names(), "8 or 16")


class ModulesTest(unittest.TestCase):
    def test_no_module_uses_what_another_keeps_to_itself(self):
        """`from .module import _name` and `module._name` between the package's own modules."""
        for file in (FOLDER / "gfpq").rglob("*.py"):
            nodes = list(ast.walk(ast.parse(file.read_text())))
            imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level]
            private = {alias.name for node in imports for alias in node.names if alias.name.startswith("_")}
            modules = {alias.name for node in imports if node.module is None for alias in node.names}
            private |= {
                f"{node.value.id}.{node.attr}"
                for node in nodes
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
                and node.attr.startswith("_")
            }
            self.assertEqual(private, set(), f"{file.relative_to(FOLDER)}")


if __name__ == "__main__":
    unittest.main()
