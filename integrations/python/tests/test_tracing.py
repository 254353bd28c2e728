"""What makes a program of a prepared model would make a float network of it, and is refused; exports go through."""

import importlib.util
import io
import unittest
import unittest.mock

from support import needs_torch, torch
from test_network import images, network

import gfpq

if torch is not None:
    from torch import nn

    import gfpq.torch as gq
    from gfpq.torch import context

    ONNX = {"dynamo": False} if int(torch.__version__.split(".")[0]) > 1 else {}


def calibrated():
    model = network()
    gq.prepare(model)
    gq.calibrate(model, [images()])
    return model.eval()


def onnx_of(model, x):
    file = io.BytesIO()
    torch.onnx.export(model, (x,), file, **ONNX)
    return file.getvalue()


@needs_torch
class TracingTest(unittest.TestCase):
    def test_a_prepared_model_is_refused(self):
        quantizer, x = gq.FakeQuantize(), images()
        quantizer(x)
        by_hand = nn.Sequential(quantizer.eval())
        weights = network()
        gq.prepare(weights, data=False)
        for model in (calibrated(), by_hand, weights.eval()):
            traces = [
                lambda model=model: torch.jit.trace(model, x),
                lambda model=model: torch.jit.script(model),
                lambda model=model: torch.fx.symbolic_trace(model),
                lambda model=model: onnx_of(model, x),
            ]
            if hasattr(torch, "export"):
                traces.append(lambda model=model: torch.export.export(model, (x,)))
                traces.append(lambda model=model: torch.export.export(model, (x,), strict=False))
            for trace in traces:
                with self.assertRaisesRegex(Exception, r"gfpq\.torch\.export"):
                    trace()

    def test_the_export_goes_through(self):
        model, x = calibrated(), images()
        exported = gq.export(model).model
        expected = exported(x)
        self.assertTrue(torch.equal(torch.jit.trace(exported, x)(x), expected))
        self.assertTrue(torch.equal(torch.jit.script(exported)(x), expected))
        self.assertTrue(torch.equal(torch.fx.symbolic_trace(exported)(x), expected))
        if ONNX and importlib.util.find_spec("onnx") is None:
            self.skipTest("this PyTorch writes ONNX with the package onnx, which is not installed")
        written = onnx_of(exported, x)
        self.assertIn(b"Conv", written)
        self.assertNotIn(b"Cast", written)
        self.assertNotIn(b"BatchNormalization", written)

    @unittest.skipUnless(hasattr(torch, "compile"), "PyTorch 1 has no torch.compile")
    def test_torch_compile(self):
        model, x = calibrated(), images()
        if not context.COMPILES:  # else see test_compile.py
            for full in (False, True):
                with self.assertRaisesRegex(Exception, r"gfpq\.torch\.export"):
                    torch.compile(model, backend="eager", fullgraph=full)(x)
        exported = gq.export(model).model
        self.assertTrue(torch.equal(torch.compile(exported, backend="eager")(x), exported(x)))


@needs_torch
class CaptureTest(unittest.TestCase):
    """In the capture of a CUDA graph nothing may be read from the device. Without a GPU: nothing is read at all."""

    def setUp(self):
        def read(*_):
            raise AssertionError("read from the device")

        self.model, self.x = calibrated(), images()
        self.expected = self.model(self.x)
        for quantizer in self.model.modules():
            if isinstance(quantizer, gq.FakeQuantize):  # as on a GPU: what was read stays valid for its version
                quantizer._read = quantizer._seen_now()
        self.patches = [unittest.mock.patch.object(context, "capturing", lambda x: True)]
        self.patches += [unittest.mock.patch.object(torch.Tensor, name, read) for name in ("tolist", "item", "cpu")]

    def test_evaluation_reads_nothing(self):
        with torch.no_grad():
            for patch in self.patches:
                patch.start()
            try:
                found = self.model(self.x)
            finally:
                unittest.mock.patch.stopall()
        self.assertTrue(torch.equal(found, self.expected))

    def test_training_and_a_range_that_was_not_read_are_refused(self):
        with self.patches[0]:
            with self.assertRaisesRegex(gfpq.NotSupportedError, "in evaluation"):
                self.model.train()(self.x)
            with self.assertRaisesRegex(gfpq.NotSupportedError, "once in evaluation before the capture"):
                self.model.eval()(self.x)
        with self.patches[0]:
            quantizer = gq.FakeQuantize(policy=gq.Policy.ALWAYS_INIT)
            with self.assertRaises(gfpq.NotInitializedError):
                quantizer(self.x)


if __name__ == "__main__":
    unittest.main()
