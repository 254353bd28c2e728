"""FakeQuantize with its parameters on the GPU, by the tests' stand-in for the GPU library, which works on host memory."""

import contextlib
import copy
import ctypes
import os
import pickle
import unittest
import warnings
from types import SimpleNamespace
from unittest import mock

from support import needs_torch, torch

import gfpq
from gfpq import library

if torch is not None:
    from torch import nn
    from torch.utils.checkpoint import checkpoint

    import gfpq.torch as gq
    from gfpq.torch import FakeQuantize, Policy, jobs
    from gfpq.torch.rows import UNKNOWN, param_of, params_of, row_of, rows_of

FAKE_GPU = os.environ.get("GFPQ_FAKE_GPU", "")


def equal(a, b):
    """Bit by bit, so that +0 and -0 differ."""
    integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[a.element_size()]
    return a.dtype == b.dtype and torch.equal(a.contiguous().view(integers), b.contiguous().view(integers))


@contextlib.contextmanager
def gpu():
    """Within it all tensors are taken for those of a GPU."""
    with contextlib.ExitStack() as stack:
        for target, name, value in (
            (jobs, "on_gpu", lambda x: True), (torch.cuda, "device", lambda device: contextlib.nullcontext()),
            (torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=4711)),
        ):  # fmt: skip
            stack.enter_context(mock.patch.object(target, name, value))
        yield


@contextlib.contextmanager
def no_waits():
    """Within it nothing may be read from a tensor, nor copied from the host, for which PyTorch waits, too."""
    def read(*_):
        raise AssertionError("read from the GPU")

    def write(*_, **__):
        raise AssertionError("copied to the GPU")

    def where(condition, *values, function=torch.where):  # of a GPU's tensors it copies a number there
        return function(condition, *values) if all(isinstance(value, torch.Tensor) for value in values) else write()

    with contextlib.ExitStack() as stack:
        for name in ("tensor", "as_tensor", "frombuffer", "from_numpy"):
            stack.enter_context(mock.patch.object(torch, name, write))
        stack.enter_context(mock.patch.object(torch, "where", where))
        for name in ("tolist", "item", "cpu", "numpy", "__bool__", "__float__", "__int__"):
            stack.enter_context(mock.patch.object(torch.Tensor, name, read))
        yield


class WithGpuLibrary(unittest.TestCase):
    def setUp(self):
        if not FAKE_GPU:
            self.skipTest("GFPQ_FAKE_GPU names no stand-in for the GPU library (ctest sets it)")
        loaded = mock.patch.dict(library._loaded, {"gfpq_gpu": library.Library(FAKE_GPU)})
        loaded.start()
        self.addCleanup(loaded.stop)
        counters = ctypes.CDLL(FAKE_GPU)
        counters.fake_gpu_last_stream.restype = ctypes.c_void_p
        self.jobs_run, self.calls_of_jobs = counters.fake_gpu_jobs_run, counters.fake_gpu_calls_of_jobs
        self.last_stream = counters.fake_gpu_last_stream


def batches(dtype, shape=(4, 6, 5)):
    torch.manual_seed(0)
    return [(torch.randn(shape) * scale).to(dtype) for scale in (1, 0.5, 3, 100, 2)]


@needs_torch
class QuantizerTest(WithGpuLibrary):
    def choices(self):
        for bits in (8, 16):
            for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
                for keywords in ({}, {"groups": 3}, {"groups": 5, "dim": -1}, {"policy": Policy.ALWAYS_INIT, "groups": 3}):
                    yield dtype, {"bits": bits, "clip_gradient": True, **keywords}

    def test_training_and_evaluation_give_the_cpus_results_bit_for_bit(self):
        for dtype, keywords in self.choices():
            own, other = FakeQuantize(**keywords), FakeQuantize(**keywords)
            for training in (True, False):
                own.train(training), other.train(training)
                for batch in batches(dtype):
                    x, y = batch.clone().requires_grad_(), batch.clone().requires_grad_()
                    expected = other(y)
                    with gpu():
                        result = own(x)
                    result.sum().backward()
                    expected.sum().backward()
                    self.assertTrue(equal(result, expected), (dtype, keywords))
                    self.assertTrue(torch.equal(x.grad, y.grad))
                    self.assertEqual(own.params, other.params)
                    if own.range is not None:
                        self.assertTrue(torch.equal(own.range, other.range))
        self.assertEqual(self.last_stream(), 4711)

    def test_a_call_is_one_job_and_waits_for_nothing(self):
        for dtype, keywords in self.choices():
            quantizer, data = FakeQuantize(**keywords), batches(dtype)
            with gpu():
                before = self.jobs_run()
                with no_waits():
                    for x in data:
                        quantizer(x.requires_grad_()).sum().backward()
                self.assertEqual(self.jobs_run() - before, len(data))
                quantizer.eval()(data[0])  # after a change the range is read once
                with no_waits():
                    quantizer(data[1])

    def test_layouts_stay(self):
        x = batches(torch.float32, (2, 3, 4, 5))[0]
        for tensor in (x.contiguous(memory_format=torch.channels_last), x.transpose(0, 2), x[:, ::2], x[:1].expand(3, 3, 4, 5)):
            expected = FakeQuantize()(tensor)
            with gpu():
                result = FakeQuantize()(tensor)
            self.assertTrue(equal(result, expected))
            self.assertEqual(result.stride(), expected.stride())

    def test_without_jobs_in_the_library_nothing_changes(self):
        x = torch.tensor([1.0, float("inf")])
        quantizer = FakeQuantize()
        with gpu(), mock.patch.object(library.Library, "has_gpu_jobs", False), self.assertWarns(RuntimeWarning):
            before = self.jobs_run()
            with mock.patch.object(jobs, "run", side_effect=AssertionError):
                quantizer(x)
                with no_waits(), self.assertRaisesRegex(AssertionError, "read from the GPU"):
                    quantizer(x)
            self.assertEqual(self.jobs_run(), before)
        self.assertEqual(quantizer.params[0].delta, -127)

    def test_ranges_that_only_the_host_can_learn(self):
        for choice in ("moving maximum", "percentile", "fixed"):
            own, other = FakeQuantize(range=choice), FakeQuantize(range=choice)
            for quantizer in (own, other):
                quantizer.calibrating = choice == "fixed"
            for x in batches(torch.float32):
                expected = other(x)
                with gpu():
                    self.assertTrue(equal(own(x), expected))
            self.assertTrue(torch.equal(own.range, other.range))

    def test_a_batch_with_infinite_numbers_changes_no_range(self):
        infinity, nan = float("inf"), float("nan")
        for first in (True, False):
            quantizer = FakeQuantize()
            with gpu():
                if not first:
                    quantizer(torch.tensor([3.0]))
                before = quantizer.range.clone()
                quantizer(torch.tensor([1.0, -infinity]))
                self.assertTrue(torch.equal(quantizer.range, before))
                self.assertEqual(quantizer.initialized, not first)
                with self.assertWarnsRegex(RuntimeWarning, "got 1 batches with infinite numbers"):
                    gq.check(quantizer)
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    gq.check(quantizer)
                self.assertEqual(quantizer(torch.tensor([9.0, nan])).tolist()[1], 0)
                self.assertEqual(quantizer.params[0].delta, -77)

    def test_calibration_warns_as_on_the_cpu(self):
        quantizer = FakeQuantize()
        quantizer.calibrating = True
        with gpu(), self.assertWarnsRegex(RuntimeWarning, "1 of 2 numbers"):
            quantizer(torch.tensor([1.0, float("inf")]))
        self.assertEqual(quantizer.params[0].delta, -127)

    def test_a_damaged_range_is_reported_where_the_host_looks(self):
        looks = (lambda q: q.params, lambda q: q.initialized, lambda q: q.state_dict(), lambda q: gq.check(q))
        for look in looks:
            quantizer = FakeQuantize()
            x = torch.tensor([9.0])
            with gpu():
                quantizer(x)
                quantizer.range[:, 2] = -1
                with no_waits():
                    quantizer(x)
                    quantizer(x)
                with self.assertRaisesRegex(gfpq.BadParametersError, "damaged"):
                    look(quantizer)
                quantizer.set_params([gfpq.Param.from_delta(-77)])
                look(quantizer)
                self.assertEqual(quantizer(x).item(), torch.tensor(quantizer.params[0].largest).item())
                quantizer.eval()(x)
                quantizer.device_params[:, 0] += 1  # memory that was overwritten
                quantizer(x)
                with self.assertRaisesRegex(gfpq.BadParametersError, "damaged"):
                    look(quantizer)

    def test_a_buffer_of_other_groups_is_refused(self):
        quantizer, x = FakeQuantize(groups=2), torch.ones(2, 2)
        with gpu():
            quantizer(x)
            quantizer.range = quantizer.range[:1].clone()
            for training in (True, False):
                with self.assertRaisesRegex(gfpq.BadParametersError, "shape \\[2, 3\\]"):
                    quantizer.train(training)(x)

    def test_a_buffer_in_the_place_of_another_is_taken(self):
        quantizer, x = FakeQuantize().eval(), torch.tensor([99.0])
        quantizer.set_params([gfpq.Param.from_delta(-127)])
        rows = [torch.tensor([[float(exponent), 8, 1]], dtype=torch.float64) for exponent in range(-3, 4)]
        with gpu():
            for row in rows:  # the second has the address, and the version, of a buffer before
                quantizer.range = row.clone()
                quantizer.range = row.clone()
                self.assertEqual(quantizer(x).item(), 2.0 ** row[0, 0].item())
                self.assertEqual(quantizer.params[0].largest, 2.0 ** row[0, 0].item())

    def test_a_checkpoint_computes_again_what_a_batch_with_infinite_numbers_became(self):
        torch.manual_seed(0)
        x = torch.randn(8, 4)
        x[0, 0] = float("inf")
        for first in (True, False):
            gradients = []
            for checkpoints in (False, True):
                torch.manual_seed(0)
                layer = nn.Sequential(nn.Linear(4, 4))
                gq.prepare(layer)
                with gpu():
                    if not first:
                        layer(torch.randn(8, 4))
                    own = x.clone().requires_grad_()
                    result = checkpoint(layer, own) if checkpoints else layer(own)
                    result.sum().backward()
                    gq.check(layer[0].weight_quantizer)
                gradients.append(layer[0].weight.grad)
                self.assertEqual(layer[0].input_quantizer.initialized, not first)
            self.assertTrue(equal(*gradients), first)

    def test_what_the_host_sets_is_used_at_once(self):
        quantizer, x = FakeQuantize(), torch.tensor([1.0])
        with gpu():
            quantizer(torch.tensor([9.0]))
            state = quantizer.state_dict()
            quantizer(torch.tensor([100.0]))
            address = quantizer.device_params.data_ptr()
            quantizer.load_state_dict({key: value.clone() for key, value in state.items()})
            quantizer(x)
            self.assertEqual(quantizer.params[0].delta, delta_for(100.0))
            quantizer.forget()
            self.assertFalse(quantizer.initialized)
            quantizer(x)
            self.assertEqual(quantizer.params[0].delta, -127)
            quantizer.range.copy_(torch.tensor([row_of(gfpq.Param.from_delta(5))]))
            quantizer(x)
            self.assertEqual(quantizer.params[0].delta, 5)
            self.assertEqual(quantizer.device_params.data_ptr(), address)  # which CUDA graphs have

    def test_what_began_in_inference_mode_trains(self):
        for policy in (Policy.TRAINING, Policy.ALWAYS_INIT):
            quantizer, x = FakeQuantize(policy=policy), torch.tensor([9.0])
            with gpu():
                with torch.inference_mode():
                    quantizer(x)
                    quantizer.eval()(x)
                quantizer.train()(torch.tensor([100.0]))
                self.assertEqual(quantizer.params[0].delta, -21)
                gq.check(quantizer)

    def test_ranges_stay_where_the_policy_changes(self):
        x, small = torch.tensor([9.0, 0.3]), torch.tensor([1.0, 0.3])
        expected = FakeQuantize(policy=Policy.ALWAYS_INIT)(x)
        for found_on_gpu in (True, False):
            for before in (Policy.TRAINING, Policy.ALWAYS_INIT):
                quantizer = FakeQuantize(policy=before)
                with gpu() if found_on_gpu else contextlib.nullcontext():
                    quantizer(x)
                quantizer.policy = Policy.FIXED
                for other in (quantizer, copy.deepcopy(quantizer), pickle.loads(pickle.dumps(quantizer))):
                    with gpu():
                        self.assertTrue(equal(other(x), expected), (found_on_gpu, before))
                        other(small)
                        self.assertEqual(other.params[0].delta, -77)
                        other.set_params([gfpq.Param.from_delta(5)])
                        other(small)
                        self.assertEqual(other.params[0].delta, 5)
                        other.policy = Policy.ALWAYS_INIT
                        other(small)
                        self.assertEqual(other.params[0].delta, -127)
                        gq.check(other)

    def test_what_the_replay_of_a_graph_found_stays_where_the_policy_changes(self):
        x, small = torch.tensor([9.0, 0.3]), torch.tensor([1.0, 0.3])
        expected = FakeQuantize(policy=Policy.ALWAYS_INIT)(x)
        for looks in (lambda q: q.params, lambda q: q.state_dict(), lambda q: q.set_params([gfpq.Param.from_delta(5)])):
            quantizer = FakeQuantize(policy=Policy.ALWAYS_INIT)
            with gpu():
                quantizer(small)
                looks(quantizer)
                jobs.run([jobs.Call(x, quantizer.device_params, 8, int(gfpq.Mode.INIT), 1, False)])  # as a replay, past Python
                self.assertEqual(quantizer.params[0].delta, -77)
                quantizer.policy = Policy.FIXED
                self.assertTrue(equal(quantizer(x), expected))

    def test_what_the_host_finds_of_one_without_a_buffer_is_on_the_gpu_too(self):
        quantizer, x = FakeQuantize(policy=Policy.ALWAYS_INIT), torch.tensor([9.0, 0.3])
        with gpu():
            quantizer(torch.tensor([1.0]))
        quantizer(x)  # on the CPU
        self.assertEqual(quantizer.params[0].delta, -77)
        self.assertEqual(copy.deepcopy(quantizer).params[0].delta, -77)

    def test_a_step_with_fixed_ranges_is_that_of_a_copy(self):
        own = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        x = torch.randn(5, 4)
        with gpu():
            gq.prepare(own, example_inputs=x)
            gq.calibrate(own, [x])
            for _, _, quantizer in gq.quantizers(own):
                quantizer.policy = Policy.FIXED
            other = copy.deepcopy(own)
            for model in (own, other):
                model(x).sum().backward()
            self.assertTrue(equal(own(2 * x), other(2 * x)))
            for one, two in zip(own.parameters(), other.parameters()):
                self.assertTrue(equal(one.grad, two.grad))
            gq.check(other)

    def test_copies_go_their_own_way(self):
        for policy in (Policy.TRAINING, Policy.ALWAYS_INIT):
            quantizer = FakeQuantize(policy=policy)
            with gpu():
                quantizer(torch.tensor([9.0]))
                other = copy.deepcopy(quantizer)
                self.assertEqual(other.params, quantizer.params)
                other(torch.tensor([100.0]))
                self.assertEqual(quantizer.params[0].delta, -77)
                self.assertEqual(quantizer.float().double().params[0].delta, -77)


def own_delta(model):
    return next(quantizer for _, _, quantizer in gq.quantizers(model)).params[0].delta


def delta_for(number):
    param = gfpq.Param()
    gfpq.quantize([number], param=param)
    return param.delta


@needs_torch
class ModelTest(WithGpuLibrary):
    def test_copies_made_within_a_pass_have_what_it_found(self):
        model, found = nn.Sequential(nn.Linear(4, 4), nn.ReLU()), []
        gq.prepare(model)
        model[1].register_forward_hook(lambda *_: found.append(copy.deepcopy(model[0].input_quantizer)))
        with gpu():
            model(torch.full((1, 4), 9.0))
            self.assertEqual(found[0].params, model[0].input_quantizer.params)
            self.assertTrue(found[0].initialized)

    def test_a_quantized_weight_that_is_changed_in_place_is_not_the_layers(self):
        class Regularized(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(4, 4, bias=False)

            def forward(self, x):
                with torch.no_grad():
                    self.size = self.layer.quantized_weight().abs_().sum() if hasattr(self.layer, "quantized_weight") else 0
                return self.layer(x)

        model = Regularized()
        gq.prepare(model, data=False)
        expected = model(torch.eye(4))
        self.assertTrue((expected < 0).any())
        with gpu():
            self.assertTrue(equal(model(torch.eye(4)), expected))

    def models(self, **arguments):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 4))
        gq.prepare(model, layer_bits={"4": 16}, **arguments)
        return model, copy.deepcopy(model)

    def step(self, model, x):
        model.zero_grad()
        model(x).square().sum().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.01 * parameter.grad

    def test_a_training_step_waits_for_nothing_and_gives_the_cpus_numbers(self):
        for arguments in ({}, {"example_inputs": torch.randn(2, 3, 8, 8)}, {"clip_gradient": True}):
            own, other = self.models(**arguments)
            for x in batches(torch.float32, (2, 3, 8, 8)):
                self.step(other, x)
                with gpu(), no_waits():
                    self.step(own, x)
            for a, b in zip(own.parameters(), other.parameters()):
                self.assertTrue(torch.equal(a, b))
            for (name, tensor, a), (_, _, b) in zip(gq.quantizers(own), gq.quantizers(other)):
                self.assertEqual(a.params, b.params, (name, tensor))

    def test_what_a_checkpoint_computes_again_waits_for_nothing_either(self):
        torch.manual_seed(0)
        own = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3))
        gq.prepare(own)
        other = copy.deepcopy(own)
        for x in batches(torch.float32, (4, 6)):
            for model, around in ((other, contextlib.nullcontext()), (own, gpu())):
                model.zero_grad()
                with around, no_waits() if model is own else contextlib.nullcontext():
                    checkpoint(model, x.clone().requires_grad_(), use_reentrant=False).square().sum().backward()
            for a, b in zip(own.parameters(), other.parameters()):
                self.assertTrue(torch.equal(a.grad, b.grad))
        for (_, _, a), (_, _, b) in zip(gq.quantizers(own), gq.quantizers(other)):
            self.assertEqual(a.params, b.params)

    def test_the_ranges_of_a_pass_are_taken_over_together(self):
        model, _ = self.models()
        x = batches(torch.float32, (2, 3, 8, 8))[0]
        with gpu(), mock.patch.object(gq.passes, "rows_of", wraps=rows_of) as taken:
            model(x)
            self.assertEqual(taken.call_count, 2)  # for 8 bit and for 16
            self.assertEqual([len(call.args[0]) for call in taken.call_args_list], [2, 1])
            model(x)
        self.assertEqual(taken.call_count, 4)

    def test_all_weights_are_one_call(self):
        model, _ = self.models()
        data = batches(torch.float32, (2, 3, 8, 8))
        with gpu():
            calls, run_before = self.calls_of_jobs(), self.jobs_run()
            self.step(model, data[0])
            self.assertEqual(self.jobs_run() - run_before, 3 + 2)  # data of three layers, weights of two
            self.assertEqual(self.calls_of_jobs() - calls, 3 + 1)
            self.assertTrue(all(q.ready is None for _, _, q in gq.quantizers(model)))
            calls = self.calls_of_jobs()
            with torch.no_grad():
                model(data[0])  # where no gradient keeps them, one after the other
            self.assertEqual(self.calls_of_jobs() - calls, 5)

    def test_a_weight_that_changes_within_a_pass_is_quantized_anew(self):
        class Twice(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(3, 3)

            def forward(self, x):
                first = self.layer(x)
                if self.changes:
                    with torch.no_grad():
                        self.layer.weight.mul_(100)
                return first + self.layer(x)

        x = torch.randn(2, 3)
        for changes in (False, True):
            torch.manual_seed(0)
            own = Twice()
            own.changes = changes
            gq.prepare(own)
            other = copy.deepcopy(own)
            expected = other(x)
            expected.sum().backward()
            with gpu():
                result = own(x)
            result.sum().backward()
            self.assertTrue(torch.equal(own.layer.weight.grad, other.layer.weight.grad))
            self.assertTrue(torch.equal(result, expected))

    def test_in_distributed_training_one_reduction_joins_the_ranges_without_a_wait(self):
        model, other = self.models()
        data = batches(torch.float32, (2, 3, 8, 8))
        self.step(other, data[0])
        found = []

        def largest(exponents, _group):  # another rank's are 2 octaves wider
            found.append(exponents.clone())
            return exponents + 2

        with gpu(), mock.patch.object(gq.distributed, "world_size", return_value=2), \
                mock.patch.object(gq.distributed, "largest", largest), no_waits():
            self.step(model, data[0])
        self.assertEqual([len(exponents) for exponents in found], [3])
        with gpu():
            for (_, tensor, own), (_, _, alone) in zip(gq.quantizers(model), gq.quantizers(other)):
                wider = 2 * {8: 16, 16: 128}[own.bits] if tensor == "data" else 0
                self.assertEqual([p.delta for p in own.params], [p.delta + wider for p in alone.params])
            self.step(model, data[0])  # uses them
            self.assertEqual(own_delta(model), own_delta(other) + 32)

    def test_a_pass_that_fails_leaves_what_it_found(self):
        class Failing(nn.Module):
            def forward(self, x):
                raise RuntimeError("on purpose")

        model = nn.Sequential(nn.Linear(3, 3), Failing())
        gq.prepare(model)
        with gpu():
            with self.assertRaisesRegex(RuntimeError, "on purpose"):
                model(torch.full((1, 3), 9.0))
            self.assertEqual(model[0].input_quantizer.range[0, 0].item(), (-77 + 127) / 16)

    def test_a_range_that_is_asked_for_within_a_pass(self):
        model, found = nn.Sequential(nn.Linear(3, 3)), []
        gq.prepare(model)
        quantizer = model[0].input_quantizer
        quantizer.register_forward_hook(lambda module, *_: found.append(module.params[0].delta))
        with gpu():
            model(torch.full((1, 3), 9.0))
            model(torch.full((1, 3), 1.0))
        self.assertEqual(found, [-77, -77])

    def test_check_warns_of_nan_in_weights(self):
        model, _ = self.models()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gq.check(model)
        with torch.no_grad():
            model[0].weight[0, 0, 0, 0] = float("nan")
        with self.assertWarnsRegex(RuntimeWarning, "0.weight holds NaN"):
            gq.check(model)

    def test_nan_in_data_that_training_passes_over_is_named_by_a_calibration_of_a_copy(self):
        model, _ = self.models()
        x = torch.randn(2, 3, 8, 8)
        with gpu():
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                model(x)
                x[0, 1, 2, 3] = float("nan")
                self.assertTrue(model(x).isfinite().all())
                gq.check(model)
            with self.assertWarnsRegex(RuntimeWarning, "0 data got a tensor in which 1 of 384 numbers"):
                gq.calibrate(copy.deepcopy(model), [x])


@needs_torch
class RowsTest(unittest.TestCase):
    """The rows of the buffer and the jobs' parameters, without the host."""

    def test_parameters_are_those_of_the_host_for_every_delta(self):
        for bits, limit in ((8, 511), (16, 4095)):
            params = [gfpq.Param.from_delta(delta, bits) for delta in range(-limit, limit + 1)]
            rows = [row_of(param) for param in params] + [UNKNOWN]
            found = params_of(torch.tensor(rows, dtype=torch.float64), bits)
            self.assertEqual((found.dtype, found.shape[1]), (torch.int32, jobs.WORDS))
            blocks = [bytes(param) + bytes(48) for param in params] + [bytes(64)]
            self.assertEqual([row.numpy().tobytes() for row in found], blocks)

    def test_averages_are_rounded_as_on_the_host(self):
        for bits in (8, 16):
            torch.manual_seed(0)
            weight = torch.rand(2000, dtype=torch.float64) + 0.01
            exponent = torch.randn(2000, dtype=torch.float64) * 10
            exponent[:200] = exponent[:200].round()
            exponent[200:400] = exponent[200:400].round() + 0.009 / 128
            rows = torch.stack([exponent * weight, bits * weight, weight], 1)
            found = params_of(rows, bits)
            expected = [bytes(param_of(row, bits)) for row in rows.tolist()]
            self.assertEqual([row[:4].numpy().tobytes() for row in found], expected)

    def test_damaged_rows_give_no_valid_parameter(self):
        nan, infinity = float("nan"), float("inf")
        rows = torch.tensor([[nan, 8, 1], [1, 8, -1], [1, 16, 1], [1, 8, 0], [infinity, 8, 1], [1, 8, nan], [nan] * 3])
        for row in params_of(rows.double(), 8):
            with self.assertRaises(gfpq.BadParametersError):
                gfpq.Param.from_bytes(row[:4].numpy().tobytes())

    def test_rows_after_a_job(self):
        old = row_of(gfpq.Param.from_delta(-77))
        between = [-3.03 * 0.5, 4.0, 0.5]
        limit = gfpq.Param.from_delta(511)
        for before, param, expected in (
            (UNKNOWN, gfpq.Param(), UNKNOWN), (UNKNOWN, gfpq.Param.from_delta(-77), old), (old, limit, old),
            (old, gfpq.Param.from_delta(-77), old), (UNKNOWN, limit, UNKNOWN),
            (between, param_of(between, 8), [-3.03, 8, 1]), (row_of(limit), limit, row_of(limit)),
        ):  # fmt: skip
            words = torch.frombuffer(bytearray(bytes(param) + bytes(48)), dtype=torch.int32).reshape(1, 16)
            rows = torch.tensor([before], dtype=torch.float64)
            self.assertEqual(rows_of(words, rows, 8, leaves_out_infinite=True)[0].tolist(), expected)
            words[0, jobs.STATUS] = -65530
            self.assertTrue(rows_of(words, rows, 8, leaves_out_infinite=True).isnan().all())


if __name__ == "__main__":
    unittest.main()
