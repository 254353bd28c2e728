"""gfpq.nnie's export of a PyTorch network, run by Caffe: in float, and quantized by Quant layers with its ranges."""

import importlib.util
import tempfile
import unittest
from pathlib import Path

from support import caffe, np

import prototxt
from gfpq.similarity import Similarity

if importlib.util.find_spec("torch"):
    import torch
    from torch import nn

    import gfpq.torch as gq
    from gfpq.nnie import Options
    from gfpq.nnie.run import params_of, run
    from gfpq.torch.values import values_of
else:
    torch = nn = None


class Network(nn.Module if nn is not None else object):
    """Each layer that is exported and that Caffe itself has."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.wide = nn.Conv2d(8, 8, (3, 5), padding=(2, 4), dilation=2)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.back = nn.ConvTranspose2d(8, 8, 4, 2, 1)
        self.norm = nn.BatchNorm2d(8)
        self.pool, self.average = nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(3, 2, 1, ceil_mode=True)
        self.leaky, self.prelu, self.elu = nn.LeakyReLU(0.1), nn.PReLU(8), nn.ELU(0.7)
        self.last = nn.Linear(32, 6)

    def forward(self, x):
        x = self.stem(x)
        y = self.leaky(self.wide(x)) - self.prelu(self.depthwise(x))
        x = torch.maximum(x, y) * y
        x = self.pool(self.elu(self.norm(x)))
        x = self.back(self.average(x))
        a, b = x.chunk(2, 1)
        x = torch.cat([b.sigmoid(), a.tanh(), x], 1).mean((2, 3))
        return self.last(torch.cat([x, x], 1)).softmax(1)


class Grouped(nn.Module if nn is not None else object):
    """Convolutions with groups, each of which has a range of its own: Caffe's Quant layer has one."""

    def __init__(self):
        super().__init__()
        self.grouped, self.back = nn.Conv2d(4, 8, 3, padding=1, groups=2), nn.ConvTranspose2d(8, 4, 2, 2, groups=2)

    def forward(self, x):
        return self.back(self.grouped(x))


@unittest.skipIf(torch is None, "PyTorch is not installed (Debian: python3-torch)")
class ExportTest(unittest.TestCase):
    def exported(self, model, x, **how):
        """The export of a calibrated model, and the net that Caffe reads from its files."""
        torch.manual_seed(0)
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.running_mean.normal_()
                    module.running_var.uniform_(0.5, 2)
        gq.prepare(model.eval(), example_inputs=x, **how)
        gq.calibrate(model, [x])
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        export = gq.export(model, self.folder, nnie=Options(order="RGB" if x.shape[1] == 3 else None))
        return export, self.net(self.folder / "model.prototxt")

    def net(self, model):
        return caffe.Net(str(model), caffe.TEST, weights=str(self.folder / "model.caffemodel"))

    def forward(self, net, x):
        (name,) = net.inputs
        net.blobs[name].data[...] = x[:1].numpy()
        net.forward()
        return name

    def test_caffe_computes_what_the_model_does(self):
        for model, channels, least in ((Network(), 3, 20), (Grouped(), 4, 2)):
            x = torch.randn(4, channels, 24, 24)
            export, net = self.exported(model, x)
            self.forward(net, x)
            made = export.deployed.made
            values = values_of(export.model, x[:1], {output.operation for output in made})
            self.assertGreaterEqual(len(made), least)
            for output in made:
                expected = values[output.operation][output.number].numpy()
                found = net.blobs[output.blob].data.reshape(expected.shape)
                self.assertLess(np.abs(found - expected).max(), 1e-5 * max(1, np.abs(expected).max()), output.blob)

    def test_quant_layers_with_the_ranges_compute_what_the_chip_is_to(self):
        for bits in (8, 16):
            x = torch.randn(4, 3, 24, 24)
            x[1:] *= 4  # so that the ranges are not those of the first sample
            export, _ = self.exported(Network(), x, bits=bits)
            blocks = {(row["layer"], row["input"]): bytes.fromhex(row["block"]) for row in export.deployed.rows
                      if row["tensor"] == "data"}
            layers = {layer.name: layer for layer in export.deployed.net.layer}
            without = layers.keys() - {name for name, _ in blocks}
            text = (self.folder / "model.prototxt").read_text()
            prepared = prototxt.prepare(text, bits, joining=True, skip=without)
            (self.folder / "quantized.prototxt").write_text(prepared.text)
            net, filled = self.net(self.folder / "quantized.prototxt"), set()
            for layer in prototxt.layers_of(prepared.text):
                for number, bottom in enumerate(layer.bottoms):
                    if (layer.name, number) in blocks and bottom.word.startswith("quant_"):
                        block = np.frombuffer(blocks[layer.name, number], "u1")
                        param = net.params[bottom.word][0].data
                        if bottom.word in filled:  # layers that read the same numbers have the same range
                            self.assertEqual(param[:16].tolist(), block.tolist())
                        param[:16], param[16] = block, bits
                        filled.add(bottom.word)
            self.assertEqual(filled, {name for name, _, _ in prepared.placed})
            name = self.forward(net, x)
            expected = run(export.deployed.net, {name: x[:1].numpy()}, params_of(export.deployed.rows)).blobs
            for blob, values in expected.items():
                similarity = Similarity()
                similarity.add(values, net.blobs[blob].data.reshape(values.shape))
                near = np.abs(net.blobs[blob].data.reshape(values.shape) - values) <= 1e-5 * np.abs(values).max()
                self.assertGreater(similarity.cosine, 0.9999, blob)
                self.assertGreater(near.mean(), 0.95, blob)  # rounding may move a number by a step


if __name__ == "__main__":
    unittest.main()
