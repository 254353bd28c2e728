"""What of a tensor decides on its range: that it is found whatever the type, and that a known range may be used again."""

import math
import unittest

import numpy
from support import needs_torch, torch

import gfpq
from gfpq.widths import WIDTHS

if torch is not None:
    from gfpq.torch import FakeQuantize, Policy
    from gfpq.torch.extremes import extremes, known_for


@needs_torch
class ExtremesTest(unittest.TestCase):
    def test_a_number_that_is_not_finite_is_seen_wherever_it_is(self):
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            for size in (1, 2, 7, 8, 16, 31, 33, 64, 65, 130):
                for place in range(size):
                    for number in (math.nan, math.inf, -math.inf):
                        x = torch.ones(size, dtype=dtype)
                        x[place] = number
                        ((low, high),) = extremes([x])
                        self.assertFalse(max(-low, high) < math.inf, (dtype, size, place, number))

    def test_the_extremes_of_several_tensors_and_of_empty_ones(self):
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            parts = [torch.tensor([2, -3.5, 1], dtype=dtype), torch.ones(0, dtype=dtype), torch.tensor([[5.0]], dtype=dtype)]
            self.assertEqual(extremes(parts), [(-3.5, 2), (0, 0), (5, 5)])
            self.assertEqual(extremes(parts[1:2]), [(0, 0)])

    def test_a_larger_number_never_asks_for_a_narrower_range(self):
        for bits, width in WIDTHS.items():
            for name in ("float32", "float64"):
                info = numpy.finfo(name)
                steps = numpy.arange(math.log2(info.smallest_subnormal), math.log2(info.max), 1 / width.steps)
                if name == "float64":  # beyond these the widest and the least range
                    steps = steps[abs(steps) < 140]
                numbers = (2.0 ** steps).astype(name)
                near = [numbers, numpy.nextafter(numbers, numpy.inf), numpy.nextafter(numbers, 0)]
                numbers = numpy.unique(numpy.concatenate([*near, [info.max]]))
                numbers = numbers[numbers > 0]
                deltas, param = [], gfpq.Param(bits)
                for i in range(len(numbers)):
                    gfpq.quantize_(numbers[i : i + 1].copy(), param=param, mode=gfpq.Mode.INIT)
                    deltas.append(param.delta)
                self.assertEqual(deltas, sorted(deltas), (bits, name))
                self.assertGreater(len(set(deltas)), width.delta_limit)

    def test_a_quantizer_that_has_seen_others_finds_the_range_of_a_new_one(self):
        torch.manual_seed(0)
        for bits in (8, 16):
            for policy in (Policy.ALWAYS_INIT, Policy.TRAINING):
                quantizer = FakeQuantize(bits, policy)
                for i in range(300):
                    dtype = (torch.float32, torch.float64, torch.bfloat16, torch.float16)[i // 7 % 4]
                    x = (torch.tensor([1, -2, 3.0]) * 2 ** (torch.randn(()) * (0.02, 1)[i // 30 % 2])).to(dtype)
                    if policy is Policy.TRAINING:
                        quantizer.forget()
                    fresh = FakeQuantize(bits, policy)
                    self.assertTrue(torch.equal(quantizer(x), fresh(x)))
                    self.assertEqual(quantizer.params, fresh.params)

    def test_a_range_that_only_widens_is_that_of_all_numbers(self):
        torch.manual_seed(0)
        for bits in (8, 16):
            quantizer, widest = FakeQuantize(bits), {}
            for i in range(400):
                if i == 200:  # as training after a range was set from outside
                    quantizer.set_params([gfpq.Param.from_delta(-600 if bits == 16 else -90, bits)])
                    widest = dict.fromkeys(widest, quantizer.params[0].delta)
                dtype = (torch.float32, torch.float64, torch.bfloat16)[i // 5 % 3]
                x = (torch.tensor([1, -2, 3.0]) * (2 ** torch.randn(()) * (i % 9 != 0))).to(dtype)
                quantizer(x)
                fresh = FakeQuantize(bits)
                fresh(x)
                widest[bits] = max(widest.get(bits, -9999), fresh.params[0].delta)
                self.assertEqual(quantizer.params[0].delta, widest[bits], i)

    def test_an_average_takes_each_batchs_own_range(self):
        torch.manual_seed(0)
        quantizer, sums = FakeQuantize(range="moving maximum"), (0.0, 0.0)
        for _ in range(100):
            x = torch.tensor([1, -2, 3.0]) * 2 ** torch.randn(())
            quantizer(x)
            fresh = FakeQuantize()
            fresh(x)
            sums = quantizer.range_choice.merge(sums, fresh.range[0, 0].item())
            self.assertEqual(quantizer.range[0].tolist(), [sums[0], 8 * sums[1], sums[1]])

    def test_what_is_known_grows_between_numbers_of_one_range_alone(self):
        known = known_for(1.0, torch.float32, 8, None)
        self.assertEqual(known[:3], (False, 1, 1))
        known = known_for(1.01, torch.float32, 8, known)
        self.assertEqual(known[:3], (False, 1, 1.01))
        self.assertEqual(known_for(4.0, torch.float32, 8, known)[:3], (False, 4, 4))
        self.assertEqual(known_for(1.0, torch.float64, 8, known)[:3], (True, 1, 1))

    def test_zero_has_a_range_of_its_own(self):
        zero = known_for(0.0, torch.float32, 8, None)
        number = 2 ** (zero.exponent + 0.01)
        same = known_for(number, torch.float32, 8, zero)
        self.assertEqual(same, (False, number, number, zero.exponent))
        self.assertEqual(known_for(0.0, torch.float32, 8, same), zero)
        quantizer, fresh = FakeQuantize(), FakeQuantize()
        quantizer(torch.tensor([1e-9]))
        quantizer(torch.zeros(3))
        fresh(torch.zeros(3))
        self.assertEqual(quantizer.params, fresh.params)


if __name__ == "__main__":
    unittest.main()
