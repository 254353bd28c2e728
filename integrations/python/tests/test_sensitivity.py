"""sensitivity: which layers lose accuracy in 8 bit, and which must be 16 bit."""

import json
import tempfile
import unittest
from pathlib import Path

from support import needs_torch, torch

if torch is not None:
    from torch import nn

    import gfpq.torch as gq


class Chain(nn.Module if torch is not None else object):
    """Layers of which `spread` has weights over many octaves, that 8 bit do not hold."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.spread, self.last = nn.Conv2d(4, 4, 1), nn.Linear(4 * 36, 3)
        with torch.no_grad():
            self.spread.weight *= torch.tensor([2.0**10, 1.0, 1.0, 1.0]).view(1, -1, 1, 1)

    def forward(self, x):
        x = self.norm(self.first(x)).relu()
        x = x * torch.tensor([2.0**-14, 1, 1, 1]).view(1, -1, 1, 1)
        return self.last((self.spread(x) + x).flatten(1))


class TwoOutputs(nn.Module if torch is not None else object):
    """The small one loses more in 8 bit."""

    def __init__(self):
        super().__init__()
        self.large, self.small = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1, bias=False)
        with torch.no_grad():
            self.small.weight.copy_(torch.tensor([[1.0, -0.99], [-0.99, 1.0]]).view(2, 2, 1, 1))

    def forward(self, x):
        y = x.mean(1, keepdim=True).expand(-1, 2, -1, -1) + 0.01 * x
        return self.large(x) * 1000, self.small(y)


@needs_torch
class SensitivityTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.model = Chain().eval()
        self.batches = [torch.randn(2, 2, 8, 8) for _ in range(2)]

    def find(self, *metric, **more):
        return gq.sensitivity(self.model, self.batches, *metric, example_inputs=self.batches[0], **more)

    def deployed(self, **how):
        prepared = Chain()
        prepared.load_state_dict(self.model.state_dict())
        gq.prepare(prepared, 8, example_inputs=self.batches[0], **how)
        gq.calibrate(prepared, self.batches)
        return gq.export(prepared).twin

    def cosine(self, twin):
        outputs = [torch.cat([network(x).flatten() for x in self.batches]) for network in (twin, self.model)]
        return torch.cosine_similarity(*(y.detach().double() for y in outputs), 0).item()

    def test_losses_are_those_of_one_layer_alone(self):
        before = {key: value.clone() for key, value in self.model.state_dict().items()}
        found = self.find()
        self.assertEqual({loss.layer for loss in found}, {"first", "spread", "add", "last"})
        self.assertEqual(found[0].layer, "spread")
        self.assertEqual([loss.loss for loss in found], sorted([loss.loss for loss in found], reverse=True))
        self.assertAlmostEqual(found.in_float, 1, 9)
        self.assertLess(found.in_8_bit, found.in_16_bit)
        twin = self.deployed(skip=["first", "add", "last"])
        self.assertAlmostEqual(next(loss.value for loss in found if loss.layer == "spread"), self.cosine(twin), 5)
        self.assertTrue(all(torch.equal(value, before[key]) for key, value in self.model.state_dict().items()))
        self.assertFalse([name for name, _ in self.model.named_modules() if "quantizer" in name])
        self.assertIn("spread", str(found).splitlines()[2])

    def test_the_fewest_layers_in_16_bit(self):
        found = self.find()
        wanted = found.in_8_bit + 0.5 * (found.in_16_bit - found.in_8_bit)
        chosen = self.find(wanted=wanted)
        self.assertEqual(chosen.layer_bits, {"spread": 16})
        self.assertTrue(chosen.reached)
        # Its ranges are found with the other layers as they then are, and differ a little.
        self.assertAlmostEqual(self.cosine(self.deployed(layer_bits=chosen.layer_bits)), chosen.value, 3)
        for layer in ("first", "add", "last"):
            self.assertLess(self.cosine(self.deployed(layer_bits={layer: 16})), wanted)
        self.assertEqual(self.find(wanted=0.5).layer_bits, {})
        never = self.find(wanted=2.0)
        self.assertFalse(never.reached)
        self.assertEqual(len(never.layer_bits), 4)
        self.assertIn("not reached", str(never))

    def test_the_worst_output_counts_however_small_its_numbers_are(self):
        model = TwoOutputs().eval()
        batches = [torch.randn(2, 2, 8, 8) for _ in range(2)]
        found = gq.sensitivity(model, batches, example_inputs=batches[0])
        prepared = gq.prepare(model, 8, example_inputs=batches[0]) and model
        reference = TwoOutputs().eval()
        reference.load_state_dict(gq.float_state(prepared.state_dict()))
        gq.calibrate(prepared, batches)
        twin = gq.export(prepared).twin
        worst = []
        for number in range(2):
            outputs = [torch.cat([net(x)[number].flatten() for x in batches]).double() for net in (twin, reference)]
            worst.append(torch.cosine_similarity(*outputs, 0).item())
        self.assertLess(worst[1], worst[0] - 1e-4)
        self.assertAlmostEqual(found.in_8_bit, worst[1], 3)

    def test_a_metric_that_is_nan_is_refused(self):
        with self.assertRaisesRegex(ValueError, "metric.*float.*NaN"):
            self.find(lambda network: float("nan"))
        model = Chain().eval()
        model.last.bias.data[:] = float("nan")
        with self.assertRaisesRegex(ValueError, "NaN"):
            gq.sensitivity(model, self.batches)

    def test_a_layer_that_was_not_needed_goes_back(self):
        def metric(network):
            bits = {module.name.split()[0]: 0 if module.switched_off else module.bits
                    for module in network.modules() if hasattr(module, "switched_off")}  # fmt: skip
            alone = [layer for layer, width in bits.items() if width]
            if len(alone) == 1:  # the larger loss is that of a layer that costs nothing beside the other
                return {"first": -2.0, "last": -1.0}.get(alone[0], 0.0)
            return float(bits["last"] == 16)

        chosen = self.find(metric, wanted=1.0)
        self.assertEqual([loss.layer for loss in chosen][:2], ["first", "last"])
        self.assertEqual((chosen.layer_bits, chosen.value), ({"last": 16}, 1.0))

    def test_resume(self):
        calls = []

        def metric(network):
            calls.append(network)
            if len(calls) == 5:
                raise KeyboardInterrupt
            return 0.5

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "found.json"
            with self.assertRaises(KeyboardInterrupt):
                self.find(metric, resume=file)
            self.assertEqual(len(json.loads(file.read_text())["values"]), 4)
            found = self.find(metric, resume=file)
            self.assertEqual((len(found), len(calls)), (4, 5 + 3))
            self.find(metric, resume=file)
            self.assertEqual(len(calls), 5 + 3)
            with torch.no_grad():
                self.model.last.bias += 1
            with self.assertRaisesRegex(OSError, "another model"):
                self.find(metric, resume=file)

    def test_plot(self):
        try:
            import matplotlib
        except ImportError:
            self.skipTest("matplotlib is not installed (Debian: python3-matplotlib)")
        matplotlib.use("Agg")
        found = self.find(wanted=0.999)
        with tempfile.TemporaryDirectory() as folder:
            axes = found.plot(Path(folder) / "losses.png")
            self.assertGreater((Path(folder) / "losses.png").stat().st_size, 3000)
        drawn = sorted(x for line in axes.lines[:2] for x in line.get_xdata())
        self.assertEqual(drawn, sorted(loss.loss for loss in found))

    def test_a_prepared_model_is_refused(self):
        gq.prepare(self.model)
        with self.assertRaisesRegex(ValueError, "float one"):
            self.find()


if __name__ == "__main__":
    unittest.main()
