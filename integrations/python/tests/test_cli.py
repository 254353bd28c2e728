"""python -m gfpq."""

import contextlib
import io
import json
import os
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from support import run_python

import gfpq
from gfpq import __main__ as cli

DIFFERENT, ERROR, BAD_FILE = 1, 2, 3  # exit statuses


class CommandsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_command(self, *arguments):
        """Returns the exit status, standard output and standard error."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = cli.main([str(argument) for argument in arguments])
            except SystemExit as exit:  # of argparse
                status = exit.code
        return status, out.getvalue(), err.getvalue()

    def save(self, name, data):
        np.save(self.folder / name, data)
        return self.folder / name

    def write(self, name, content):
        (self.folder / name).write_bytes(content)
        return self.folder / name


class OutputTest(unittest.TestCase):
    def test_where_nobody_reads_on_nothing_is_said(self):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as closed:
            command = [sys.executable, "-m", "gfpq", "info"]
            done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (ERROR, ""))


class QuantizeTest(CommandsTest):
    def test_by_parts_is_quantize(self):
        rng = np.random.default_rng(0)
        for data in (rng.normal(size=(7, 11)).astype("f4"), np.asfortranarray(rng.normal(size=(7, 11))),
                     rng.integers(-9, 9, 77).astype("i2"), np.empty((0, 3), "f4"), np.array(3.0),
                     rng.normal(size=30).astype(">f8"), rng.normal(size=(3, 4)).astype("f2")):  # fmt: skip
            source, target, block = self.save("in.npy", data), self.folder / "out.npy", self.folder / "param"
            with mock.patch.object(cli, "_PART", 10):
                status, out, err = self.run_command("quantize", source, target, "--bits", 16, "--save-param", block)
            param = gfpq.Param(16)
            expected = gfpq.quantize(data, param=param)
            self.assertEqual((status, out, err), (0, f"{param}\n", ""))
            result = np.load(target)
            self.assertEqual(result.dtype, expected.dtype)
            self.assertEqual(np.isfortran(result), np.isfortran(data))
            np.testing.assert_array_equal(result, expected)
            self.assertEqual(block.read_bytes(), bytes(param))

    def test_with_a_parameter(self):
        source, block = self.save("in.npy", np.array([1, 100], "f4")), self.folder / "param"
        for content in (bytes(gfpq.Param.from_delta(-77)), b"\2\0\0\0" + bytes(gfpq.Param.from_delta(-77))):
            block.write_bytes(content)
            command = ("quantize", source, self.folder / "out.npy", "--param", block, "--bits", 8)
            self.assertEqual(self.run_command(*command)[0], 0)
            np.testing.assert_allclose(np.load(self.folder / "out.npy"), [1, 8.724062], rtol=1e-6)

    def test_a_parameter_saved_as_json_tells_its_width(self):
        source, target, saved = self.save("in.npy", np.arange(10.0)), self.folder / "out.npy", self.folder / "p.json"
        self.assertEqual(self.run_command("quantize", source, target, "--bits", 16, "--save-param", saved)[0], 0)
        expected = np.load(target)
        status, out, _ = self.run_command("quantize", source, target, "--param", saved)
        self.assertEqual(status, 0)
        self.assertIn("bits=16", out)
        np.testing.assert_array_equal(np.load(target), expected)
        before = target.read_bytes()
        status, _, err = self.run_command("quantize", source, target, "--param", saved, "--bits", 8)
        self.assertEqual((status, target.read_bytes()), (BAD_FILE, before))
        self.assertIn(f"{saved}: made for 16 bit", err)

    def test_a_block_does_not_tell_its_width(self):
        source, target = self.save("in.npy", np.arange(10.0)), self.folder / "out.npy"
        block = self.write("p", bytes(gfpq.Param.from_delta(-77)))
        status, _, err = self.run_command("quantize", source, target, "--param", block)
        self.assertEqual((status, target.exists()), (BAD_FILE, False))
        self.assertIn(f"{block}: 16 bytes do not tell the bit width: give --bits", err)

    def test_a_block_that_fits_another_width_better_is_warned_of(self):
        source, target = self.save("in.npy", np.arange(10.0)), self.folder / "out.npy"
        block = self.write("p", bytes(gfpq.Param.from_delta(-77)))
        status, _, err = self.run_command("quantize", source, target, "--param", block, "--bits", 16)
        self.assertEqual(status, 0)
        self.assertRegex(err, r"warning: .*p: .* 1342.42 with 16 bit, .* 8.72406 with 8 bit, and .* is 9: ")
        self.assertEqual(self.run_command("quantize", source, target, "--param", block, "--bits", 8)[2], "")

    def test_what_was_there_stays_where_something_is_bad(self):
        source, keep = self.save("in.npy", np.arange(10.0)), self.save("keep.npy", np.arange(3.0))
        kept_param = self.write("keep.param", b"keep")
        before = keep.read_bytes()
        bad = self.write("bad", b"x" * 16)
        missing = self.folder / "none" / "p"
        for arguments in (
            (source, keep, "--param", bad, "--bits", 8), (source, keep, "--param", self.folder / "none", "--bits", 8),
            (bad, keep), (source, keep, "--save-param", missing),
            (self.save("complex.npy", np.ones(3, "c8")), keep, "--save-param", kept_param),
        ):  # fmt: skip
            status, out, err = self.run_command("quantize", *arguments)
            self.assertEqual((status, out, err.count("\n")), (BAD_FILE, "", 1), err)
            self.assertEqual((keep.read_bytes(), kept_param.read_bytes()), (before, b"keep"))

    def test_what_was_there_stays_where_the_work_is_cut_short(self):
        source, keep = self.save("in.npy", np.arange(100.0)), self.save("keep.npy", np.arange(3.0))
        before, names = keep.read_bytes(), sorted(os.listdir(self.folder))
        whole, calls = gfpq.quantize, []

        def fails_later(*arguments, **named):
            calls.append(1)
            if len(calls) > 15:
                raise KeyboardInterrupt
            return whole(*arguments, **named)

        patches = mock.patch.object(cli, "_PART", 10), mock.patch.object(gfpq, "quantize", fails_later)
        with patches[0], patches[1], self.assertRaises(KeyboardInterrupt):
            self.run_command("quantize", source, keep)
        self.assertEqual((keep.read_bytes(), sorted(os.listdir(self.folder))), (before, names))

    def test_a_full_disk_is_an_error_with_the_files_name(self):
        source, target = self.save("in.npy", np.arange(100.0)), self.folder / "out.npy"
        with mock.patch("gfpq.files.write_array", side_effect=OSError(28, "No space left on device")):
            status, _, err = self.run_command("quantize", source, target)
        self.assertEqual((status, os.listdir(self.folder)), (BAD_FILE, ["in.npy"]))
        self.assertIn(f"{target}: ", err)
        self.assertIn("No space left", err)

    def test_an_output_is_no_other_file_of_the_call(self):
        source = self.save("in.npy", np.arange(10.0))
        before = source.read_bytes()
        (self.folder / "link.npy").symlink_to(source)
        os.link(source, self.folder / "hard.npy")
        for arguments in (
            (source, source), (source, self.folder / "link.npy"), (source, self.folder / "hard.npy"),
            (source, self.folder / "out.npy", "--save-param", source),
            (source, self.folder / "out.npy", "--save-param", self.folder / "out.npy"),
        ):  # fmt: skip
            status, _, err = self.run_command("quantize", *arguments)
            self.assertEqual((status, source.read_bytes()), (BAD_FILE, before))
            self.assertIn("same file", err)

    def test_an_output_is_not_the_parameter_that_is_used(self):
        source, param = self.save("in.npy", np.arange(10.0)), self.folder / "p.json"
        codes, target = self.folder / "codes.npy", self.folder / "out.npy"
        self.assertEqual(self.run_command("encode", source, codes, "--save-param", param)[0], 0)
        before = param.read_bytes()
        for arguments in (
            ("quantize", source, param), ("encode", source, param), ("decode", codes, param),
            ("quantize", source, target, "--save-param", param), ("encode", source, target, "--save-param", param),
        ):  # fmt: skip
            status, _, err = self.run_command(*arguments, "--param", param)
            self.assertEqual((status, param.read_bytes(), target.exists()), (BAD_FILE, before, False))
            self.assertIn("same file", err)

    def test_a_link_and_a_mode_outlast_the_output(self):
        source, real = self.save("in.npy", np.arange(10.0)), self.save("real.npy", np.arange(3.0))
        real.chmod(0o640)
        (self.folder / "link.npy").symlink_to(real)
        self.assertEqual(self.run_command("quantize", source, self.folder / "link.npy")[0], 0)
        self.assertTrue((self.folder / "link.npy").is_symlink())
        self.assertEqual(np.load(real).shape, (10,))
        self.assertEqual(stat.S_IMODE(real.stat().st_mode), 0o640)

    def test_a_new_output_has_the_usual_mode(self):
        source, target, usual = self.save("in.npy", np.arange(10.0)), self.folder / "out.npy", self.write("usual", b"")
        self.run_command("quantize", source, target)
        self.assertEqual(target.stat().st_mode, usual.stat().st_mode)

    def test_a_device_is_no_output(self):
        source = self.save("in.npy", np.arange(10.0))
        status, _, err = self.run_command("quantize", source, "/dev/null")
        self.assertEqual(status, BAD_FILE)
        self.assertIn("/dev/null: not a regular file", err)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))


class CodesTest(CommandsTest):
    def test_encode_and_decode_are_the_functions_by_parts(self):
        rng = np.random.default_rng(0)
        for bits in (8, 16):
            for data in (rng.normal(size=(7, 11)).astype("f4"), np.asfortranarray(rng.normal(size=(7, 11))),
                         rng.normal(size=30).astype("f2"), np.empty((0, 3)), np.array(3.0)):  # fmt: skip
                source, codes, values = self.save("in.npy", data), self.folder / "c.npy", self.folder / "v.npy"
                saved = self.folder / "p.json"
                with mock.patch.object(cli, "_PART", 10):
                    encoded = self.run_command("encode", source, codes, "--bits", bits, "--save-param", saved)
                    decoded = self.run_command("decode", codes, values, "--param", saved, "--type", "float64")
                param = gfpq.Param(bits)
                wanted = gfpq.encode(data, param)
                self.assertEqual((encoded, decoded), ((0, f"{param}\n", ""),) * 2)
                np.testing.assert_array_equal(np.load(codes), wanted)
                np.testing.assert_array_equal(np.load(values), gfpq.decode(wanted, param, "f8"))
                self.assertEqual((np.load(codes).dtype, np.load(values).dtype), (wanted.dtype, np.float64))
                self.assertEqual(np.isfortran(np.load(values)), np.isfortran(data))

    def test_codes_need_their_parameter(self):
        source, target = self.save("in.npy", np.arange(10.0)), self.folder / "out.npy"
        status, _, err = self.run_command("encode", source, target)
        self.assertEqual((status, target.exists()), (ERROR, False))
        self.assertIn("--save-param", err)
        self.assertEqual(self.run_command("decode", source, target)[0], ERROR)

    def test_what_are_no_codes_is_a_bad_file(self):
        block = self.write("p", bytes(gfpq.Param.from_delta(-77)))
        for data in (np.arange(10.0), np.arange(10, dtype="i2"), np.array([1408], "i2")):
            source, target = self.save("in.npy", data), self.folder / "out.npy"
            bits = 16 if data.size == 1 else 8
            status, _, err = self.run_command("decode", source, target, "--param", block, "--bits", bits)
            self.assertEqual((status, target.exists(), err.count("\n")), (BAD_FILE, False, 1))
            self.assertIn(f"{source}: ", err)


class ParamCommandTest(CommandsTest):
    SIGNED = "GFPQ PARAM: 0x60 0x62 -0x7e 0x69 -0x4d -0x1 -0x1 -0x1 -0x3b -0x39 0x27 -0x34 0x3a 0x38 -0x28 0x33\n"

    def test_a_block(self):
        for content in (bytes(gfpq.Param.from_delta(-77)), b"\2\0\0\0" + bytes(gfpq.Param.from_delta(-77))):
            block = self.write("param", content)
            _, out, _ = self.run_command("param", block, "--bits", 8)
            self.assertEqual(out, "Param(bits=8, delta=-77, 0.0355871 ... 8.72406)\n" + self.SIGNED)

    def test_a_block_is_shown_for_each_width_that_it_may_be_for(self):
        block = self.write("param", bytes(gfpq.Param.from_delta(-77)))
        _, out, _ = self.run_command("param", block)
        self.assertEqual(out, "Param(bits=8, delta=-77, 0.0355871 ... 8.72406)\n"
                              "Param(bits=16, delta=-77, 0.65904 ... 1342.42)\n" + self.SIGNED)  # fmt: skip
        block = self.write("param", bytes(gfpq.Param.from_delta(-3000, 16)))
        self.assertRegex(self.run_command("param", block)[1], r"^Param\(bits=16, .*\nGFPQ PARAM: ")

    def test_what_export_wrote(self):
        rows = [{"layer": "conv", "tensor": "data", "group": 0, "bits": 16,
                 "block": bytes(gfpq.Param.from_delta(-1000, 16)).hex()}]  # fmt: skip
        rows.append({**rows[0], "layer": "cat", "input": 1})
        file = self.write("p.json", json.dumps(rows).encode())
        _, out, _ = self.run_command("param", file)
        self.assertRegex(out, r"^conv data 0: Param\(bits=16, delta=-1000.*\ncat data of input 1 0: Param\(bits=16")


class CompareTest(CommandsTest):
    def test_compare(self):
        a, b = self.save("a.npy", np.array([3.0, 4.0])), self.save("b.npy", np.array([3.0, 4.5]))
        status, out, _ = self.run_command("compare", a, b)
        self.assertEqual(status, DIFFERENT)
        self.assertIn("cosine similarity 0.998460, SQNR 20.00 dB, largest difference 0.5, 1 of 2 differ", out)
        status, out, _ = self.run_command("compare", a, a)
        self.assertEqual(status, 0)
        self.assertIn("cosine similarity 1.000000, SQNR inf dB", out)

    def test_integers_that_float64_can_not_tell_apart(self):
        a, b = self.save("a.npy", np.array([2**60])), self.save("b.npy", np.array([2**60 + 1]))
        self.assertEqual(self.run_command("compare", a, b)[0], DIFFERENT)

    def test_orders_of_axes(self):
        data = np.arange(12.0).reshape(3, 4)
        a, b = self.save("a.npy", data), self.save("b.npy", np.asfortranarray(data))
        self.assertEqual(self.run_command("compare", a, b)[0], 0)
        self.assertEqual(self.run_command("compare", b, a)[0], 0)

    def test_progress_on_long_work(self):
        a = self.save("a.npy", np.ones(100))
        with mock.patch.object(cli, "_PART", 10), mock.patch.object(cli.time, "monotonic", side_effect=range(100)):
            _, _, err = self.run_command("compare", a, a)
        self.assertIn("compare: 60% of 100 numbers", err)
        self.assertIn("compare: 100% of 100 numbers", err)


class BadFilesTest(CommandsTest):
    def bad_arrays(self):
        """Files that hold no array of real numbers."""
        whole = self.save("whole.npy", np.arange(100.0)).read_bytes()
        np.savez(self.folder / "archive.npz", a=np.ones(3))
        yield self.write("empty.npy", b"")
        yield self.write("text.npy", b"1 2 3\n")
        yield self.write("short.npy", whole[:200])
        yield self.write("header.npy", whole[:40])
        yield self.write("damaged.npy", whole[:20] + b"\xff\xfe(" + whole[23:])
        yield self.folder / "archive.npz"
        yield self.save("objects.npy", np.array([None, 1], object))
        yield self.save("complex.npy", np.ones(3, "c8"))
        yield self.save("texts.npy", np.array(["a", "b"]))
        yield self.save("wide.npy", np.ones(3, "g"))
        yield self.save("fields.npy", np.ones(3, [("a", "f4"), ("b", "f4")]))
        yield self.folder / "missing.npy"
        yield self.folder

    def bad_params(self):
        row = {"layer": "a", "tensor": "data", "group": 0, "bits": 8, "block": bytes(gfpq.Param.from_delta(3)).hex()}
        yield self.write("damaged", b"x" * 16)
        yield self.write("short", b"x" * 7)
        yield self.folder / "missing"
        yield self.folder
        for i, content in enumerate((
            b"", b"{", b"\xff\xfe", b"7", b"{}", b"[]", b"[1]", json.dumps([{**row, "bits": 12}]).encode(),
            json.dumps([{**row, "bits": "8"}]).encode(), json.dumps([{**row, "block": "xyz"}]).encode(),
            json.dumps([{**row, "block": 7}]).encode(), json.dumps([{"bits": 8}]).encode(),
            json.dumps([{**row, "delta": 4}]).encode(),
        )):  # fmt: skip
            yield self.write(f"{i}.json", content)

    def check(self, file, *command):
        status, out, err = self.run_command(*command)
        self.assertEqual((status, out), (BAD_FILE, ""), f"{command}: {err}")
        self.assertRegex(err, r"^gfpq: .*\n$", command)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertIn(f"{file}: ", err)

    def test_an_array(self):
        good = self.save("good.npy", np.ones(3))
        for file in self.bad_arrays():
            self.check(file, "quantize", file, self.folder / "out.npy")
            self.check(file, "compare", good, file)
            self.check(file, "compare", file, good)

    def test_a_parameter(self):
        good = self.save("good.npy", np.ones(3))
        for file in self.bad_params():
            self.check(file, "param", file)
            self.check(file, "quantize", good, self.folder / "out.npy", "--bits", 8, "--param", file)
        self.assertFalse((self.folder / "out.npy").exists())

    def test_a_parameter_that_holds_nothing(self):
        file, good = self.write("zeros", bytes(16)), self.save("good.npy", np.ones(3))
        self.assertEqual(self.run_command("param", file)[1].count("holds nothing yet"), 2)
        self.check(file, "quantize", good, self.folder / "out.npy", "--bits", 8, "--param", file)

    def test_several_parameters_are_none_to_quantize_with(self):
        row = {"layer": "a", "tensor": "data", "group": 0, "bits": 8, "block": bytes(gfpq.Param.from_delta(3)).hex()}
        file, good = self.write("two.json", json.dumps([row, row]).encode()), self.save("good.npy", np.ones(3))
        self.check(file, "quantize", good, self.folder / "out.npy", "--param", file)

    def test_shapes_that_differ(self):
        a, b = self.save("a.npy", np.ones(3)), self.save("b.npy", np.ones(4))
        self.check(b, "compare", a, b)


class ProgramTest(CommandsTest):
    def test_info(self):
        result = run_python("-m", "gfpq", "info")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"^GFPQ version\[\d+\.\d+\.\d+\] Compiler revision\[\d+\] Build at\[.*\]\n")

    def test_wrong_arguments(self):
        self.assertEqual(run_python("-m", "gfpq").returncode, ERROR)
        for arguments in (("nothing",), ("quantize", "a.npy"), ("quantize", "a.npy", "b.npy", "--bits", 9)):
            self.assertEqual(self.run_command(*arguments)[0], ERROR)

    def test_version(self):
        status, out, _ = self.run_command("--version")
        self.assertEqual((status, out), (0, f"gfpq {gfpq.info().version}\n"))

    def test_help_shows_examples_that_work(self):
        np.save(self.folder / "in.npy", np.arange(10.0))
        examples = []
        for command in ("", "info", "quantize", "param", "compare"):
            status, out, _ = self.run_command(*([command] if command else []), "--help")
            self.assertEqual(status, 0)
            self.assertIn("xit status", out)
            examples += [line.strip() for line in out.splitlines() if line.strip().startswith("python -m gfpq ")]
        self.assertGreater(len(examples), 6)
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            for example in dict.fromkeys(examples):
                status, _, err = self.run_command(*example.split()[3:])
                self.assertIn(status, (0, DIFFERENT), f"{example}: {err}")
        finally:
            os.chdir(before)

    def test_a_fault_of_its_own_is_no_difference(self):
        a = self.save("a.npy", np.ones(3))
        with mock.patch.object(cli, "_parts", side_effect=ZeroDivisionError):
            status, _, err = self.run_command("compare", a, a)
        self.assertEqual(status, ERROR)
        self.assertIn("ZeroDivisionError", err)


if __name__ == "__main__":
    unittest.main()
