"""A quantized layer's weight that something else reads too: twin and exported network would be two networks."""

import unittest

from support import needs_torch, torch

import gfpq

if torch is not None:
    import torch.nn.functional as F
    from test_record import Of
    from torch import nn

    import gfpq.torch as gq

    def language_model():
        model = Of(lambda self, x: self.head(self.embedding(x).relu()), embedding=nn.Embedding(10, 4),
                   head=nn.Linear(4, 10, bias=False))  # fmt: skip
        model.head.weight = model.embedding.weight
        return model

    def autoencoder(forward):
        return Of(forward, a=nn.Linear(4, 4, bias=False), b=nn.Linear(4, 4, bias=False))


def vectors():
    return torch.linspace(-1, 1, 12).view(3, 4)


@needs_torch
class SharedWeightsTest(unittest.TestCase):
    def refused(self, model, x, text, **arguments):
        """By prepare, which leaves the model as it was; and by export where it was made so later."""
        kinds = [type(module) for module in model.modules()]
        for example in (x, None) if arguments.pop("without_example", True) else (x,):
            with self.assertRaisesRegex(gfpq.NotSupportedError, text):
                gq.prepare(model, example_inputs=example, **arguments)
            self.assertEqual([type(module) for module in model.modules()], kinds)

    def test_an_embedding_and_a_linear_layer_with_one_weight(self):
        x = torch.tensor([[1, 2], [3, 4]])
        model = language_model()
        self.refused(model, x, r"head \(Linear\).*also embedding.weight.*skip=\['head'\]")
        gq.prepare(model, example_inputs=x, skip=["head"])
        model = language_model()
        model.head.weight = nn.Parameter(model.head.weight.detach().clone())
        gq.prepare(model, example_inputs=x)
        gq.calibrate(model, [x])
        model.head.weight = model.embedding.weight
        with self.assertRaisesRegex(gfpq.NotSupportedError, "also embedding.weight"):
            gq.export(model)

    def test_a_function_that_reads_a_layers_weight(self):
        model = autoencoder(lambda self, x: F.linear(self.b(self.a(x)), self.a.weight.t()))
        self.refused(model, vectors(), r"a \(Linear\).*also read by t\b", without_example=False)
        gq.prepare(model, example_inputs=vectors(), skip=["a"])
        model = autoencoder(lambda self, x: torch.matmul(self.b(self.a(x)), self.a.weight))
        self.refused(model, vectors(), "also read by matmul", without_example=False)

    def test_a_function_that_reads_its_form_alone(self):
        model = autoencoder(lambda self, x: self.b(self.a(x.type_as(self.a.weight).to(self.a.weight.device))))
        gq.prepare(model, example_inputs=vectors())
        gq.calibrate(model, [vectors()])
        gq.export(model)

    def test_a_layer_in_float_or_of_another_width(self):
        for arguments in ({"skip": ["b"]}, {"layer_bits": {"b": 16}}):
            model = autoencoder(lambda self, x: self.b(self.a(x)))
            model.b.weight = model.a.weight
            self.refused(model, vectors(), r"also b.weight", **arguments)

    def test_a_part_of_another_weight(self):
        model = autoencoder(lambda self, x: self.b(self.a(x)))
        model.b.weight.data = model.a.weight.data[:2]
        self.refused(model, torch.rand(3, 4), "also b.weight", without_example=False)

    def test_layers_that_are_quantized_alike_share_it(self):
        model = autoencoder(lambda self, x: self.b(self.a(x)))
        model.b.weight = model.a.weight
        gq.prepare(model, example_inputs=vectors())
        gq.calibrate(model, [vectors()])
        exported = gq.export(model)
        self.assertTrue(torch.equal(exported.twin.a.quantized_weight(), exported.model.a.weight))
        self.assertIs(exported.model.a.weight, exported.model.b.weight)


if __name__ == "__main__":
    unittest.main()
