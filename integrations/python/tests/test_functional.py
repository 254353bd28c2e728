"""Quantizers of functions: Concat, Eltwise, Upsample, pooling and means that a module's forward calls."""

import copy
import io
import pickle
import threading
import unittest
import warnings

from support import needs_torch, torch
from test_record import images

import gfpq

if torch is not None:
    import torch.nn.functional as F
    from test_record import Of
    from torch import nn
    from torch.utils.checkpoint import checkpoint

    from gfpq.torch.fake_quantize import FakeQuantize
    from gfpq.torch.functional import QuantizedCalls, call_quantizers, place_calls, remove_calls, watched
    from gfpq.torch.record import record
    from gfpq.torch.sites import call_sites

    class Joins(nn.Module):
        """Concat, Eltwise, Upsample and pooling, some of them twice, in a module that is called twice."""

        def forward(self, a, b):
            y = torch.cat([a, b], 1)
            y = torch.cat([y, F.max_pool2d(y, 3, 1, 1)], dim=1)
            y = F.interpolate(y + y, scale_factor=2)
            return y.mean((2, 3))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.joins = nn.Conv2d(3, 3, 1), Joins()

        def forward(self, x):
            y = self.conv(x)
            return self.joins(x, y) * self.joins(y, x)

    class Dense(nn.ModuleDict):  # as torchvision's DenseNet
        def forward(self, x):
            features = [x]
            for _, layer in self.items():
                features.append(layer(torch.cat(features, 1)))
            return torch.cat(features, 1)

    class Residual(nn.Sequential):
        def forward(self, x):
            for index in range(len(self)):
                x = x + self[index](x)
            return x + self[-1](x)

    class Children(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.ReLU(), nn.Sigmoid()

        def forward(self, x):
            for child in self.children():
                x = child(x) + x
            return x

    class Twice(nn.Module):
        """Calls functions in the way that it is told."""

        def __init__(self, steps):
            super().__init__()
            self.steps = steps

        def forward(self, x):
            for step in self.steps:
                x = step(x)
            return x

    def place(model, x, skip=(), policy="fixed"):
        """Quantizers with the range 1: they change every number but a few. Returns the sites."""
        sites = call_sites(record(model, x), model)

        def make(site, number):
            quantizer = FakeQuantize(8, policy)
            quantizer.name = f"{site.name} input {number}"
            quantizer.set_params([gfpq.Param.from_delta(-127, 8)])
            return None if site.name in skip else quantizer

        place_calls(model, sites, make)
        return sites

    def quantized(x):
        return gfpq.torch.quantize(x.detach(), param=gfpq.Param.from_delta(-127, 8))


def silent():
    """Every warning is an error."""
    context = warnings.catch_warnings()
    context.__enter__()
    warnings.simplefilter("error")
    return context


@needs_torch
class SitesTest(unittest.TestCase):
    def test_names_kinds_and_inputs(self):
        model = Net()
        sites = call_sites(record(model, images()), model)
        self.assertEqual(
            [(site.name, site.kind, len(site.positions)) for site in sites.found],
            [("joins.cat", "Concat", 2), ("joins.max_pool2d", "Pooling", 1), ("joins.cat_1", "Concat", 2),
             ("joins.add", "Eltwise", 2), ("joins.interpolate", "Upsample", 1), ("joins.mean", "Pooling", 1),
             ("mul", "Eltwise", 2)],
        )  # fmt: skip
        self.assertEqual(sites.reasons, {})

    def test_what_is_left_in_float_is_told(self):
        def forward(self, x):
            s = x.mean((2, 3), keepdim=True)
            a = x * s
            b = torch.cat([x, x], 0)
            c = x.view(2, 3, 8, 2, 4) + x.view(2, 3, 8, 2, 4)
            d = torch.cat([x.long(), x.long()], 1)
            e = x.flatten()[:10].view(5, 2) + 1 * x.flatten()[:10].view(5, 2)
            torch.add(x, x, out=a)
            return a.sum() + b.sum() + c.sum() + d.sum() + e.sum()

        model = Of(forward)
        sites = call_sites(record(model, images()), model)
        self.assertEqual([site.name for site in sites.found], ["mean"])
        for name, reason in {
            "mul": "different shapes: a Scale", "cat": "axis of the batch", "add": "2x3x8x2x4: neither", "add_1": "5x2",
            "cat_1": "floating-point", "add_2": "out=",
        }.items():  # fmt: skip
            self.assertRegex(sites.reasons.get(name, "(none)"), reason, name)

    def test_vectors_for_each_input_are_quantized(self):
        model = Of(lambda self, x: torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))
        sites = call_sites(record(model, images()), model)
        self.assertEqual([site.name for site in sites.found], ["mean", "amax", "cat"])

    def test_compiled_code_can_not_be_reached(self):
        scripted = torch.jit.script(_joined)
        model = Of(lambda self, x: scripted(x))
        self.assertEqual(call_sites(record(model, images()), model).reasons, {"cat": "it is called from compiled code"})

    def test_a_module_whose_forward_was_assigned(self):
        model = Net()
        model.joins.forward = lambda a, b: torch.cat([a, b], 1)
        sites = call_sites(record(model, images()), model)
        self.assertRegex(sites.reasons["joins.cat"], "replaced by assignment")


def _joined(x):
    return torch.cat([x, x], 1)


@needs_torch
class QuantizedCallsTest(unittest.TestCase):
    def setUp(self):
        context = silent()
        self.addCleanup(context.__exit__, None, None, None)

    def test_every_input_is_quantized_and_nothing_else(self):
        model, x = Net().eval(), torch.rand(2, 3, 4, 4)

        def joins(a, b):
            y = torch.cat([quantized(a), quantized(b)], 1)
            y = torch.cat([quantized(y), quantized(F.max_pool2d(quantized(y), 3, 1, 1))], 1)
            y = F.interpolate(quantized(quantized(y) + quantized(y)), scale_factor=2)
            return quantized(y).mean((2, 3))

        with torch.no_grad():
            y = model.conv(x)
            expected = quantized(joins(x, y)) * quantized(joins(y, x))
            plain = model(x)
            place(model, x)
            self.assertTrue(torch.equal(model(x), expected))
            self.assertFalse(torch.equal(expected, plain))
            self.assertTrue(torch.equal(model.joins(x, y), joins(x, y)))
            remove_calls(model)
            self.assertTrue(torch.equal(model(x), plain))
        self.assertEqual(type(model), Net)
        self.assertEqual(set(vars(model)), set(vars(Net())))

    def test_functions_that_modules_of_torch_call_are_theirs(self):
        modules = {"up": nn.Upsample(scale_factor=2), "pool": nn.MaxPool2d(2), "norm": nn.BatchNorm2d(3)}
        model = Of(lambda self, x: self.norm(self.pool(self.up(x))) + x, **modules)
        x = torch.rand(2, 3, 4, 4)
        sites = place(model.eval(), x)
        self.assertEqual([site.name for site in sites.found], ["add"])
        for module in (model.eval(), model.train()):  # BatchNorm adds to its counter in training
            inside = module.norm(x)
            self.assertTrue(torch.equal(module(x), quantized(inside) + quantized(x)))

    def test_operators_methods_keywords_and_writes_in_place(self):
        a, b = torch.rand(1, 2, 3, 3), torch.rand(1, 2, 3, 3)
        q = quantized

        def plus_written(x):
            x = x.clone()
            alias = x
            x += b
            return alias

        def add_written(x):
            x = x.clone()
            x.add_(b)
            return x

        def slice_written(x):
            x = x.clone()
            x[:, :1] += b[:, :1]
            return x

        cases = {
            "operator": (lambda x: x + b, q(a) + q(b)),
            "method": (lambda x: x.mul(b), q(a) * q(b)),
            "sub": (lambda x: x - b, q(a) - q(b)),
            "alpha": (lambda x: torch.add(x, b, alpha=2), q(a) + 2 * q(b)),
            "other": (lambda x: torch.add(input=x, other=b), q(a) + q(b)),
            "maximum": (lambda x: torch.maximum(x, b), torch.maximum(q(a), q(b))),
            "max": (lambda x: torch.max(x, b), torch.maximum(q(a), q(b))),
            "+=": (plus_written, q(a) + q(b)),
            "add_": (add_written, q(a) + q(b)),
            "slice": (slice_written, torch.cat([q(a[:, :1]) + q(b[:, :1]), a[:, 1:]], 1)),
            "tensors": (lambda x: torch.cat(tensors=(x, b), dim=1), torch.cat([q(a), q(b)], 1)),
            "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), F.avg_pool2d(q(a), 2)),
            "adaptive": (lambda x: F.adaptive_avg_pool2d(x, 1), F.adaptive_avg_pool2d(q(a), 1)),
            "upsample": (lambda x: F.interpolate(input=x, size=(6, 6)), F.interpolate(q(a), size=(6, 6))),
        }
        for name, (function, expected) in cases.items():
            with self.subTest(name):
                model = Of(lambda self, x, function=function: function(x))
                place(model, a)
                self.assertTrue(torch.equal(model(a), expected))

    def test_a_parameter_is_not_data(self):
        model = Of(lambda self, x: torch.cat([self.token, x], 1))
        model.token = nn.Parameter(torch.rand(1, 2, 3, 3))
        a = torch.rand(1, 2, 3, 3)
        place(model, a)
        self.assertEqual(len(list(call_quantizers(model))), 1)
        self.assertTrue(torch.equal(model(a), torch.cat([model.token, quantized(a)], 1)))

    def test_skipped_calls_stay_in_float(self):
        model, x = Net().eval(), torch.rand(2, 3, 4, 4)
        place(model, x, skip=["joins.cat", "joins.mean"])
        names = {name for name, _, _ in call_quantizers(model)}
        self.assertEqual(names, {"joins.max_pool2d", "joins.cat_1", "joins.add", "joins.interpolate", "mul"})
        model(x)

    def test_gradients_pass(self):
        model, x = Net(), torch.rand(2, 3, 4, 4, requires_grad=True)
        place(model, x)
        model(x).sum().backward()
        self.assertTrue(torch.isfinite(x.grad).all() and x.grad.abs().sum() > 0)

    def test_gradients_pass_a_write_in_place(self):
        def forward(self, x):
            y = self.conv(x)
            y += x
            return y

        model, x = Of(forward, conv=nn.Conv2d(3, 3, 1)), torch.rand(2, 3, 4, 4, requires_grad=True)
        expected = torch.autograd.grad(model(x).sum(), x)[0]
        place(model, x)
        self.assertTrue(torch.equal(torch.autograd.grad(model(x).sum(), x)[0], expected))

    def test_ranges_are_learnt_in_training(self):
        model, x = Net(), torch.rand(2, 3, 4, 4)
        place(model, x, policy="training")
        for _, _, quantizer in call_quantizers(model):
            quantizer.forget()
        model.train()(x)
        self.assertTrue(all(quantizer.initialized for _, _, quantizer in call_quantizers(model)))

    def test_copies_pickles_and_saved_modules(self):
        model, x = Net().eval(), torch.rand(2, 3, 4, 4)
        place(model, x)
        expected, buffer = model(x), io.BytesIO()
        torch.save(model, buffer)
        buffer.seek(0)
        options = {"weights_only": False} if torch.__version__ >= "2" else {}
        for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(buffer, **options)):
            self.assertTrue(torch.equal(copied(x), expected))
            self.assertIsInstance(copied, Net)
            remove_calls(copied)
            self.assertIs(type(copied), Net)
        self.assertTrue(torch.equal(model(x), expected))
        fresh = Net().eval()
        place(fresh, x)
        fresh.load_state_dict(model.state_dict())
        self.assertTrue(torch.equal(fresh(x), expected))
        self.assertIn("joins.call_quantizers.cat_1:0.range", model.state_dict())

    def test_a_model_prepared_in_all_ways_at_once_is_pickled(self):
        model, x = Net().eval(), torch.rand(2, 3, 4, 4)
        gfpq.torch.prepare(model, example_inputs=x)
        gfpq.torch.calibrate(model, [x])
        self.assertIsInstance(model, QuantizedCalls)
        self.assertTrue(torch.equal(pickle.loads(pickle.dumps(model))(x), model(x)))
        gfpq.torch.remove(model)
        self.assertIs(type(model), Net)
        self.assertTrue(torch.equal(pickle.loads(pickle.dumps(model))(x), model(x)))

    def test_a_copied_part_has_its_quantizers(self):
        model, x = Net().eval(), torch.rand(2, 3, 4, 4)
        place(model, x)
        self.assertTrue(torch.equal(copy.deepcopy(model.joins)(x, x), model.joins(x, x)))

    def test_modules_that_go_through_their_children_do_not_meet_the_quantizers(self):
        x = torch.rand(2, 2, 3, 3)
        dense = Dense({"a": nn.Conv2d(2, 2, 1), "b": nn.Conv2d(4, 2, 1)})
        for model in (dense, Residual(nn.ReLU(), nn.Sigmoid()), Children(), nn.Sequential(Children(), Children())):
            with self.subTest(model=type(model).__name__):
                count, state = len(list(model.named_modules())), list(model.state_dict())
                kept = copy.deepcopy(model)
                place(model, x)
                result = model(x)
                self.assertFalse(torch.equal(result, kept(x)))
                for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
                    self.assertTrue(torch.equal(other(x), result))
                    self.assertEqual(list(other.state_dict()), list(model.state_dict()))
                self.assertGreater(len(model.state_dict()), len(state))
                self.assertEqual({p.dtype for p in model.double().parameters()} - {torch.float64}, set())
                remove_calls(model.float())
                self.assertEqual(len(list(model.named_modules())), count)
                self.assertTrue(torch.equal(model(x), kept(x)))
                self.assertIs(type(model._modules), type(kept._modules))

    def test_replicas_of_data_parallel_use_their_own_quantizers(self):
        model, x = Net().eval(), torch.rand(2, 3, 4, 4)
        place(model, x)
        replica = model.joins._replicate_for_data_parallel()
        replica._modules["call_quantizers"] = copy.deepcopy(model.joins.call_quantizers)
        for quantizer in replica.call_quantizers.values():
            quantizer.enabled = False
        self.assertTrue(torch.equal(replica(x, x), Joins()(x, x)))
        self.assertFalse(torch.equal(model.joins(x, x), Joins()(x, x)))

    def test_threads_do_not_meet(self):
        model, x = Net().eval(), torch.rand(2, 3, 4, 4)
        place(model, x)
        expected, results = model(x), []

        def work():
            for _ in range(20):
                results.append(torch.equal(model(x), expected))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, [True] * 80)

    def test_after_an_exception_all_is_as_before(self):
        def forward(self, x):
            y = x + x
            if self.fails:
                raise KeyError("own")
            return y * y

        model, x = Of(forward), torch.rand(1, 2, 3, 3)
        model.fails = False
        place(model, x)
        expected, model.fails = model(x), True
        with self.assertRaises(KeyError):
            model(x)
        self.assertTrue(torch.equal(torch.add(x, x), x * 2))
        model.fails = False
        self.assertTrue(torch.equal(model(x), expected))

    def test_a_module_that_calls_itself(self):
        def forward(self, x, depth=2):
            y = x + x
            return self(y, depth - 1) if depth else y

        model, x = Of(forward), torch.rand(1, 2, 3, 3) / 8
        place(model, x)
        q = quantized
        y = q(x) + q(x)
        y = q(y) + q(y)
        self.assertTrue(torch.equal(model(x), q(y) + q(y)))

    def test_a_loop_has_a_quantizer_for_each_round(self):
        model = Twice([lambda x: x + x] * 3)
        place(model, torch.rand(1, 2, 3, 3))
        self.assertEqual([name for name, _, _ in call_quantizers(model)], [name for n in ("add", "add_1", "add_2")
                                                                           for name in (n, n)])  # fmt: skip
        model(torch.rand(1, 2, 3, 3))

    def test_a_checkpointed_module_is_quantized_in_backward_too(self):
        model = Of(lambda self, x: checkpoint(self.joins, x, x, use_reentrant=False), joins=Joins())
        plain = Of(lambda self, x: self.joins(x, x), joins=Joins())
        x = torch.rand(2, 3, 4, 4, requires_grad=True)
        for net in (model, plain):
            place(net, x)
        gradients = [torch.autograd.grad(net(x).square().sum(), x)[0] for net in (model, plain)]
        self.assertTrue(torch.equal(*gradients))

    def test_a_checkpoint_within_a_module_is_refused(self):
        model = Of(lambda self, x: checkpoint(lambda y: y + y, x, use_reentrant=False))
        x = torch.rand(2, 3, 4, 4, requires_grad=True)
        place(model, x)
        with self.assertRaisesRegex(gfpq.NotSupportedError, "add is called in torch.utils.checkpoint"):
            model(x)

    def test_a_recording_of_a_prepared_model_sees_the_float_one(self):
        model, x = Net().eval(), torch.rand(2, 3, 4, 4)
        before = record(model, x)
        place(model, x)
        after = record(model, x)
        self.assertEqual([(op.name, op.kind, op.code, op.inputs) for op in after.operations],
                         [(op.name, op.kind, op.code, op.inputs) for op in before.operations])  # fmt: skip
        self.assertEqual(after.never_called, [])

    def test_an_attribute_of_that_name(self):
        model = Net()
        model.call_quantizers = None
        with self.assertRaisesRegex(gfpq.NotSupportedError, "the model has an attribute call_quantizers"):
            place(model, images())
        self.assertIs(type(model.joins), Joins)


@needs_torch
class OtherPassesTest(unittest.TestCase):
    def warned(self, model, *arguments):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = model(*arguments)
        return result, [str(warning.message) for warning in caught]

    def test_fewer_calls_are_named_and_the_others_keep_their_quantizers(self):
        def forward(self, x):
            y = x
            if self.more:
                y = y * y
            y = y + x
            y = y * x
            return y

        model, x = Of(forward), torch.rand(1, 2, 3, 3)
        model.more = True
        place(model, x, skip=["mul_1"])
        model.more = False
        result, texts = self.warned(model, x)
        self.assertEqual(len(texts), 1)
        self.assertRegex(texts[0], "^gfpq.torch: mul: called in the recorded pass, and not in this one")
        self.assertTrue(torch.equal(result, (quantized(x) + quantized(x)) * x))

    def test_more_calls_are_named(self):
        model, x = Twice([lambda x: x + x]), torch.rand(1, 2, 3, 3)
        place(model, x)
        model.steps = model.steps * 2
        _, texts = self.warned(model, x)
        self.assertTrue(any("not called in the recorded pass" in text for text in texts))

    def test_another_branch_is_named_with_its_line(self):
        def forward(self, x):
            if self.other:
                return torch.cat([x, x], 1)
            return x + x

        model, x = Of(forward), torch.rand(1, 2, 3, 3)
        model.other = False
        place(model, x)
        model.other = True
        result, texts = self.warned(model, x)
        self.assertTrue(torch.equal(result, torch.cat([x, x], 1)))
        line = forward.__code__.co_firstlineno + 2
        self.assertRegex(texts[0], rf"cat in the model, .*test_functional.py:{line}, was not called in the recorded")
        self.assertRegex(texts[1], "add: called in the recorded pass, and not in this one")

    def test_a_module_that_was_not_called_in_the_recorded_pass(self):
        def forward(self, x):
            return self.a(x, x) if self.training else x + x

        model, x = Of(forward, a=Joins()), torch.rand(1, 2, 3, 3)
        place(model, x)
        _, texts = self.warned(model.train(), x)
        self.assertTrue(any("cat in Joins" in text and "was not called in the recorded pass" in text for text in texts))

    def test_a_head_that_only_training_calls_is_named_in_a_prepared_model(self):
        head = Of(lambda self, x: self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1)), fc=nn.Linear(3, 2))
        model = Of(lambda self, x: (self.conv(x), self.head(x)) if self.training else self.conv(x),
                   conv=nn.Conv2d(3, 3, 1), head=head)  # fmt: skip
        x = torch.rand(2, 3, 4, 4)
        plain = copy.deepcopy(model)
        gfpq.torch.prepare(model, example_inputs=x)
        _, texts = self.warned(model.train(), x)
        self.assertTrue(any("adaptive_avg_pool2d in Of" in text for text in texts), texts)
        gfpq.torch.prepare(plain, example_inputs=x, data=False)
        self.assertEqual(self.warned(plain.train(), x)[1], [])

    def test_a_module_without_the_others(self):
        model, x = Of(lambda self, x: self.a(x, x), a=Joins()), torch.rand(1, 2, 3, 3)
        with watched():
            _, texts = self.warned(model, x)
        self.assertTrue(any("cat in Joins" in text for text in texts))

    def test_another_number_of_tensors_is_refused(self):
        model, x = Of(lambda self, x: torch.cat([x] * self.count, 1)), torch.rand(1, 2, 3, 3)
        model.count = 2
        place(model, x)
        model.count = 3
        with self.assertRaisesRegex(gfpq.NotSupportedError, "cat is called with 3 tensors, and was with 2"):
            model(x)

    def test_a_forward_that_is_assigned_later(self):
        model, x = Net().eval(), torch.rand(2, 3, 4, 4)
        place(model, x)
        model.joins.forward = lambda a, b: torch.cat([a, b], 1)
        _, texts = self.warned(model, x)
        self.assertTrue(any("cat in QuantizedJoins" in text or "cat in Joins" in text for text in texts), texts)

    def test_calls_left_in_float_are_not_warned_of(self):
        def forward(self, x):
            y = torch.cat([x, x], 0)
            return y[: len(x)] + x

        model, x = Of(forward), torch.rand(2, 2, 3, 3)
        place(model, x)
        self.assertEqual(self.warned(model, x)[1], [])

    def test_other_branches_of_the_recorded_calls_of_one_module(self):
        def inner(self, x, flag):
            return x + x if flag else \
                x * x

        model = Of(lambda self, x: self.a(x, True) + self.a(x, False), a=Of(inner))
        x = torch.rand(2, 2, 3, 3)
        place(model, x)
        self.assertEqual(self.warned(model, x)[1], [])


if __name__ == "__main__":
    unittest.main()
