"""Folding gives layers a bias: optimizers that were made before do not have it."""

import unittest
import warnings

from support import needs_torch, torch

if torch is not None:
    from torch import nn

    import gfpq.torch as gq

    def network():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))


def images():
    return torch.linspace(-1, 1, 96).view(2, 3, 4, 4)


@needs_torch
class NewParametersTest(unittest.TestCase):
    def warned(self, function, *arguments, **keywords):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = function(*arguments, **keywords)
        return result, [(str(warning.message), warning.filename) for warning in caught]

    def test_an_optimizer_made_before_is_warned_of(self):
        for function, keywords in ((gq.prepare, {"example_inputs": images(), "fold": True}),
                                   (gq.fold_batchnorm, {"example_inputs": images()})):  # fmt: skip
            model = network().eval()
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            result, texts = self.warned(function, model, **keywords)
            self.assertEqual(result.new_parameters, ["0.bias"])
            self.assertIn("new parameters: 0.bias", str(result))
            self.assertEqual(len(texts), 1, texts)
            self.assertRegex(texts[0][0], r"SGD.*made before.*0\.bias.*optimizer after")
            self.assertEqual(texts[0][1], __file__)
            del optimizer

    def test_others_are_not(self):
        model, other = network().eval(), network()
        optimizers = [torch.optim.SGD(other.parameters(), 0.1), torch.optim.SGD(model[3].parameters(), 0.1)]
        optimizers.append(torch.optim.SGD(model.parameters(), 0.1))
        del optimizers[2]
        placed, texts = self.warned(gq.prepare, model, example_inputs=images(), fold=True)
        self.assertEqual(texts, [])
        self.assertEqual(placed.new_parameters, ["0.bias"])
        self.assertIn("new parameters: 0.bias", str(placed))
        model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
        optimizers.append(torch.optim.SGD(model.parameters(), 0.1))
        placed, texts = self.warned(gq.prepare, model, example_inputs=images(), fold=True)
        self.assertEqual((placed.new_parameters, texts), ([], []))

    def test_an_export_changes_no_model_that_trains(self):
        model = network().eval()
        gq.prepare(model, example_inputs=images())
        gq.calibrate(model, [images()])
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.assertEqual(self.warned(gq.export, model)[1], [])
        del optimizer


if __name__ == "__main__":
    unittest.main()
