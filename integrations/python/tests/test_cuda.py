"""CUDA arrays and tensors: the same results as on the CPU. Skipped where there is no GPU."""

import contextlib
import copy
import ctypes
import io
import os
import sys
import tempfile
import unittest
from unittest import mock

import numpy as np
from support import PROJECT, gpu_library, needs_compile, needs_cuda_torch, torch

import gfpq
from gfpq import library

if torch is not None:
    import torch.distributed as dist
    from test_gpu_jobs import batches, equal
    from torch import nn
    from torch.nn.parallel import DistributedDataParallel

    import gfpq.torch as gq
    from gfpq.torch import FakeQuantize, Policy


class DeviceArray:
    """Device memory that shows `__cuda_array_interface__` and nothing else: takes the CUDA runtime, not PyTorch."""

    def __init__(self, runtime, content, **changes):
        self.runtime, self.shape, self.dtype = runtime, content.shape, content.dtype
        self.pointer = ctypes.c_void_p()
        assert runtime.cudaMalloc(ctypes.byref(self.pointer), content.nbytes) == 0
        assert runtime.cudaMemcpy(self.pointer, content.ctypes.data, content.nbytes, 1) == 0
        self.__cuda_array_interface__ = {
            "shape": content.shape, "typestr": content.dtype.str, "data": (self.pointer.value, False), "version": 3,
            **changes,
        }  # fmt: skip

    def numpy(self):
        result = np.empty(self.shape, self.dtype)
        assert self.runtime.cudaMemcpy(result.ctypes.data, self.pointer, result.nbytes, 2) == 0
        return result

    def __del__(self):
        self.runtime.cudaFree(self.pointer)


class DeviceMemoryTest(unittest.TestCase):
    def setUp(self):
        sys.path.insert(0, str(PROJECT / "samples"))
        import sample_on_python_gpu

        try:
            with contextlib.redirect_stdout(io.StringIO()) as said:
                self.runtime = sample_on_python_gpu.load_runtime()
        except SystemExit:
            self.skipTest(said.getvalue().strip())
        gpu_library()

    def test_bit_for_bit_the_cpus_results(self):
        for bits in (8, 16):
            for dtype in ("f4", "f8"):
                for mode in gfpq.Mode:
                    data = np.random.default_rng(0).normal(size=(101, 103)).astype(dtype)
                    on_cpu, on_gpu = gfpq.Param.from_delta(-60, bits), gfpq.Param.from_delta(-60, bits)
                    array = DeviceArray(self.runtime, data)
                    self.assertIs(gfpq.quantize_(array, param=on_gpu, mode=mode), array)
                    np.testing.assert_array_equal(array.numpy(), gfpq.quantize(data, param=on_cpu, mode=mode))
                    self.assertEqual(on_gpu, on_cpu)

    def test_streams(self):
        data = np.arange(10, dtype="f4")
        stream = ctypes.c_void_p()
        self.assertEqual(self.runtime.cudaStreamCreate(ctypes.byref(stream)), 0)
        for number in (1, 2, stream.value):  # the legacy default stream, the thread's, one of our own
            array = DeviceArray(self.runtime, data, stream=number)
            gfpq.quantize_(array)
            self.assertEqual(self.runtime.cudaDeviceSynchronize(), 0)
            np.testing.assert_array_equal(array.numpy(), gfpq.quantize(data))

    def test_host_memory_is_refused(self):
        data = np.arange(10, dtype="f4")
        array = DeviceArray(self.runtime, data, data=(data.ctypes.data, False))
        with self.assertRaises(gfpq.GfpqError):
            gfpq.quantize_(array)
        np.testing.assert_array_equal(data, np.arange(10))


@needs_cuda_torch
class TensorTest(unittest.TestCase):
    def test_bit_for_bit_the_cpus_results(self):
        for bits in (8, 16):
            for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
                x = torch.randn(10007).to(dtype)
                on_cpu, on_gpu = gq.FakeQuantize(bits), gq.FakeQuantize(bits).cuda()
                self.assertTrue(torch.equal(on_gpu(x.cuda()).cpu(), on_cpu(x)))
                self.assertEqual(on_gpu.params, on_cpu.params)

    def test_arrays(self):
        x = torch.arange(10.0).cuda()
        expected = gfpq.quantize(np.arange(10, dtype="f4"))
        self.assertIs(gfpq.quantize_(x), x)
        np.testing.assert_array_equal(x.cpu().numpy(), expected)

        class Dlpack:  # nothing but the protocol
            def __init__(self, tensor):
                self.__dlpack__, self.__dlpack_device__ = tensor.__dlpack__, tensor.__dlpack_device__

        y = torch.arange(10.0).cuda()
        gfpq.quantize_(Dlpack(y))
        torch.cuda.synchronize()
        np.testing.assert_array_equal(y.cpu().numpy(), expected)

    def test_other_streams(self):
        param = gfpq.Param.from_delta(-77)
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            x = torch.zeros(1 << 24, device="cuda")
            for _ in range(20):  # keeps the stream busy: quantizing on another stream would come too early
                x += 0.15
            gfpq.quantize_(x, param=param)
            y = x.clone()
        stream.synchronize()
        expected = gfpq.quantize(np.full(1, sum([np.float32(0.15)] * 20, np.float32(0)), "f4"), param=param)
        self.assertEqual(y.unique().tolist(), expected.tolist())

    def test_a_stream_of_ones_own(self):
        """The copy is made on it as well: what comes before on that stream comes before the copy."""
        param, stream = gfpq.Param.from_delta(-77), torch.cuda.Stream()
        x = torch.zeros(1 << 24, device="cuda")
        torch.cuda.synchronize()
        with torch.cuda.stream(stream):
            for _ in range(20):
                x += 0.15
        y = gfpq.quantize(x, param=param, stream=stream.cuda_stream)
        gfpq.quantize_(x, param=param, stream=stream.cuda_stream)
        stream.synchronize()
        self.assertTrue(torch.equal(x, y))
        self.assertEqual(x.unique().numel(), 1)
        self.assertGreater(x[0].item(), 2.9)

    def test_other_types_and_what_autograd_learns(self):
        for dtype in (torch.float16, torch.bfloat16, torch.int16, torch.int64):
            x = torch.arange(10).to(dtype)
            self.assertTrue(torch.equal(gfpq.quantize(x.cuda()).cpu(), gfpq.quantize(x)))
        weight, x = torch.ones(4, requires_grad=True, device="cuda"), torch.rand(4, device="cuda")
        loss = (weight * x).sum()
        gfpq.quantize_(x)
        with self.assertRaisesRegex(RuntimeError, "modified by an inplace operation"):
            loss.backward()

    def test_checkpoints_move(self):
        model = torch.nn.Sequential(torch.nn.Linear(4, 4))
        gq.prepare(model)
        x = torch.randn(5, 4)
        model(x)
        moved = torch.nn.Sequential(torch.nn.Linear(4, 4))
        gq.prepare(moved)
        moved.cuda()
        for source, target in ((model, moved), (moved, model)):
            file = io.BytesIO()
            torch.save(source.state_dict(), file)
            file.seek(0)
            target.load_state_dict(torch.load(file, map_location="cpu"))
            self.assertEqual(target[0].input_quantizer.params, source[0].input_quantizer.params)
        self.assertTrue(model.cuda()[0].input_quantizer.range.is_cuda)
        self.assertTrue(torch.equal(model.eval()(x.cuda()), moved.eval()(x.cuda())))

    def test_a_graph_captures_evaluation(self):
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2)).cuda()
        batches = [torch.randn(2, 3, 8, 8, device="cuda") for _ in range(3)]
        gq.prepare(model, example_inputs=batches[0])
        gq.calibrate(model, batches)
        x = batches[0].clone()
        with torch.no_grad():
            expected = [model.eval()(batch) for batch in batches]
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                model(x)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                output = model(x)
            for batch, wanted in zip(batches, expected):
                x.copy_(batch)
                graph.replay()
                self.assertTrue(torch.equal(output, wanted))
            graph, learning = torch.cuda.CUDAGraph(), gq.FakeQuantize(range="moving maximum").cuda()
            with self.assertRaisesRegex(gfpq.NotSupportedError, "in evaluation"), torch.cuda.graph(graph):
                learning(x)

    def test_gradient(self):
        x = torch.randn(7, device="cuda", requires_grad=True)
        gq.FakeQuantize(clip_gradient=True).cuda()(x).sum().backward()
        self.assertTrue(x.grad.is_cuda)


class WithJobs(unittest.TestCase):
    def setUp(self):
        gpu_library()
        if not library.gpu().has_gpu_jobs:
            self.skipTest("the GPU library has no jobs for device memory")
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        flags.__enter__()
        self.addCleanup(flags.__exit__, None, None, None)


@needs_cuda_torch
class JobsTest(WithJobs):
    """FakeQuantize with its parameters on the GPU: the CPU's results, and nothing waits."""

    def check(self, tensors, **keywords):
        own, other = FakeQuantize(**keywords).cuda(), FakeQuantize(**keywords)
        for training in (True, False):
            own.train(training), other.train(training)
            for tensor in tensors:
                x, y = tensor.clone().cuda().requires_grad_(), tensor.clone().requires_grad_()
                result, expected = own(x), other(y)
                result.sum().backward()
                expected.sum().backward()
                self.assertTrue(equal(result.detach().cpu(), expected.detach()), (tensor.dtype, tensor.shape, keywords))
                self.assertTrue(torch.equal(x.grad.cpu(), y.grad))
                self.assertEqual(own.params, other.params)
                if own.range is not None:
                    self.assertTrue(torch.equal(own.range.cpu(), other.range))

    def test_every_type_width_and_group(self):
        for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
            for bits in (8, 16):
                for keywords in ({}, {"groups": 3}, {"groups": 5, "dim": -1}, {"policy": Policy.ALWAYS_INIT, "groups": 3}):
                    self.check(batches(dtype), bits=bits, clip_gradient=True, **keywords)

    def test_every_size(self):
        for count in (1, 2, 31, 257, 4097, 65537, (1 << 20) + 3):
            for dtype in (torch.float32, torch.bfloat16):
                self.check(batches(dtype, (count,)), clip_gradient=True)

    def test_channels_of_a_layer(self):
        self.check(batches(torch.float32, (4, 64, 28, 28)), groups=64)
        self.check(batches(torch.float16, (256, 64, 3, 3)), groups=256, dim=0, policy=Policy.ALWAYS_INIT)
        self.check(batches(torch.float32, (3, 32, 7, 5)), groups=7, dim=2, bits=16)

    def test_layouts(self):
        x = batches(torch.float32, (4, 6, 10, 8))[0]
        for tensor in (x.contiguous(memory_format=torch.channels_last), x.transpose(0, 2), x[:, ::2], x[:1].expand(3, 6, 10, 8)):
            expected = FakeQuantize()(tensor)
            on_gpu = FakeQuantize().cuda()
            self.assertTrue(equal(on_gpu(tensor.cuda()).cpu(), expected))
            moved = tensor.cuda() if tensor.stride() == tensor.cuda().stride() else x.cuda()[:, ::2]
            self.assertTrue(equal(FakeQuantize().cuda()(moved).cpu(), FakeQuantize()(moved.cpu())))

    def test_ranges_that_only_the_host_can_learn(self):
        for choice in ("moving maximum", "percentile"):
            self.check(batches(torch.float32, (40, 60, 5)), range=choice)

    def test_infinite_numbers_and_nan(self):
        quantizer, infinity = FakeQuantize().cuda(), float("inf")
        quantizer(torch.tensor([1.0, -infinity], device="cuda"))
        self.assertFalse(quantizer.initialized)
        quantizer(torch.tensor([3.0], device="cuda"))
        before = quantizer.params
        quantizer(torch.tensor([1.0, infinity], device="cuda"))
        self.assertEqual(quantizer.params, before)
        self.assertEqual(quantizer(torch.tensor([9.0, float("nan")], device="cuda")).tolist()[1], 0)
        self.assertEqual(quantizer.params[0].delta, -77)

    def test_a_damaged_range_is_reported_where_the_host_looks(self):
        x = torch.tensor([9.0], device="cuda")
        for look in (lambda q: q.params, lambda q: q.state_dict(), lambda q: gq.check(q)):
            quantizer = FakeQuantize().cuda()
            quantizer(x)
            quantizer.range[:, 2] = -1
            quantizer(x)
            with self.assertRaisesRegex(gfpq.BadParametersError, "damaged"):
                look(quantizer)
            quantizer.set_params([gfpq.Param.from_delta(-77)])
            quantizer.eval()(x)
            look(quantizer)
            quantizer.device_params[:, 0] += 1  # memory that was overwritten
            quantizer(x)
            with self.assertRaisesRegex(gfpq.BadParametersError, "damaged"):
                look(quantizer)

    def test_another_stream(self):
        quantizer, stream = FakeQuantize().cuda(), torch.cuda.Stream()
        with torch.cuda.stream(stream):
            x = torch.zeros(1 << 22, device="cuda")
            for _ in range(20):  # keeps the stream busy
                x += 0.15
            result = quantizer(x)
        stream.synchronize()
        expected = FakeQuantize()(x[:1].cpu())
        self.assertEqual(result.unique().tolist(), expected.tolist())

    def test_autocast_keeps_the_types(self):
        layer = nn.Sequential(nn.Linear(64, 64)).cuda()
        gq.prepare(layer)
        for dtype in (torch.float16, torch.bfloat16):
            with torch.autocast("cuda", dtype=dtype):
                self.assertEqual(layer(torch.randn(8, 64, device="cuda")).dtype, dtype)
                x = torch.randn(8, 64, device="cuda", dtype=dtype)
                self.assertEqual(layer[0].input_quantizer(x).dtype, dtype)


def network(**arguments):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(4, 8, 3, groups=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8, 3)
    )
    gq.prepare(model, layer_bits={"5": 16}, **arguments)
    return model.cuda()


def images():
    return [x.cuda() for x in batches(torch.float32, (5, 4, 8, 8))]


def trainer(model, whole=None):
    """A function that trains a model one step, and an optimizer that a CUDA graph can have."""
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

    def step(x):
        (whole or model)(x).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    return step


def deltas(model):
    return [[param.delta for param in q.params] for _, tensor, q in gq.quantizers(model) if tensor == "data"]


@needs_cuda_torch
class TrainingTest(WithJobs):
    def near(self, model, other):
        """The same ranges of the input; of others, for which PyTorch may round otherwise, within a quarter octave."""
        found, expected = deltas(model), deltas(other)
        self.assertEqual(found[0], expected[0])
        for own, wanted, steps in zip(found, expected, (16, 16, 16, 128)):  # in an octave
            for a, b in zip(own, wanted):
                self.assertLessEqual(abs(a - b), steps // 4)

    def test_a_step_waits_for_nothing(self):
        for arguments in ({}, {"clip_gradient": True}, {"example_inputs": torch.randn(1, 4, 8, 8)}):
            model, data = network(**arguments), images()
            step = trainer(model)
            step(data[0])
            torch.cuda.synchronize()
            before = torch.cuda.get_sync_debug_mode()
            torch.cuda.set_sync_debug_mode("error")
            try:
                for x in data:
                    step(x)
            finally:
                torch.cuda.set_sync_debug_mode(before)
            reached = torch.cuda.Event()
            torch.cuda._sleep(2_000_000_000)  # a second: the host is through before, the library too
            reached.record()
            step(data[0])
            self.assertFalse(reached.query())
            torch.cuda.synchronize()
            gq.check(model)

    def test_ranges_are_the_cpus(self):
        model = network()
        on_cpu = copy.deepcopy(model).cpu()
        for x in images():
            with torch.no_grad():
                model(x)
                on_cpu(x.cpu())
        found = deltas(model)
        self.near(model, on_cpu)
        moved = copy.deepcopy(model).cpu()
        self.assertEqual(deltas(moved), found)
        file = io.BytesIO()
        torch.save(model.state_dict(), file)
        file.seek(0)
        on_cpu.load_state_dict(torch.load(file, map_location="cpu"))
        self.assertEqual(deltas(on_cpu), found)

    def test_a_graph_captures_a_training_step(self):
        model, data = network(clip_gradient=True), images()
        step, x = trainer(model), data[0].clone()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                step(x)
        torch.cuda.current_stream().wait_stream(stream)
        weights = copy.deepcopy(model.state_dict())
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step(x)
        eager = network(clip_gradient=True)
        eager_step = trainer(eager)
        for _ in range(2):
            eager_step(data[0])
        for key, value in eager.state_dict().items():
            torch.testing.assert_close(value, weights[key])
        for batch in data:
            x.copy_(batch)
            graph.replay()
            eager_step(batch)
            self.near(model, eager)
        for own, other in zip(model.parameters(), eager.parameters()):
            torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-3)
        narrow = model[0].input_quantizer
        narrow.set_params([gfpq.Param.from_delta(-100)] * 2)
        x.zero_()
        graph.replay()  # goes on from what was set
        self.assertEqual([param.delta for param in narrow.params], [-100, -100])

    def test_a_graph_captures_learning_from_the_first_batch(self):
        quantizer, x = FakeQuantize().cuda(), torch.tensor([9.0], device="cuda")
        quantizer(x)  # loads the library
        quantizer.forget()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = quantizer(x)
        self.assertFalse(quantizer.initialized)
        for number, delta in ((9.0, -77), (1.0, -77), (100.0, -21)):
            x.fill_(number)
            graph.replay()
            self.assertEqual(quantizer.params[0].delta, delta)
            self.assertEqual(y.item(), quantizer_of(delta)(torch.tensor([number])).item())

    @needs_compile
    def test_one_graph_of_torch_compile(self):
        small = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))  # inductor takes its time
        gq.prepare(small, clip_gradient=True)
        for backend, model in (("aot_eager", network(clip_gradient=True)), ("inductor", small.cuda())):
            torch._dynamo.reset()
            try:
                torch.compile(torch.sin, backend=backend)(torch.ones(3, device="cuda"))
            except Exception as error:  # of inductor without a compiler
                self.skipTest(f"{backend} does not work here: {error}")
            torch._dynamo.reset()
            eager = copy.deepcopy(model)
            step = trainer(model, torch.compile(model, backend=backend, fullgraph=True))
            eager_step = trainer(eager)
            for x in images():
                step(x)
                eager_step(x)
            self.near(model, eager)
            for own, other in zip(model.parameters(), eager.parameters()):
                torch.testing.assert_close(own, other, rtol=1e-2, atol=1e-2)
            program = torch.compile(model.eval(), backend=backend, fullgraph=True)
            with torch.no_grad():
                torch.testing.assert_close(program(x), model(x), rtol=0.05, atol=0.05)
            next(q for _, tensor, q in gq.quantizers(model) if tensor == "data").range[:, 2] = -1
            with torch.no_grad():
                program(x)
            with self.assertRaisesRegex(gfpq.BadParametersError, "damaged"):
                gq.check(model)

    @needs_compile
    def test_the_operator_gives_the_cpus_numbers(self):
        for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
            for mode in (0, 3):
                for groups in (1, 3):
                    params = torch.zeros(groups, 16, dtype=torch.int32)
                    for x in batches(dtype):
                        expected = torch.ops.gfpq.fake_quantize(x, params, 8, mode, 1, True, "")
                        found = torch.ops.gfpq.fake_quantize(x.cuda(), params.cuda(), 8, mode, 1, True, "")
                        self.assertTrue(equal(found[0].cpu(), expected[0]))
                        self.assertTrue(torch.equal(found[1].cpu(), expected[1]))
                        self.assertTrue(torch.equal(found[2][:, :5].cpu(), expected[2][:, :5]))
                        params = expected[2]

    def test_distributed_training_reduces_once_a_pass(self):
        """On one GPU there is one rank; that it is taken for two makes it reduce."""
        if not (dist.is_available() and dist.is_nccl_available()):
            self.skipTest("this PyTorch has no NCCL")
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, NCCL_SOCKET_IFNAME="lo"):
            dist.init_process_group("nccl", f"file://{folder}/meet", rank=0, world_size=1)
            self.addCleanup(dist.destroy_process_group)
            model, alone = network(), network()
            parallel = DistributedDataParallel(model)
            step, step_alone, data = trainer(model, parallel), trainer(alone), images()
            with mock.patch("gfpq.torch.distributed.world_size", return_value=2):
                for x in data:
                    with mock.patch.object(dist, "all_reduce", wraps=dist.all_reduce) as reduce:
                        step(x)
                    self.assertEqual(reduce.call_count, 1)
                torch.cuda.set_sync_debug_mode("error")
                try:
                    gq.passes.join(model)
                finally:
                    torch.cuda.set_sync_debug_mode("default")
            for x in data:
                step_alone(x)
            self.near(model, alone)


def quantizer_of(delta):
    quantizer = FakeQuantize()
    quantizer.set_params([gfpq.Param.from_delta(delta)])
    return quantizer.eval()


if __name__ == "__main__":
    unittest.main()
