"""gfpq.nnie.calibrate: a Caffe network's ranges from pictures, without Caffe."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from support import needs_protobuf, needs_torch, protobuf

import gfpq
from gfpq import __main__ as cli
from gfpq import parameters
from gfpq.comparison import Comparison, Layer

try:
    from PIL import Image
except ImportError:
    Image = None
if protobuf is not None:
    from gfpq.nnie import proto

NETWORK = """
input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }
layer { name: "q" type: "Quant" bottom: "data" top: "q" }
layer { name: "a" type: "Convolution" bottom: "q" top: "a" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "n" type: "BatchNorm" bottom: "a" top: "a" }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "Convolution" bottom: "a" top: "b"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 group: 2 bias_term: false } }
layer { name: "d" type: "Dropout" bottom: "b" top: "b" }
layer { name: "e" type: "Eltwise" bottom: "a" bottom: "b" top: "e" }
layer { name: "p" type: "Pooling" bottom: "e" top: "p" pooling_param { pool: AVE global_pooling: true } }
"""


@unittest.skipIf(Image is None, "PIL is not installed (Debian: python3-pil)")
@needs_protobuf
@needs_torch
class CalibrateTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        rng = np.random.default_rng(0)
        (self.folder / "net.prototxt").write_text(NETWORK)
        net = proto.read_prototxt(self.folder / "net.prototxt")
        blobs = {"a": [(4, 3, 3, 3), (4,)], "n": [(4,), (4,), (1,)], "b": [(4, 2, 3, 3)]}
        for layer in net.layer:
            for shape in blobs.get(layer.name, ()):
                proto.add_blob(layer, rng.uniform(0.5, 1.5, shape) if layer.name == "n" else rng.normal(size=shape))
        (self.folder / "net.caffemodel").write_bytes(proto.bytes_of(net))
        self.pixels = [rng.integers(0, high, (8, 8, 3), "u1") for high in (100, 256, 30)]
        (self.folder / "photos").mkdir()
        for number, picture in enumerate(self.pixels):
            Image.fromarray(picture).save(self.folder / "photos" / f"{number}.png")

    def run_command(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        files = [self.folder / name for name in ("net.prototxt", "net.caffemodel", "out")]
        how = ["--order", "BGR", "--mean", 104, 117, 123, "--scale", 0.02]
        command = ["nnie", "calibrate", *files, *how, *arguments]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            return cli.main(list(map(str, command))), out.getvalue() + err.getvalue()

    def test_ranges_weights_and_files(self):
        from gfpq.nnie.run import params_of, run

        status, out = self.run_command("--pictures", self.folder / "photos", "--layer-bits", "b=16")
        self.assertEqual(status, 0, out)
        self.assertIn("folded: n", out)
        self.assertIn("3 pictures are few", out)
        rows = json.loads((self.folder / "out/parameters.json").read_text())
        self.assertEqual([(row["layer"], row["tensor"], row["input"], row["group"], row["bits"]) for row in rows], [
            ("a", "data", 0, 0, 8), ("a", "weight", 0, 0, 8), ("b_hp", "data", 0, 0, 16), ("b_hp", "data", 0, 1, 16),
            ("b_hp", "weight", 0, 0, 16), ("b_hp", "weight", 0, 1, 16), ("e", "data", 0, 0, 8), ("e", "data", 1, 0, 8),
            ("p", "data", 0, 0, 8)])  # fmt: skip
        inputs = [(picture[..., ::-1].transpose(2, 0, 1)[None].astype("f4") - np.array([104, 117, 123], "f4")
                   .reshape(1, 3, 1, 1)) * np.float32(0.02) for picture in self.pixels]  # fmt: skip
        param = gfpq.Param(8)
        gfpq.quantize(np.concatenate(inputs), param=param)
        self.assertEqual(rows[0]["block"], bytes(param).hex())
        float_net = proto.read_network(self.folder / "net.prototxt", self.folder / "net.caffemodel")
        net = proto.read_network(self.folder / "out/model.prototxt", self.folder / "out/model.caffemodel")
        self.assertEqual([layer.name for layer in net.layer], ["a", "r", "b_hp", "e", "p"])
        weights = proto.array_of(net.layer[0].blobs[0])
        again = gfpq.quantize(weights, param=parameters.param_of(rows[1]), mode=gfpq.Mode.APPLY)
        np.testing.assert_array_equal(again, weights)
        for x in inputs:
            expected = run(float_net, {"data": x}).blobs["p"]
            found = run(net, {"data": x}, params_of(rows)).blobs["p"]
            self.assertLess(np.abs(expected - found).max(), 0.05 * np.abs(expected).max())
        self.assertIn("[compile_mode] 2\n", (self.folder / "out/mapper.cfg").read_text())
        self.assertEqual(len((self.folder / "out/image_list.txt").read_text().splitlines()), 3)

    def test_a_name_that_the_mapper_takes_for_one_of_16_bit_is_refused(self):
        text = (self.folder / "net.prototxt").read_text().replace('name: "b"', 'name: "b_hp"')
        (self.folder / "net.prototxt").write_text(text)
        net = proto.read_caffemodel(self.folder / "net.caffemodel")
        for layer in net.layer:
            layer.name = layer.name.replace("b", "b_hp")
        (self.folder / "net.caffemodel").write_bytes(proto.bytes_of(net))
        status, out = self.run_command("--pictures", self.folder / "photos", "--layer-bits", "a=16")
        self.assertEqual((status, "rename b_hp" in out), (3, True), out)
        self.assertFalse((self.folder / "out").exists())

    def test_the_advice_on_a_low_layer_names_the_option(self):
        from gfpq.nnie.calibrate import Calibrated
        from gfpq.nnie.check import Findings

        low = Comparison([Layer("a", "Convolution", 0.99, 20), Layer("b", "Convolution", 0.9, 5)])
        text = str(Calibrated(low, [], [], Findings()))
        self.assertIn("\nNext, with b, the first below 0.98 ", text)
        self.assertIn("--layer-bits b=16", text)
        self.assertNotIn("data_only", text)

    def test_what_does_not_fit_is_told_and_nothing_written(self):
        Image.fromarray(self.pixels[0][:4]).save(self.folder / "small.png")
        photos = "--pictures", self.folder / "photos"
        for arguments, words in (((), "give a folder"), ((*photos, "--layer-bits", "x=8"), "name x"),
                                 ((*photos, "--layer-bits", "a=9"), "--layer-bits a=9: want LAYER=8 or LAYER=16"),
                                 ((*photos, "--layer-bits", "a"), "--layer-bits a: want LAYER=8 or LAYER=16"),
                                 (("--pictures", self.folder), "resize it first")):  # fmt: skip
            status, out = self.run_command(*arguments)
            self.assertEqual((status, words in out), (3, True), out)
        text = (self.folder / "net.prototxt").read_text()
        (self.folder / "net.prototxt").write_text(text + 'layer { name: "x" type: "PriorBox" bottom: "p" top: "x" }')
        status, out = self.run_command(*photos)
        self.assertEqual((status, "x: a layer of the type PriorBox can't be run" in out), (2, True), out)
        self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    unittest.main()
