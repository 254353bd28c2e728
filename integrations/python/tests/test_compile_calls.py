"""torch.compile of models whose functions have quantized inputs: a ResNet's additions, an Inception's Concats."""

import copy
import unittest
import warnings

from support import compiled, needs_compile, torch, train

if torch is not None:
    import torch.nn.functional as F
    from torch import nn
    from torch.utils.checkpoint import checkpoint

    import gfpq.torch as gq

    class Block(nn.Module):
        """As torchvision's BasicBlock."""

        def __init__(self, inputs, outputs):
            super().__init__()
            self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)
            self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU(inplace=True)
            self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

        def forward(self, x):
            identity = x
            out = self.relu(self.norm1(self.conv1(x)))
            out = self.norm2(self.conv2(out))
            if self.shortcut is not None:
                identity = self.shortcut(x)
            out += identity
            return self.relu(out)

    class Network(nn.Module):
        """With each way in which a model calls a function that is quantized."""

        def __init__(self):
            super().__init__()
            self.stem, self.pool = nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2)
            self.blocks = nn.Sequential(Block(8, 8), Block(8, 16))
            self.left, self.right = nn.Conv2d(16, 8, 1), nn.Conv2d(16, 8, 1)
            self.fc = nn.Linear(24, 5)

        def join(self, *parts):
            return torch.cat(parts, 1)

        def forward(self, x):
            x = self.blocks(self.pool(F.relu(self.stem(x))))
            left, right = self.left(x), self.right(x)
            small = F.max_pool2d(left, 2) + F.avg_pool2d(right, kernel_size=2)
            grown = F.interpolate(small, scale_factor=2.0)
            joined = self.join(self.join(left, right), torch.maximum(grown, left.mul(right)))
            a, b = F.adaptive_avg_pool2d(joined, 1).flatten(1), joined.mean((2, 3))
            return self.fc(a.add_(b))


def prepared(network, x, **arguments):
    torch.manual_seed(0)
    model = network()
    gq.prepare(model, example_inputs=x, **arguments)
    return model


@needs_compile
class CompileCallsTest(unittest.TestCase):
    def check(self, network, x, backend, **arguments):
        """Trains and evaluates a model and its program, and compares all that they have and return, bit for bit."""
        model = prepared(network, x, **arguments)
        eager, program = copy.deepcopy(model), compiled(model, backend)
        batches = [torch.randn(x.shape) * scale for scale in (1, 5, 0.3)]
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            train(program, batches)
        train(eager, batches)
        self.same_state(model, eager)
        with torch.no_grad():
            expected = eager.eval()(x)
            self.assertTrue(torch.equal(program.eval()(x), expected))
            self.assertTrue(torch.equal(model(x), expected))
        self.assertFalse(torch._dynamo.utils.counters["graph_break"])
        return model

    def same_state(self, model, other):
        states = model.state_dict(), other.state_dict()
        self.assertEqual(states[0].keys(), states[1].keys())
        for name, tensor in states[0].items():
            self.assertTrue(torch.equal(tensor, states[1][name]), name)

    def test_each_way_to_call_a_function_gives_eagers_numbers(self):
        x = torch.randn(2, 3, 16, 16)
        for backend in ("eager", "aot_eager"):
            for arguments in ({}, {"clip_gradient": True, "bits": 16, "fold": True}):
                model = self.check(Network, x, backend, **arguments)
        names = {name.rpartition(".")[2] for name, _, _ in gq.functional.call_quantizers(model)}
        expected = {"add", "cat", "cat_1", "max_pool2d", "avg_pool2d", "interpolate", "maximum", "mul", "mean", "add_1",
                    "adaptive_avg_pool2d"}  # fmt: skip
        self.assertEqual(names, expected)
        self.assertTrue(all(quantizer.initialized for _, _, quantizer in gq.quantizers(model)))

    def refuses(self, text, network, x=None, **arguments):
        model = prepared(network, torch.randn(1, 3, 4, 4), **arguments)
        program = compiled(model, "eager", full=False)
        with self.assertRaisesRegex(Exception, text):
            program(torch.randn(1, 3, 4, 4) if x is None else x)
        return model

    def test_calls_that_only_a_pass_can_tell_apart_are_refused_by_name(self):
        class Loop(nn.Module):
            def forward(self, x):
                for _ in range(2):
                    x = x + torch.relu(x)
                return x

        model = self.refuses("add, add_1: called in a loop", Loop)
        self.assertEqual(len(list(gq.quantizers(model))), 4)
        model = prepared(Loop, torch.randn(1, 3, 4, 4), skip=["add", "add_1"])
        x = torch.randn(1, 3, 4, 4)
        self.assertTrue(torch.equal(compiled(model, "eager")(x), model(x)))

    def test_a_program_without_a_call_of_the_recorded_pass_is_refused(self):
        class Drops(nn.Module):
            def forward(self, x):
                return torch.relu(x) if self.training else torch.cat((x, torch.relu(x)), 1)

        model = self.refuses("cat: called in the recorded pass, and not found", Drops)
        x = torch.randn(1, 3, 4, 4)
        model(x), gq.calibrate(model, [x])
        self.assertTrue(torch.equal(compiled(model.eval(), "eager")(x), model(x)))

    def test_checkpoints_of_what_calls_quantized_functions_are_refused(self):
        class Inside(nn.Module):
            def __init__(self):
                super().__init__()
                self.block, self.keeps = Block(3, 3), False

            def part(self, x):
                return torch.cat((x, self.block(x)), 1)

            def forward(self, x):
                return checkpoint(self.part, x, use_reentrant=False) if self.keeps else self.part(x)

        class Outside(nn.Module):
            def __init__(self):
                super().__init__()
                self.block, self.last, self.keeps = Block(3, 3), nn.Conv2d(3, 3, 1), False

            def forward(self, x):
                return self.last(checkpoint(self.block, x, use_reentrant=False) if self.keeps else self.block(x))

        x = torch.randn(2, 3, 4, 4)
        for network, text in ((Inside, "cat: called in the recorded pass, and not found"), (Outside, "checkpoint")):
            model = prepared(network, x)
            model.keeps = True
            with self.assertRaisesRegex(Exception, text):
                compiled(model)(x)

    def test_a_call_that_the_recorded_pass_lacks_is_warned_of_and_stays_in_float(self):
        class Auxiliary(nn.Module):
            def forward(self, x):
                y = torch.cat((x, torch.relu(x)), 1)
                return y + y if self.training else y

        x = torch.randn(1, 3, 4, 4)
        model = prepared(Auxiliary, x)
        with self.assertWarnsRegex(UserWarning, "add in the model, .*, was not called in the recorded pass"):
            result = compiled(model, "eager")(x)
        with self.assertWarnsRegex(UserWarning, "add in the model, .*, was not called in the recorded pass"):
            self.assertTrue(torch.equal(result, model(x)))

    def test_code_that_python_has_twice_is_one_call(self):
        class Finally(nn.Module):
            def forward(self, x):
                try:
                    y = torch.relu(x)
                finally:
                    x = torch.cat((x, x), 1) if x.shape[0] > 1 else torch.cat((x, -x), 1)
                with torch.no_grad():
                    x = x + torch.cat((y, y), 1)
                return x

        x = torch.randn(2, 3, 4, 4)
        model = prepared(Finally, x)
        eager = copy.deepcopy(model)
        self.assertTrue(torch.equal(compiled(model, "eager")(x), eager(x)))
        self.same_state(model, eager)
        self.assertEqual(len(list(gq.quantizers(model))), 6)

    def test_more_calls_than_in_the_recorded_pass_are_refused(self):
        class Repeats(nn.Module):
            def forward(self, x):
                return self.twice(x) if self.training else self.once(x)

            def once(self, x):
                return torch.cat((x, x), 1)

            def twice(self, x):
                return self.once(self.once(x))

        self.refuses("not found in what torch.compile made", Repeats)

    def test_a_break_in_a_program_is_refused(self):
        class Breaks(nn.Module):
            def forward(self, x):
                y = torch.cat((x, torch.relu(x)), 1)
                torch._dynamo.graph_break()
                return y + torch.relu(y)

        class Outside(nn.Module):
            def __init__(self):
                super().__init__()
                self.block = Block(3, 3)

            def forward(self, x):
                torch._dynamo.graph_break()
                return self.block(x)

        for network in (Breaks, Outside):
            self.refuses("fullgraph=True", network)

    def test_a_program_of_a_part_in_a_model_that_runs_is_refused(self):
        x = torch.randn(2, 3, 16, 16)
        for part, text in (("", "model.compile.. leaves"), ("blocks.0", "compile the whole"), ("blocks", "compile the whole")):
            torch._dynamo.reset()
            model = prepared(Network, x)
            model.get_submodule(part).compile(backend="eager")
            with self.assertRaisesRegex(Exception, text):
                model(x)

    def test_a_layer_of_a_model_may_be_compiled(self):
        x = torch.randn(2, 3, 16, 16)
        model = prepared(Network, x)
        eager = copy.deepcopy(model)
        torch._dynamo.reset()
        model.blocks[0].conv1.compile(backend="eager")
        self.assertTrue(torch.equal(model(x), eager(x)))
        self.same_state(model, eager)

    def test_what_is_exported_of_a_program_is_what_the_model_is(self):
        x = torch.randn(2, 3, 16, 16)
        model = prepared(Network, x)
        program = compiled(model, "eager")
        train(program, [x])
        exported = gq.export(program)
        self.assertIs(type(exported.model), Network)
        with torch.no_grad():
            self.assertTrue(torch.equal(exported.model(x), gq.export(model).model(x)))
            self.assertTrue(torch.equal(exported.twin(x), gq.export(model).twin(x)))

    def test_a_method_without_forward_is_refused(self):
        class Parts(nn.Module):
            def features(self, x):
                return torch.cat((x, torch.relu(x)), 1)

            def forward(self, x):
                return self.features(x)

        x = torch.randn(1, 3, 4, 4)
        model = prepared(Parts, x)
        self.assertTrue(torch.equal(compiled(model, "eager")(x), model(x)))
        torch._dynamo.reset()
        with self.assertRaisesRegex(Exception, "features was called without the model's `forward`"):
            torch.compile(model.features, backend="eager")(x)

    def test_a_part_of_the_model_and_copies_of_it(self):
        x = torch.randn(2, 3, 16, 16)
        model = prepared(Network, x)
        model(x)
        block, y = model.blocks[1], torch.randn(2, 8, 8, 8)
        other = copy.deepcopy(block)
        expected = block(y)
        self.assertTrue(torch.equal(compiled(other, "eager")(y), expected))
        again = copy.deepcopy(other)
        self.assertTrue(torch.equal(torch.compile(again, backend="eager", fullgraph=True)(y), expected))

    def test_a_model_that_is_prepared_anew_gets_a_new_program(self):
        x = torch.randn(2, 3, 4, 4)
        model = prepared(lambda: Block(3, 3), x, skip="add")
        program = compiled(model, "eager")
        self.assertTrue(torch.equal(program(x), model(x)))
        gq.remove(model)
        gq.prepare(model, example_inputs=x)
        eager = copy.deepcopy(model)
        self.assertTrue(torch.equal(program(x), eager(x)))
        self.same_state(model, eager)
        self.assertTrue(all(quantizer.initialized for _, _, quantizer in gq.functional.call_quantizers(model)))


if __name__ == "__main__":
    unittest.main()
