"""Models with NaN in them, and data that is all zero."""

import unittest
import warnings

from support import needs_protobuf, needs_torch, torch

import gfpq

if torch is not None:
    from torch import nn
    from torch.nn.utils import parametrizations

    import gfpq.torch as gq


@needs_torch
class FiniteTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.x = torch.randn(2, 2, 5, 5)

    def prepared(self, *between):
        model = nn.Sequential(nn.Conv2d(2, 2, 1), *between, nn.Conv2d(2, 2, 1)).eval()
        gq.prepare(model, example_inputs=self.x)
        gq.calibrate(model, [self.x])
        return model

    def test_nan_in_a_weight_or_bias_is_warned_of_by_name(self):
        for between in (nn.ReLU(), nn.BatchNorm2d(2)):
            for key in ("weight", "bias"):
                model = self.prepared(between)
                getattr(model[0], key).data[0] = float("nan")
                with self.subTest(key), warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    try:
                        gq.export(model)
                    except gfpq.GfpqError as error:
                        self.assertRegex(str(error), "NaN")
                self.assertTrue(any(f"0.{key} holds NaN" in str(w.message) for w in caught), list(map(str, caught)))

    @needs_protobuf
    def test_and_refused_for_the_mapper(self):
        for key in ("weight", "bias"):
            model = self.prepared(nn.ReLU())
            getattr(model[0], key).data[0] = float("inf")
            with self.assertRaisesRegex(ValueError, f"0.{key} holds NaN or infinite"):
                gq.export(model, nnie=True)

    @needs_protobuf
    def test_an_operation_that_makes_nan_is_named(self):
        model = self.prepared(nn.BatchNorm2d(2, eps=0))
        model[1].running_var.zero_()
        with warnings.catch_warnings(), self.assertRaisesRegex(gfpq.GfpqError, "NaN or infinite"):
            warnings.simplefilter("ignore")
            gq.export(model, nnie=True)

    def test_folding_says_nan(self):
        model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)).eval()
        model[0].weight.data[0] = float("nan")
        with self.assertRaisesRegex(gfpq.GfpqError, "0.weight holds NaN"):
            gq.prepare(model, example_inputs=self.x, fold=True)

    def test_calibration_on_zeros_is_warned_of(self):
        model = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), nn.ReLU()).eval()
        gq.prepare(model, example_inputs=self.x)
        with self.assertWarnsRegex(UserWarning, "zeros.*to 0"):
            gq.calibrate(model, [self.x * 0])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gq.calibrate(model, [self.x * 0, self.x])

    def test_what_calibrate_is_given(self):
        model = self.prepared(nn.ReLU())
        with self.assertRaisesRegex(TypeError, r"\[x\]"):
            gq.calibrate(model, self.x)
        model = nn.Sequential(nn.Conv2d(2, 2, 1))
        gq.prepare(model, data=False)
        with self.assertRaisesRegex(ValueError, "data=False"):
            gq.calibrate(model, [self.x])

    @needs_protobuf
    def test_a_parametrized_layer_is_refused_with_what_to_do(self):
        model = nn.Sequential(parametrizations.spectral_norm(nn.Conv2d(2, 2, 1)), nn.ReLU()).eval()
        gq.prepare(model, example_inputs=self.x)
        gq.calibrate(model, [self.x])
        with self.assertRaisesRegex(gfpq.NotSupportedError, "0: .*remove_parametrizations"):
            gq.export(model, nnie=True)

    def test_a_batchnorm_in_place_of_another_module(self):
        model = self.prepared(nn.ReLU())
        model[1] = nn.BatchNorm2d(2).eval()
        self.assertEqual(gq.export(model).folded, [("0", "1")])

    @needs_protobuf
    def test_the_mapper_for_a_whole_of_which_a_part_is_prepared(self):
        model = nn.Sequential(nn.Sequential(nn.Conv2d(2, 2, 1)), nn.ReLU()).eval()
        gq.prepare(model[0], example_inputs=self.x)
        gq.calibrate(model, [self.x])
        with warnings.catch_warnings(), self.assertRaisesRegex(ValueError, "prepare the whole"):
            warnings.simplefilter("ignore")
            gq.export(model, nnie=True)

    @needs_protobuf
    def test_a_cut_of_one_name(self):
        from gfpq.nnie import Options

        model = nn.Sequential()
        model.add_module("conv", nn.Conv2d(2, 2, 1))
        model.add_module("relu", nn.ReLU())
        gq.prepare(model.eval(), example_inputs=self.x)
        gq.calibrate(model, [self.x])
        deployed = gq.export(model, nnie=Options(cut="conv")).deployed
        self.assertEqual([output.operation for output in deployed.outputs], ["conv"])


if __name__ == "__main__":
    unittest.main()
