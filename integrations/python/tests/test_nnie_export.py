"""gfpq.nnie: from PyTorch to the files of nnie_mapper, read by an independent reader of Caffe's files too."""

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from support import needs_protobuf, needs_torch, protobuf, torch

import gfpq

try:
    import cv2
except ImportError:
    cv2 = None

if torch is not None:
    import torch.nn.functional as F
    from torch import nn

    import gfpq.torch as gq
    from gfpq.torch.values import values_of
if protobuf is not None and torch is not None:
    from gfpq.nnie import Options, facts, proto
    from gfpq.nnie.build import build
    from gfpq.nnie.mapper import read_normalization
    from gfpq.nnie.run import params_of, run

needs_opencv = unittest.skipUnless(hasattr(getattr(cv2, "dnn", None), "readNetFromCaffe"),
                                  "there is no OpenCV that reads Caffe's files (Debian: python3-opencv)")
MEAN, SCALE = (104.0, 117.0, 123.0), 1 / 128


def scattered(model, seed=0):
    """With statistics of BatchNorm, slopes and biases that are not those of a fresh model."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.weight.uniform_(0.5, 2, generator=generator)
                module.bias.normal_(generator=generator)
            elif isinstance(module, nn.PReLU):
                module.weight.uniform_(0.1, 0.5, generator=generator)
    return model.eval()


def exported(model, x, nnie=True, folder=None, **prepare):
    gq.prepare(model, example_inputs=x, **prepare)
    gq.calibrate(model, [x])
    return gq.export(model, folder, nnie=nnie)


class Pieces(nn.Module if torch is not None else object):
    """A piece of code as a model."""

    def __init__(self, function, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


class Everything(nn.Module if torch is not None else object):
    """Each layer that is exported."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.wide = nn.Conv2d(8, 8, (3, 5), padding=(2, 4), dilation=2)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.up, self.back = nn.Upsample(scale_factor=2), nn.ConvTranspose2d(8, 8, 4, 2, 1, groups=2)
        self.norm = nn.BatchNorm2d(8)
        self.pool, self.average = nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(3, 2, 1)
        self.leaky, self.prelu, self.elu = nn.LeakyReLU(0.1), nn.PReLU(8), nn.ELU(0.7)
        self.drop = nn.Dropout(0.5)
        self.gain = nn.Parameter(torch.rand(8, 1, 1) + 0.5)
        self.register_buffer("offset", torch.randn(1, 8, 1, 1))
        self.last = nn.Linear(16, 6)

    def forward(self, x):
        x = self.stem(x)
        y = self.leaky(self.wide(x)) - self.prelu(self.grouped(x))
        x = torch.maximum(x, self.drop(y)) * y
        x = self.elu(self.norm(x)) * self.gain + self.offset
        x = self.depthwise(x) / 2 - 1
        x = self.pool(x)
        x = self.back(self.up(self.average(x)))
        a, b = x.chunk(2, 1)
        x = torch.cat([b.sigmoid(), a.tanh(), x[:, 2:6] + b], 1)
        boxes = x[:, :4].permute(0, 2, 3, 1).reshape(x.shape[0], -1, 4)
        x = torch.cat([x, x], 1)[:, :16]
        x = F.adaptive_avg_pool2d(x, 2).amax((2, 3))
        return boxes, self.last(self.drop(x)).view(-1, 2, 3).softmax(2), x.square()


class Nearest:
    """Upsample, which OpenCV does not know."""

    def __init__(self, _params, _blobs):
        pass

    def getMemoryShapes(self, inputs):  # noqa: N802
        (n, c, rows, columns) = inputs[0]
        return [[n, c, 2 * rows, 2 * columns]]

    def forward(self, inputs):
        return [inputs[0].repeat(2, axis=2).repeat(2, axis=3)]


def run_opencv(net, **inputs):
    """Each layer's first blob, by OpenCV's reader of Caffe's files. (The others it lets later layers write over.)"""
    bare = proto.NetParameter()
    bare.CopyFrom(net)
    for layer in bare.layer:
        layer.ClearField("upsample_param")  # which OpenCV's caffe.proto lacks
    files = [np.frombuffer(content, "u1") for content in (proto.text_of(bare).encode(), proto.bytes_of(bare))]
    cv2.dnn_registerLayer("Upsample", Nearest)
    try:
        reader = cv2.dnn.readNetFromCaffe(*files)
        reader.enableFusion(False)
        for name, value in inputs.items():
            reader.setInput(value, name)
        layers = [layer for layer in bare.layer if layer.type != "Input"]
        return dict(zip([layer.top[0] for layer in layers], reader.forward([layer.name for layer in layers])))
    finally:
        cv2.dnn_unregisterLayer("Upsample")


@needs_protobuf
@needs_torch
class ExportTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)

    def assert_close(self, found, expected, what):
        self.assertEqual(found.shape, expected.shape, what)
        limit = 1e-5 * max(1e-3, np.abs(expected).max())
        self.assertLessEqual(np.abs(found.astype("f8") - expected).max(initial=0), limit, what)

    @needs_opencv
    def test_opencv_computes_what_the_model_does_layer_by_layer(self):
        x = torch.randn(2, 3, 32, 32)
        export = exported(scattered(Everything()), x, Options(order="RGB"))
        found = run_opencv(export.deployed.net, data=x[:1].numpy())
        made = export.deployed.made
        values = values_of(export.model, x[:1], {output.operation for output in made})
        compared = [output for output in made if output.blob in found]
        for output in compared:
            expected = values[output.operation][output.number].numpy()
            self.assert_close(found[output.blob], expected, output.blob)
        self.assertGreater(len(compared), 30)
        self.assertEqual({layer.type for layer in export.deployed.net.layer}, {  # all that an export can write
            "BatchNorm", "Concat", "Convolution", "Deconvolution", "ELU", "Eltwise", "Flatten", "InnerProduct", "Input",
            "PReLU", "Permute", "Pooling", "Power", "ReLU", "Reshape", "Scale", "Sigmoid", "Slice", "Softmax", "TanH",
            "Upsample"})  # fmt: skip


    @needs_opencv
    def test_pooling_rounds_up_as_caffe_does(self):
        for make in (nn.MaxPool2d, nn.AvgPool2d):
            sizes = ((12, 3, 2, 0), (12, 3, 2, 1), (13, 2, 2, 1), (9, 5, 4, 2), (7, 2, 3, 0))
            for size, kernel, stride, padding in sizes:
                x = torch.randn(1, 2, size, size + 1)
                model = nn.Sequential(make(kernel, stride, padding, ceil_mode=True))
                try:
                    deployed = exported(model, x, Options(), data=True).deployed
                except gfpq.NotSupportedError as error:  # PyTorch and Caffe differ where the stride is the larger
                    self.assertEqual((size, kernel), (7, 2), error)
                    continue
                found = run_opencv(deployed.net, data=x.numpy())
                self.assert_close(found["0"], make(kernel, stride, padding, ceil_mode=True)(x).numpy(), model)

    def test_a_pool_that_rounds_down_is_refused_with_sizes_that_fit(self):
        words = (r"pool \(.*test_nnie_export.py:\d+\): Caffe rounds.* 12x12 it makes 7x7, the model 6x6. Instead: "
                 "ceil_mode=True.*13x13")  # fmt: skip
        with self.assertRaisesRegex(gfpq.NotSupportedError, words):
            exported(Pieces(lambda self, x: self.pool(x), pool=nn.MaxPool2d(3, 2, 1)), torch.randn(1, 2, 12, 12))
        exported(Pieces(lambda self, x: self.pool(x), pool=nn.MaxPool2d(3, 2, 1)), torch.randn(1, 2, 13, 13))

    @needs_opencv
    def test_normalization_and_order_are_those_of_opencv(self):
        picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), "u1")  # as OpenCV reads them: BGR
        x = torch.randn(1, 3, 8, 8)
        for order, swap in (("RGB", True), ("BGR", False)):
            for mean, scale in ((MEAN, SCALE), (MEAN, None), (None, SCALE), (None, None)):
                with tempfile.TemporaryDirectory() as folder:
                    exported(nn.Sequential(nn.Conv2d(3, 2, 3)), x, Options(mean, scale, order), folder)
                    norm = read_normalization(Path(folder), x.shape)
                    self.assertEqual((Path(folder) / "mean.txt").exists(), mean is not None)
                given = picture[..., ::-1] if swap else picture
                expected = cv2.dnn.blobFromImage(picture, scale or 1.0, mean=mean or (0, 0, 0), swapRB=swap)
                self.assertEqual(norm.order, order)
                np.testing.assert_allclose(norm.apply(given.transpose(2, 0, 1)), expected, rtol=1e-6, atol=1e-6)

    def test_normalizations_that_the_mapper_can_not_do(self):
        x = torch.randn(1, 3, 8, 8)
        for options, words in (
            (Options(mean=MEAN), "order="),
            (Options(scale=(1.0, 2.0, 1.0), order="RGB"), "weight \\*= "),
            (Options(mean=(1.0, 2.0), order="RGB"), "2 means for 3 channels"),
            (Options(order="GBR"), "GBR"),
            (Options(order="RGB", pictures="/nowhere"), "nowhere"),
        ):
            with self.assertRaisesRegex((ValueError, OSError), words), tempfile.TemporaryDirectory() as folder:
                exported(nn.Sequential(nn.Conv2d(3, 2, 3)), x, options, folder)
        with self.assertRaisesRegex(ValueError, "no picture"):
            exported(nn.Sequential(nn.Linear(4, 2)), torch.randn(1, 4), Options(mean=1.0))

    def test_a_size_that_depends_on_the_data_is_told_of(self):
        size_of = {
            "nonzero": lambda x: (x > 0).nonzero().shape[0],
            "mask": lambda x: x[x > 0].numel(),
            "mask of rows": lambda x: len(x[0][x[0].sum((1, 2)) > 0]),
            "unique": lambda x: x.round().unique().numel(),
            "unique_consecutive": lambda x: torch.unique_consecutive(x.round()).numel(),
            "unique of rows": lambda x: torch.unique(x.round(), dim=1).shape[1],
            "masked_select": lambda x: x.masked_select(x > 0).numel(),
            "where": lambda x: torch.where(x > 0)[0].numel(),
            "argwhere": lambda x: torch.argwhere(x > 0).shape[0],
            "bincount": lambda x: torch.bincount(x.abs().flatten().long()).numel(),
            "repeat_interleave": lambda x: torch.repeat_interleave(x.abs().flatten().long()).numel(),
            "item": lambda x: x.sum().item(),
        }
        for name, size in size_of.items():
            model = Pieces(lambda self, x, size=size: self.c(x) if size(x) > 10 else self.c(x) * 2, c=nn.Conv2d(2, 2, 1))
            with self.subTest(name):
                remarks = exported(model, torch.randn(1, 2, 5, 5), Options()).deployed.remarks
                self.assertTrue(any("of the data: the network is what this pass ran" in text for text in remarks), remarks)
        model = Pieces(lambda self, x: self.c(x)[:, torch.tensor([0, 1]).tolist()[0] :], c=nn.Conv2d(2, 2, 1))
        remarks = exported(model, torch.randn(1, 2, 5, 5), Options()).deployed.remarks
        self.assertFalse(any("this pass ran" in text for text in remarks), remarks)

    def test_a_name_of_the_users_makes_no_layer_16_bit(self):
        """Nor one that it clashes with, and layers that are in float."""
        def forward(self, x):
            return self.relu_hp(self.conv(self.conv_hp(x)) + x)

        model = Pieces(forward, conv_hp=nn.Conv2d(2, 2, 1), conv=nn.Conv2d(2, 2, 1), relu_hp=nn.ReLU())
        deployed = exported(model, torch.randn(1, 2, 5, 5), Options(), layer_bits={"conv": 16}).deployed
        bits = {row["layer"]: row["bits"] for row in deployed.rows}
        self.assertEqual(bits, {"conv_hp_8": 8, "conv_hp": 16, "add": 8})
        self.assertEqual({row["layer"]: row.get("module") for row in deployed.rows},
                         {"conv_hp_8": "conv_hp", "conv_hp": "conv", "add": None})  # fmt: skip
        self.assertEqual([layer.name for layer in deployed.net.layer if layer.name.endswith("_hp")], ["conv_hp"])
        self.assertTrue(any("conv_hp_8" in remark for remark in deployed.remarks), deployed.remarks)
        model = Pieces(forward, conv_hp=nn.Conv2d(2, 2, 1), conv=nn.Conv2d(2, 2, 1), relu_hp=nn.ReLU())
        names = [layer.name for layer in exported(model, torch.randn(1, 2, 5, 5), Options()).deployed.net.layer]
        self.assertEqual(names, ["data", "conv_hp", "conv", "add", "relu_hp"])

    def test_constants_that_are_no_parameters_and_numbers_that_are_not_real(self):
        constants = {
            "register_buffer": (lambda self, x: self.c(x) + torch.ones(1, 2, 1, 1),
                                lambda self, x: self.c(x) * torch.tensor(2.0),
                                lambda self, x: torch.ones(1, 2, 5, 5) - self.c(x)),
            "no real number": (lambda self, x: (self.c(x) * 1j).imag, lambda self, x: (self.c(x) + 1j).real),
        }  # fmt: skip
        for words, forwards in constants.items():
            for forward in forwards:
                with self.assertRaisesRegex(gfpq.NotSupportedError, words):
                    exported(Pieces(forward, c=nn.Conv2d(2, 2, 1)), torch.randn(1, 2, 5, 5), Options())

    def test_files(self):
        x = torch.randn(1, 3, 16, 16)
        for bits, mode in (({}, 0), ({"0": 16, "2": 16}, 1), ({"2": 16}, 2)):
            model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2))
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                for number in range(60):
                    np.save(folder / f"{number:02}.npy", np.zeros((16, 16, 3), "u1"))
                options = Options(MEAN, SCALE, "RGB", sorted(folder.glob("*.npy")))
                export = exported(model, x, options, folder / "out", layer_bits=bits)
                files = {file.name: file.read_text("latin1") for file in (folder / "out").iterdir()}
                written = {"model.pt", "parameters.json", "nnie.json", "model.prototxt", "model.caffemodel",
                           "mapper.cfg", "mean.txt", "image_list.txt"}  # fmt: skip
                self.assertEqual(set(files), written)
                last = "2_hp" if mode == 2 else "2"
                self.assertEqual([layer.name for layer in proto.read_prototxt(folder / "out/model.prototxt").layer],
                                 ["data", "0", "1", last])  # fmt: skip
                clips = json.loads(files["nnie.json"])["nnie"]["gfpq_param_dict"]
                self.assertEqual({layer: len(values) for layer, values in clips.items()}, {"0": 1, last: 2})
                rows = json.loads(files["parameters.json"])
                self.assertEqual(rows, export.deployed.rows)
                self.assertEqual({row.get("module", row["layer"]) for row in rows}, {"0", "2"})
                self.assertEqual([row["block"] for row in rows], [row["block"] for row in export.parameters])
                for key in facts.KEYS:
                    self.assertIn(f"[{key}]", files["mapper.cfg"])
                for line in (f"[compile_mode] {mode}", "[norm_type] 5", "[data_scale] 0.0078125", "[RGB_order] RGB",
                             "[image_type] 1", "[mean_file] ./mean.txt"):  # fmt: skip
                    self.assertIn(line + "\n", files["mapper.cfg"])
                self.assertEqual(files["mean.txt"], "104\n117\n123\n")
                self.assertEqual(len(files["image_list.txt"].splitlines()), 50)

    def test_all_files_or_none(self):
        x = torch.randn(1, 3, 8, 8)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "out"
            (folder / "mapper.cfg").mkdir(parents=True)
            with self.assertRaisesRegex(OSError, "mapper.cfg"):
                exported(nn.Sequential(nn.Conv2d(3, 2, 3)), x, Options(order="RGB"), folder)
            self.assertEqual([file.name for file in folder.iterdir()], ["mapper.cfg"])

    def test_the_twin_is_what_the_files_compute(self):
        x = torch.randn(2, 3, 32, 32)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            export = exported(scattered(Everything()), x, Options(order="RGB", depthwise=True), folder, bits=16)
            net = proto.read_network(folder / "model.prototxt", folder / "model.caffemodel")
            self.assertIn("DepthwiseConv", [layer.type for layer in net.layer])
            rows = json.loads((folder / "parameters.json").read_text())
            outputs = [output.blob for output in export.deployed.outputs]
            expected = [y.detach() for y in export.twin(x[:1])]
            self.assertEqual([output.shape for output in export.deployed.outputs], [tuple(y.shape) for y in expected])
            blobs = run(net, {"data": x[:1].numpy()}, params_of(rows)).blobs
            for name, y in zip(outputs, expected):
                self.assert_close(blobs[name], y.numpy(), name)

    def test_cut(self):
        class Heads(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem, self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 1), nn.Conv2d(4, 2, 1)

            def forward(self, x):
                x = self.stem(x)
                return torch.matmul(self.a(x).flatten(1).T, self.b(x).flatten(1)), x

        x = torch.randn(1, 3, 8, 8)
        with self.assertRaisesRegex(gfpq.NotSupportedError, "cut="):
            exported(Heads(), x, Options(order="RGB"))
        deployed = exported(Heads(), x, Options(order="RGB", cut=["a", "b", "stem"])).deployed
        self.assertEqual([(o.blob, o.shape) for o in deployed.outputs],
                         [("a", (1, 6, 6, 6)), ("b", (1, 2, 6, 6)), ("stem_report", (1, 4, 6, 6))])  # fmt: skip
        self.assertIn("output a: 1x6x6x6", str(deployed))
        mixed = exported(Heads(), x, Options(order="RGB", cut=["a"]), layer_bits={"b": 16}).deployed
        self.assertIn(b"[compile_mode] 0\n", mixed.files["mapper.cfg"])
        self.assertIn("without parameters: b", str(mixed))
        with self.assertRaisesRegex(ValueError, "name c; there are stem, a"):
            exported(Heads(), x, Options(order="RGB", cut=["c"]))

    def test_a_layer_that_is_called_twice(self):
        x = torch.randn(1, 4, 8, 8)
        model = Pieces(lambda self, x: self.conv(self.conv(x)) + x, conv=nn.Conv2d(4, 4, 3, padding=1))
        deployed = exported(model, x).deployed
        self.assertEqual([layer.name for layer in deployed.net.layer], ["data", "conv", "conv_call1", "add"])
        clips = {row["layer"]: row["clip"] for row in deployed.rows if row["tensor"] == "data"}
        self.assertEqual(clips["conv"], clips["conv_call1"])

    def test_what_is_no_layer_is_refused_with_place_and_remedy(self):
        maps, weight = torch.randn(1, 4, 8, 8), torch.randn(4, 4, 3, 3)
        for function, words in (
            (lambda self, x: F.silu(x), "silu.*activation.*ReLU"),
            (lambda self, x: F.relu6(x), "ReLU6.*ReLU"),
            (lambda self, x: F.hardswish(x), "hardswish.*ReLU"),
            (lambda self, x: x.clamp(-1, 1), "-1 and 1"),
            (lambda self, x: F.interpolate(x, scale_factor=2, mode="bilinear"), "bilinear.*nearest"),
            (lambda self, x: F.interpolate(x, scale_factor=3), "24x24.*doubles"),
            (lambda self, x: x[:, :, ::2], "stride 2"),
            (lambda self, x: x[:, 0], "range"),
            (lambda self, x: x.view(4, -1), "batch"),
            (lambda self, x: torch.cat([x, x]), "batch"),
            (lambda self, x: x.permute(1, 0, 2, 3), "batch"),
            (lambda self, x: x * x.mean((2, 3), keepdim=True), "1x4x8x8 and 1x4x1x1.*squeeze"),
            (lambda self, x: x @ x, "matmul.*cut"),
            (lambda self, x: F.pad(x, (1, 1)), "padding of the convolution"),
            (lambda self, x: F.conv2d(x, weight), "computed"),
            (lambda self, x: x + torch.ones(1, 4, 1, 1), "register_buffer|joins"),
            (lambda self, x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False), "count_include_pad=True"),
            (lambda self, x: F.adaptive_avg_pool2d(x, 3), "3x3 of 8x8"),
            (lambda self, x: F.conv_transpose2d(x, self.w, stride=2, output_padding=1), "output_padding"),
            (lambda self, x: F.layer_norm(x, (8, 8)), "BatchNorm"),
            (lambda self, x: F.pixel_shuffle(x, 2), "ConvTranspose2d"),
            (lambda self, x: x.argmax(1), "cut"),
            (lambda self, x: F.linear(x, self.square), "convolution of 1x1"),
        ):
            model = Pieces(function, w=nn.Parameter(weight), square=nn.Parameter(torch.eye(8)), conv=nn.Conv2d(4, 4, 1))
            gq.prepare(model, example_inputs=maps, data=False)
            with self.subTest(words), self.assertRaisesRegex(gfpq.NotSupportedError, words) as caught:
                build(gq.record(model, maps), model).check()
            self.assertRegex(str(caught.exception), r"test_nnie_export.py:\d+\): .* Instead: ")

    def test_outputs_that_are_none(self):
        x = torch.randn(1, 4, 8, 8)
        for function, words in ((lambda self, x: (self.conv(x), x), "network's input"),
                                (lambda self, x: (self.conv(x), torch.ones(3)), "does not depend")):  # fmt: skip
            model = Pieces(function, conv=nn.Conv2d(4, 4, 1))
            with self.assertRaisesRegex(gfpq.NotSupportedError, words):
                build(gq.record(model, x), model).check()

    def test_a_tensor_written_through_a_view(self):
        def through_a_view(self, x):
            y = self.conv(x)
            y.flatten(1).relu_()
            return y

        model, x = Pieces(through_a_view, conv=nn.Conv2d(4, 4, 1)), torch.randn(1, 4, 8, 8)
        with self.assertRaisesRegex(gfpq.NotSupportedError, "through a view"):
            build(gq.record(model, x), model).check()
        model = Pieces(lambda self, x: through_a_view(self, x) * 2, conv=nn.Conv2d(4, 4, 1))
        with self.assertRaisesRegex(gfpq.NotSupportedError, "through a view"):
            build(gq.record(model, x), model).check()


if __name__ == "__main__":
    unittest.main()
