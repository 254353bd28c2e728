"""prepare with example_inputs: the inputs of functions, by their names, and the report."""

import copy
import io
import unittest

import torch.nn.functional as F
from support import needs_torch, torch
from test_network import images

import gfpq

if torch is not None:
    from torch import nn

    import gfpq.torch as gq
    from gfpq.torch import report


class Block(nn.Module if torch is not None else object):
    """Joins, adds, doubles and pools by functions; a shared BatchNorm's kin, a head that is never called."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.Conv2d(4, 4, 1)
        self.norm, self.up, self.auxiliary = nn.BatchNorm2d(4), nn.Upsample(scale_factor=2), nn.Linear(3, 3)
        self.tower = nn.Conv2d(8, 8, 1)

    def forward(self, x):
        y = self.norm(self.a(x))
        z = torch.cat([y, self.b(x * 3)], 1)
        z = z + self.tower(self.tower(z))
        z = F.max_pool2d(F.relu(z), 2)
        z = self.up(F.interpolate(z, scale_factor=2.0))
        return z.mean((2, 3))


def prepared(**arguments):
    torch.manual_seed(0)
    model = Block().eval()
    model.norm.running_var.fill_(2.0)
    return model, gq.prepare(model, example_inputs=images(), **arguments)


@needs_torch
class CallsTest(unittest.TestCase):
    NAMES = ["cat", "cat", "add", "add", "max_pool2d", "interpolate", "mean"]

    def test_inputs_of_functions_are_listed_by_name(self):
        _, placed = prepared()
        layers = {"a", "b", "tower", "up", "auxiliary"}
        self.assertEqual([row.layer for row in placed if row.layer not in layers], self.NAMES)
        kinds = {row.layer: row.kind for row in placed}
        self.assertEqual([kinds[name] for name in dict.fromkeys(self.NAMES)],
                         ["Concat", "Eltwise", "Pooling", "Upsample", "Pooling"])  # fmt: skip
        self.assertEqual(kinds["up"], "Upsample")

    def test_bits_and_skip_work_on_them(self):
        _, placed = prepared(skip=["add", "up"], layer_bits={"cat": 16})
        self.assertNotIn("add", {row.layer for row in placed})
        self.assertNotIn("up", {row.layer for row in placed})
        self.assertEqual({row.bits for row in placed if row.layer == "cat"}, {16})
        with self.assertRaisesRegex(ValueError, "name cut; there are a, .*cat, add, max_pool2d"):
            prepared(skip=["cut"])

    def test_the_twin_computes_what_a_chain_of_quantized_operations_does(self):
        model, _ = prepared()
        x = images()
        gq.calibrate(model, [x])
        folded = copy.deepcopy(model)
        gq.remove(folded)
        gq.fold_batchnorm(folded, x)
        exported = gq.export(model)
        q = {}
        for row in exported.parameters:
            q[row["layer"], row["tensor"], row["input"]] = gfpq.Param.from_delta(row["delta"])

        def quantize(tensor, name, number=0):
            return gq.quantize(tensor, param=q[name, "data", number])

        def conv(tensor, name, layer):
            weight = gq.quantize(layer.weight.detach())
            return F.conv2d(quantize(tensor, name), weight, layer.bias, padding=layer.padding)

        with torch.no_grad():
            y = conv(x, "a", folded.a)
            z = torch.cat([quantize(y, "cat", 0), quantize(conv(x * 3, "b", folded.b), "cat", 1)], 1)
            tower = conv(conv(z, "tower", folded.tower), "tower", folded.tower)
            z = quantize(z, "add", 0) + quantize(tower, "add", 1)
            z = F.max_pool2d(quantize(F.relu(z), "max_pool2d"), 2)
            z = F.interpolate(quantize(z, "interpolate"), scale_factor=2.0)
            z = quantize(F.interpolate(quantize(z, "up"), scale_factor=2.0), "mean").mean((2, 3))
            self.assertTrue(torch.equal(exported.twin(x), z))
        clips = exported.nnie["nnie"]["gfpq_param_dict"]
        self.assertEqual({name: len(values) for name, values in clips.items()},
                         {"a": 1, "b": 1, "tower": 1, "up": 1, "cat": 2, "add": 2, "max_pool2d": 1, "interpolate": 1,
                          "mean": 1})  # fmt: skip
        self.assertEqual(clips["cat"], [q["cat", "data", 0].largest, q["cat", "data", 1].largest])

    def test_copies_files_checkpoints_and_remove(self):
        model, _ = prepared()
        x = images()
        gq.calibrate(model, [x])
        expected = model(x)
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        options = {} if torch.__version__ < "2" else {"weights_only": False}
        other, _ = prepared()
        other.load_state_dict(model.state_dict())
        for copied in (copy.deepcopy(model), torch.load(file, **options), other.eval()):
            self.assertTrue(torch.equal(copied(x), expected))
        plain = Block()
        names = list(plain.state_dict())
        plain.load_state_dict(gq.float_state(model.state_dict()))
        gq.remove(model)
        self.assertEqual(type(model), Block)
        self.assertEqual(list(model.state_dict()), names)
        self.assertTrue(torch.equal(model(x), plain.eval()(x)))
        self.assertFalse([m for m in gq.export(other).model.modules() if "gfpq" in type(m).__module__])

    def test_what_makes_a_weight_is_no_data(self):
        class Product(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Parameter(torch.randn(3, 4))

            def forward(self, weight):
                return weight + self.a.exp()

        model, x = nn.Sequential(nn.Linear(4, 3)), torch.randn(3, 4)  # the weight looks like a batch of vectors
        nn.utils.parametrize.register_parametrization(model[0], "weight", Product())
        placed = gq.prepare(model, example_inputs=x)
        self.assertEqual({row.layer for row in placed}, {"0"})
        self.assertIn("do not depend on the network's inputs", str(placed.report))

    def test_calibration_sees_them(self):
        model, _ = prepared()
        gq.calibrate(model, [images()])
        self.assertEqual(len([q for _, _, q in gq.quantizers(model) if q.name.startswith("cat") and q.initialized]), 2)

    def test_training_folded(self):
        """fold=True trains what is deployed: no BatchNorm is left, the outputs of model and twin are the same."""
        model, _ = prepared(fold=True)
        x = images()
        self.assertIsInstance(model.norm, nn.Identity)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(3):
            model.train()(x).square().mean().backward()
            optimizer.step()
        exported = gq.export(model)
        self.assertEqual(exported.folded, [("a", "norm")])
        self.assertTrue(torch.equal(exported.twin(x), model.eval()(x)))
        self.assertTrue(torch.equal(gq.evaluate(model, lambda twin: twin(x)), model(x)))
        self.assertTrue(torch.equal(gq.evaluate(exported, lambda twin: twin(x)), model(x)))

    def test_a_call_without_a_range_is_named(self):
        model, _ = prepared()
        gq.calibrate(model, [images()])
        for name, _, quantizer in gq.quantizers(model):
            if name == "add":
                quantizer.forget()
        with self.assertRaisesRegex(gfpq.NotInitializedError, "data of add: run a batch"):
            gq.export(model)

    def test_a_failed_prepare_leaves_the_model_as_it_was(self):
        model = Block()
        model.call_quantizers = 3
        types = [type(module) for module in model.modules()]
        with self.assertRaisesRegex(gfpq.NotSupportedError, "call_quantizers of its own"):
            gq.prepare(model, example_inputs=images(), fold=True)
        self.assertEqual([type(module) for module in model.modules()], types)
        self.assertIsInstance(model.norm, nn.BatchNorm2d)
        self.assertTrue(model.norm.weight.requires_grad)


@needs_torch
class ReportTest(unittest.TestCase):
    def test_says_what_was_not_done(self):
        class Net(Block):
            def __init__(self):
                super().__init__()
                self.matrix = nn.Parameter(torch.eye(4))

            def forward(self, x):
                y = super().forward(x)
                return F.linear(self.norm(x * 2).mean((2, 3)), self.matrix) + y[:, :4]

        model = Net()
        placed = gq.prepare(model, example_inputs=images(), skip=["max_pool2d"])
        text = str(placed.report)
        self.assertEqual(placed.report.names(report.NEVER_CALLED), ["auxiliary"])
        self.assertEqual(placed.report.names(report.SHARED), ["tower"])
        self.assertEqual(placed.report.names(report.NOT_FOLDED), ["norm"])
        self.assertEqual(set(placed.report.names(report.NOT_QUANTIZED)), {"max_pool2d", "linear"})
        remarks = "remarks: 1 not folded, 2 not quantized, 1 shared, 1 never called (see report)"
        self.assertEqual(str(placed).splitlines()[-1], remarks)
        self.assertRegex(text, r"tower +Convolution +shared +called 2 times")
        self.assertRegex(text, r"max_pool2d +Pooling +not quantized +skip")
        self.assertRegex(text, r"linear +InnerProduct +not quantized +.*test_prepare_calls.py:\d+")

    def test_layers_whose_weight_a_function_takes_stay_in_float_and_are_named(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.attention, self.a, self.b = nn.MultiheadAttention(4, 2), nn.Linear(4, 4), nn.Linear(4, 4)

            def forward(self, x):
                y = self.a(x)
                return F.linear(self.attention(y, y, y)[0], self.b.weight)

        model, x = Net(), torch.randn(3, 2, 4)
        placed = gq.prepare(model, example_inputs=x)
        self.assertEqual({row.layer for row in placed}, {"a"})
        text = str(placed.report)
        self.assertRegex(text, r"attention\S* +not quantized +multi_?head_?attention.* no layer of NNIE's")
        self.assertRegex(text, r"linear +InnerProduct +not quantized +a function, called at")
        gq.calibrate(model, [x])
        exported = gq.export(model)
        for name in ("attention.out_proj", "b"):
            layer = model.get_submodule(name)
            self.assertTrue(torch.equal(exported.model.get_submodule(name).weight, layer.weight))
        with gq.only(exported.twin, data=False):
            self.assertTrue(torch.equal(exported.model(x), exported.twin(x)))

    def test_without_an_example_it_says_what_it_cannot_know(self):
        model = Block()
        placed = gq.prepare(model)
        self.assertEqual(placed.report.names(report.NOT_KNOWN), ["(model)"])
        self.assertIn("without example_inputs", str(placed.report))
        gq.calibrate(model, [images()])
        for _ in range(2):
            with self.assertWarnsRegex(UserWarning, r"inputs of 5 functions .*cat, add, .*prepare .*example_inputs"):
                exported = gq.export(model)
        self.assertEqual(exported.report.names(report.NOT_QUANTIZED), CallsTest.NAMES[1:3] + CallsTest.NAMES[4:])
        self.assertEqual(exported.folded, [("a", "norm")])

    def test_an_export_has_a_report_too(self):
        model, placed = prepared(skip=["mean"])
        gq.calibrate(model, [images()])
        exported = gq.export(model)
        self.assertEqual(str(exported.report), str(placed.report))


if __name__ == "__main__":
    unittest.main()
