#!/usr/bin/python3
"""How much it matters: the share of numbers that get another code, on .npy files and on the standard data; and the runner
as one file that needs no other.

    data_test.py RUNNER LIBRARY FOLDER_OF_PORTS
"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

RUNNER, LIBRARY, PORTS = (pathlib.Path(sys.argv.pop(1)).absolute() for _ in range(3))
WITH_2048_STEPS = PORTS / "libgfpq_port_2048_steps.so"
NO_CASES = "--gtest_filter=none"


def npy(numbers, descr="<f4", shape=None, order=False, version=1, magic=b"\x93NUMPY"):
    """A file as numpy.save writes it."""
    shape = (len(numbers),) if shape is None else shape
    header = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    size = struct.pack("<H" if version == 1 else "<I", len(header) + 1)
    code = {"<f4": "f", "<f8": "d"}.get(descr, "f")
    return magic + bytes([version, 0]) + size + header + b"\n" + struct.pack(f"<{len(numbers)}{code}", *numbers)


class RunnerTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def run_runner(self, *arguments, library=LIBRARY, runner=RUNNER, **options):
        return subprocess.run([runner, f"--library={library}", *arguments], text=True, check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **options)


class DataTest(RunnerTest):
    def shares(self, *arguments, library=LIBRARY):
        results = self.folder / "results.json"
        run = self.run_runner(*arguments, f"--json={results}", library=library)
        return run.stdout, {(share["data"], share["bits"], share["double"]): share
                            for share in json.loads(results.read_text())["shares"]}

    def file(self, content, name="data.npy"):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def need_ports(self):
        if not WITH_2048_STEPS.exists():
            self.skipTest("there are no ports in C here")

    def test_every_number_of_a_file_is_measured(self):
        for descr, version, shape in (("<f4", 1, (6,)), ("<f8", 2, (2, 3)), ("<f4", 3, (1, 2, 3)), ("<f8", 1, (6, 1))):
            path = self.file(npy([1.5, -0.25, 0, 3.14159, 1e-9, -7], descr, shape, version=version))
            output, shares = self.shares(NO_CASES, f"--data={path}")
            self.assertEqual(len(shares), 4, output)
            for share in shares.values():
                self.assertEqual((share["numbers"], share["other_codes"], share["problem"]), (6, 0, ""), output)
            self.assertIn("Numbers that get another code: none of 24 (data.npy)", output)

    def test_a_single_number_has_no_shape(self):
        _, shares = self.shares(NO_CASES, f"--data={self.file(npy([2.5], shape=()))}")
        self.assertEqual({share["numbers"] for share in shares.values()}, {1})

    def test_the_share_is_of_the_file(self):
        """2048 steps an octave, of which every sixteenth is one of 128: that many numbers are right."""
        self.need_ports()
        numbers = [2 ** (-k / 2048) for k in range(2048)]
        output, shares = self.shares(NO_CASES, f"--data={self.file(npy(numbers))}", library=WITH_2048_STEPS)
        path = str(self.folder / "data.npy")
        self.assertEqual(shares[path, 16, False]["other_codes"], 2048 - 128, output)
        self.assertEqual(shares[path, 8, False]["other_codes"], 0, output)
        self.assertRegex(output, r"data\.npy +0 % +93\.8 %")

    def test_standard_data_are_measured_where_arithmetic_is_judged_whole(self):
        self.need_ports()
        output, shares = self.shares("--profile=arithmetic-16f", library=WITH_2048_STEPS)
        self.assertEqual({data for data, _, _ in shares}, {"weights", "activations", "ladder"}, output)
        self.assertAlmostEqual(shares["weights", 16, False]["other_codes"] / 1e6, 15 / 16, delta=0.005)
        self.assertAlmostEqual(shares["activations", 16, False]["other_codes"] / 1e6, 15 / 32, delta=0.005)
        self.assertAlmostEqual(shares["ladder", 16, False]["other_codes"] / 1e6, 15 / 16, delta=0.005)

    def test_files_that_are_none_are_refused(self):
        good = npy([1, 2, 3])
        for content, why in (
            (b"", "no .npy file"), (b"1,2,3\n" * 10, "no .npy file"), (npy([1], magic=b"\x93NUMPI"), "no .npy file"),
            (good[:-1], "holds 11 bytes of numbers, and its shape asks for 12"), (good + b"\0", "holds 13 bytes"),
            (good[:30], "ends within its header"), (npy([1], version=9), "has the version 9"),
            (npy([1], descr=">f4"), "type '>f4'"), (npy([1], descr="<i4"), "type '<i4'"), (npy([1], descr="|O"), "type '|O'"),
            (npy([1, 2], order=True, shape=(1, 2)), "Fortran's order"), (npy([], shape=(0, 3)), "it has no numbers"),
            (npy([1], shape=(2**40, 2**40)), "more numbers than a call takes"),
            (npy([1], shape=(2**16, 2**16)), "more numbers than a call takes"), (npy([1], shape=(10**30,)), "more numbers"),
            (npy([1], descr="<f4" + "x" * 60000), "type '<f4xxx"), (npy([1], shape="(1" + "0" * 60000 + ",)"), "more numbers"),
            (npy([1], shape="(" + "1, " * 20000 + "0)"), "no numbers"), (npy([1], shape=" " * 60000), "does not tell shape"),
            (npy([1], shape=(-1,)), "its header does not tell shape"), (npy([1], shape=[1]), "its header does not tell shape"),
            (good.replace(b"descr", b"dtype"), "its header does not tell descr"),
        ):
            path = self.file(content)
            run = self.run_runner(NO_CASES, f"--data={path}")
            self.assertEqual(run.returncode, 2, run.stdout)
            self.assertIn(f"{path}: ", run.stdout)
            self.assertIn(why, run.stdout)
        run = self.run_runner(NO_CASES, f"--data={self.folder / 'nothing.npy'}")
        self.assertEqual((run.returncode, "cannot read" in run.stdout), (2, True), run.stdout)


class KitTest(RunnerTest):
    """The runner alone, in an empty folder."""

    def test_the_runner_needs_no_other_file(self):
        for file in (RUNNER, LIBRARY):
            shutil.copy(file, self.folder / file.name)
        run = self.run_runner("--gtest_filter=Sample.*:Record.*:Digest.*", library=f"./{LIBRARY.name}",
                              runner=self.folder / RUNNER.name, cwd=self.folder, env={})
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn("18 requirements that were run", run.stdout)


if __name__ == "__main__":
    unittest.main()
