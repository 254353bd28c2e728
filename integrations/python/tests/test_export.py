"""export and compare_layers."""

import copy
import dataclasses
import json
import math
import tempfile
import unittest
from pathlib import Path

import numpy as np
from support import needs_torch, torch
from test_network import images, network

import gfpq
from gfpq.similarity import Similarity

if torch is not None:
    from torch import nn

    import gfpq.torch as gq


def trained():
    model = network()
    gq.prepare(model)
    for seed in range(3):
        model(images(seed=seed))
    return model


def disabled(model):
    """A copy of a prepared model that computes in float."""
    model = copy.deepcopy(model)
    for _, _, quantizer in gq.quantizers(model):
        quantizer.set_params([gfpq.Param.from_delta(0)] * quantizer.groups)
        quantizer.enabled = False
    return model


def disabled_export(model):
    """Its export, whose twin computes in float."""
    exported = gq.export(model)
    return dataclasses.replace(exported, twin=disabled(exported.twin))


@needs_torch
class ExportTest(unittest.TestCase):
    def test_the_model_stays(self):
        model, x = trained().eval(), images()
        expected = model(x)
        state = {key: value.clone() for key, value in model.state_dict().items()}
        gq.export(model)
        self.assertTrue(torch.equal(model(x), expected))
        self.assertTrue(all(torch.equal(value, state[key]) for key, value in model.state_dict().items()))

    def test_disabled_quantizers_are_refused(self):
        for tensor in ("weight", "input"):
            model = trained()
            getattr(model.conv, f"{tensor}_quantizer").enabled = False
            with self.assertRaisesRegex(ValueError, f"conv {'data' if tensor == 'input' else 'weight'}: disabled.*skip"):
                gq.export(model)

    def test_tied_weights_that_are_not_quantized_alike_are_refused(self):
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        model[1].weight = model[0].weight
        gq.prepare(model)
        model(torch.randn(9, 4))
        gq.export(model)
        quantizers = [layer.weight_quantizer for layer in model]
        quantizers[1].policy = gq.Policy.FIXED
        with self.assertRaisesRegex(gfpq.NotSupportedError, "does not quantize it alike"):
            gq.export(model)
        quantizers[0].policy = gq.Policy.FIXED
        gq.export(model)
        quantizers[0].set_params([gfpq.Param.from_delta(-200)])
        with self.assertRaisesRegex(gfpq.NotSupportedError, "does not quantize it alike"):
            gq.export(model)

    def test_a_plain_float_model_with_quantized_weights(self):
        model = trained()
        exported = gq.export(model)
        self.assertFalse(exported.model.training)
        self.assertFalse([name for name, _ in exported.model.named_modules() if "quantizer" in name])
        self.assertFalse([module for module in exported.model.modules() if type(module).__module__[:4] == "gfpq"])
        folded = network().eval()
        folded.load_state_dict(model.state_dict(), strict=False)
        gq.fold_batchnorm(folded)
        rows = {(row["layer"], row["tensor"], row["group"]): row for row in exported.parameters}
        for name in ("conv", "linear"):
            param = gfpq.Param()
            expected = gfpq.quantize(getattr(folded, name).weight.detach().numpy(), param=param)
            self.assertTrue(torch.equal(getattr(exported.model, name).weight, torch.from_numpy(expected)))
            self.assertEqual(rows[name, "weight", 0]["block"], bytes(param).hex())
        self.assertTrue(torch.equal(exported.model.conv.bias, folded.conv.bias))

    def test_without_folding_it_computes_what_training_did_but_for_data(self):
        model, x = trained().eval(), images()
        with gq.only(model, data=False):
            expected = model(x)
        self.assertTrue(torch.equal(gq.export(model, fold=False).model(x), expected))

    def test_rows(self):
        rows = gq.export(trained()).parameters
        self.assertEqual(len([row for row in rows if row["layer"] == "grouped"]), 4)
        for row in rows:
            param = gfpq.Param.from_bytes(bytes.fromhex(row["block"]), row["bits"])
            self.assertEqual((row["delta"], row["clip"]), (param.delta, param.largest))
            self.assertAlmostEqual(row["clip"], 2 ** ((row["delta"] + 127) / 16))

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            exported = gq.export(trained(), Path(folder) / "a" / "b")
            files = Path(folder) / "a" / "b"
            self.assertEqual(json.loads((files / "parameters.json").read_text()), exported.parameters)
            nnie = json.loads((files / "nnie.json").read_text())
            state = torch.load(files / "model.pt")
        self.assertEqual(list(nnie), ["nnie"])
        self.assertEqual(list(nnie["nnie"]), ["gfpq_param_dict"])
        clips = nnie["nnie"]["gfpq_param_dict"]
        self.assertEqual({name: len(values) for name, values in clips.items()},
                         {"conv": 1, "grouped": 2, "depthwise": 1, "pool": 1, "up": 2, "average": 1, "linear": 1})
        data = [row["clip"] for row in exported.parameters if (row["layer"], row["tensor"]) == ("grouped", "data")]
        self.assertEqual(clips["grouped"], data)
        exported.model.load_state_dict(state)

    def test_without_an_example_the_first_passs_inputs_are_made_again(self):
        """The network is traced by no fx: it decides by the shape, and takes batches of 6 alone."""

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

            def forward(self, x, *, scale):
                if x.shape[0] != 6:
                    raise ValueError("6 images are wanted")
                return self.norm(self.conv(x)) * scale if x.shape[-1] > 4 else x

        model = Net()
        gq.prepare(model)
        model(images(), scale=2.0)
        self.assertEqual(gq.export(model).folded, [("conv", "norm")])
        with_example = Net()
        gq.prepare(with_example, example_inputs={"x": images(), "scale": 2.0})
        with_example(images(), scale=2.0)
        self.assertEqual(gq.export(with_example).folded, [("conv", "norm")])

    def test_before_any_data(self):
        model = network()
        gq.prepare(model)
        with self.assertRaises(gfpq.NotInitializedError):
            gq.export(model)


@needs_torch
class CompareTest(unittest.TestCase):
    def setUp(self):
        self.float_model = network().eval()
        self.model = copy.deepcopy(self.float_model)
        gq.prepare(self.model)
        gq.calibrate(self.model, [images()])

    def test_figures(self):
        data = [images(3), images(2, seed=1)]
        comparison = gq.compare_layers(self.float_model, self.model, data)
        names = ["conv", "grouped", "depthwise", "pool", "up", "average", "linear"]
        self.assertEqual([layer.name for layer in comparison], names)
        first = comparison[0]
        folded = copy.deepcopy(self.float_model)
        gq.fold_batchnorm(folded)
        twin = gq.export(self.model).twin
        a = torch.cat([folded.conv(x) for x in data]).double().flatten()
        b = torch.cat([twin.conv(x) for x in data]).double().flatten()
        self.assertAlmostEqual(first.cosine, torch.cosine_similarity(a, b, 0).item(), 10)
        self.assertAlmostEqual(first.sqnr, 10 * math.log10((a @ a) / ((b - a) @ (b - a))), 8)
        self.assertTrue(all(layer.cosine > 0.98 for layer in comparison))
        self.assertEqual(comparison.low, [])
        same = gq.compare_layers(self.float_model, disabled_export(self.model), data)
        self.assertEqual({layer.sqnr for layer in same}, {math.inf})
        unfolded = gq.compare_layers(self.float_model, self.model, data, fold=False)
        a = torch.cat([self.float_model.conv(x) for x in data]).double().flatten()
        b = torch.cat([self.model.conv(x) for x in data]).double().flatten()
        self.assertAlmostEqual(unfolded[0].cosine, torch.cosine_similarity(a, b, 0).item(), 10)

    def test_an_export_compares_as_the_prepared_model_does(self):
        """A healthy 16-bit network is one in all forms."""
        model = copy.deepcopy(self.float_model)
        gq.prepare(model, 16)
        gq.calibrate(model, [images()])
        for quantized in (model, gq.export(model), gq.export(model).twin):
            comparison = gq.compare_layers(self.float_model, quantized, [images()])
            self.assertGreater(min(layer.cosine for layer in comparison), 0.9999)
            self.assertEqual(len(comparison), 7)

    def test_a_folded_model_is_compared_too(self):
        model = copy.deepcopy(self.float_model)
        gq.prepare(model, 16, example_inputs=images(), fold=True)
        gq.calibrate(model, [images()])
        comparison = gq.compare_layers(self.float_model, model, [images()])
        self.assertGreater(min(layer.cosine for layer in comparison), 0.9999)

    def test_another_network_is_refused(self):
        other = copy.deepcopy(self.float_model)
        other.norm = nn.Sequential(nn.ReLU(), other.norm)
        with self.assertRaisesRegex(ValueError, "is not folded as in the quantized one: norm.1"):
            gq.compare_layers(other, self.model, [images()])

    def test_no_batch_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "no batch"):
            gq.compare_layers(self.float_model, self.model, [])

    def test_layers_behind_may_work_in_place(self):
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(inplace=True))
        other = copy.deepcopy(model)
        x = torch.randn(5, 8)
        with torch.no_grad():
            other[0].bias -= 1
            a, b = model[0](x).flatten(), other[0](x).flatten()
        gq.prepare(other)
        (layer,) = gq.compare_layers(model, disabled(other), [x], fold=False)
        self.assertAlmostEqual(layer.cosine, torch.cosine_similarity(a, b, 0).item(), 5)

    def test_a_bad_layer_is_flagged(self):
        with torch.no_grad():
            self.model.pool.input_quantizer.set_params([gfpq.Param.from_delta(-300)])  # clips nearly everything
        comparison = gq.compare_layers(self.float_model, self.model, [images()])
        self.assertEqual(comparison.low[0].name, "pool")
        self.assertRegex(str(comparison), r"pool .* below 0\.98")
        self.assertNotRegex(str(comparison), r"conv .*Convolution .* below")
        self.assertRegex(str(comparison), r"Next, with pool(.|\n)*1\. .*data_only(.|\n)*2\. (.|\n)*3\. .*BatchNorm")
        self.assertNotIn("Next", str(gq.compare_layers(self.float_model, disabled_export(self.model), [images()])))

    def test_data_only_and_weights_only(self):
        sqnr = {}
        for choice in ({}, {"data_only": True}, {"weights_only": True}):
            comparison = gq.compare_layers(self.float_model, self.model, [images()], **choice)
            sqnr[tuple(choice)] = comparison[0].sqnr
        self.assertGreater(sqnr["data_only",], sqnr[()])
        self.assertGreater(sqnr["weights_only",], sqnr[()])
        x, folded = images(), copy.deepcopy(self.float_model)
        gq.fold_batchnorm(folded)
        error = folded.conv(x) - nn.functional.conv2d(x, gq.quantize(folded.conv.weight.detach()), folded.conv.bias)
        expected = 10 * math.log10(folded.conv(x).square().sum() / error.square().sum())
        self.assertAlmostEqual(sqnr["weights_only",], expected, 3)
        with self.assertRaisesRegex(ValueError, "data_only or weights_only"):
            gq.compare_layers(self.float_model, self.model, [images()], data_only=True, weights_only=True)

    def test_the_models_are_left_as_they_were(self):
        self.model.train()
        state = {key: value.clone() for key, value in self.model.state_dict().items()}
        gq.compare_layers(self.float_model, self.model, [images() * 100])
        self.assertTrue(self.model.training)
        self.assertFalse(self.float_model.training)
        self.assertTrue(all(torch.equal(value, state[key]) for key, value in self.model.state_dict().items()))
        self.assertFalse([m for m in self.model.modules() if m._forward_hooks])

    def test_nothing_in_common(self):
        with self.assertRaisesRegex(ValueError, "in common"):
            gq.compare_layers(nn.Sequential(nn.Linear(2, 2)), self.model, [])

    def test_plot(self):
        try:
            import matplotlib
        except ImportError:
            self.skipTest("matplotlib is not installed (Debian: python3-matplotlib)")
        matplotlib.use("Agg")
        comparison = gq.compare_layers(self.float_model, self.model, [images()])
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "layers.png"
            axes = comparison.plot(file)
            self.assertGreater(file.stat().st_size, 5000)
        high, low = (dict(zip(line.get_ydata(), line.get_xdata())) for line in axes.lines[:2])
        for place, layer in enumerate(comparison):
            self.assertAlmostEqual((low if layer.low else high)[place], layer.cosine)
        self.assertEqual(len(high) + len(low), len(comparison))


class SimilarityTest(unittest.TestCase):
    def test_edges(self):
        for a, b, cosine, sqnr in (
            ([0, 0], [0, 0], 1, math.inf),
            ([1, 0], [0, 0], 0, 0),
            ([0, 0], [1, 0], 0, -math.inf),
            ([1, 0], [0, 1], 0, -10 * math.log10(2)),
            ([3, 4], [-3, -4], -1, -20 * math.log10(2)),
        ):
            similarity = Similarity()
            similarity.add(np.array(a, "f4"), np.array(b, "f4"))
            self.assertAlmostEqual(similarity.cosine, cosine)
            self.assertAlmostEqual(similarity.sqnr, sqnr)
        with self.assertRaisesRegex(ValueError, "shapes"):
            similarity.add(np.ones(2), np.ones(3))


if __name__ == "__main__":
    unittest.main()
