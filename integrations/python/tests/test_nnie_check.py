"""gfpq.nnie.check: the mapper's known rules against prototxts and models, and `python -m gfpq nnie`."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

from support import needs_protobuf, needs_torch, protobuf, torch

from gfpq import __main__ as cli

if protobuf is not None:
    from gfpq.nnie import check, facts, proto
    from gfpq.nnie.network import outputs_of, shapes_of

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 dim: 8 dim: 8 } } }\n'


def layer(kind, content="", bottom="data", name="x"):
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{name}" {content} }}\n'


CONVOLUTION = "convolution_param { num_output: 2 kernel_size: 3 }"


def text_format_net(text):
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(text)
        file.flush()
        return proto.read_prototxt(Path(file.name))


def run(*arguments):
    """`python -m gfpq nnie config`: the exit status and all output."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        return cli.main(["nnie", "config", *map(str, arguments)]), out.getvalue() + err.getvalue()


@needs_protobuf
class CheckTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "net.prototxt"

    def check(self, text):
        self.file.write_text(text)
        return check(self.file)

    def test_each_rule(self):
        for rule, text, value in (
            (facts.LAYERS, INPUT + layer("Mish"), "Mish"),
            (facts.LAYERS, INPUT + layer("Accuracy"), "training"),
            (facts.LAYERS, INPUT + layer("Proposal"), "CPU"),
            (facts.LAYERS, INPUT + layer("Concat", 'bottom: "gone"'), "gone"),
            (facts.ONE_INPUT, INPUT + INPUT.replace('"data"', '"other"') + layer("ReLU"), "other 1x4x8x8"),
            (facts.ONE_INPUT, INPUT.replace("dim: 1", "dim: 2") + layer("ReLU"), "2x4x8x8"),
            (facts.PERMUTE, INPUT + layer("Permute", "permute_param { order: [0, 3, 2, 1] }"), "0,3,2,1"),
            (facts.POOLING, INPUT + layer("Pooling", "pooling_param { kernel_size: 2 round_mode: FLOOR }"), "FLOOR"),
            (facts.UPSAMPLE, INPUT + layer("Upsample", "upsample_param { scale: 4 }"), "8x8 to 32x32"),
            (facts.SIZES, INPUT + layer("Convolution", "convolution_param { num_output: 1 kernel_size: 3 pad: 256 }"),
             "pad 256x256"),
            (facts.DIMENSIONS, INPUT + layer("InnerProduct", "inner_product_param { num_output: 5000 }"), "1x5000"),
            (facts.GROUPS, INPUT.replace("dim: 4", "dim: 4096") + layer(
                "Convolution", "convolution_param { num_output: 4096 kernel_size: 3 group: 4096 }"), "4096"),
            (facts.BATCH_AXIS, INPUT + layer("Softmax", "softmax_param { axis: 0 }"), "axis 0"),
            (facts.BATCH_AXIS, INPUT + layer("Reshape", "reshape_param { shape { dim: 4 dim: -1 } }"), "4x64"),
            (facts.POWERS, INPUT + layer("Power", "power_param { power: 1.5 }"), "1.5"),
            (facts.DEPTHWISE, INPUT + layer(
                "Convolution", "convolution_param { num_output: 4 kernel_size: 3 group: 4 }"), "4 groups"),
            (facts.BATCHNORM, INPUT + layer("BatchNorm"), "BatchNorm"),
        ):  # fmt: skip
            with self.subTest(text):
                found = self.check(text)
                (finding,) = [finding for finding in found if finding.rule == rule.text]
                self.assertIn(value, finding.value)
                self.assertEqual(finding.certainty, rule.certainty)
                self.assertEqual(finding.layer, "(input)" if rule is facts.ONE_INPUT else "x")
                self.assertIn(finding.value, str(found))

    def test_what_keeps_the_rules(self):
        text = INPUT + layer("Convolution", "convolution_param { num_output: 8 kernel_size: 3 stride: 2 }")
        text += layer("ReLU", bottom="x", name="y") + layer("Pooling", "pooling_param { kernel_size: 2 }", "y", "z")
        text += layer("Permute", "permute_param { order: [0, 2, 3, 1] }", "z", "p")
        found = self.check(text)
        self.assertEqual((found, str(found)), ([], "nothing against the rules that are publicly known"))

    def test_the_old_input_fields_and_training_layers(self):
        text = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n'
        text += layer("Data", 'include { phase: TRAIN }', name="d") + layer("ReLU", "made_up_param { a: 1 }")
        self.assertFalse(self.check(text))
        net = proto.read_prototxt(self.file)
        self.assertEqual((shapes_of(net)["x"], outputs_of(net)), ((1, 3, 8, 8), ["x"]))

    def test_commands(self):
        def run(*arguments):
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                return cli.main(["nnie", *map(str, arguments)]), out.getvalue() + err.getvalue()

        self.file.write_text(INPUT + layer("Mish"))
        status, out = run("check", self.file)
        self.assertEqual(status, 1)
        self.assertIn("Mish", out)
        self.file.write_text(INPUT + layer("ConvolutionDepthwise", "convolution_param { num_output: 3 kernel_size: 3 }"))
        status, out = run("check", self.file)
        self.assertEqual((status, "name for it is DepthwiseConv" in out, out.count("\n")), (1, True, 2), out)
        self.file.write_text(INPUT + layer("BatchNorm"))
        self.assertEqual(run("check", self.file)[0], 0)
        self.file.write_text('layers { name: "a" type: RELU }')
        status, out = run("check", self.file)
        self.assertEqual(status, 3)
        self.assertIn("upgrade_net_proto_text", out)
        self.file.write_text("layer {")
        self.assertEqual(run("check", self.file)[0], 3)
        if torch is not None:
            self.check_export(run)

    def check_export(self, run):
        import gfpq.torch as gq

        model, x = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)), torch.randn(1, 3, 8, 8)
        saved, folder = self.file.with_name("m.pt"), self.file.with_name("deployed")
        torch.save(model.state_dict(), saved)
        self.assertEqual(run("export", saved, folder)[0], 3)
        status, out = run("check", saved)
        self.assertEqual((status, "not its state_dict" in out), (3, True), out)
        torch.save(model, saved)
        status, out = run("export", saved, folder)
        self.assertEqual((status, "no prepared model" in out), (3, True), out)
        status, out = run("check", saved)
        self.assertEqual((status, "--shape" in out), (3, True), out)
        status, out = run("check", saved, "--shape", 2, 3, 8, 8)
        self.assertEqual((status, "one input, of a batch of 1" in out), (1, True), out)
        status, out = run("check", saved, "--shape", 1, 3, 8, 8)
        self.assertEqual((status, out), (0, "nothing against the rules that are publicly known\n"))
        status, out = run("check", saved, "--shape", 1, 4, 8, 8)
        self.assertEqual((status, "to have 3 channels" in out), (3, True), out)
        self.assertEqual(run("check", self.file, "--shape", 1)[0], 3)
        self.assertEqual(run("check", folder)[0], 3)  # not written yet
        gq.prepare(model, example_inputs=x)
        gq.calibrate(model, [x])
        torch.save(model, saved)
        status, out = run("export", saved, folder)
        self.assertEqual(status, 3)
        self.assertIn("order=", out)
        status, out = run("export", saved, folder, "--order", "BGR", "--mean", 127.5, "--scale", 0.5)
        self.assertEqual(status, 0, out)
        self.assertIn("output 0: 1x2x6x6", out)
        self.assertIn("model.prototxt", [file.name for file in folder.iterdir()])
        for given in (saved, folder):
            self.assertEqual(run("check", given)[0], 0)
        content = saved.read_bytes()
        saved.write_bytes(content.replace(b"torch.nn.modules.container", b"torch.nn.modules.containex"))
        status, out = run("export", saved, folder)
        self.assertEqual(status, 3)
        self.assertRegex(out, "containex.*run this where the model's classes can be imported")


@needs_protobuf
class ConfigTest(unittest.TestCase):
    def test_a_network_of_caffes(self):
        from gfpq import Param, parameters

        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            net = text_format_net(INPUT.replace("dim: 4", "dim: 3") + layer("Convolution", CONVOLUTION, name="a")
                                  + layer("Convolution", CONVOLUTION, "a", "b"))  # fmt: skip
            (folder / "model.prototxt").write_text(proto.text_of(net))
            (folder / "model.caffemodel").write_bytes(proto.bytes_of(net))

            def config(bits, *arguments):
                parameters.save([parameters.row_of(layer, "data", 0, Param.from_delta(-100, width))
                                 for layer, width in bits.items()], folder)  # fmt: skip
                return run(folder, *arguments)

            status, out = config({"a": 8, "b": 8}, "--mean", "1", "2", "3", "--order", "BGR")
            self.assertEqual(status, 0, out)
            self.assertIn("[compile_mode] 0\n", (folder / "mapper.cfg").read_text())
            self.assertIn("[RGB_order] BGR\n", (folder / "mapper.cfg").read_text())
            self.assertEqual((folder / "mean.txt").read_text(), "1\n2\n3\n")
            for bits, arguments, words in (({"a": 8, "b": 16}, ["--order", "RGB"], "rename b"),
                                           ({"a": 16}, [], "order=")):  # fmt: skip
                before = (folder / "mapper.cfg").read_text()
                status, out = config(bits, *arguments)
                self.assertEqual((status, words in out), (3, True), out)
                self.assertEqual((folder / "mapper.cfg").read_text(), before)


@needs_protobuf
@needs_torch
class ModelTest(unittest.TestCase):
    def test_a_model_before_training(self):
        from torch import nn

        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Conv2d(4, 4, 3, groups=4))
        before = {key: value.clone() for key, value in model.state_dict().items()}
        found = check(model, torch.randn(1, 3, 8, 8))
        self.assertEqual([finding.layer for finding in found], ["2", "3"])
        self.assertRegex(found[0].value, "SiLU.*ReLU")
        self.assertTrue(found[1].advice)
        self.assertTrue(all(torch.equal(value, before[key]) for key, value in model.state_dict().items()))
        with self.assertRaisesRegex(ValueError, "example_inputs"):
            check(model)

    def test_a_prepared_model_is_checked_as_its_float_one(self):
        from torch import nn

        import gfpq.torch as gq

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1, groups=4)

            def forward(self, x):
                return torch.cat([self.a(x), nn.functional.silu(self.b(self.a(x).relu()))], 1)

        model, x = Model().eval(), torch.randn(1, 3, 8, 8)
        expected = check(model, x)
        self.assertGreater(len(expected.broken), 0)
        gq.prepare(model, example_inputs=x)
        for found in (check(model), check(model, x)):
            self.assertEqual([(f.rule, f.layer) for f in found], [(f.rule, f.layer) for f in expected])
        self.assertTrue(gq.placed.is_prepared(model))
        gq.remove(model)
        gq.prepare(model.b)
        with self.assertRaisesRegex(ValueError, "example_inputs"):
            check(model)


if __name__ == "__main__":
    unittest.main()
