"""Functions that a loop calls: which round a call is, where training goes through other rounds than evaluation."""

import unittest
import warnings
from functools import partial

from support import needs_torch, torch

if torch is not None:
    from test_record import Of
    from torch import nn
    from torch.utils.checkpoint import checkpoint

    import gfpq.torch as gq

    def blocks():
        """Each returns numbers of another size, so that a quantizer's range tells whose numbers it saw."""
        layers = []
        for number in range(4):
            layer = nn.Conv2d(2, 2, 1, bias=False)
            nn.init.dirac_(layer.weight)
            layer.weight.data *= 8.0**number
            layers.append(layer)
        return nn.ModuleList(layers)

    def loop(body):
        """A model that runs `body` for other blocks in training than in evaluation."""

        def forward(self, x):
            y = x
            for number in self.rounds[self.training]:
                y = body(self, x, y, number)
            return y

        model = Of(forward, blocks=blocks())
        model.rounds = {False: [0, 2, 3], True: [0, 1, 3]}
        return model

    def residual(self, x, y, number):
        return x + self.blocks[number](x)


def images():
    return torch.linspace(-1, 1, 32).view(1, 2, 4, 4)


@needs_torch
class LoopsTest(unittest.TestCase):
    def learnt(self, model, **arguments):
        """The ranges' largest values after a pass in training, and the warnings."""
        gq.prepare(model, example_inputs=images(), **arguments)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.train()(images())
        largest = {
            (name, quantizer.input_number): round(quantizer.params[0].largest, 1) if quantizer.initialized else None
            for name, tensor, quantizer in gq.quantizers(model)
            if tensor == "data" and not name.startswith("blocks")
        }
        return largest, [str(warning.message) for warning in caught]

    def second_inputs(self, model, **arguments):
        largest, texts = self.learnt(model, **arguments)
        return [largest[name, 1] for name in ("add", "add_1", "add_2")], texts

    def test_a_round_is_known_by_the_layer_that_made_its_input(self):
        found, texts = self.second_inputs(loop(residual))
        self.assertEqual(found, [1.0, None, 512.0])
        self.assertTrue(any("add in the model" in text and "blocks.1" in text for text in texts), texts)

    def test_also_where_all_inputs_were_made_before(self):
        def forward(self, x):
            made = [block(x) for block in self.blocks]
            y = x
            for number in self.rounds[self.training]:
                y = x + made[number]
            return y

        model = Of(forward, blocks=blocks())
        model.rounds = {False: [0, 2, 3], True: [0, 1, 3]}
        found, texts = self.second_inputs(model)
        self.assertEqual(found, [1.0, None, 512.0])
        self.assertTrue(texts)

    def test_a_loop_of_one_round(self):
        model = loop(residual)
        model.rounds = {False: [2], True: [1]}
        largest, texts = self.learnt(model)
        self.assertIsNone(largest["add", 1])
        self.assertTrue(texts)

    def test_fewer_rounds_keep_their_quantizers(self):
        """Stochastic depth."""
        model = loop(lambda self, x, y, number: y + self.blocks[number](x))
        model.rounds = {False: [0, 1, 2], True: [0, 2]}
        found, texts = self.second_inputs(model)
        self.assertEqual(found, [1.0, None, 64.0])
        self.assertEqual(len(texts), 1)
        self.assertIn("add_1: called in the recorded pass, and not in this one", texts[0])

    def test_other_orders(self):
        model = loop(residual)
        model.rounds = {False: [0, 1, 2], True: [2, 0, 1]}
        self.assertEqual(self.second_inputs(model), ([1.0, 8.0, 64.0], []))

    def test_comprehensions_and_functions_that_map(self):
        def comprehension(self, x):
            return torch.cat([x + self.blocks[number](x) for number in self.rounds[self.training]], 1)

        def mapped(self, x):
            return torch.cat(list(map(partial(residual, self, x, x), self.rounds[self.training])), 1)

        for forward in (comprehension, mapped):
            model = Of(forward, blocks=blocks())
            model.rounds = {False: [0, 2, 3], True: [0, 1, 3]}
            self.assertEqual(self.second_inputs(model)[0], [1.0, None, 512.0])

    def test_what_stays_in_float_between_changes_nothing(self):
        def body(self, x, y, number):
            z = torch.relu(self.blocks[number](x)).mul_(1.0)
            z = nn.functional.dropout(z, 0.5, self.training)
            if self.training:
                self.blocks[0](x)
            return x + z.contiguous()

        model = loop(body)
        model.rounds = {False: [1, 2, 3], True: [1, 2, 3]}
        found, texts = self.second_inputs(model)
        self.assertEqual(texts, [])
        self.assertNotIn(None, found)

    def test_a_layer_in_float_tells_nothing_and_rounds_go_by_their_order(self):
        model = loop(residual)
        model.rounds = {False: [0, 1, 2], True: [0, 1, 2]}
        self.assertEqual(self.second_inputs(model, skip="blocks"), ([1.0, 8.0, 64.0], []))

    def test_rounds_that_only_their_order_tells_apart_are_warned_of_where_their_numbers_differ(self):
        def forward(self, x):
            made = {number: self.blocks[number](x) for number in range(4)}
            out = {}
            for number in self.rounds[self.training]:
                y = self.head(made[number])
                out[number] = y * 2 + y
            return list(out.values())

        for rounds, words in (([0, 3], "add, add_1 in the model.*order"), ([0, 0], None)):
            model = Of(forward, blocks=blocks(), head=nn.Conv2d(2, 2, 1, bias=False))
            model.rounds = {False: rounds, True: rounds[::-1]}
            with self.subTest(rounds), warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                done = gq.prepare(model, example_inputs=images())
                self.assertEqual(done.report.names("known by order alone"), ["add", "add_1"])
                texts = [str(warning.message) for warning in caught]
                if words is None:
                    self.assertEqual(texts, [])
                else:
                    self.assertRegex(" ".join(texts), words)

    def test_rounds_that_layers_tell_apart_are_not_warned_of(self):
        model = loop(residual)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(gq.prepare(model, example_inputs=images()).report.names("known by order alone"), [])

    def test_checkpoints_and_calls_of_one_module(self):
        inner = loop(lambda self, x, y, number: y + checkpoint(self.blocks[number], x, use_reentrant=False))
        inner.rounds = {False: [0, 1, 2], True: [0, 1, 2]}
        model = Of(lambda self, x: self.a(self.a(x)), a=inner)
        gq.prepare(model, example_inputs=images())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.train()(images().requires_grad_()).sum().backward()
            model.eval()(images())
        without = [name for name, _, quantizer in gq.quantizers(model) if not quantizer.initialized]
        self.assertEqual(set(without), {"a.blocks.3"})


if __name__ == "__main__":
    unittest.main()
