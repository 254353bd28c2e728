"""torch.compile of prepared models: one graph, with eager's numbers."""

import copy
import unittest
import warnings

from support import compiled, needs_compile, torch, train

import gfpq

if torch is not None:
    from torch import nn
    from torch.utils.checkpoint import checkpoint

    import gfpq.torch as gq
    from gfpq.torch import FakeQuantize, Policy

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
            self.conv2, self.pool, self.fc = nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.MaxPool2d(2), nn.Linear(128, 4)

        def forward(self, x):
            x = torch.relu(self.norm(self.conv1(x)))
            return self.fc(self.pool(x + torch.relu(self.conv2(x))).flatten(1))


def prepared(**arguments):
    torch.manual_seed(0)
    model = Residual()
    gq.prepare(model, layer_bits={"fc": 16}, **arguments)
    return model


def ranges(model):
    return [quantizer.range for _, tensor, quantizer in gq.quantizers(model) if tensor == "data"]


@needs_compile
class CompileTest(unittest.TestCase):
    def check(self, backend, **arguments):
        model = prepared(**arguments)
        eager, program = copy.deepcopy(model), compiled(model, backend)
        batches = [torch.randn(4, 3, 8, 8) * scale for scale in (1, 5, 0.3)]
        train(eager, batches)
        train(program, batches)
        for own, other in zip(ranges(model), ranges(eager)):
            self.assertTrue(torch.equal(own, other))
        return model, eager, program

    def test_training_and_evaluation_are_one_graph_with_eagers_numbers(self):
        for backend in ("eager", "aot_eager"):
            for clip in (False, True):
                model, eager, program = self.check(backend, clip_gradient=clip)
                for own, other in zip(model.parameters(), eager.parameters()):
                    self.assertTrue(torch.equal(own, other))
                x = torch.randn(4, 3, 8, 8)
                with torch.no_grad():
                    self.assertTrue(torch.equal(program.eval()(x), eager.eval()(x)))
                    self.assertTrue(torch.equal(model(x), eager(x)))

    def test_inductor(self):
        try:
            compiled(nn.Linear(1, 1), "inductor")(torch.ones(1, 1))
        except Exception as error:  # it takes a C++ compiler
            self.skipTest(f"inductor does not work here: {error}")
        _, eager, program = self.check("inductor")
        x = torch.randn(4, 3, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(program.eval()(x), eager.eval()(x), rtol=0.05, atol=0.05)

    def test_every_type_width_and_group(self):
        torch.manual_seed(0)
        for dtype, bits, keywords in (
            (torch.float32, 8, {}), (torch.float64, 16, {"groups": 3}), (torch.float16, 8, {"groups": 2, "dim": -1}),
            (torch.bfloat16, 16, {}), (torch.float32, 16, {"policy": Policy.ALWAYS_INIT, "groups": 3}),
        ):  # fmt: skip
            own, other = (FakeQuantize(bits, clip_gradient=True, **keywords) for _ in range(2))
            program = compiled(own)
            for scale in (1, 7, 2):
                x = (torch.randn(2, 3, 4) * scale).to(dtype)
                a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
                result, expected = program(a), other(b)
                (result * 3).sum().backward()
                (expected * 3).sum().backward()
                self.assertEqual(result.dtype, dtype)
                self.assertTrue(torch.equal(result, expected), (dtype, bits, keywords))
                self.assertTrue(torch.equal(a.grad, b.grad))
            if own.range is not None:
                self.assertTrue(torch.equal(own.range, other.range))

    def test_infinities_and_nan_as_in_eager(self):
        infinity, nan = float("inf"), float("nan")
        for numbers in ([1.0, infinity, 0, 3], [nan, nan, 2, 1], [nan, 1, 2, 2]):
            own, other = FakeQuantize(groups=2, dim=0), FakeQuantize(groups=2, dim=0)
            own.name = "conv1 data"
            program = compiled(own)
            for x in (torch.tensor(numbers), torch.tensor([9.0, 1, 1, 1])):
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    result = program(x)
                if not x.isfinite().all():
                    self.assertTrue(any("conv1 data got a tensor" in str(warning.message) for warning in caught))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    expected = other(x)
                self.assertTrue(torch.equal(result, expected), numbers)
                self.assertTrue(torch.equal(own.range, other.range))

    def test_ranges_from_outside_are_noticed(self):
        quantizer = FakeQuantize()
        program = compiled(quantizer)
        quantizer.set_params([gfpq.Param.from_delta(-77)])
        quantizer.eval()
        for delta in (-77, -21):
            quantizer.range.copy_(torch.tensor([[(delta + 127) / 16, 8.0, 1.0]]))
            self.assertEqual(program(torch.tensor([1e6])).item(), torch.tensor(quantizer.params[0].largest).item())

    def test_a_buffer_of_other_groups_is_refused(self):
        quantizer, x = FakeQuantize(groups=2), torch.ones(2, 2)
        quantizer(x)
        quantizer.range = quantizer.range[:1].clone()
        with self.assertRaisesRegex(Exception, "shape \\[2, 3\\]"):
            compiled(quantizer)(x)

    def test_a_range_that_was_found_anew_and_is_fixed_now(self):
        quantizer = FakeQuantize(policy=Policy.ALWAYS_INIT)
        program = compiled(quantizer)
        program(torch.tensor([1.0]))
        quantizer(torch.tensor([9.0, 0.3]))
        quantizer.policy = Policy.FIXED
        for number in (1e6, 1.0):  # INIT of one number gives it back, but for rounding
            self.assertEqual(program(torch.tensor([number])).item(), quantizer(torch.tensor([number])).item())
        self.assertEqual(program(torch.tensor([1e6])).item(), torch.tensor(quantizer.params[0].largest).item())

    def test_a_quantizer_without_a_range_is_refused_when_it_runs(self):
        quantizer = FakeQuantize().eval()
        quantizer.name = "conv1 data"
        program = compiled(quantizer)
        with self.assertRaisesRegex(gfpq.NotInitializedError, "conv1 data has no range yet"):
            program(torch.ones(3))
        quantizer.range[0, 2] = -1
        with self.assertRaisesRegex(gfpq.BadParametersError, "conv1 data"):
            program(torch.ones(3))
        self.assertEqual(compiled(FakeQuantize())(torch.empty(0, 3)).shape, (0, 3))

    def test_ranges_that_only_the_host_can_learn_are_refused(self):
        with self.assertRaisesRegex(Exception, "which torch.compile can't: calibrate"):
            compiled(FakeQuantize(range="percentile"))(torch.ones(3))
        quantizer = FakeQuantize(range="percentile")
        quantizer(torch.ones(3))
        self.assertTrue(torch.equal(compiled(quantizer.eval())(torch.ones(3)), torch.ones(3)))

    def test_other_batches_types_and_checkpoints(self):
        class Checkpointed(nn.Module):
            def __init__(self, model):
                super().__init__()
                self.model = model

            def forward(self, x):
                return checkpoint(self.model, x, use_reentrant=False)

        model = prepared()
        eager, program = copy.deepcopy(model), compiled(model)
        for size in (2, 5, 9):
            x = torch.randn(size, 3, 8, 8) * size
            self.assertTrue(torch.equal(program(x), eager(x)))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            self.assertTrue(torch.equal(program(x), eager(x)))
        program = compiled(Checkpointed(model))
        for each in (program, Checkpointed(eager)):
            each(x.clone().requires_grad_()).sum().backward()
        for own, other in zip(model.parameters(), eager.parameters()):
            self.assertTrue(own.grad is other.grad is None or torch.equal(own.grad, other.grad))
        for own, other in zip(ranges(model), ranges(eager)):
            self.assertTrue(torch.equal(own, other))

    def test_a_layer_with_a_forward_of_its_own(self):
        class Own(nn.Conv2d):
            def forward(self, x):
                return nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1)), self.weight, self.bias)

        x = torch.randn(2, 3, 8, 8)
        model = nn.Sequential(Own(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
        gq.prepare(model)
        eager = copy.deepcopy(model)
        for full in (True, False):
            torch._dynamo.reset()
            program = torch.compile(model, backend="aot_eager", fullgraph=full)
            self.assertTrue(torch.equal(program(x), eager(x)))
            self.assertEqual(model[0].input_quantizer.params, eager[0].input_quantizer.params)

    def test_the_operator_forgets_the_range_where_the_mode_is_init(self):
        x, params = torch.randn(2, 3, 4), torch.zeros(3, 16, dtype=torch.int32)
        small = torch.ops.gfpq.fake_quantize(x / 100, params, 8, 0, 1, False, "")
        large = torch.ops.gfpq.fake_quantize(x, params, 8, 0, 1, False, "")
        for before in (params, large[2], small[2]):
            result, _, after = torch.ops.gfpq.fake_quantize(x / 100, before, 8, 0, 1, False, "")
            self.assertTrue(torch.equal(result, small[0]))
            self.assertTrue(torch.equal(after, small[2]))
        self.assertFalse(torch.equal(small[2], large[2]))

    def test_the_operator_is_well_made(self):
        """PyTorch's own test: its schema, its fake implementation, its gradient."""
        params = torch.zeros(3, 16, dtype=torch.int32)
        for dtype in (torch.float32, torch.bfloat16):
            x = torch.randn(2, 3, 4).to(dtype).requires_grad_()
            for mask in (False, True):
                arguments = x, params, 8, 3, 1, mask, "a quantizer"
                torch.library.opcheck(
                    torch.ops.gfpq.fake_quantize.default, arguments,
                    test_utils=("test_schema", "test_faketensor", "test_aot_dispatch_static"),
                )


if __name__ == "__main__":
    unittest.main()
