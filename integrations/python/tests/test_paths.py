"""Calls of functions in passes that take other paths than the recorded one: none gets another call's quantizer."""

import pickle
import unittest
import warnings

from support import needs_torch, torch
from test_record import images

import gfpq

if torch is not None:
    import torch.nn.functional as F
    from test_record import Of
    from torch import nn

    import gfpq.torch as gq


def resized(x, like):
    return F.interpolate(x, size=like.shape[2:])


def sum_of_one(x, times):
    """x + x from one place in the code, several times."""
    for _ in range(times):
        y = x + x
    return y


def resized_twice_removed(x, like):
    return resized(x, like)


def calibrated(forward, **modules):
    """A prepared model on what training and evaluation decide differently, and the warnings of a pass in training."""
    torch.manual_seed(0)
    model = Of(forward, **modules)
    gq.prepare(model, example_inputs=images())
    return model


def trained(model, x=None, passes=1):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(passes):
            model.train()(images() if x is None else x)
    return [str(warning.message) for warning in caught]


def ranges(model):
    """The largest values of the functions' quantizers, None where they saw nothing."""
    return {
        (name, quantizer.input_number): quantizer.params[0].largest if quantizer.initialized else None
        for name, tensor, quantizer in gq.quantizers(model)
        if quantizer.name.split(" ")[0].rpartition(".")[2].startswith(("interpolate", "cat", "add", "mul"))
    }


@needs_torch
class OtherPathsTest(unittest.TestCase):
    def test_helpers_calls_are_told_apart_by_all_lines_that_lead_to_them(self):
        for helper in (resized, resized_twice_removed):
            def forward(self, x, helper=helper):
                y = self.a(x)
                o = F.max_pool2d(y, 2)
                if self.training:
                    return o, helper(y * 1e4, x)
                return helper(o, x)

            with self.subTest(helper=helper.__name__):
                model = calibrated(forward, a=nn.Conv2d(3, 4, 3, padding=1))
                texts = trained(model)
                self.assertEqual(ranges(model)["interpolate", 0], None)
                self.assertTrue(any("interpolate in the model" in text for text in texts), texts)
                with self.assertRaisesRegex(gfpq.NotInitializedError, "interpolate: run a batch"):
                    gq.export(model)

    def test_the_same_helper_at_the_same_place_keeps_its_quantizer(self):
        model = calibrated(lambda self, x: resized(F.max_pool2d(x, 2), x) + resized(x, x))
        self.assertEqual(trained(model), [])
        self.assertEqual(len([value for value in ranges(model).values() if value]), 4)

    def test_two_calls_on_one_line(self):
        def forward(self, x):
            return torch.cat([x * 1e4, x], 1) if self.training else torch.cat([x, x], 1)

        model = calibrated(forward)
        texts = trained(model)
        self.assertEqual(set(ranges(model).values()), {None})
        self.assertTrue(any("cat in the model" in text for text in texts), texts)

    def test_a_loop_that_skips_rounds_in_training_leaves_its_ranges(self):
        def forward(self, x):
            for number in range(4):
                if self.training and number < self.skipped:
                    continue
                x = x + x * 10.0**number
            return x

        model = calibrated(forward)
        model.skipped = 2
        texts = trained(model, passes=2)
        self.assertEqual(set(ranges(model).values()), {None})
        self.assertTrue(any("add, add_1, add_2, add_3: 2 calls came from one place in the code, and 4 in the "
                            "recorded pass" in text for text in texts), texts)  # fmt: skip
        model.skipped = 0
        self.assertEqual(trained(model), [])
        before = ranges(model)
        self.assertNotIn(None, before.values())
        model.skipped = 3
        trained(model, images() * 1e6)
        self.assertEqual(ranges(model), before)

    def test_more_rounds_in_training_leave_the_ranges_too(self):
        def forward(self, x):
            for number in range(2 if self.training else 1):
                x = x * 1e4 if self.training and not number else x + x
            return x

        model = calibrated(forward)
        trained(model)
        model = calibrated(lambda self, x: sum_of_one(x, 2 if self.training else 1))
        trained(model)
        self.assertEqual(set(ranges(model).values()), {None})

    def test_a_model_from_a_file_does_not_take_the_lines_of_a_changed_program(self):
        source = "import torch\ndef forward(self, x):\n    a = torch.cat([x, {}], 1)\n    b = torch.cat([x, {}], 1)\n" \
                 "    return a.mean((2, 3)) + b.mean((2, 3))\n"  # fmt: skip
        scopes = {}, {}
        exec(source.format("x.sin()", "x.abs() * 99"), scopes[0])
        exec(source.format("x.abs() * 99", "x.sin()"), scopes[1])
        for scope, same in ((scopes[0], True), (scopes[1], False)):
            model = Of(forward)
            forward.program = scopes[0]["forward"]
            gq.prepare(model, example_inputs=images())
            gq.calibrate(model, [images()])
            model = pickle.loads(pickle.dumps(model))
            forward.program = scope["forward"]
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model.eval()(images())
            self.assertEqual(any("cat in the model" in str(warning.message) for warning in caught), not same)


    def test_a_method_that_is_called_instead_of_forward(self):
        model = Methods()
        gq.prepare(model, example_inputs=images())
        gq.calibrate(model, [images()])
        x, layers = images(), model.eval().conv
        with self.assertWarnsRegex(UserWarning, "features of Methods was called without the model's `forward`.*float"):
            y = model.features(x)
        self.assertTrue(torch.equal(y, torch.cat([layers(x), x], 1)))
        for copied in (model, pickle.loads(pickle.dumps(model))):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                copied(x)
                copied.other(x)
                copied.train().eval()
        gq.remove(model)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.features(x)


class Methods(nn.Module if torch is not None else object):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def features(self, x):
        return self.joined(x)

    def joined(self, x):
        return torch.cat([self.conv(x), x], 1)

    def other(self, x):
        return self.conv(x)

    def forward(self, x):
        return self.features(x).mean((2, 3))


def forward(self, x):
    return forward.program(self, x)


if __name__ == "__main__":
    unittest.main()
