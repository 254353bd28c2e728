"""calibrate: what it takes, what it changes, what it refuses."""

import contextlib
import importlib.util
import io
import unittest
import warnings

from support import needs_torch, torch
from test_network import images, network

import gfpq

if torch is not None:
    from torch import nn

    import gfpq.torch as gq


def ranges(model):
    return [quantizer.params for _, tensor, quantizer in gq.quantizers(model) if tensor == "data"]


def prepared(model=None, **arguments):
    model = network() if model is None else model
    gq.prepare(model, **arguments)
    return model


class TwoInputs(nn.Module if torch is not None else object):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Linear(3, 4), nn.Linear(5, 4), nn.Linear(4, 2)

    def forward(self, x, y, *, scale=1.0, auxiliary=False):
        if auxiliary:
            return self.head(self.a(x))
        return self.a(x) + self.b(y) * scale


@needs_torch
class CalibrateTest(unittest.TestCase):
    def test_starts_afresh_or_extends(self):
        model, once = prepared(), prepared()
        gq.calibrate(once, [images()])
        gq.calibrate(model, [images() * 1000])
        wide = ranges(model)
        gq.calibrate(model, [images()], extend=True)
        self.assertEqual(ranges(model), wide)
        gq.calibrate(model, [images()])
        self.assertEqual(ranges(model), ranges(once))

    def test_repairs_a_range_that_training_ruined(self):
        model, x = prepared(), images()
        model(x)
        with self.assertWarns(RuntimeWarning):
            model(x * float("inf"))
        model(x * 1e6)
        clean = prepared()
        gq.calibrate(clean, [x])
        gq.calibrate(model, [x])
        self.assertEqual(model.conv.input_quantizer.params, clean.conv.input_quantizer.params)
        self.assertEqual(model.conv.input_quantizer.nonfinite, 0)

    def test_every_choice_of_range_is_calibrated(self):
        for choice in ("widest", "moving maximum", "percentile", "fixed"):
            model = prepared(range=choice)
            gq.calibrate(model, [images(), images(seed=1)])
            before = ranges(model)
            self.assertTrue(all(param.initialized for params in before for param in params))
            model.train()(images() * 50)
            self.assertEqual(ranges(model) == before, choice == "fixed")

    def test_batches_of_any_form(self):
        x, y = torch.randn(2, 3), torch.randn(2, 5) * 7
        expected = prepared(TwoInputs())
        with torch.no_grad(), warnings.catch_warnings():
            expected.train()(x, y)
        for batches, input_of in (
            ([{"x": x, "y": y}], None),
            ([((x, y), "labels")], None),
            ([[x, y]], tuple),
            ([{"left": x, "right": y}], lambda batch: (batch["left"], batch["right"])),
            ([{"left": x, "right": y}], lambda batch: {"x": batch["left"], "y": batch["right"]}),
            (iter([{"x": x, "y": y}]), None),
        ):
            model = prepared(TwoInputs())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gq.calibrate(model, batches, input_of=input_of)
            self.assertEqual(model.a.input_quantizer.params, expected.a.input_quantizer.params)
            self.assertEqual(model.b.input_quantizer.params, expected.b.input_quantizer.params)

    def test_names_layers_without_data(self):
        model = prepared(TwoInputs())
        with self.assertWarnsRegex(UserWarning, "brought no data to head:"):
            gq.calibrate(model, [{"x": torch.randn(2, 3), "y": torch.randn(2, 5)}])

    def test_refuses_an_empty_loader(self):
        model = prepared()
        gq.calibrate(model, [images()])
        before = ranges(model)
        for empty in ([], iter(())):
            with self.assertRaisesRegex(ValueError, "no batch"):
                gq.calibrate(model, empty)
        self.assertEqual(ranges(model), before)
        with self.assertRaisesRegex(ValueError, "no quantizers of data"):
            gq.calibrate(network(), [images()])
        with self.assertRaisesRegex(ValueError, "no quantizers of data"):
            gq.calibrate(prepared(data=False), [images()])

    def test_a_failure_midway_leaves_the_ranges(self):
        for choice in ("widest", "moving maximum"):
            model = prepared(range=choice)
            gq.calibrate(model, [images(seed=seed) for seed in range(3)])
            before = [q.range.clone() for _, tensor, q in gq.quantizers(model) if tensor == "data"]
            with self.assertRaises(RuntimeError):
                gq.calibrate(model, [images() * 9, torch.ones(1, 3, 12, 12)])
            after = [q.range for _, tensor, q in gq.quantizers(model) if tensor == "data"]
            self.assertTrue(all(map(torch.equal, before, after)))
            model.eval()(images() * 100)
            self.assertTrue(all(map(torch.equal, before, after)))  # nothing goes on observing

    def test_quantizers_placed_by_hand(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.join = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), gq.FakeQuantize(16)

            def forward(self, x):
                return self.join(self.a(x) + self.b(x))

        model, x = prepared(Net()), images()
        gq.calibrate(model, [x])
        self.assertTrue(model.join.initialized)
        exported = gq.export(model)
        self.assertEqual(exported.nnie["nnie"]["gfpq_param_dict"]["join"], [model.join.params[0].largest])
        self.assertIsInstance(exported.model.join, nn.Identity)
        self.assertIsInstance(exported.twin.join, gq.FakeQuantize)
        self.assertTrue(torch.equal(exported.twin(x), model.eval()(x)))
        gq.remove(model)
        self.assertIsInstance(model.join, gq.FakeQuantize)

    @unittest.skipUnless(importlib.util.find_spec("tqdm"), "tqdm is not installed")
    def test_progress(self):
        with contextlib.redirect_stderr(io.StringIO()) as written:
            gq.calibrate(prepared(), [images(), images()], progress=True)
        self.assertIn("2/2", written.getvalue())


@needs_torch
class NotCalledTest(unittest.TestCase):
    """A layer that evaluation does not call, such as an auxiliary head."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head, self.auxiliary = nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x):
            x = self.body(x)
            return (self.head(x), self.auxiliary(x)) if self.training else self.head(x)

    def test_is_named_and_exported_without_parameters(self):
        for example in (None, torch.ones(2, 3)):
            model = self.Net()
            gq.prepare(model, example_inputs=example)
            with self.assertWarnsRegex(UserWarning, "auxiliary"):
                gq.calibrate(model, [torch.randn(2, 3)])
            with self.assertWarnsRegex(UserWarning, "no data was seen by auxiliary: exported without"):
                exported = gq.export(model)
            self.assertEqual(exported.without_ranges, ["auxiliary"])
            self.assertEqual(list(exported.nnie["nnie"]["gfpq_param_dict"]), ["body", "head"])

    def test_a_layer_that_evaluation_calls_needs_data(self):
        model = self.Net()
        gq.prepare(model, example_inputs=torch.ones(2, 3))
        model(torch.ones(2, 3))
        model.head.input_quantizer.forget()
        with self.assertRaisesRegex(gfpq.NotInitializedError, "no range yet for the data of head"):
            gq.export(model)


@needs_torch
class FixedTest(unittest.TestCase):
    def test_a_fixed_range_that_was_not_found_is_explained(self):
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1))
        gq.prepare(model, range="fixed")
        for use, given in ((model.train(), torch.ones(1, 3, 4, 4)), (gq.export, model)):
            with self.assertRaisesRegex(gfpq.NotInitializedError, "0.*does not learn.*gfpq.torch.calibrate"):
                use(given)


if __name__ == "__main__":
    unittest.main()
