"""quantize and quantize_ with numpy: the recorded results, and every kind of array."""

import threading
import unittest

import numpy as np
from support import GOLDEN, rows

import gfpq
from gfpq import Mode, Param

GUIDE = np.array([0, 1, 2, 2.953652, 4, 4.967431, 5.907305, 7.025009, 8, 8.724062], "f4")


class RecordTest(unittest.TestCase):
    def test_the_vendors_record_bit_by_bit(self):
        """Float32 cases exactly; doubles where the record is exact too, that is, beyond 16 ulp of a threshold."""
        folder = GOLDEN / "vendor-1.1.5"
        modes = {"init": Mode.INIT, "update": Mode.UPDATE, "apply": Mode.APPLY}
        seen = 0
        for row in rows(folder / "cases.csv"):
            if row["dtype"] != "f32" or "inf" in row["input"]:  # infinities are a deliberate deviation
                continue
            data = np.fromfile(folder / "tensors" / row["input"], "<f4")
            expected = np.fromfile(folder / "tensors" / row["output"], "<f4")
            param = None
            if row["mode"] != "null":
                param = Param.from_bytes(bytes.fromhex(row["param_before"]), int(row["bits"]))
            if not np.isfinite(data[~np.isnan(data)]).all():
                continue
            result = gfpq.quantize(data, int(row["bits"]), param, modes.get(row["mode"]))
            np.testing.assert_array_equal(result.view("u4"), expected.view("u4"), row["sequence"])
            if param is not None:
                self.assertEqual(bytes(param).hex(), row["param_after"])
            seen += 1
        self.assertGreater(seen, 100)

    def test_doubles_of_the_ladder(self):
        for bits in (8, 16):
            for row in rows(GOLDEN / "generated" / f"ladder_{bits}.csv"):
                if not row["f64_above"]:
                    continue
                above, value = (np.array(int(row[name], 16), "u8").view("f8") for name in ("f64_above", "f64_value"))
                limit = {8: 511, 16: 4095}[bits]
                delta = max(-limit, min(limit, int(row["exponent"]) - 20))
                result = gfpq.quantize(above, bits, Param.from_delta(delta, bits))
                self.assertEqual(float(result), float(value), row)


class InPlaceTest(unittest.TestCase):
    def test_returns_the_same_array_changed(self):
        for dtype in ("f4", "f8"):
            data = np.arange(10, dtype=dtype)
            address = data.ctypes.data
            self.assertIs(gfpq.quantize_(data), data)
            self.assertEqual(data.ctypes.data, address)
            np.testing.assert_allclose(data, GUIDE, rtol=1e-6)

    def test_modes(self):
        param = Param()
        gfpq.quantize_(np.arange(10, dtype="f4"), param=param)
        self.assertEqual(param.delta, -77)  # held nothing: INIT
        np.testing.assert_array_equal(gfpq.quantize_(np.array([100, 0.5], "f4"), param=param)[:1], GUIDE[-1:])
        self.assertEqual(param.delta, -77)  # held something: APPLY
        gfpq.quantize_(np.array([100], "f4"), param=param, mode=Mode.UPDATE)
        self.assertEqual(param.delta, -21)
        gfpq.quantize_(np.array([1], "f4"), param=param, mode=Mode.UPDATE)
        self.assertEqual(param.delta, -21)
        gfpq.quantize_(np.array([1], "f4"), param=param, mode=Mode.INIT)
        self.assertEqual(param.delta, -127)

    def test_order_of_axes_does_not_matter(self):
        data = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("f4")
        expected = gfpq.quantize(data)
        for axes in ((2, 1, 0), (1, 2, 0), (0, 2, 1)):
            view = data.copy().transpose(axes)
            np.testing.assert_array_equal(gfpq.quantize_(view), expected.transpose(axes))

    def test_views_keep_their_neighbours(self):
        data = np.linspace(1, 2, 12, dtype="f4")
        gfpq.quantize_(data[3:9])
        np.testing.assert_array_equal(data[:3], np.linspace(1, 2, 12, dtype="f4")[:3])
        np.testing.assert_array_equal(data[9:], np.linspace(1, 2, 12, dtype="f4")[9:])
        self.assertFalse(np.array_equal(data[3:9], np.linspace(1, 2, 12, dtype="f4")[3:9]))

    def test_empty_and_scalar(self):
        param = Param()
        gfpq.quantize_(np.empty(0, "f4"), param=param)
        self.assertEqual(param.delta, -446)  # counts as all zero
        self.assertEqual(float(gfpq.quantize_(np.array(3, "f4"))), float(np.float32(2.9536523819)))

    def test_what_is_refused_stays_as_it_was(self):
        read_only = np.arange(10, dtype="f4")
        read_only.flags.writeable = False
        unaligned = np.zeros(41, "u1")[1:].view("f4")
        for data, error, reason in (
            (read_only, ValueError, "read-only"),
            (unaligned, ValueError, "aligned"),
            (np.arange(10, dtype="f4")[::2], ValueError, "contiguous"),
            (np.arange(10, dtype="f4")[::-1], ValueError, "contiguous"),
            (np.arange(10, dtype=">f4"), TypeError, "native"),
            (np.arange(10, dtype="f2"), TypeError, "float32 or float64"),
            (np.arange(10), TypeError, "float32 or float64"),
            (np.arange(10, dtype=">f8"), TypeError, "native"),
            (np.broadcast_to(np.arange(10, dtype="f4"), (2, 10)), ValueError, "read-only"),
            (np.float32(3), TypeError, "in place"),
            (np.ma.masked_array(np.arange(10, dtype="f4"), np.arange(10) > 8), ValueError, "mask"),
            ([1.0, 2.0], TypeError, "in place"),
        ):
            before = np.array(data)
            param = Param()
            with self.assertRaisesRegex(error, reason):
                gfpq.quantize_(data, param=param)
            np.testing.assert_array_equal(data, before)
            self.assertFalse(param.initialized)
        with self.assertRaisesRegex(gfpq.BadFormatError, r"Invalid bit width\[9\]"):
            gfpq.quantize_(np.ones(2, "f4"), 9)
        with self.assertRaisesRegex(ValueError, "made for 8 bit, and 16 bit"):
            gfpq.quantize_(np.ones(2, "f4"), 16, Param(8))
        with self.assertRaisesRegex(ValueError, "needs a Param"):
            gfpq.quantize_(np.ones(2, "f4"), mode=Mode.APPLY)
        with self.assertRaisesRegex(gfpq.BadParametersError, "never initialized"):
            gfpq.quantize_(np.ones(2, "f4"), param=Param(), mode=Mode.APPLY)

    def test_many_threads(self):
        data = [np.random.default_rng(seed).normal(size=20000).astype("f4") for seed in range(4)]
        expected = [gfpq.quantize(part) for part in data]
        wrong = []

        def work(part, result):
            for _ in range(30):
                if not np.array_equal(gfpq.quantize(part), result):
                    wrong.append(1)
                try:  # each thread gets the message of its own error
                    gfpq.quantize_(part, len(result) + 100)
                except gfpq.BadFormatError as error:
                    if f"[{len(result) + 100}]" not in str(error):
                        wrong.append(error)

        threads = [threading.Thread(target=work, args=pair) for pair in zip(data, expected)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class CopyTest(unittest.TestCase):
    def test_copies_are_right_where_in_place_is_refused(self):
        wide = np.repeat(np.arange(10, dtype="f4"), 2)
        read_only = np.arange(10, dtype="f4")
        read_only.flags.writeable = False
        for data in (wide[::2], np.arange(10, dtype=">f4"), np.arange(10, dtype="f2"), np.arange(10, dtype="i2"),
                     np.arange(10), list(range(10)), read_only, np.arange(10, dtype=">f8")):  # fmt: skip
            before = np.array(data)
            result = gfpq.quantize(data)
            np.testing.assert_allclose(result, GUIDE, rtol=1e-6)
            np.testing.assert_array_equal(data, before)
            self.assertTrue(result.flags.writeable)

    def test_types_of_results(self):
        for given, expected in (("f2", "f4"), ("f4", "f4"), (">f4", "f4"), ("i2", "f4"), ("?", "f4"), ("f8", "f8"),
                                (">f8", "f8"), ("i4", "f8"), ("i8", "f8")):  # fmt: skip
            self.assertEqual(gfpq.quantize(np.ones(3, given)).dtype, np.dtype(expected), given)
        self.assertEqual(gfpq.quantize(3.0).shape, ())

    def test_refused(self):
        for data in (np.ones(3, "c8"), np.ones(3, "g"), np.array(["a"]), np.array([None])):
            with self.assertRaisesRegex(TypeError, "can't be quantized"):
                gfpq.quantize(data)

    def test_masked_numbers_are_not_part_of_the_range(self):
        """Beneath a mask there may be any number."""
        masked = np.ma.masked_array(np.array([*range(10), 1e30], "f4"), [False] * 10 + [True])
        param = Param()
        with self.assertRaisesRegex(ValueError, "mask.*compressed"):
            gfpq.quantize(masked, param=param)
        self.assertFalse(param.initialized)
        np.testing.assert_allclose(gfpq.quantize(masked.compressed()), GUIDE, rtol=1e-6)
        nothing_masked = np.ma.masked_array(np.arange(10, dtype="f4"), False)
        np.testing.assert_allclose(gfpq.quantize(nothing_masked), GUIDE, rtol=1e-6)

    def test_special_numbers(self):
        param = Param.from_delta(-77)
        result = gfpq.quantize(np.array([np.nan, np.inf, -np.inf, -0.0], "f4"), param=param)
        np.testing.assert_array_equal(result, np.array([0, param.largest, -param.largest, 0], "f4"))
        self.assertFalse(np.signbit(result[[0, 3]]).any())


if __name__ == "__main__":
    unittest.main()
