"""gfpq.nnie.compare on dumps of the documented format, which a simulator here writes, with seeded faults."""

import contextlib
import copy
import io
import json
import re
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
from support import needs_protobuf, needs_torch, protobuf, torch

from gfpq import Mode, parameters, quantize
from gfpq import __main__ as cli
from gfpq.param import Param

if protobuf is not None:
    from gfpq.nnie import Options, compare, mapper, proto
    from gfpq.nnie.configure import configure
if torch is not None:
    from torch import nn

    import gfpq.torch as gq

if protobuf is not None and torch is not None:
    from gfpq.nnie.run import params_of, run

MEAN, SCALE = (104.0, 117.0, 123.0), 1 / 64
STEPS = {8: 16, 16: 128}


class Small(nn.Module if torch is not None else object):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU())
        self.grouped, self.pool = nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.MaxPool2d(2)
        self.last = nn.Linear(8 * 4 * 4, 5)

    def forward(self, x):
        x = self.first(x)
        return self.last(self.pool(torch.relu(self.grouped(x)) + x).flatten(1))


def deep():
    """16 convolutions of small numbers."""
    layers = []
    for channels in (3, *[8] * 15):
        layers += [nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU()]
        nn.init.normal_(layers[-2].weight, std=(2.3 / 9 / channels) ** 0.5)
        nn.init.zeros_(layers[-2].bias)
    layers[0].weight.data /= 32
    return nn.Sequential(*layers)


class Simulator:
    """Writes mapper_quant/ for a network: hexadecimal codes, dequantized numbers, 20.12 outputs."""

    def __init__(self, net, rows):
        self.net, self.rows = copy.deepcopy(net), rows
        self.params = params_of(rows)
        self.weights = {}
        for row in rows:
            if row["tensor"] == parameters.WEIGHT:
                self.weights.setdefault(row["layer"], []).append(parameters.param_of(row))
        self.shared = ()  # pairs (layer, the layer whose output its file holds)

    def layer(self, name):
        return next(layer for layer in self.net.layer if layer.name == name)

    def write(self, folder, x, sign=0x8000):
        folder.mkdir()
        done = run(self.net, {"data": x}, self.params)
        outputs = dict(done.outputs)
        outputs.update({name: outputs[other] for name, other in self.shared})
        for layer in self.net.layer:
            file = folder / layer.name.replace("/", "_").replace(".", "_")
            if layer.type == "Input":
                continue
            if layer.name in self.weights:
                self.quantized(f"{file}_weight.hex", f"{file}_weight-anti.float", proto.array_of(layer.blobs[0]),
                               self.weights[layer.name], 0, sign)  # fmt: skip
                Path(f"{file}_bias.hex").write_text("000000\n")
            for number, values in enumerate(done.inputs[layer.name]):
                if (layer.name, number) in self.params:
                    start = f"{file}_input{number}_{self.shape(values)}"
                    self.quantized(f"{start}_quant.nonlinear.hex", f"{start}_anti_quant.linear.float", values,
                                   self.params[layer.name, number], 1, sign)  # fmt: skip
            for number, values in enumerate(outputs[layer.name]):
                words = np.rint(values.astype("f8").ravel() * 4096).astype(np.int64) & 0xFFFFFFFF
                name = f"{file}_output{number}_{self.shape(values)}_quant.linear.hex"
                Path(name).write_text("".join(f"{word:08x}\n" for word in words))

    @staticmethod
    def shape(values):
        return "_".join(map(str, [*values.shape[1:], 1, 1][:3]))

    @staticmethod
    def quantized(hex_file, float_file, values, params, axis, sign):
        words = []
        for part, param in zip(np.split(values, len(params), axis=axis), params):
            sign_bit = 0x80 if param.bits == 8 else sign
            with np.errstate(divide="ignore"):
                codes = np.rint(STEPS[param.bits] * np.log2(np.abs(part.astype("f8")))) - param.delta
            codes = np.where(part == 0, sign_bit, np.where(part < 0, sign_bit, 0) + np.where(part == 0, 0, codes))
            words.append(codes.astype(int))
        digits = params[0].bits // 4
        joined = np.concatenate(words, axis).ravel()
        Path(hex_file).write_text("".join(f"{word:0{digits}X}\n" for word in joined))
        Path(float_file).write_text("".join(f"{value:.7g}\n" for value in values.ravel()))


@needs_protobuf
@needs_torch
class CompareTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.dumps = Path(folder.name) / "deployed", Path(folder.name) / "mapper_quant"
        self.picture = Path(folder.name) / "picture.npy"
        self.pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), "u1")
        np.save(self.picture, self.pixels)

    def deploy(self, bits=8, order="RGB", mean=MEAN, model=None, **prepare):
        torch.manual_seed(0)
        model = (Small() if model is None else model()).eval()
        options = Options(mean, SCALE, order)
        x = torch.from_numpy(mapper.normalization_of(options, (1, 3, 16, 16)).apply(self.in_order(order)))
        gq.prepare(model, bits, example_inputs=x, **prepare)
        gq.calibrate(model, [x])
        gq.export(model, self.folder, nnie=options)
        self.net = proto.read_network(self.folder / "model.prototxt", self.folder / "model.caffemodel")
        self.rows = json.loads((self.folder / "parameters.json").read_text())
        self.norm = mapper.read_normalization(self.folder, x.shape)
        return Simulator(self.net, self.rows), x.numpy()

    def in_order(self, order):
        return (self.pixels if order == "RGB" else self.pixels[..., ::-1]).transpose(2, 0, 1)

    def first_line(self, simulator, x, **how):
        shutil.rmtree(self.dumps, ignore_errors=True)
        simulator.write(self.dumps, x, **how)
        return str(compare(self.folder, self.dumps, self.picture)).splitlines()[0]

    def test_no_departure(self):
        for bits, order, more in ((8, "RGB", {}), (16, "BGR", {}), (8, "BGR", {"layer_bits": {"grouped": 16}})):
            with self.subTest(bits=bits, order=order):
                simulator, x = self.deploy(bits, order, **more)
                for sign in (0x8000, 0x1000):
                    self.assertRegex(self.first_line(simulator, x, sign=sign), "^no departure in 1[5-9] tensors")
                found = compare(self.folder, self.dumps, self.picture)
                self.assertEqual({c.equal for c in found.tensors if c.equal is not None}, {1.0})
                self.assertGreater(min(c.cosine for c in found.tensors), 0.999999)
                self.assertEqual([c.layer for c in found.tensors][:3], ["first.0"] * 3)

    def test_range_of_data(self):
        simulator, x = self.deploy()
        for layer in ("first.0", "grouped", "add"):
            for steps in (-20, 24):
                changed = Simulator(self.net, self.rows)
                key = (layer, 0)
                changed.params[key] = [Param.from_delta(p.delta + steps, 8) for p in changed.params[key]]
                line = self.first_line(changed, x)
                self.assertRegex(line, f"^first departure: {layer} input 0: range differs: the mapper's ends at ")
                theirs, ours = changed.params[key][0].largest, simulator.params[key][0].largest
                self.assertIn(f"{theirs:.6g}, the export's at {ours:.6g}", line)
                self.assertIn("nnie.json", line)

    def test_range_of_weights(self):
        simulator, x = self.deploy()
        simulator.weights["grouped"] = [Param.from_delta(p.delta - 12, 8) for p in simulator.weights["grouped"]]
        blob = simulator.layer("grouped").blobs[0]
        parts = np.split(proto.array_of(blob), 2)
        params = simulator.weights["grouped"]
        made = [quantize(part, param=param, mode=Mode.APPLY) for part, param in zip(parts, params)]
        del blob.data[:]
        blob.data.extend(np.concatenate(made).ravel().tolist())
        self.assertRegex(self.first_line(simulator, x), "^first departure: grouped weight: range differs")

    def test_weights(self):
        simulator, x = self.deploy()
        blob = simulator.layer("grouped").blobs[0]
        values = proto.array_of(blob)[::-1].ravel().tolist()
        del blob.data[:]
        blob.data.extend(values)
        simulator.weights["grouped"].reverse()
        self.assertRegex(self.first_line(simulator, x), "^first departure: grouped weight: weights differ")

    def test_few_numbers_that_differ_much(self):
        simulator, x = self.deploy()
        simulator.write(self.dumps, x)
        for tensor, cause in (("weight", "weight: weights differ"), ("input0_8_8_8", "input 0: the numbers differ with")):
            hexadecimal = min(self.dumps.glob(f"grouped_{tensor}*.hex"))
            floats = min(self.dumps.glob(f"grouped_{tensor}*.float"))
            before = hexadecimal.read_text(), floats.read_text()
            words, numbers = (text.split() for text in before)
            for place in [i for i, word in enumerate(words) if 0x30 < int(word, 16) < 0x60][:3]:  # of 288 and 512
                words[place], numbers[place] = f"{int(words[place], 16) - 16:02x}", str(float(numbers[place]) / 2)
            hexadecimal.write_text("\n".join(words))
            floats.write_text("\n".join(numbers))
            out = str(compare(self.folder, self.dumps, self.picture))
            self.assertRegex(out, f"^first departure: grouped {cause}")
            self.assertNotIn("disagree", out)
            hexadecimal.write_text(before[0])
            floats.write_text(before[1])

    def test_outputs_alone(self):
        self.pixels[..., 2] = self.pixels[..., 0] // 8 * 8 + 3  # red and blue alike
        np.save(self.picture, self.pixels)
        simulator, x = self.deploy()
        swapped = self.norm.apply(self.in_order("BGR"))
        for given, words in ((x, "^no departure"), (swapped, "^first departure: first.0 output 0: order of channels: the "
                                                             "mapper has BGR")):  # fmt: skip
            shutil.rmtree(self.dumps, ignore_errors=True)
            simulator.write(self.dumps, given)
            for file in set(self.dumps.iterdir()) - set(self.dumps.glob("*_output0_*")):
                file.unlink()
            self.assertRegex(str(compare(self.folder, self.dumps, self.picture)), words)
        blob = simulator.layer("grouped").blobs[0]
        values = proto.array_of(blob)[::-1].ravel().tolist()
        del blob.data[:]
        blob.data.extend(values)
        shutil.rmtree(self.dumps)
        simulator.write(self.dumps, x)
        for file in set(self.dumps.iterdir()) - set(self.dumps.glob("*_output0_*")):
            file.unlink()
        self.assertRegex(str(compare(self.folder, self.dumps, self.picture)), "^first departure: grouped output 0: the "
                         "numbers differ: look at the layer's weights, bias and range")  # fmt: skip

    def test_one_channel_of_an_output(self):
        simulator, x = self.deploy()
        layer = simulator.layer("grouped")
        values = proto.array_of(layer.blobs[1])
        values[0] += 0.02 * np.abs(run(self.net, {"data": x}, simulator.params).outputs["grouped"][0]).max()
        del layer.blobs[1].data[:]
        layer.blobs[1].data.extend(values.tolist())
        simulator.write(self.dumps, x)
        first = compare(self.folder, self.dumps, self.picture).departures[0]
        self.assertEqual((first.layer, first.tensor), ("grouped", "output 0"))
        self.assertGreater(first.cosine, 0.999)

    def test_order_of_channels(self):
        for order, other in (("RGB", "BGR"), ("BGR", "RGB")):
            simulator, _ = self.deploy(order=order)
            line = self.first_line(simulator, self.norm.apply(self.in_order(other)))
            self.assertEqual(line, f"first departure: first.0 input 0: order of channels: the mapper has {other}, and "
                                   f"the network wants {order}")  # fmt: skip

    def test_normalization(self):
        simulator, _ = self.deploy()
        pixels, mean = self.in_order("RGB").astype("f4"), np.array(MEAN, "f4").reshape(3, 1, 1)
        for way, x in (("scale before mean", pixels * SCALE - mean), ("no mean", pixels * SCALE),
                       ("no scale", pixels - mean), ("no mean and no scale", pixels),
                       ("means in the other order", (pixels - mean[::-1]) * SCALE),
                       ("the scale 1/256, its default", (pixels - mean) / 256)):  # fmt: skip
            line = self.first_line(simulator, x[None].astype("f4"))
            wanted = f"first departure: first.0 input 0: normalization differs: the mapper has {way}"
            self.assertEqual(line.partition(", and the network")[0], wanted)

    def test_normalization_with_a_range_that_the_mapper_found_itself(self):
        simulator, _ = self.deploy()
        pixels, mean = self.in_order("RGB").astype("f4"), np.array(MEAN, "f4").reshape(3, 1, 1)
        x = (pixels * np.float32(SCALE) - mean)[None]
        param = Param(8)
        quantize(x, param=param)
        simulator.params["first.0", 0] = [param]
        line = self.first_line(simulator, x)
        self.assertRegex(line, "first.0 input 0: normalization differs: the mapper has scale before mean")

    def test_a_mean_picture(self):
        mean = np.random.default_rng(1).uniform(60, 180, (3, 16, 16)).astype("f4")
        file = self.picture.with_name("mean.binaryproto")
        file.write_bytes(proto.blob_of(mean[None]).SerializeToString())
        simulator, x = self.deploy(mean=file)
        self.assertIn("[norm_type] 4\n[", re.sub("#.*\n", "", (self.folder / "mapper.cfg").read_text()))
        pixels = self.in_order("RGB").astype("f4")
        np.testing.assert_array_equal(x[0], (pixels - mean) * np.float32(SCALE))
        self.assertRegex(self.first_line(simulator, x), "^no departure")
        for way, other in (("scale before mean", pixels * SCALE - mean),
                           ("means of the channels", (pixels - mean.mean((1, 2), keepdims=True)) * SCALE)):  # fmt: skip
            self.assertEqual(self.first_line(simulator, other[None].astype("f4")),
                             f"first departure: first.0 input 0: normalization differs: the mapper has {way}, and the "
                             "network wants the mean picture subtracted first, then the scale")  # fmt: skip

    def test_roundings_that_add_up_over_many_layers_are_no_departure(self):
        simulator, x = self.deploy(model=deep)
        for layer in simulator.net.layer:  # as in fixed point: each output off by up to half of 1 / 4096
            if len(layer.blobs) == 2:
                noise = np.random.default_rng(0).uniform(-0.5, 0.5, len(layer.blobs[1].data)) / 4096
                values = (proto.array_of(layer.blobs[1]) + noise).tolist()
                del layer.blobs[1].data[:]
                layer.blobs[1].data.extend(values)
        right = copy.deepcopy(simulator)
        self.assertRegex(self.first_line(simulator, x), "^no departure in 64 tensors")
        for file in set(self.dumps.iterdir()) - set(self.dumps.glob("*_output0_*")):
            file.unlink()
        self.assertRegex(str(compare(self.folder, self.dumps, self.picture)), "^no departure in 32 tensors")
        simulator.params["24", 0] = [Param.from_delta(simulator.params["24", 0][0].delta - 8)]
        self.assertRegex(self.first_line(simulator, x), "^first departure: 24 input 0: range differs")
        layer = right.layer("24")
        values = (proto.array_of(layer.blobs[1]) + 0.1).tolist()
        del layer.blobs[1].data[:]
        layer.blobs[1].data.extend(values)
        words = "^first departure: 24 output 0: the numbers differ, and the layer's"
        self.assertRegex(self.first_line(right, x), words)
        for file in set(self.dumps.iterdir()) - set(self.dumps.glob("*_output0_*")):
            file.unlink()
        words = "^first departure: 24 output 0: the numbers differ: look at"
        self.assertRegex(str(compare(self.folder, self.dumps, self.picture)), words)

    def test_a_grey_picture_does_not_show_the_order_of_channels(self):
        self.pixels[:] = self.pixels[..., :1]
        np.save(self.picture, self.pixels)
        simulator, x = self.deploy()
        simulator.write(self.dumps, x)
        words = "note: the picture is grey: from it can't be told whether the mapper has the channels in the order RGB"
        self.assertIn(words, str(compare(self.folder, self.dumps, self.picture)))

    def test_another_picture(self):
        simulator, _ = self.deploy()
        other = self.picture.with_name("other.npy")
        np.save(other, self.pixels[::-1])
        (self.folder / "image_list.txt").write_text(f"first.png\n{other}\n")
        line = self.first_line(simulator, self.norm.apply(self.in_order("RGB")[:, ::-1]))
        self.assertEqual(line, f"first departure: first.0 input 0: the picture is another one: {other}, the last of "
                               "image_list.txt")  # fmt: skip
        line = self.first_line(simulator, self.norm.apply(self.in_order("RGB").transpose(0, 2, 1)))
        self.assertRegex(line, "not known here: --input is to be the last picture of image_list.txt, and that is ")

    def test_order_of_a_layers_inputs(self):
        simulator, x = self.deploy()
        simulator.write(self.dumps, x)
        for form in ("quant.nonlinear.hex", "anti_quant.linear.float"):
            files = [self.dumps / f"add_input{number}_8_8_8_{form}" for number in (0, 1)]
            contents = [file.read_bytes() for file in files]
            for file, content in zip(files, reversed(contents)):
                file.write_bytes(content)
        out = str(compare(self.folder, self.dumps, self.picture))
        self.assertEqual(out.splitlines()[0],
                         "first departure: add input 0: order of inputs: the file holds input 1 of the layer")  # fmt: skip

    def test_in_place_sharing(self):
        simulator, x = self.deploy()
        simulator.shared = (("first.0", "first.1"),)
        words = "^first departure: first.0 output 0: in-place sharing: the file holds the output of first.1,"
        self.assertRegex(self.first_line(simulator, x), words)

    def test_in_place_sharing_of_a_network_with_layers_in_place(self):
        lines = [
            'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }',
            'layer { name: "a" type: "Convolution" bottom: "data" top: "a"',
            "convolution_param { num_output: 4 kernel_size: 3 bias_term: false } }",
            'layer { name: "r" type: "ReLU" bottom: "a" top: "a" }',
            'layer { name: "t" type: "TanH" bottom: "a" top: "a" }',
            'layer { name: "b" type: "Pooling" bottom: "a" top: "b" pooling_param { kernel_size: 2 stride: 2 } }',
        ]
        self.folder.mkdir()
        (self.folder / "model.prototxt").write_text("\n".join(lines))
        net = proto.read_prototxt(self.folder / "model.prototxt")
        weights, params = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype("f4"), [Param(8) for _ in range(3)]
        proto.add_blob(net.layer[1], quantize(weights, param=params[0]))
        (self.folder / "model.caffemodel").write_bytes(proto.bytes_of(net))
        x = self.in_order("RGB").astype("f4")[None]
        quantize(x, param=params[1])
        quantize([1.0], param=params[2])
        rows = [parameters.row_of("a", "weight", 0, params[0]), parameters.row_of("a", "data", 0, params[1]),
                parameters.row_of("b", "data", 0, params[2])]  # fmt: skip
        parameters.save(rows, self.folder)
        configure(self.folder, Options(order="RGB"))
        self.assertRegex(self.first_line(Simulator(net, rows), x), "^no departure in 7 tensors")
        for holder in ("r", "t"):
            simulator = Simulator(net, rows)
            simulator.shared = (("a", holder),)
            words = f"^first departure: a output 0: in-place sharing: the file holds the output of {holder},"
            self.assertRegex(self.first_line(simulator, x), words)

    def test_a_layer_that_computes_something_else(self):
        simulator, x = self.deploy()
        layer = simulator.layer("last")
        values = (proto.array_of(layer.blobs[1]) + 3).tolist()
        del layer.blobs[1].data[:]
        layer.blobs[1].data.extend(values)
        self.assertRegex(self.first_line(simulator, x), "^first departure: last output 0: the numbers differ, and the.*bias")

    def test_files_and_layers_without_the_other_are_told(self):
        simulator, x = self.deploy()
        simulator.write(self.dumps, x)
        (self.dumps / "other_input0_1_1_1_quant.nonlinear.hex").write_text("00\n")
        (self.dumps / "notes.txt").write_text("")
        for file in self.dumps.glob("pool_*"):
            file.unlink()
        out = str(compare(self.folder, self.dumps, self.picture))
        self.assertNotIn("grey", out)
        for words in ("layers without a file: pool", "files without a layer: other_input0", "no dumps: notes.txt",
                      "biases are not compared"):  # fmt: skip
            self.assertIn(words, out)

    def test_codes_and_numbers_that_disagree_are_told(self):
        simulator, x = self.deploy()
        simulator.write(self.dumps, x)
        file = next(self.dumps.glob("grouped_input0_*float"))
        numbers = file.read_text().split()
        file.write_text("\n".join([str(2 * float(numbers[0])), *numbers[1:]]))
        self.assertIn("grouped input 0: the codes and the dequantized numbers disagree",
                      str(compare(self.folder, self.dumps, self.picture)))  # fmt: skip

    def test_another_width(self):
        simulator, x = self.deploy()
        simulator.params["pool", 0] = [Param.from_delta(8 * p.delta, 16) for p in simulator.params["pool", 0]]
        line = self.first_line(simulator, x)
        self.assertRegex(line, "^first departure: pool input 0: width differs: the mapper has 16 bit")

    def test_names_with_slashes(self):
        simulator, x = self.deploy()
        for file in ("model.prototxt", "parameters.json"):
            path = self.folder / file
            path.write_text(path.read_text().replace("first.0", "first/0"))
        weights = proto.read_caffemodel(self.folder / "model.caffemodel")
        for layer in weights.layer:
            layer.name = layer.name.replace("first.0", "first/0")
        (self.folder / "model.caffemodel").write_bytes(weights.SerializeToString())
        self.assertRegex(self.first_line(simulator, x), "^no departure")

    def test_only_codes_or_only_numbers(self):
        simulator, x = self.deploy()
        for pattern in ("*.float", "*nonlinear.hex"):
            self.first_line(simulator, x)
            for file in self.dumps.glob(pattern):
                file.unlink()
            self.assertRegex(str(compare(self.folder, self.dumps, self.picture)), "^no departure in 1[5-9]")

    def test_codes_without_a_range_are_left_out(self):
        simulator, x = self.deploy(skip=["pool"])
        simulator.params["pool", 0] = [Param.from_delta(-100, 8)]
        self.first_line(simulator, x)
        self.assertRegex(str(compare(self.folder, self.dumps, self.picture)), "pool +input 0")
        for file in self.dumps.glob("*.float"):
            file.unlink()
        out = str(compare(self.folder, self.dumps, self.picture))
        self.assertIn("pool input 0: left out, for there are codes alone", out)
        self.assertRegex(out, "^no departure")

    def run_command(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            return cli.main(["nnie", "compare", *map(str, arguments)]), out.getvalue() + err.getvalue()

    def test_command(self):
        simulator, x = self.deploy()
        page = self.folder / "page.html"
        simulator.write(self.dumps, x)
        command = (self.folder, self.dumps, "--input", self.picture, "--html", page)
        self.assertEqual(self.run_command(*command)[0], 0)
        self.assertIn("data:image/png;base64,iVBOR", page.read_text())
        shutil.rmtree(self.dumps)
        simulator.write(self.dumps, x[:, ::-1].copy())
        status, out = self.run_command(*command)
        self.assertEqual(status, 1)
        self.assertRegex(out, "^first departure: first.0 input 0: order of channels")
        self.assertIn(out.splitlines()[0].replace("'", "&#x27;"), page.read_text())

    def test_files_that_can_not_be_used(self):
        simulator, x = self.deploy()
        simulator.write(self.dumps, x)
        np.save(self.picture, self.pixels[:8])
        status, out = self.run_command(self.folder, self.dumps, "--input", self.picture)
        self.assertEqual(status, 3)
        self.assertIn("resize it first", out)
        np.save(self.picture, self.pixels)
        file = min(self.dumps.glob("*nonlinear.hex"))
        for content, words in (("00\nzz\n", "non-hexadecimal"), ("00\n", "1 numbers"),
                               ("000\n", "3 hexadecimal digits"),
                               ("0\n00\n", "1, 2 hexadecimal digits"), ("", "no hexadecimal digits"),
                               ("7000\n", "beyond 0x57f"), ("0600\n8001\n", "beyond 0x57f")):  # fmt: skip
            file.write_text(content)
            status, out = self.run_command(self.folder, self.dumps, "--input", self.picture)
            self.assertEqual((status, words in out, file.name in out), (3, True, True), out)
        empty = self.folder / "empty"
        empty.mkdir()
        status, out = self.run_command(self.folder, empty, "--input", self.picture)
        self.assertEqual((status, "holds no file" in out), (3, True))


if __name__ == "__main__":
    unittest.main()
