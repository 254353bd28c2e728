"""What prepare refuses, with the model as it was, and what it says."""

import copy
import unittest

from support import needs_torch, torch
from test_record import images

import gfpq

if torch is not None:
    import torch.nn.functional as F
    from test_record import Of
    from torch import nn
    from torch.nn.utils import parametrizations, prune

    import gfpq.torch as gq

    class Scaled(nn.Conv2d):
        def forward(self, x):
            return self._conv_forward(x, self.weight / 2, self.bias)

    class Standardized(nn.Conv2d):
        def forward(self, x):
            return F.conv2d(x, self.weight - self.weight.mean(), self.bias)

    class CalledTwice(nn.Conv2d):
        def forward(self, x):
            return super().forward(x) + F.conv2d(x, self.weight)

    class Padded(nn.Conv2d):
        def forward(self, x):
            return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.weight, self.bias) * 2

    def nested():
        return nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)), nn.Conv2d(4, 4, 1))


@needs_torch
class RefusedTest(unittest.TestCase):
    def test_a_layer_that_changes_its_weight_is_refused_before_anything_is_changed(self):
        for cls in (Scaled, Standardized, CalledTwice):
            model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), cls(3, 4, 3))
            with self.assertRaisesRegex(gfpq.NotSupportedError, rf"the layer 2 \({cls.__name__}\).*does not pass its"):
                gq.prepare(model, example_inputs=images())
            self.assertEqual([type(part) for part in model], [nn.Conv2d, nn.BatchNorm2d, cls])
            self.assertTrue(model[1].weight.requires_grad)
            gq.prepare(model, example_inputs=images(), skip="2")
        gq.prepare(nn.Sequential(Padded(3, 4, 3)), example_inputs=images())
        shared = Padded(3, 3, 3)
        gq.prepare(Of(lambda self, x: self.b(self.a(x)), a=shared, b=shared), example_inputs=images())

    def test_pruned_layers_name_what_to_do(self):
        model = nn.Sequential(nn.Conv2d(3, 4, 3))
        prune.l1_unstructured(model[0], "weight", 0.5)
        with self.assertRaisesRegex(gfpq.NotSupportedError, "torch.nn.utils.prune.remove"):
            gq.prepare(model, example_inputs=images())
        prune.remove(model[0], "weight")
        gq.prepare(model, example_inputs=images())
        gq.calibrate(model, [images()])
        prune.l1_unstructured(model[0], "weight", 0.5)
        model.train()(images())
        with self.assertRaisesRegex(gfpq.NotSupportedError, "layer 0 .*torch.nn.utils.prune.remove"):
            gq.export(model)
        prune.remove(model[0], "weight")
        self.assertGreaterEqual((gq.export(model).model[0].weight == 0).float().mean().item(), 0.5)

    def test_parametrized_layers_are_reported_as_quantized(self):
        model = nn.Sequential(parametrizations.spectral_norm(nn.Conv2d(3, 4, 3)), nn.ReLU())
        for mode in (True, False):
            copied = copy.deepcopy(model).train(mode)
            placed = gq.prepare(copied, example_inputs=images())
            self.assertEqual([row.layer for row in placed], ["0", "0"])
            self.assertEqual(placed.report.names("not quantized"), [])

    def test_names_of_containers_and_single_names(self):
        def layers(**arguments):
            model = nested()
            return {row.layer: row.bits for row in gq.prepare(model, example_inputs=images(), **arguments)}

        self.assertEqual(layers(skip=["0"]), {"1": 8})
        self.assertEqual(layers(skip="0"), {"1": 8})
        self.assertEqual(layers(skip="0.1"), {"0.0": 8, "1": 8})
        self.assertEqual(layers(layer_bits={"0": 16, "0.1": 8}), {"0.0": 16, "0.1": 8, "1": 8})
        for wrong in ({"skip": "0.2"}, {"skip": ["2"]}, {"layer_bits": {"conv": 8}}):
            with self.assertRaisesRegex(ValueError, "no layer of NNIE's has the name"):
                layers(**wrong)


@needs_torch
class MessagesTest(unittest.TestCase):
    def test_batches_in_other_forms_point_to_input_of(self):
        model = nn.Sequential(nn.Conv2d(3, 4, 3))
        float_model = copy.deepcopy(model)
        gq.prepare(model, example_inputs=images())
        batch = {"image": images(), "label": torch.zeros(2)}
        for use in (lambda **arguments: gq.calibrate(model, [batch], **arguments),
                    lambda **arguments: gq.compare_layers(float_model, model, [batch], **arguments)):  # fmt: skip
            with self.assertRaisesRegex(TypeError, "image.*input_of"):
                use()
            with self.assertRaises(TypeError) as caught:
                use(input_of=lambda batch: batch)
            self.assertNotIn("input_of", str(caught.exception))
            use(input_of=lambda batch: batch["image"])
            gq.calibrate(model, [images()])

    def test_the_warning_of_what_only_training_calls_says_so(self):
        model = Of(lambda self, x: (x, torch.cat([x, x], 1)) if self.training else x)
        gq.prepare(model, example_inputs=images())
        with self.assertWarnsRegex(UserWarning, "evaluation never calls it.*nothing to do"):
            model.train()(images())
        model = Of(lambda self, x: torch.cat([x, x], 1) if x.mean() > 5 else x)
        gq.prepare(model, example_inputs=images())
        with self.assertWarnsRegex(UserWarning, "example_inputs that lead there"):
            model.eval()(images() + 10)


if __name__ == "__main__":
    unittest.main()
