"""FakeQuantize: results, ranges, gradients, types, state."""

import copy
import io
import math
import pickle
import unittest
import warnings
from unittest import mock

import numpy as np
from support import needs_torch, torch

import gfpq

if torch is not None:
    import gfpq.torch as gq
    from gfpq.torch import FakeQuantize, Policy, fake_quantize, ranges


def normal(*shape, seed=0, scale=1.0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


def equal(a, b):
    """Bit by bit, so that +0 and -0 differ."""
    if a.dtype == b.dtype == torch.bfloat16:  # which numpy lacks
        a, b = a.float(), b.float()
    return a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()


@needs_torch
class ResultTest(unittest.TestCase):
    def test_bit_for_bit_what_numpy_gets(self):
        for bits in (8, 16):
            for dtype in (torch.float32, torch.float64):
                x = normal(3, 4, 5, 6).to(dtype)
                expected = torch.from_numpy(gfpq.quantize(x.numpy(), bits))
                self.assertTrue(equal(FakeQuantize(bits)(x), expected))
                self.assertTrue(equal(gq.quantize(x, bits), expected))
                y = x.clone()
                self.assertIs(gq.quantize_(y, bits), y)
                self.assertTrue(equal(y, expected))

    def test_layouts(self):
        x = normal(2, 3, 4, 5)
        expected = FakeQuantize()(x)
        self.assertTrue(equal(FakeQuantize()(x.to(memory_format=torch.channels_last)).contiguous(), expected))
        self.assertTrue(equal(FakeQuantize()(x.transpose(1, 3)).transpose(1, 3).contiguous(), expected))
        wide = normal(2, 3, 4, 10)
        self.assertTrue(equal(FakeQuantize()(wide[..., ::2]), FakeQuantize()(wide[..., ::2].contiguous())))
        self.assertTrue(equal(FakeQuantize()(torch.ones(1).expand(7)), torch.ones(7)))

    def test_the_input_stays(self):
        x = normal(100)
        before = x.clone()
        FakeQuantize()(x)
        FakeQuantize(groups=4, dim=0)(x)
        self.assertTrue(equal(x, before))

    def test_halves_go_by_way_of_float(self):
        for dtype in (torch.float16, torch.bfloat16):
            x = normal(1000).to(dtype)
            expected = FakeQuantize()(x.float()).to(dtype)
            result = FakeQuantize()(x)
            self.assertEqual(result.dtype, dtype)
            self.assertTrue(torch.equal(result, expected))
            x.requires_grad_()
            FakeQuantize()(x).sum().backward()
            self.assertEqual(x.grad.dtype, dtype)

    def test_bfloat16_with_16_bit_is_warned_of_once(self):
        param, x = gfpq.Param.from_delta(-1407, 16), normal(10).to(torch.bfloat16)
        values = gfpq.decode(torch.arange(1408, dtype=torch.int16), param)
        left = [octave.to(torch.bfloat16).float().unique().numel() for octave in values.split(128)]
        self.assertEqual(left, [117] * 11)
        with mock.patch.object(FakeQuantize, "_warned_of_bfloat16", False):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                FakeQuantize(8)(x)
                FakeQuantize(16)(x.half())
            with self.assertWarnsRegex(UserWarning, "117 are left"):
                FakeQuantize(16)(x)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                FakeQuantize(16)(x)

    def test_empty_and_scalar(self):
        quantizer = FakeQuantize()
        self.assertEqual(quantizer(torch.empty(0, 3)).shape, (0, 3))
        self.assertFalse(quantizer.initialized)
        self.assertAlmostEqual(quantizer(torch.tensor(3.0)).item(), 2.953652, 5)

    def test_groups_have_their_own_ranges(self):
        x = normal(2, 6, 4, 4) * torch.tensor([1.0, 1, 100, 100, 1e-3, 1e-3]).view(1, 6, 1, 1)
        quantizer = FakeQuantize(groups=3)
        result = quantizer(x)
        for group in range(3):
            channels = slice(2 * group, 2 * group + 2)
            alone = FakeQuantize()
            self.assertTrue(equal(result[:, channels].contiguous(), alone(x[:, channels].contiguous())))
            self.assertEqual(quantizer.params[group], alone.params[0])
        self.assertEqual(len({param.delta for param in quantizer.params}), 3)
        with self.assertRaisesRegex(ValueError, "4 groups"):
            FakeQuantize(groups=4)(x)

    def test_a_range_found_in_training_is_the_librarys(self):
        nan = float("nan")
        for values in ([0.0, 9.0], [0.0], [nan, 3.0], [-7.0, 1e-30], [1e-40], [1e30], [-1e-12, 1e-13]):
            for dtype in (torch.float32, torch.float64):
                for bits in (8, 16):
                    x, param = torch.tensor(values, dtype=dtype), gfpq.Param(bits)
                    expected = torch.from_numpy(gfpq.quantize(x.numpy(), param=param))
                    quantizer = FakeQuantize(bits)
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        self.assertTrue(equal(quantizer(x), expected), (values, dtype, bits))
                    self.assertEqual(quantizer.params, [param], (values, dtype, bits))

    def test_refused(self):
        with self.assertRaisesRegex(TypeError, "int64"):
            FakeQuantize()(torch.arange(3))
        with self.assertRaises(gfpq.BadFormatError):
            FakeQuantize(12)
        with self.assertRaisesRegex(TypeError, "float16"):
            gq.quantize_(torch.ones(3).half())
        with self.assertRaisesRegex(ValueError, "requires a gradient"):
            gq.quantize_(torch.ones(3, requires_grad=True))
        with self.assertRaisesRegex(ValueError, "contiguous"):
            gq.quantize_(torch.ones(6)[::2])
        with self.assertRaisesRegex(TypeError, "CPU or CUDA"):
            gq.quantize_(torch.ones(3, device="meta"))


@needs_torch
class RangeTest(unittest.TestCase):
    def test_first_batch_then_wider_then_fixed(self):
        quantizer = FakeQuantize()
        self.assertFalse(quantizer.initialized)
        for largest, delta in ((9.0, -77), (1.0, -77), (100.0, -21), (3.0, -21)):
            quantizer(torch.tensor([largest]))
            self.assertEqual(quantizer.params[0].delta, delta)
        quantizer.eval()
        result = quantizer(torch.tensor([1e6]))
        self.assertEqual(quantizer.params[0].delta, -21)
        self.assertEqual(result.item(), np.float32(quantizer.params[0].largest))

    def test_never_initialized(self):
        quantizer = FakeQuantize().eval()
        quantizer.name = "conv1 data"
        with self.assertRaisesRegex(gfpq.NotInitializedError, "conv1 data has no range yet"):
            quantizer(torch.ones(3))
        with self.assertRaises(gfpq.NotInitializedError):
            FakeQuantize(policy=Policy.FIXED)(torch.ones(3))

    def test_always_init_follows_the_tensor_down(self):
        quantizer = FakeQuantize(policy=Policy.ALWAYS_INIT).eval()
        for largest, delta in ((9.0, -77), (1.0, -127)):
            quantizer(torch.tensor([largest]))
            self.assertEqual(quantizer.params[0].delta, delta)

    def test_disabled(self):
        quantizer = FakeQuantize()
        quantizer.enabled = False
        x = normal(3)
        self.assertIs(quantizer(x), x)
        self.assertFalse(quantizer.initialized)


    def test_a_batch_a_thousand_times_too_large(self):
        """The widest range keeps it, the moving ones forget it."""
        batches = [normal(100, seed=seed) for seed in range(30)]
        expected = {}
        for choice in ("widest", "moving maximum", "percentile"):
            clean, spoilt = FakeQuantize(range=choice), FakeQuantize(range=choice)
            for number, batch in enumerate(batches * 3):
                clean(batch)
                spoilt(batch * (1000 if number == 5 else 1))
            expected[choice] = spoilt.params[0].delta - clean.params[0].delta
        self.assertGreater(expected.pop("widest"), 100)
        self.assertEqual(expected, {"moving maximum": 0, "percentile": 0})

    def test_moving_maximum_is_the_average_of_exponents(self):
        quantizer = FakeQuantize(range=ranges.MovingMaximum(momentum=0.5))
        for largest, exponent in ((1.0, 0), (16.0, 4 * 2 / 3), (1.0, (0 * 1 + 4 * 2 + 0 * 4) / 7)):
            quantizer(torch.tensor([largest]))
            total, bits, weight = quantizer.range[0].tolist()
            self.assertAlmostEqual(total / weight, exponent)
            self.assertAlmostEqual(bits / weight, 8)
            self.assertEqual(quantizer.params[0].delta, math.ceil(exponent * 16) - 127)

    def test_percentile_leaves_the_largest_numbers_out(self):
        x = torch.cat([torch.full((999,), -2.0), torch.tensor([5000.0])])
        for percent, largest in ((100, 5000.0), (99.9, 2.0)):
            quantizer = FakeQuantize(range=ranges.Percentile(percent=percent))
            quantizer(x)
            alone = FakeQuantize()
            alone(torch.tensor([largest]))
            self.assertEqual(quantizer.params, alone.params)

    def test_fixed_does_not_follow_training(self):
        quantizer = FakeQuantize(range="fixed")
        with self.assertRaisesRegex(gfpq.NotInitializedError, "'fixed', which does not learn.*calibrate.*set_params"):
            quantizer(torch.ones(3))
        with self.assertRaisesRegex(gfpq.NotInitializedError, "policy FIXED.*set_params"):
            FakeQuantize(policy="fixed")(torch.ones(3))
        quantizer.set_params([gfpq.Param.from_delta(-77)])
        quantizer(torch.full((3,), 1e6))
        self.assertEqual(quantizer.params[0].delta, -77)

    def test_unknown_choices(self):
        with self.assertRaisesRegex(ValueError, "no range 'median': use 'widest', 'moving maximum'"):
            FakeQuantize(range="median")
        with self.assertRaises(ValueError):
            ranges.MovingMaximum(momentum=1.0)
        with self.assertRaises(ValueError):
            ranges.Percentile(percent=0)

    def test_infinities_and_nan_never_enter_a_range(self):
        infinity, nan = float("inf"), float("nan")
        for choice in ("widest", "moving maximum", "percentile"):
            for policy in (Policy.TRAINING, Policy.ALWAYS_INIT):
                for bad in ([infinity], [-infinity, nan], [nan]):
                    clean, quantizer = FakeQuantize(range=choice), FakeQuantize(policy=policy, range=choice)
                    quantizer.name = "conv1 data"
                    x = normal(100)
                    clean(x)
                    with self.assertWarnsRegex(RuntimeWarning, f"conv1 data got .* {len(bad)} of {100 + len(bad)}"):
                        result = quantizer(torch.cat([torch.tensor(bad), x]))
                    self.assertEqual(quantizer.params, clean.params)
                    self.assertTrue(result.isfinite().all())
                    with warnings.catch_warnings():
                        warnings.simplefilter("error")  # said once
                        quantizer(torch.tensor([1e-3, *bad]))
                    self.assertEqual(quantizer.nonfinite, 2 * len(bad))

    def test_a_batch_without_a_finite_number_changes_nothing(self):
        quantizer = FakeQuantize()
        bad = torch.full((3,), float("nan"))
        with self.assertWarns(RuntimeWarning):
            self.assertEqual(quantizer(bad).tolist(), [0, 0, 0])
        self.assertFalse(quantizer.initialized)
        quantizer(torch.tensor([9.0]))
        quantizer(bad)
        self.assertEqual(quantizer.params[0].delta, -77)


@needs_torch
class GradientTest(unittest.TestCase):
    def test_straight_through(self):
        for groups in (1, 3):
            x = normal(2, 6, 5).requires_grad_()
            y = FakeQuantize(groups=groups)(x)
            factors = normal(2, 6, 5, seed=1)
            (y * factors).sum().backward()
            self.assertTrue(torch.equal(x.grad, factors))

    def test_of_a_function_behind(self):
        """With straight-through, f(q(x))' is f' at q(x), not at x."""
        x = normal(50).double().requires_grad_()
        (FakeQuantize()(x) ** 3).sum().backward()
        expected = 3 * torch.from_numpy(gfpq.quantize(x.detach().numpy())) ** 2
        torch.testing.assert_close(x.grad, expected, rtol=1e-14, atol=0)
        self.assertFalse(torch.allclose(x.grad, 3 * x.detach() ** 2, rtol=1e-4))

    def test_the_textbook_formula(self):
        """Straight-through is x + constant, whose derivatives gradcheck confirms; ours are the same, to the bit."""

        def network(x, quantized):
            return (torch.sin(quantized) * x).cumsum(0).exp()

        x = normal(6, scale=0.1).double().requires_grad_()
        shift = (FakeQuantize()(x) - x).detach()
        self.assertTrue(torch.autograd.gradcheck(lambda x: network(x, x + shift), x))
        weights = normal(6, seed=1).double()
        ours = torch.autograd.grad(network(x, FakeQuantize()(x)), x, weights)
        textbook = torch.autograd.grad(network(x, x + shift), x, weights)
        torch.testing.assert_close(ours, textbook, rtol=1e-13, atol=0)

    def test_second_derivative(self):
        x = normal(5).double().requires_grad_()
        quantizer = FakeQuantize()
        (first,) = torch.autograd.grad((quantizer(x) ** 3).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), x)
        torch.testing.assert_close(second, 6 * quantizer(x.detach()), rtol=1e-12, atol=0)

    def test_stopped_beyond_the_range(self):
        for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
            quantizer = FakeQuantize(clip_gradient=True)
            quantizer.set_params([gfpq.Param.from_delta(-127)])  # largest value: 1
            quantizer.eval()
            x = torch.tensor([0.0, 0.5, 1, 1.5, -1, -1.5, 1e-6, float("inf")], dtype=dtype, requires_grad=True)
            quantizer(x).sum().backward()
            self.assertEqual(x.grad.tolist(), [1, 1, 1, 0, 1, 0, 1, 0])
        quantizer = FakeQuantize(clip_gradient=True, groups=2)
        quantizer.set_params([gfpq.Param.from_delta(-127), gfpq.Param.from_delta(-127 + 16)])  # 1 and 2
        x = torch.full((1, 4, 2), 1.5, requires_grad=True)
        quantizer.eval()(x).sum().backward()
        self.assertEqual(x.grad[0, :, 0].tolist(), [0, 0, 1, 1])

    def test_nothing_kept_without_gradient(self):
        with torch.no_grad():
            self.assertFalse(FakeQuantize()(normal(3).requires_grad_()).requires_grad)
        self.assertFalse(FakeQuantize()(normal(3)).requires_grad)


@needs_torch
class StateTest(unittest.TestCase):
    def setUp(self):
        self.quantizer = FakeQuantize(groups=2)
        self.quantizer(normal(3, 4))

    def test_no_parameters(self):
        self.assertEqual(list(self.quantizer.parameters()), [])
        self.assertEqual({name for name, _ in self.quantizer.named_buffers()}, {"range"})
        self.assertEqual(FakeQuantize(policy=Policy.ALWAYS_INIT).state_dict(), {})

    def test_the_buffer_holds_the_exponent_of_the_largest_value(self):
        for (exponent, bits, weight), param in zip(self.quantizer.range.tolist(), self.quantizer.params):
            self.assertEqual((bits, weight), (8, 1))
            self.assertEqual(exponent, (param.delta + 127) / 16)
            self.assertEqual(2**exponent, param.largest)

    def test_checkpoint(self):
        file = io.BytesIO()
        torch.save(self.quantizer.state_dict(), file)
        file.seek(0)
        other = FakeQuantize(groups=2).eval()
        other.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))  # strict; tensors alone
        self.assertEqual(other.params, self.quantizer.params)
        x = normal(3, 4, seed=5)
        self.assertTrue(equal(other(x), self.quantizer.eval()(x)))

    def test_checkpoint_before_any_batch(self):
        self.quantizer.load_state_dict(FakeQuantize(groups=2).state_dict())
        self.assertFalse(self.quantizer.initialized)

    def test_checkpoint_for_another_width_or_shape(self):
        with self.assertRaisesRegex(RuntimeError, "saved for 8 bit and is to be loaded for 16 bit"):
            torch.nn.Sequential(FakeQuantize(16, groups=2)).load_state_dict(
                torch.nn.Sequential(self.quantizer).state_dict()
            )
        with self.assertRaisesRegex(RuntimeError, "size mismatch"):
            FakeQuantize().load_state_dict(self.quantizer.state_dict())

    def test_the_bit_width_stays(self):
        """Another would take the ranges, and what is known of the numbers' ranges, for its own."""
        quantizer = FakeQuantize(bits=8)
        quantizer(torch.ones(3))
        with self.assertRaisesRegex(AttributeError, "8 bit for good"):
            quantizer.bits = 16
        self.assertEqual(quantizer.bits, 8)

    def test_a_pickle_with_a_plain_bit_width_is_read(self):
        quantizer = FakeQuantize(bits=16)
        quantizer(torch.ones(3))
        state = quantizer.__getstate__()
        state["bits"] = state.pop("_bits")
        read = FakeQuantize.__new__(FakeQuantize)
        read.__setstate__(state)
        self.assertEqual((read.bits, read.params), (16, quantizer.params))

    def test_copies_and_pickles_go_their_own_way(self):
        deltas = [param.delta for param in self.quantizer.params]
        for other in (copy.deepcopy(self.quantizer), pickle.loads(pickle.dumps(self.quantizer))):
            self.assertEqual(other.params, self.quantizer.params)
            other(normal(3, 4, scale=100))
            self.assertGreater(other.params[0].delta, deltas[0])
            self.assertEqual([param.delta for param in self.quantizer.params], deltas)
            self.assertEqual(other.range[0, 0].item(), (other.params[0].delta + 127) / 16)

    def test_ranges_of_functional_call(self):
        try:
            from torch.func import functional_call
        except ImportError:  # before PyTorch 2
            from torch.nn.utils.stateless import functional_call
        quantizer = FakeQuantize().eval()
        quantizer.set_params([gfpq.Param.from_delta(-127)])
        for exponent in (0.0, 1.0, 2.0):
            row = torch.tensor([[exponent, 8, 1]], dtype=torch.float64)
            self.assertEqual(functional_call(quantizer, {"range": row}, (torch.tensor([9.0]),)).item(), 2**exponent)

    def test_the_number_of_groups_stays(self):
        quantizer = FakeQuantize(groups=2)
        quantizer(normal(3, 4))
        with self.assertRaisesRegex(AttributeError, "number of groups, 2, stays.*FakeQuantize\\(groups=3\\)"):
            quantizer.groups = 3
        state = quantizer.__getstate__()
        state["groups"] = state.pop("_groups")  # as it was once pickled
        read = FakeQuantize.__new__(FakeQuantize)
        read.__setstate__(state)
        self.assertEqual((read.groups, read.params), (2, quantizer.params))
        quantizer.range = quantizer.range[:1].clone()
        with self.assertRaisesRegex(gfpq.BadParametersError, "shape \\[2, 3\\].*set_params"):
            quantizer.eval()(normal(3, 4))
        with self.assertRaises(gfpq.BadParametersError):
            quantizer.put_back(torch.zeros(1, 3, dtype=torch.float64))
        quantizer.set_params([gfpq.Param.from_delta(5)] * 2)
        self.assertEqual([param.delta for param in quantizer.params], [5, 5])
        quantizer.range = torch.zeros(2, 2, dtype=torch.float64)
        with self.assertRaisesRegex(gfpq.BadParametersError, "shape"):
            quantizer(normal(3, 4))

    def test_there_is_a_buffer_where_the_policy_has_one(self):
        quantizer, x = FakeQuantize(policy=Policy.ALWAYS_INIT, groups=2, dim=0), normal(2, 4)
        quantizer(x)
        before = quantizer.params
        self.assertNotIn("range", quantizer.state_dict())
        quantizer.policy = "fixed"
        self.assertIs(quantizer.policy, Policy.FIXED)
        self.assertEqual(quantizer.params, before)
        quantizer(7 * x)
        other = FakeQuantize(policy=Policy.FIXED, groups=2, dim=0)
        other.load_state_dict(quantizer.state_dict())
        self.assertEqual(other.params, before)
        other.policy = Policy.TRAINING
        other(7 * x)
        self.assertGreater(other.params[0].delta, before[0].delta)
        found = other.params
        other.policy = Policy.ALWAYS_INIT
        self.assertNotIn("range", other.state_dict())
        self.assertEqual(other.params, found)
        other(x)
        self.assertEqual(other.params, before)
        with self.assertWarnsRegex(RuntimeWarning, "policy here is ALWAYS_INIT"):
            other.load_state_dict(quantizer.state_dict())
        with self.assertRaises(ValueError):
            other.policy = "never"

    def test_a_pickle_whose_policy_had_no_buffer_is_read(self):
        quantizer = FakeQuantize(policy=Policy.ALWAYS_INIT)
        quantizer(torch.ones(3))
        state = quantizer.__getstate__()
        del state["_policy"]
        read = FakeQuantize.__new__(FakeQuantize)
        read.__setstate__({**state, "policy": "fixed"})
        read(torch.full((3,), 9.0))
        self.assertEqual(read.params, quantizer.params)
        self.assertIn("range", read.state_dict())

    def test_a_buffer_changed_from_outside_is_noticed(self):
        row = [(7 + 127) / 16, 8.0, 1.0]
        self.quantizer.range.copy_(torch.tensor([row, row]))  # as DDP's broadcast does
        self.assertEqual([param.delta for param in self.quantizer.params], [7, 7])
        self.quantizer.range.data[:, 0] += 1  # raises no version
        self.assertEqual([param.delta for param in self.quantizer.params], [23, 23])
        before = self.quantizer.params
        self.quantizer.range.zero_()
        self.quantizer.set_params(before)
        self.assertEqual(self.quantizer.range[0, 0].item(), (23 + 127) / 16)
        self.quantizer.range = torch.zeros(2, 3, dtype=torch.float64)
        self.assertFalse(self.quantizer.initialized)

    def test_a_damaged_buffer_is_refused(self):
        for row in ([float("nan"), 8, 1], [1, 8, -1], [1, 16, 1], [1, 8, 0]):
            quantizer = FakeQuantize().eval()
            quantizer.range.copy_(torch.tensor([row]))
            with self.assertRaisesRegex(gfpq.BadParametersError, "damaged or for another bit width"):
                quantizer(torch.ones(3))

    def test_params_are_copies(self):
        gfpq.quantize([1e6], param=self.quantizer.params[0], mode=gfpq.Mode.INIT)
        self.assertLess(self.quantizer.params[0].delta, 0)
        with self.assertRaisesRegex(ValueError, "2 Params for 8 bit"):
            self.quantizer.set_params([gfpq.Param(8)])

    def test_casting_the_model_leaves_the_ranges(self):
        for bits in (8, 16):
            for delta in range(-4000 if bits == 16 else -500, 500, 7):
                quantizer = FakeQuantize(bits)
                quantizer.set_params([gfpq.Param.from_delta(delta, bits)])
                for cast in ("half", "bfloat16", "float", "double"):
                    getattr(quantizer, cast)()
                    self.assertEqual(quantizer.range.dtype, torch.float64)
                self.assertEqual(quantizer.params[0].delta, delta)

    def test_a_weighted_average_of_states_is_a_state(self):
        """As EMA and SWA make them, by any rule that adds up multiples of all entries."""
        def quantizer_of(delta, bits=8):
            quantizer = FakeQuantize(bits)
            if delta is not None:
                quantizer.set_params([gfpq.Param.from_delta(delta, bits)])
            return quantizer

        for own, other, share, expected in (
            (-77, -77, 0.3, -77), (None, -77, 0.0001, -77), (-77, None, 0.9, -77), (None, None, 0.5, None),
            (0, 10, 0.5, 5), (0, 1, 0.5, 1), (-4, 7, 0.25, -1),  # rounded to the wider side
        ):  # fmt: skip
            average = quantizer_of(own)
            for value in average.state_dict().values():
                value.mul_(1 - share).add_(quantizer_of(other).state_dict()["range"], alpha=share)
            self.assertEqual([p.delta if p.initialized else None for p in average.params], [expected])
        for delta in (-1407, -3001, 17):  # thousands of steps leave equal ranges equal
            average, model = quantizer_of(delta, 16), quantizer_of(delta, 16)
            for _ in range(5000):
                average.range.mul_(0.9999).add_(model.range, alpha=0.0001)
            self.assertEqual(average.params, model.params)

    def test_a_checkpoint_without_ranges_changes_nothing_and_is_warned_of(self):
        before = self.quantizer.params
        with self.assertWarnsRegex(UserWarning, "lacks ranges"):
            self.quantizer.load_state_dict({})
        self.assertEqual(self.quantizer.params, before)

    def test_checkpoints_of_version_1_2(self):
        params = [gfpq.Param.from_delta(-77), gfpq.Param()]
        blocks = torch.tensor([list(bytes(param)) for param in params], dtype=torch.uint8)
        state = {"blocks": blocks, "bit_width": torch.tensor(8, dtype=torch.uint8)}
        self.quantizer.load_state_dict(state)  # strict
        self.assertEqual(self.quantizer.params, params)
        with self.assertRaisesRegex(RuntimeError, "saved for 8 bit and is to be loaded for 16 bit"):
            FakeQuantize(16, groups=2).load_state_dict(state)
        FakeQuantize(policy=Policy.ALWAYS_INIT, groups=2).load_state_dict(state)

    def test_inference_mode(self):
        with torch.inference_mode():
            quantizer = FakeQuantize()
            quantizer(torch.tensor([9.0]))
            quantizer(torch.tensor([100.0]))
        self.assertEqual(quantizer.params[0].delta, -21)



@needs_torch
class OnePassTest(unittest.TestCase):
    """On the CPU the numbers are read once, from where they are; elsewhere a copy is quantized in place."""

    def both_ways(self, x, **keywords):
        quantizer = FakeQuantize(**keywords).train()
        quantizer.nonfinite = 1  # one was warned of
        quantizer(x / 2)
        other = copy.deepcopy(quantizer)
        with mock.patch("gfpq.torch.fake_quantize.takes_one_pass", return_value=False):
            expected = [other(x), other.eval()(x * 3)]
        return [quantizer(x), quantizer.eval()(x * 3)], expected, quantizer.params == other.params

    def test_it_gives_what_a_copy_quantized_in_place_gives_bit_for_bit(self):
        torch.manual_seed(0)
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            x = (torch.randn(4, 6, 5, 7) * torch.logspace(-4, 2, 7)).to(dtype)
            x[0, 0, 0] = torch.tensor([0, -0.0, 6e-8, -1e-7, float("nan"), 1e-3, -3])
            shapes = x, x.contiguous(memory_format=torch.channels_last), x.transpose(0, 3), x[:, ::2], x[:1].expand(3, -1, -1, -1)
            for tensor in shapes:
                for keywords in ({"bits": 8}, {"bits": 16}, {"bits": 8, "groups": tensor.shape[1]},
                                 {"bits": 16, "groups": tensor.shape[2], "dim": -2}):  # fmt: skip
                    results, expected, same_params = self.both_ways(tensor, **keywords)
                    self.assertTrue(same_params)
                    for result, wanted in zip(results, expected):
                        self.assertEqual((result.dtype, result.shape), (dtype, tensor.shape))
                        self.assertTrue(equal(result, wanted))

    def test_the_order_of_the_axes_in_memory_stays(self):
        x = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
        self.assertEqual(FakeQuantize(8).train()(x).stride(), x.stride())

    def test_nothing_is_copied_in_evaluation(self):
        for dtype in (torch.float16, torch.bfloat16, torch.float32):
            for groups in (1, 4):
                quantizer = FakeQuantize(8, groups=groups)
                quantizer.set_params([gfpq.Param.from_delta(-77)] * groups)
                x = torch.ones(3, 4, 5, dtype=dtype)
                quantizer.eval()(x)
                with torch.autograd.profiler.profile() as profile:
                    quantizer(x)
                copies = {event.name for event in profile.function_events} & {"aten::copy_", "aten::clone", "aten::_to_copy"}
                self.assertEqual(copies, set())


@needs_torch
class FewNumbersTest(unittest.TestCase):
    def test_few_numbers_and_many_give_the_same_numbers_and_gradients(self):
        """They are quantized in different ways: over a clone, and in an autograd.Function."""
        torch.manual_seed(0)
        for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
            for keywords in ({}, {"bits": 16, "groups": 2}, {"policy": Policy.ALWAYS_INIT}, {"range": "percentile"}):
                few, many = FakeQuantize(**keywords), FakeQuantize(**keywords)
                x = torch.randn(2, 4, 3)
                inputs = [x, torch._neg_view(x), x.transpose(0, 2), x * 0, torch.tensor([[1, float("inf")] * 2])]
                for source in (*inputs, torch.nn.Parameter(x)):
                    results = []
                    for quantizer, limit in ((few, fake_quantize._SMALL), (many, 0)):
                        given = source.detach().to(dtype).requires_grad_()
                        with warnings.catch_warnings(), mock.patch.object(fake_quantize, "_SMALL", limit):
                            warnings.simplefilter("ignore")
                            result = quantizer(given)
                        (result * 3).sum().backward()
                        results.append((result, given.grad))
                        self.assertEqual(type(result), torch.Tensor)
                    self.assertTrue(torch.equal(results[0][0], results[1][0]), (dtype, keywords))
                    self.assertTrue(torch.equal(results[0][1], results[1][1]))
                    self.assertEqual(few.params, many.params)
                    self.assertEqual(few.nonfinite, many.nonfinite)

    def test_what_is_written_to_the_result_later_is_not_the_inputs(self):
        x = torch.randn(5, requires_grad=True)
        result = FakeQuantize()(x)
        before = x.detach().clone()
        result += 1
        result.sum().backward()
        self.assertTrue(torch.equal(x, before))
        self.assertTrue(torch.equal(x.grad, torch.ones(5)))


if __name__ == "__main__":
    unittest.main()
