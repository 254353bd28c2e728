"""quantize and quantize_ with PyTorch tensors: types, memory, gradients."""

import unittest

import numpy as np
from support import needs_torch, torch

import gfpq

if torch is not None:
    import gfpq.torch as gq


@needs_torch
class TensorsTest(unittest.TestCase):
    def both(self):
        """The function for arrays, which recognizes tensors, and the one for tensors."""
        return (gfpq.quantize, gq.quantize)

    def both_in_place(self):
        return (gfpq.quantize_, gq.quantize_)

    def test_cpu_tensors(self):
        for dtype in (torch.float32, torch.float64):
            for quantize, quantize_ in zip(self.both(), self.both_in_place()):
                tensor = torch.arange(20, dtype=dtype)[5:15].reshape(2, 5).t()
                expected = gfpq.quantize(tensor.numpy())
                copied = quantize(tensor)
                self.assertIs(quantize_(tensor), tensor)
                np.testing.assert_array_equal(tensor.numpy(), expected)
                np.testing.assert_array_equal(copied.numpy(), expected)

    def test_halves_go_by_way_of_float32(self):
        for dtype in (torch.float16, torch.bfloat16):
            for quantize in self.both():
                tensor = torch.linspace(-3, 3, 50).to(dtype)
                param = gfpq.Param(16)
                result = quantize(tensor, 16, param)
                self.assertEqual(result.dtype, dtype)
                torch.testing.assert_close(result, gq.quantize(tensor.float(), 16, param).to(dtype), rtol=0, atol=0)

    def test_integers_give_the_type_that_holds_them(self):
        for dtype, expected in ((torch.bool, torch.float32), (torch.uint8, torch.float32), (torch.int16, torch.float32),
                                (torch.int32, torch.float64), (torch.int64, torch.float64)):  # fmt: skip
            for quantize in self.both():
                tensor = torch.arange(2).to(dtype)
                result = quantize(tensor)
                self.assertEqual(result.dtype, expected)
                self.assertEqual(result.tolist(), [0, 1])
                self.assertEqual(result.numpy().dtype, gfpq.quantize(tensor.numpy()).dtype)

    def test_a_tensor_with_gaps_is_copied(self):
        tensor = torch.arange(20.0).reshape(4, 5)
        for view in (tensor[:, ::2], tensor.expand(3, 4, 5), tensor[1:3, 1:3].t()):
            for quantize in self.both():
                np.testing.assert_array_equal(quantize(view).numpy(), gfpq.quantize(view.numpy()))

    def test_no_axes_and_no_numbers(self):
        for quantize, quantize_ in zip(self.both(), self.both_in_place()):
            self.assertEqual(quantize(torch.tensor(3.0)).item(), float(gfpq.quantize(np.float32(3))))
            self.assertEqual(quantize_(torch.tensor(3.0)).item(), float(gfpq.quantize(np.float32(3))))
            self.assertEqual(quantize(torch.empty(0, 3)).shape, (0, 3))
            self.assertEqual(quantize_(torch.empty(0, 3)).shape, (0, 3))

    def test_what_has_a_gradient_is_refused_where_it_would_be_lost(self):
        parameter = torch.nn.Parameter(torch.arange(10.0))
        for tensor in (parameter, parameter * 2):
            for function in (*self.both(), *self.both_in_place()):
                with self.assertRaisesRegex(ValueError, "requires a gradient"):
                    function(tensor)
        np.testing.assert_array_equal(parameter.detach().numpy(), np.arange(10))
        with torch.no_grad():
            for quantize in self.both():
                self.assertFalse(quantize(parameter).requires_grad)
            for quantize_ in self.both_in_place():
                self.assertIs(quantize_(parameter), parameter)
        self.assertTrue(parameter.requires_grad)
        np.testing.assert_array_equal(parameter.detach().numpy(), gfpq.quantize(np.arange(10, dtype="f4")))

    def test_a_change_in_place_is_known_to_autograd(self):
        """The gradient of w * x is x as it was: PyTorch has to learn that it changed."""
        for quantize_ in self.both_in_place():
            for view in (
                lambda x: x, lambda x: x.t(), lambda x: x[1:], lambda x: x.detach(), lambda x: x.view(-1)[2:4],
                lambda x: x[0, 0],
            ):  # fmt: skip
                weight, x = torch.ones(3, 4, requires_grad=True), torch.arange(12.0).reshape(3, 4) + 0.1
                loss = (weight * x).sum()
                quantize_(view(x))
                with self.assertRaisesRegex(RuntimeError, "modified by an inplace operation"):
                    loss.backward()

    def test_a_change_of_a_base_is_known_to_its_views(self):
        for quantize_ in self.both_in_place():
            weight, x = torch.ones(4, requires_grad=True), torch.arange(12.0).reshape(3, 4) + 0.1
            loss = (weight * x[1]).sum()
            quantize_(x)
            with self.assertRaisesRegex(RuntimeError, "modified by an inplace operation"):
                loss.backward()

    def test_a_refused_call_is_no_change(self):
        x = torch.arange(12.0)
        for arguments in ((9,), (8, gfpq.Param(16)), (8, gfpq.Param(), gfpq.Mode.APPLY)):
            with self.assertRaises(ValueError):
                gq.quantize_(x, *arguments)
        self.assertEqual(x._version, 0)

    def test_inference_mode(self):
        with torch.inference_mode():
            x = torch.arange(10.0)
            gq.quantize_(x)
        np.testing.assert_array_equal(gq.quantize_(x).numpy(), gfpq.quantize(np.arange(10, dtype="f4")))

    def test_a_negation_still_to_be_done(self):
        x = torch._neg_view(torch.tensor([1.0, 2, 3]))
        for quantize, quantize_ in zip(self.both(), self.both_in_place()):
            np.testing.assert_array_equal(quantize(x).numpy(), gfpq.quantize(np.array([-1, -2, -3], "f4")))
            with self.assertRaisesRegex(ValueError, "negation"):
                quantize_(x)

    def test_refused(self):
        for function in self.both_in_place():
            for tensor, error, reason in (
                (torch.ones(3).half(), TypeError, "float16"),
                (torch.ones(3).long(), TypeError, "int64"),
                (torch.ones(6)[::2], ValueError, "contiguous"),
                (torch.ones(3).expand(2, 3), ValueError, "contiguous"),
                (torch.ones(3).to_sparse(), TypeError, "sparse"),
                (torch.ones(3, device="meta"), TypeError, "meta"),
            ):
                with self.assertRaisesRegex(error, reason):
                    function(tensor)
        for function in self.both():
            quantized = torch.quantize_per_tensor(torch.ones(3), 1, 0, torch.qint8)
            for tensor in (torch.ones(3, dtype=torch.complex64), quantized):
                with self.assertRaisesRegex(TypeError, "can't be quantized"):
                    function(tensor)


if __name__ == "__main__":
    unittest.main()
