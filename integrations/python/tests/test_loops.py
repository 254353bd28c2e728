"""Functions that a loop calls: which round a call is, where training goes through other rounds than evaluation."""

import copy
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
            y, out = self.head(x), {}
            for number in self.rounds[self.training]:
                z = y * 8.0**number
                out[number] = z * 2 + z
            return list(out.values())

        for rounds, words in (([0, 3], "add, add_1 in the model.*order"), ([0, 0], None)):
            model = Of(forward, head=nn.Conv2d(2, 2, 1, bias=False))
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

    def test_one_head_for_all_levels_is_told_apart_by_what_it_reads(self):
        def head(self, x):
            made = {number: self.blocks[number](x) for number in range(3)}
            for number in self.rounds[self.training]:
                y = self.tower(self.head(made[number] * 2) / 2)
                made[number] = y * 0 + y
            return [made[number] for number in range(3)]

        for order in ([2, 1, 0], [1, 2, 0], [2, 0]):
            model = Of(head, blocks=blocks(), head=copy.deepcopy(blocks()[0]), tower=copy.deepcopy(blocks()[0]))
            model.rounds = {False: [0, 1, 2], True: order}
            with self.subTest(order):
                found, texts = self.second_inputs(model, skip=["head", "tower"][: len(order) - 2])
                wanted = [1.0, 8.0, 64.0]
                self.assertEqual(found, [wanted[number] if number in order else None for number in range(3)])
                self.assertEqual([text for text in texts if "called in the recorded pass" not in text], [])

    def test_a_cell_that_is_called_again_and_again_is_known_by_how_often_it_was(self):
        def forward(self, x):
            for _ in self.rounds[self.training]:
                y = self.cell(x)
                x = y * 0 + y
            return x

        for rounds, wanted in ((3, [8.0, 64.0, 512.0]), (2, [8.0, 64.0, None]), (4, [8.0, 64.0, 512.0])):
            model = Of(forward, cell=blocks()[1])
            model.rounds = {False: range(3), True: range(rounds)}
            with self.subTest(rounds):
                found, texts = self.second_inputs(model, skip="cell" if rounds == 3 else ())
                self.assertEqual(found, wanted)
                self.assertEqual(bool(texts), rounds != 3)

    def test_what_ran_last_before_a_tensor_was_made_does_not_matter(self):
        """The layer that began last here is that of another round."""

        def forward(self, x):
            made, out = {number: self.blocks[number](x) for number in range(3)}, {}
            for number in self.rounds[self.training]:
                y = made[number] * 2
                out[number] = self.after[number](y * 0 + y)
            return [out[number] for number in range(3)]

        model = Of(forward, blocks=blocks(), after=blocks())
        model.rounds = {False: [0, 1, 2], True: [1, 0, 2]}
        self.assertEqual(self.second_inputs(model), ([2.0, 16.0, 128.0], []))

    def test_a_quantizer_that_is_switched_off_changes_nothing(self):
        model = loop(residual)
        model.rounds = {False: [0, 1, 2], True: [2, 0, 1]}
        gq.prepare(model, example_inputs=images())
        model.blocks[2].input_quantizer.enabled = False
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.train()(images())
            with gq.only(model, data=False):
                model(images())
        found = {name: quantizer.params[0].largest for name, _, quantizer in gq.quantizers(model) if "add" in name}
        self.assertEqual({name: round(largest) for name, largest in found.items()}, {"add": 1, "add_1": 8, "add_2": 64})

    def test_layers_with_a_forward_of_their_own(self):
        class Padded(nn.Conv2d):
            def forward(self, x):
                scale = torch.ones(1) * self.weight.abs().amax() ** 0
                return nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1)), self.weight, self.bias) * scale

        class Pool(nn.MaxPool2d):
            def forward(self, x):
                wide = torch.ones(1) * 1.0
                return super().forward(x) * wide

        def forward(self, x):
            made = {number: self.blocks[number](x) for number in range(3)}
            for number in self.rounds[self.training]:
                y = self.pool(self.head(made[number] * 2))
                made[number] = y * 0 + y
            return [made[number] for number in range(3)]

        model = Of(forward, blocks=blocks(), head=Padded(2, 2, 1, bias=False), pool=Pool(1))
        nn.init.dirac_(model.head.weight)
        model.rounds = {False: [0, 1, 2], True: [2, 0, 1]}
        self.assertEqual(self.second_inputs(model), ([2.0, 16.0, 128.0], []))

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
