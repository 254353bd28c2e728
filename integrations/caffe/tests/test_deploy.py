"""finetune.py on deploy files: comparison on pictures, mapper.cfg, the mapper's rules; and what it says of weights."""

import os
import re
import subprocess
import sys
import unittest

from support import FOLDER, Folder, caffe, gfpq, net, np, solver

import finetune
from gfpq.nnie.mapper import read_normalization
from gfpq.similarity import Similarity

try:
    from PIL import Image
except ImportError:
    Image = None

DEPLOY = """
name: "small" input: "data" input_shape { dim: 2 dim: 3 dim: 8 dim: 8 }
layer { name: "q1" type: "Quant" bottom: "data" top: "q1" }
layer { name: "conv" type: "Convolution" bottom: "q1" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "q2" type: "Quant" bottom: "conv" top: "q2" }
layer { name: "pool" type: "Pooling" bottom: "q2" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }
"""
ONE = DEPLOY.replace("dim: 2 dim: 3", "dim: 1 dim: 3")
DATA = """
layer { name: "data" type: "DummyData" top: "data"
  dummy_data_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } data_filler { type: "gaussian" std: 1 } } }
""" + DEPLOY[DEPLOY.index("layer"):]
MEAN, SCALE = (104, 117, 123), 0.017
HOW = ("--mean", *MEAN, "--scale", SCALE, "--bgr")


@unittest.skipIf(Image is None, "PIL is not installed (Debian: python3-pil)")
class Pictures(Folder):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.pixels = [rng.integers(0, high, (8, 8, 3), "u1") for high in (100, 256, 200)]
        for number, pixels in enumerate(self.pixels):
            pixels[..., 0] //= 2  # so that RGB is not BGR
            self.photos = self.folder / "photos"
            self.photos.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(self.photos / f"{number}.png")

    def inputs(self):
        return [(pixels[..., ::-1].transpose(2, 0, 1) - np.array(MEAN, "f4").reshape(3, 1, 1)) * np.float32(SCALE)
                for pixels in self.pixels]

    def ranged(self, text):
        """A net saved with ranges that suit the pictures."""
        a_net = net(text, caffe.TRAIN)
        for values in self.inputs() if "input" in text else [None]:
            if values is not None:
                a_net.blobs["data"].data[...] = values
            a_net.forward()
        self.save(a_net, text)


class CompareTest(Pictures):
    def test_on_pictures(self):
        self.ranged(DEPLOY)
        status, out, err = self.run_command("compare", self.model, self.weights, "--images", self.photos, *HOW)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("on 3 pictures", out)
        plain, quantized = (finetune.load(self.model, self.weights, quantize_data=on, quantize_weights=on)
                            for on in (False, True))
        for name in ("conv", "pool"):
            expected = Similarity()
            for values in self.inputs():
                for each in (plain, quantized):
                    each.blobs["data"].data[...] = values  # a batch of two, both of them this picture
                    each.forward(end=name)  # ReLU overwrites what conv makes
                expected.add(plain.blobs[name].data[0], quantized.blobs[name].data[0])
            self.assertRegex(out, rf"\n{name} .* {expected.cosine:.6f} +{expected.sqnr:.2f}(\n|$)")
        rgb = self.run_command("compare", self.model, self.weights, "--images", self.photos, *HOW[:-1], "--order=RGB")
        self.assertEqual(rgb[0], 0)
        self.assertNotEqual(rgb[1], out)

    def test_an_input_that_nothing_fills_is_refused(self):
        self.ranged(ONE)
        solved = solver(self.folder, 'type: "SGD" base_lr: 0.1 max_iter: 1', ONE)
        self.assertEqual(solved.net.inputs, ["data"])
        for command in (("compare", self.model, self.weights), ("test", self.model, self.weights),
                        ("train", self.folder / "solver.prototxt")):
            status, out, err = self.run_command(*command)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("nothing fills the network's input data: ", err)
            self.assertIn("--images FOLDER", err)

    def test_options_that_do_not_fit(self):
        Image.fromarray(self.pixels[0][:4]).save(self.folder / "small.png")
        images = "--images", self.photos
        for text, arguments, words in (
            (ONE, images, 'order="BGR"'),
            (ONE, ("--images", self.folder, *HOW), "small.png: is 4x8x3, and the network takes 8x8x3: resize it"),
            (ONE, (*images, *HOW, "--batches", 2), "--batches is for"),
            (ONE.replace("layer", 'input: "info" input_shape { dim: 1 dim: 3 } layer', 1), (*images, *HOW),
             "has 2"),
            (DATA, (*images, *HOW), "has 0"),
            (DATA, HOW, "are for --images"),
        ):
            self.ranged(text)
            status, _, err = self.run_command("compare", self.model, self.weights, *arguments)
            self.assertEqual((status, words in err), (2, True), err)

    def test_ranges_that_are_missing_are_told(self):
        self.save(net(DATA), DATA)
        status, out, err = self.run_command("compare", self.model, self.weights)
        self.assertEqual((status, err), (0, "note: no range yet in q1, q2: each batch's own is used there\n"), out)
        self.assertEqual(self.run_command("test", self.model, self.weights, "--float")[2], "")

    def test_weights_of_another_network_are_refused(self):
        self.ranged(DATA)
        self.model.write_text(DATA.replace('name: "conv"', 'name: "other"'))
        for command in (("compare",), ("test",), ("export", self.folder / "deployed")):
            status, _, err = self.run_command(command[0], self.model, self.weights, *command[1:])
            self.assertEqual((status, "holds no numbers for other" in err), (2, True), err)

    def test_the_log_of_caffe_is_shown_on_request(self):
        environment = {key: value for key, value in os.environ.items() if key != "GLOG_minloglevel"}
        for text, images in ((DATA, ()), (ONE, ("--images", self.photos, *HOW))):  # the latter's input is upgraded
            self.ranged(text)
            for more, shown in (((), False), (("--verbose",), True)):
                command = [sys.executable, FOLDER / "finetune.py", *more, "compare", self.model, self.weights, *images]
                done = subprocess.run(
                    list(map(str, command)), capture_output=True, text=True, env=environment, check=False
                )
                self.assertEqual((done.returncode, "Creating Layer conv" in done.stderr), (0, shown), done.stderr)
                if not shown:
                    self.assertEqual(done.stderr, "")


class CalibrateTest(Pictures):
    def test_ranges_on_float_data(self):
        ranged = self.folder / "ranged.caffemodel"
        deployed = self.folder / "deployed"
        for text in (DEPLOY, ONE, ONE.replace("quant_param", "").replace("top: \"q1\" }", 'top: "q1" '
                                              'quant_param { quant_bits: 16 } }')):
            self.save(net(text), text)
            images = ("--images", self.photos, *HOW)
            status, out, err = self.run_command("calibrate", self.model, self.weights, ranged, *images)
            self.assertEqual((status, err), (0, ""))
            self.assertIn("ranges of 2 Quant layers", out)
            plain = finetune.load(self.model, self.weights, quantize_data=False, quantize_weights=False)
            data = {"q1": [], "q2": []}
            for values in self.inputs():
                plain.blobs["data"].data[...] = values
                plain.forward()
                data["q1"].append(values)
                data["q2"].append(plain.blobs["conv"].data[:1].copy())
            found = net(text, weights=ranged)
            for name, arrays in data.items():
                param = gfpq.Param(16 if name == "q1" and "16" in text else 8)
                gfpq.quantize(np.stack(arrays), param=param)
                self.assertEqual(found.params[name][0].data.tolist(), [*bytes(param), param.bits])
            weights = net(text, weights=self.weights).params["conv"]
            for a, b in zip(weights, found.params["conv"]):
                np.testing.assert_array_equal(a.data, b.data)
            status, _, err = self.run_command("compare", self.model, ranged, *images)
            self.assertEqual((status, err), (0, ""))
            status, _, err = self.run_command("export", self.model, ranged, deployed, *HOW)
            self.assertEqual((status, err), (0, ""))

    def test_on_data_layers(self):
        self.save(net(DATA), DATA)
        ranged = self.folder / "ranged.caffemodel"
        self.assertEqual(self.run_command("calibrate", self.model, self.weights, ranged, "--batches", 2)[0], 0)
        self.assertEqual(self.run_command("compare", self.model, ranged)[2], "")

    def test_what_is_refused(self):
        self.save(net(ONE), ONE)
        before = self.weights.read_bytes()
        images = ("--images", self.photos, *HOW)
        plain = self.folder / "plain.prototxt"
        plain.write_text(re.sub(r"layer { name: .q.*\n", "", ONE).replace("q1", "data").replace("q2", "conv"))
        for arguments, words in (((self.model, self.weights, self.weights, *images), "the same file"),
                                 ((self.model, self.weights, self.folder / "out"), "nothing fills"),
                                 ((plain, self.weights, self.folder / "out", *images), "no Quant layer")):
            status, _, err = self.run_command("calibrate", *arguments)
            self.assertEqual((status, words in err), (2, True), err)
        self.assertEqual(self.weights.read_bytes(), before)
        self.assertFalse((self.folder / "out").exists())


class FilesTest(Pictures):
    def test_files_that_are_not_there_are_named(self):
        self.save(net(ONE), ONE)
        gone, images = self.folder / "gone", ("--images", self.photos, *HOW)
        for command in (("train", gone), ("test", gone, self.weights), ("compare", self.model, gone, *images),
                        ("export", self.model, gone, self.folder / "out"),
                        ("calibrate", self.model, self.weights, gone / "ranged.caffemodel", *images)):
            status, _, err = self.run_command(*command)
            self.assertEqual((status, str(gone) in err), (2, True), err)


class ExportTest(Pictures):
    def test_the_files_for_the_mapper_and_its_rules(self):
        self.ranged(ONE)
        deployed = self.folder / "deployed"
        command = ("export", self.model, self.weights, deployed, *HOW)
        status, out, err = self.run_command(*command, "--pictures", self.photos)
        self.assertEqual((status, err), (0, ""), out)
        self.assertEqual({file.name for file in deployed.iterdir()}, {
            "model.prototxt", "model.caffemodel", "parameters.json", "nnie.json", "mapper.cfg", "mean.txt",
            "image_list.txt"})
        norm = read_normalization(deployed, (1, 3, 8, 8))
        self.assertEqual((norm.mean, norm.scale, norm.order), (MEAN, SCALE, "BGR"))
        self.assertIn("[compile_mode] 0\n", (deployed / "mapper.cfg").read_text())
        self.assertEqual(len((deployed / "image_list.txt").read_text().splitlines()), 3)
        self.assertIn("note: 3 pictures are few", out)
        self.assertTrue(out.endswith("\nnothing against the rules that are publicly known\n"), out)

        mean = np.tile(np.reshape(MEAN, (1, 3, 1, 1)), (1, 1, 8, 8))
        file = self.folder / "mean.binaryproto"
        file.write_bytes(caffe.io.array_to_blobproto(mean).SerializeToString())
        command = "export", self.model, self.weights, self.folder / "other", "--mean", file, *HOW[4:]
        self.assertEqual(self.run_command(*command)[0], 0)
        norm = read_normalization(self.folder / "other", (1, 3, 8, 8))
        np.testing.assert_array_equal(norm.mean_picture, mean[0])
        self.assertEqual(norm.norm_type, 4)
        rows = ["".join(self.run_command("compare", self.model, self.weights, "--images", self.photos, *how)[:2][1:])
                for how in (HOW, ("--mean", file, *HOW[4:]))]
        self.assertEqual(*rows)

        self.ranged(DEPLOY)  # two pictures at once
        command = ("export", self.model, self.weights, deployed, *HOW)
        status, out, _ = self.run_command(*command)
        self.assertEqual(status, 0)
        self.assertRegex(out, r"\nrule  +layer  +value .*\n.*\(input\) +data 2x3x8x8")

    def test_nothing_is_written_where_the_normalization_does_not_fit(self):
        for text, arguments, words in ((ONE, (), 'order="BGR"'), (DATA, HOW, "has 0 inputs"),
                                       (ONE, ("--mean", 1, 2, "--bgr"), "2 means for 3 channels"),
                                       (ONE, ("--mean", 1, "x", "--bgr"), "--mean 1.0 x: give numbers, or one file"),
                                       (ONE, ("--mean", "x.binaryproto", "--bgr"), "x.binaryproto: No such file")):
            self.ranged(text)
            status, _, err = self.run_command("export", self.model, self.weights, self.folder / "out", *arguments)
            self.assertEqual((status, words in err), (2, True), err)
            self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    unittest.main()
