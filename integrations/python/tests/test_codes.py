"""encode and decode with numpy and PyTorch, against the chip's code table and quantize."""

import unittest

import numpy as np
from support import needs_torch, torch

import gfpq
from gfpq import Mode, Param
from gfpq.widths import WIDTHS

TYPES = ("f2", "f4", "f8")


def mixed(dtype, count=5000):
    rng = np.random.default_rng(1)
    data = rng.normal(size=count) * np.exp2(rng.integers(-14, 9, count))
    data[:6] = 0, -0.0, np.nan, np.inf, -np.inf, 1e-7
    return data.astype(dtype)


class TableTest(unittest.TestCase):
    def test_the_chips_codes(self):
        """0x00 is the smallest positive value, 0x80 zero, 0x81 the smallest negative one."""
        param = Param.from_delta(-16)
        numbers = np.array([0.5, 1, 0, -0.0, 0.25, -0.5, -1, 1e9, -1e9, np.nan, 2 ** (1 / 16)])
        codes = gfpq.encode(numbers, param)
        self.assertEqual(codes.dtype, np.int8)
        self.assertEqual(codes.view("u1").tolist(), [0, 16, 128, 128, 128, 129, 144, 127, 255, 128, 17])

    def test_16_bit(self):
        param = Param.from_delta(0, 16)
        codes = gfpq.encode([1, 2, -2, 0, 1e30, -1e30], param)
        self.assertEqual(codes.dtype, np.int16)
        self.assertEqual(codes.view("u2").tolist(), [0, 128, 0x8080, 0x8000, 1407, 0x8000 | 1407])

    def test_each_code_is_its_values(self):
        for bits, width in WIDTHS.items():
            sign = 1 << (bits - 1)
            codes = np.array([s | k for s in (0, sign) for k in range(width.largest_code + 1)], f"u{bits // 8}")
            for delta in (-width.delta_limit, -77, 0, width.delta_limit):
                param = Param.from_delta(delta, bits)
                values = gfpq.decode(codes, param, "f8")
                exponents = np.array([delta + (int(code) & (sign - 1)) for code in codes])
                wanted = np.where(codes == sign, 0, np.where(codes & sign, -1, 1) * np.exp2(exponents / width.steps))
                np.testing.assert_allclose(values, wanted, rtol=1e-14)
                np.testing.assert_array_equal(gfpq.encode(values, param).view(codes.dtype), codes)


class ArraysTest(unittest.TestCase):
    def test_decoded_codes_are_what_quantize_gives_bit_for_bit(self):
        for bits in WIDTHS:
            for dtype in TYPES:
                data = mixed(dtype)
                for delta in (-200, -77, 3):
                    param = Param.from_delta(delta, bits)
                    expected = gfpq.quantize(data, param=param)
                    values = gfpq.decode(gfpq.encode(data, param), param, expected.dtype)
                    np.testing.assert_array_equal(values.view(f"u{values.itemsize}"), expected.view(f"u{values.itemsize}"))

    def test_the_range_is_found_as_quantize_does(self):
        data = np.arange(10, dtype="f4")
        param, other = Param(), Param()
        gfpq.encode(data, param)
        gfpq.quantize(data, param=other)
        self.assertEqual(param, other)
        gfpq.encode(data * 4, param)  # APPLY
        self.assertEqual(param, other)
        gfpq.encode(data * 4, param, Mode.UPDATE)
        gfpq.quantize(data * 4, param=other, mode=Mode.UPDATE)
        self.assertEqual(param, other)

    def test_any_kind_of_array(self):
        param = Param.from_delta(-77)
        data = mixed("f4", 60).reshape(3, 4, 5)
        expected = gfpq.encode(data, param)
        for array in (np.asfortranarray(data), data.astype(">f4"), data.astype("f8"), np.repeat(data, 2, 2)[..., ::2],
                      data.tolist()):  # fmt: skip
            np.testing.assert_array_equal(gfpq.encode(array, param), expected)
        self.assertEqual(gfpq.encode(np.float32(1), param).shape, ())
        self.assertEqual(gfpq.encode(np.empty((0, 3)), param).shape, (0, 3))
        np.testing.assert_array_equal(gfpq.encode(np.arange(-5, 5), param), gfpq.encode(np.arange(-5.0, 5), param))
        np.testing.assert_array_equal(gfpq.decode(expected.astype("u1"), param), gfpq.decode(expected, param))
        np.testing.assert_array_equal(gfpq.decode(np.asfortranarray(expected), param), gfpq.decode(expected, param))

    def test_groups_have_their_own_params(self):
        data = mixed("f4", 240).reshape(4, 6, 10)
        for axis, count in ((0, 4), (1, 3), (-1, 5), (1, 6)):
            params = [Param(16) for _ in range(count)]
            data_range = np.nan_to_num(data, posinf=3, neginf=-3)
            codes = gfpq.encode(data_range, params, axis=axis)
            values = gfpq.decode(codes, params, axis=axis)
            for part, param, decoded in zip(np.split(data_range, count, axis), params, np.split(values, count, axis)):
                alone = Param(16)
                np.testing.assert_array_equal(gfpq.quantize(part, param=alone), decoded)
                self.assertEqual(param, alone)

    def test_halves_are_rounded_to_nearest_even(self):
        param = Param.from_delta(-300)  # beyond float16's smallest normal number
        data = mixed("f2")
        wide = gfpq.quantize(data.astype("f4"), param=param)
        halves = gfpq.decode(gfpq.encode(data, param), param, "f2")
        np.testing.assert_array_equal(halves.view("u2"), wide.astype("f2").view("u2"))


class RefusalsTest(unittest.TestCase):
    def test_what_are_no_codes(self):
        for codes in (np.zeros(3), np.zeros(3, "i2"), np.zeros(3, "?"), np.zeros(3, "i4")):
            with self.assertRaisesRegex(TypeError, "no codes of 8 bit"):
                gfpq.decode(codes, Param.from_delta(0))
        with self.assertRaisesRegex(gfpq.BadFormatError, "beyond the largest, 1407"):
            gfpq.decode(np.array([0, 1408], "i2"), Param.from_delta(0, 16))
        with self.assertRaisesRegex(TypeError, "float32, float64 or float16"):
            gfpq.decode(np.zeros(3, "i1"), Param.from_delta(0), "i4")

    def test_params_that_hold_nothing(self):
        with self.assertRaises(gfpq.NotInitializedError):
            gfpq.decode(np.zeros(3, "i1"), Param())
        with self.assertRaises(gfpq.NotInitializedError):
            gfpq.encode(np.zeros(3), Param(), Mode.APPLY)

    def test_groups_that_do_not_fit(self):
        for params, axis in (([Param(), Param()], 0), ([Param()] * 3, 5), ([Param(8), Param(16), Param(8)], 0), ([], 0)):
            with self.assertRaises(ValueError):
                gfpq.encode(np.zeros((3, 4)), params, axis=axis)

    def test_numbers_that_are_not_real(self):
        with self.assertRaises(TypeError):
            gfpq.encode(np.zeros(3, "c8"), Param())
        with self.assertRaises(ValueError):
            gfpq.encode(np.ma.array([1.0, 2.0], mask=[True, False]), Param())

    def test_params_stay_as_they_were_where_it_fails(self):
        params = [Param.from_delta(5), Param()]
        with self.assertRaises(gfpq.GfpqError):
            gfpq.encode(np.ones((2, 3)), params, Mode.UPDATE)
        self.assertEqual(params, [Param.from_delta(5), Param()])


@needs_torch
class TensorsTest(unittest.TestCase):
    def test_each_type_gives_what_quantize_gives(self):
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            for bits, code_type in ((8, torch.int8), (16, torch.int16)):
                tensor = torch.from_numpy(mixed("f8")).to(dtype)
                param = Param.from_delta(-77, bits)
                codes = gfpq.encode(tensor, param)
                self.assertEqual((codes.dtype, codes.shape), (code_type, tensor.shape))
                values = gfpq.decode(codes, param, dtype)
                self.assertEqual(values.dtype, dtype)
                torch.testing.assert_close(values, gfpq.quantize(tensor, param=param), rtol=0, atol=0)
                np.testing.assert_array_equal(codes.numpy(), gfpq.encode(tensor.double().numpy(), param))

    def test_any_strides_and_gradients(self):
        param = Param.from_delta(-77)
        tensor = torch.arange(24.0).reshape(4, 6).t()[::2].requires_grad_()
        expected = gfpq.encode(tensor.detach().numpy(), param)
        np.testing.assert_array_equal(gfpq.encode(tensor, param).numpy(), expected)
        np.testing.assert_array_equal(gfpq.encode(torch.arange(5), param).numpy(), gfpq.encode(np.arange(5), param))
        self.assertEqual(gfpq.encode(torch.empty(0), param).numel(), 0)

    def test_refusals(self):
        param = Param.from_delta(0)
        for wrong in (torch.zeros(3), torch.zeros(3, dtype=torch.int16), torch.zeros(3, dtype=torch.bool)):
            with self.assertRaises(TypeError):
                gfpq.decode(wrong, param)
        with self.assertRaises(TypeError):
            gfpq.decode(torch.zeros(3, dtype=torch.int8), param, torch.int32)
        with self.assertRaises(TypeError):
            gfpq.encode(torch.zeros(3, device="meta"), param)


if __name__ == "__main__":
    unittest.main()
