"""Exported networks as ONNX files, and in ONNX Runtime the same numbers."""

import importlib.util
import tempfile
import unittest
import warnings
from pathlib import Path

import numpy as np
from support import needs_torch, torch
from test_network import images, network

import gfpq
from gfpq import onnx_runtime

if torch is not None:
    from torch import nn

    import gfpq.torch as gq

PYTORCH_2 = torch is not None and int(torch.__version__.split(".")[0]) > 1
needs_onnx = unittest.skipIf(
    PYTORCH_2 and importlib.util.find_spec("onnx") is None, "PyTorch 2 writes ONNX with the package onnx"
)
needs_runtime = unittest.skipUnless(
    importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnxruntime_extensions"),
    "onnxruntime or onnxruntime-extensions is not installed (PyPI)",
)


class Joined(nn.Module if torch is not None else object):
    """The sequence of all kinds of layers, with calls of functions behind it."""

    def __init__(self):
        super().__init__()
        self.body, self.head = network()[:6], nn.Conv2d(12, 3, 1)

    def forward(self, x):
        y = self.body(x)
        return self.head(torch.cat([y, y * 0.1], 1)).mean((2, 3))


def written(exported, **arguments):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(folder) / "network.onnx"
        gq.export_onnx(exported, file, images(), **arguments)
        return file.read_bytes()


class OperatorTest(unittest.TestCase):
    def test_computes_what_quantize_does_with_each_groups_delta(self):
        x = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("f4")
        for axis in (1, -2):
            found = onnx_runtime.fake_quantize(x, np.array([-77, -127, 3]), bits=8, axis=axis)
            for group, delta in enumerate((-77, -127, 3)):
                part = slice(2 * group, 2 * group + 2)
                expected = gfpq.quantize(x[:, part], param=gfpq.Param.from_delta(delta))
                np.testing.assert_array_equal(found[:, part], expected)
        found = onnx_runtime.fake_quantize(x, np.array([-1407]), bits=16, axis=1)
        np.testing.assert_array_equal(found, gfpq.quantize(x, param=gfpq.Param.from_delta(-1407, 16)))


@needs_torch
@needs_onnx
class FileTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        model = Joined().eval()
        gq.prepare(model, example_inputs=images())
        gq.calibrate(model, [images()])
        self.exported = gq.export(model)

    def test_a_plain_network_without_casts(self):
        content = written(self.exported)
        for absent in (b"Cast", b"BatchNormalization", b"Gfpq"):
            self.assertNotIn(absent, content)

    def test_with_quantizers_there_is_an_operator_for_each(self):
        content = written(self.exported, quantizers=True)
        data = {(row["layer"], row["input"]) for row in self.exported.parameters if row["tensor"] == "data"}
        operator = onnx_runtime.OPERATOR.encode()  # in a node, behind the field's number and its length
        self.assertEqual(content.count(bytes([0x22, len(operator)]) + operator), len(data))
        self.assertNotIn(b"Cast", content)

    def test_sizes_that_tracing_makes_tensors_are_no_data(self):
        class Pyramid(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Conv2d(4, 3, 1), nn.Conv2d(3, 3, 1)

            def forward(self, x):
                y = self.a(x)
                z = nn.functional.max_pool2d(self.b(y), 2)
                return y + nn.functional.interpolate(z, size=y.shape[-2:]) * (y.shape[0] + 1)

        model = Pyramid().eval()
        placed = gq.prepare(model, example_inputs=images())
        gq.calibrate(model, [images()])
        content = written(gq.export(model), quantizers=True)
        operator = onnx_runtime.OPERATOR.encode()
        data = [row for row in placed if row.tensor == "data"]
        self.assertEqual(content.count(bytes([0x22, len(operator)]) + operator), len(data))

    def test_rounds_of_a_loop(self):
        class Loop(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(3))

            def forward(self, x):
                for layer in self.layers:
                    x = x + layer(x)
                return x

        model = Loop().eval()
        placed = gq.prepare(model, example_inputs=images())
        gq.calibrate(model, [images()])
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="gfpq")
            content = written(gq.export(model), quantizers=True)
        operator = onnx_runtime.OPERATOR.encode()
        self.assertEqual(content.count(bytes([0x22, len(operator)]) + operator), len(placed) - 3)

    def test_a_prepared_model_is_exported_first(self):
        model = Joined().eval()
        gq.prepare(model, example_inputs=images())
        gq.calibrate(model, [images()])
        for wrong in (model, Joined()):
            with self.assertRaisesRegex(TypeError, "takes what gfpq.torch.export returns"):
                gq.export_onnx(wrong, "x.onnx", images())

    @needs_runtime
    def test_onnx_runtime_computes_what_the_twin_does(self):
        import onnxruntime

        x = images()
        for quantizers, model in ((True, self.exported.twin), (False, self.exported.model)):
            content = written(self.exported, quantizers=quantizers)
            session = onnxruntime.InferenceSession(content, onnx_runtime.session_options(), ["CPUExecutionProvider"])
            (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
            with torch.no_grad():
                expected = model(x).numpy()
            # Sums are rounded in another order, and a rare number then falls on the other side of a step.
            self.assertLess(np.abs(found - expected).max() / np.abs(expected).max(), 1e-2 if quantizers else 1e-5)
            self.assertLess(np.median(np.abs(found - expected)) / np.abs(expected).max(), 1e-4)


if __name__ == "__main__":
    unittest.main()
