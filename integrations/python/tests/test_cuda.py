"""CUDA arrays and tensors: the same results as on the CPU. Skipped where there is no GPU."""

import contextlib
import ctypes
import io
import sys
import unittest

import numpy as np
from support import PROJECT, gpu_library, needs_cuda_torch, torch

import gfpq

if torch is not None:
    import gfpq.torch as gq


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
            graph = torch.cuda.CUDAGraph()
            with self.assertRaisesRegex(gfpq.NotSupportedError, "in evaluation"), torch.cuda.graph(graph):
                model.train()(x)

    def test_gradient(self):
        x = torch.randn(7, device="cuda", requires_grad=True)
        gq.FakeQuantize(clip_gradient=True).cuda()(x).sum().backward()
        self.assertTrue(x.grad.is_cuda)


if __name__ == "__main__":
    unittest.main()
