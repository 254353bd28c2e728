"""Models that compute something else each time."""

import contextlib
import random
import unittest
import warnings

import numpy as np
from support import needs_protobuf, needs_torch, torch

import gfpq

if torch is not None:
    import torch.nn.functional as F
    from test_record import Of
    from torch import nn

    import gfpq.torch as gq


def counted(self, x):
    self.count += 1
    return self.c(x) * self.count


@needs_torch
class SteadyTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.x = torch.randn(2, 2, 5, 5)

    def models(self):
        forwards = {
            "dropout .*test_steady.*takes random numbers": lambda self, x: F.dropout(self.c(x), 0.5),
            "rand .*test_steady.*takes random numbers": lambda self, x: self.c(x) * torch.rand(1).item(),
            "randn_like .*takes random numbers": lambda self, x: self.c(x) + torch.randn_like(x),
            "Python's or numpy's": lambda self, x: self.c(x) * random.random(),
            "numpy's": lambda self, x: self.c(x) * np.random.rand(),
            "a counter": counted,
        }
        for words, forward in forwards.items():
            model = Of(forward, c=nn.Conv2d(2, 2, 1))
            model.count = 0
            yield words, model.eval()

    def test_prepare_warns(self):
        for words, model in self.models():
            with self.subTest(words), self.assertWarnsRegex(UserWarning, f"different outputs: .*{words}"):
                gq.prepare(model, example_inputs=self.x)
            self.assertEqual(model.count, 0)

    def test_without_an_example_export_warns(self):
        for words, model in self.models():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gq.prepare(model)
                gq.calibrate(model, [self.x])
            warned = self.assertWarnsRegex(UserWarning, f"different outputs: .*{words}")
            with self.subTest(words), warned, contextlib.suppress(gfpq.GfpqError):
                gq.export(model)

    @needs_protobuf
    def test_an_export_for_the_mapper_is_refused(self):
        for words, model in self.models():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gq.prepare(model, example_inputs=self.x)
                gq.calibrate(model, [self.x])
                with self.subTest(words), self.assertRaisesRegex(gfpq.NotSupportedError, f"different outputs: .*{words}"):
                    gq.export(model, nnie=True)

    def test_others_are_not_told_of(self):
        model = Of(lambda self, x: (F.dropout(self.c(x), 0.5, self.training), [3, "x"]), c=nn.Conv2d(2, 2, 1))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gq.prepare(model.train(), example_inputs=self.x)


if __name__ == "__main__":
    unittest.main()
