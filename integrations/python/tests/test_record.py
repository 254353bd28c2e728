"""record: one pass of a network, operation by operation."""

import copy
import pickle
import random
import unittest
from pathlib import Path

import numpy as np
from support import needs_torch, torch

if torch is not None:
    import torch.nn.functional as F
    from torch import nn

    from gfpq.torch.record import record

    class Block(nn.Module):
        """YOLOv5's, YOLOX's and mmcv's."""

        def __init__(self, inputs, outputs):
            super().__init__()
            self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            self.bn = nn.BatchNorm2d(outputs)

        def forward(self, x):
            return self.bn(self.conv(x)).relu()

    class Of(nn.Module):
        """A network with the given modules and forward."""

        def __init__(self, forward, **modules):
            super().__init__()
            for name, module in modules.items():
                self.add_module(name, module)
            self.steps = forward

        def forward(self, *args, **kwargs):
            return self.steps(self, *args, **kwargs)

    def images(*shape):
        return torch.randn(*(shape or (2, 3, 8, 8)), generator=torch.Generator().manual_seed(0))


def names(recorded):
    return [operation.name for operation in recorded.operations]


def kinds(recorded):
    return [operation.kind for operation in recorded.operations]


def operation(recorded, name):
    return next(operation for operation in recorded.operations if operation.name == name)


@needs_torch
class OperationsTest(unittest.TestCase):
    def test_a_network_that_depends_on_its_data_is_recorded_as_it_went(self):
        def forward(self, x):
            results = []
            if float(x.sum()) > 0:
                results.append(self.a(x))
            else:
                results.append(self.b(x))
            return results[-1]

        model = Of(forward, a=Block(3, 4), b=Block(3, 4))
        self.assertIn("a.conv", names(record(model, torch.ones(1, 3, 4, 4))))
        recorded = record(model, -torch.ones(1, 3, 4, 4))
        self.assertEqual(names(recorded), ["sum", "float", "b.conv", "b.bn", "b.relu"])
        self.assertEqual(recorded.never_called, ["a.conv", "a.bn"])

    def test_functions_are_named_by_the_calling_module_and_counted_in_each_of_its_calls(self):
        inner = Of(lambda self, x: torch.cat([torch.cat([x, x], 1), x], 1))
        recorded = record(Of(lambda self, x: torch.cat([self.neck(x), self.neck(x)]), neck=inner), images())
        self.assertEqual(names(recorded), ["neck.cat", "neck.cat_1", "neck.cat:1", "neck.cat_1:1", "cat"])
        self.assertEqual([op.place for op in recorded.operations][2:4], ["neck.cat", "neck.cat_1"])
        self.assertEqual([op.caller_call for op in recorded.operations], [0, 0, 1, 1, 0])

    def test_code_in_a_folder_beside_pytorch_is_the_models(self):
        file = str(Path(torch.__file__).parent) + "vision/models.py"
        space = {}
        exec(compile("def forward(self, x):\n    return self.relu(x)\n", file, "exec"), space)
        recorded = record(Of(space["forward"], relu=nn.ReLU()), images())
        self.assertEqual(recorded.operations[0].site, f"{file}:2")

    def test_a_function_with_the_name_of_a_child_gets_another(self):
        recorded = record(Of(lambda self, x: torch.cat([self.cat(x), x]), cat=nn.ReLU()), images())
        self.assertEqual(names(recorded), ["cat", "cat_function"])

    def test_operators_methods_and_functions_are_of_one_kind(self):
        def forward(self, x):
            y = x.clone()
            y += x
            y.add_(x)
            return (x + y, torch.add(x, y), x.add(y), x.maximum(y), torch.max(x, y), x * y, x.mul(y), x - y,
                    2 * x, x + 1.5)  # fmt: skip

        found = record(Of(forward), images()).operations[1:]
        self.assertEqual([op.kind for op in found], ["Eltwise"] * 10 + ["Power"] * 2)
        self.assertEqual([op.attributes.get("operation") for op in found[:10]],
                         ["sum"] * 5 + ["maximum"] * 2 + ["product"] * 2 + ["sum"])  # fmt: skip
        self.assertEqual(found[9].attributes["coefficients"], (1.0, -1.0))
        self.assertEqual([op.attributes["scale"] for op in found[10:]], [2.0, 1.0])
        self.assertEqual(found[11].attributes["shift"], 1.5)

    def test_operators_with_the_operands_the_other_way_round(self):
        found = record(Of(lambda self, x: (1 - x, torch.rsub(x, x), 2 / x, 2**x)), images()).operations
        alpha = record(Of(lambda self, x: (x.add(x, alpha=3), x.sub(x, alpha=3), torch.rsub(x, x, alpha=3))), images())
        coefficients = [op.attributes["coefficients"] for op in alpha.operations]
        self.assertEqual(coefficients, [(1.0, 3.0), (1.0, -3.0), (-3.0, 1.0)])
        self.assertEqual([op.name for op in found], ["rsub", "rsub_1", "rdiv", "rpow"])
        self.assertEqual((found[0].kind, found[0].attributes), ("Power", {"power": 1.0, "scale": -1.0, "shift": 1.0}))
        self.assertEqual((found[1].kind, found[1].attributes["coefficients"]), ("Eltwise", (-1.0, 1.0)))
        self.assertEqual([op.kind for op in found[2:]], [None, None])

    def test_modules_and_functions_that_compute_the_same_have_the_same_attributes(self):
        pairs = [
            (nn.MaxPool2d(3, 2, 1), lambda self, x: F.max_pool2d(x, 3, 2, 1)),
            (nn.MaxPool2d(2, ceil_mode=True), lambda self, x: F.max_pool2d(x, 2, ceil_mode=True)),
            (nn.AvgPool2d((2, 3)), lambda self, x: F.avg_pool2d(x, (2, 3))),
            (nn.AdaptiveAvgPool2d(1), lambda self, x: F.adaptive_avg_pool2d(x, (1, 1))),
            (nn.AdaptiveMaxPool2d(2), lambda self, x: F.adaptive_max_pool2d(x, 2)),
            (nn.Upsample(scale_factor=2), lambda self, x: F.interpolate(x, scale_factor=2)),
            (nn.ReLU(), lambda self, x: x.relu()),
            (nn.ReLU(), lambda self, x: F.relu_(x)),
            (nn.LeakyReLU(0.1), lambda self, x: F.leaky_relu(x, 0.1)),
            (nn.ReLU6(), lambda self, x: x.clamp(0.0, 6.0)),
            (nn.Sigmoid(), lambda self, x: torch.sigmoid(x)),
            (nn.Softmax(1), lambda self, x: x.softmax(1)),
            (nn.Flatten(), lambda self, x: x.flatten(1)),
        ]
        for module, function in pairs:
            with self.subTest(module=module):
                a = record(nn.Sequential(module), images()).operations[0]
                b = record(Of(function), images()).operations[0]
                self.assertEqual((a.kind, a.attributes), (b.kind, b.attributes))
                self.assertIsNotNone(a.kind)

    def test_a_convolution_as_a_function(self):
        for conv in (nn.Conv2d(3, 6, (3, 1), 2, 1, groups=3), nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2),
                     nn.Conv2d(4, 6, 3, padding="same", dilation=2)):  # fmt: skip
            def forward(self, x):
                c = self.c
                if isinstance(c, nn.ConvTranspose2d):
                    return F.conv_transpose2d(x, c.weight, c.bias, 2, 1, 1, 2)
                return F.conv2d(x, c.weight, c.bias, c.stride, c.padding, c.dilation, c.groups)

            x = images(1, conv.in_channels, 8, 8)
            recorded, module = record(Of(forward, c=conv), x), record(nn.Sequential(conv), x)
            found, expected = recorded.operations[0], module.operations[0]
            self.assertEqual((found.kind, found.attributes), (expected.kind, expected.attributes))
            self.assertEqual(found.parameters, {"weight": "c.weight", "bias": "c.bias"})
            self.assertEqual((found.module, found.layer), (None, "c"))
            self.assertEqual(recorded.never_called, [])

    def test_shapes_and_orders_of_axes(self):
        def forward(self, x):
            return x.view(2, -1), x.reshape((2, -1)), x.permute(0, 2, 3, 1), torch.permute(x, (0, 2, 3, 1))

        found = record(Of(forward), images()).operations
        self.assertEqual([op.kind for op in found], ["Reshape"] * 2 + ["Permute"] * 2)
        self.assertEqual([op.attributes for op in found], [{"shape": (2, -1)}] * 2 + [{"order": (0, 2, 3, 1)}] * 2)

    def test_functions_that_only_look_like_a_layer_are_of_no_kind(self):
        cases = [
            lambda self, x: x.view(torch.int32), lambda self, x: x.clamp(x.min(), x.max()),
            lambda self, x: F.dropout(x, 0.5, training=True), lambda self, x: torch.max(x, 1),
            lambda self, x: x + torch.tensor(1.0),
        ]  # fmt: skip
        for forward in cases:
            self.assertIsNone(record(Of(forward), images()).operations[-1].kind)

    def test_a_mean_over_all_spatial_axes_is_a_global_pooling_and_no_other(self):
        means = [lambda self, x: x.mean((2, 3)), lambda self, x: torch.mean(x, [-1, -2], keepdim=True),
                 lambda self, x: x.mean(dim=(2, 3))]  # fmt: skip
        for forward in means:
            found = record(Of(forward), images()).operations[0]
            self.assertEqual((found.kind, found.attributes["global"]), ("Pooling", True))
        for forward in (lambda self, x: x.mean(1), lambda self, x: x.mean(), lambda self, x: x.mean(3)):
            self.assertIsNone(record(Of(forward), images()).operations[0].kind)

    def test_tensors_of_two_shapes_are_no_eltwise(self):
        recorded = record(Of(lambda self, x: x * x.mean((2, 3), keepdim=True) + x[:1]), images(2, 3, 4, 4))
        self.assertEqual(kinds(recorded), ["Pooling", "Scale", None, "Bias"])

    def test_subclasses_with_their_own_forward_are_recorded_by_their_functions(self):
        class SamePadding(nn.Conv2d):
            def forward(self, x):
                return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.weight, self.bias)

        class Standardized(nn.Conv2d):
            def forward(self, x):
                return F.conv2d(x, self.weight - self.weight.mean(), self.bias)

        recorded = record(nn.Sequential(SamePadding(3, 4, 3), Standardized(4, 4, 1)), images())
        self.assertEqual(names(recorded), ["0.pad", "0.conv2d", "1.mean", "1.sub", "1.conv2d"])
        self.assertEqual(operation(recorded, "0.conv2d").parameters["weight"], "0.weight")
        self.assertNotIn("weight", operation(recorded, "1.conv2d").parameters)
        self.assertEqual(operation(recorded, "1.conv2d").roles, ("input", "weight"))

    def test_the_call_site_is_in_the_models_code(self):
        site = operation(record(nn.Sequential(Block(3, 4)), images()), "0.conv").site
        line = Block.forward.__code__.co_firstlineno + 1
        self.assertEqual(site, f"{__file__}:{line}")
        code = operation(record(nn.Sequential(Block(3, 4)), images()), "0.relu").code
        self.assertEqual([(place.function, place.line, place.number) for place in code], [("forward", 1, 2)])

    def test_modules_called_by_forward_and_with_keywords(self):
        recorded = record(Of(lambda self, x: self.a.forward(input=x), a=nn.Conv2d(3, 4, 1)), images())
        self.assertEqual(names(recorded), ["a"])
        self.assertEqual(recorded.operations[0].inputs, recorded.inputs)

    def test_scripted_functions_are_recorded_by_what_they_call(self):
        @torch.jit.script
        def scripted(x):
            return torch.relu(x) + 1

        recorded = record(Of(lambda self, x: scripted(self.a(x)), a=nn.Conv2d(3, 4, 1)), images())
        self.assertEqual([op.name for op in recorded.readers(recorded.operations[0].outputs[0])], ["relu"])

    def test_inputs_in_tuples_dicts_and_lists(self):
        x = images()
        self.assertEqual(len(record(Of(lambda self, a, b: a + b), (x, x + 1)).inputs), 2)
        self.assertEqual(len(record(Of(lambda self, a, b: a + b), {"a": x, "b": x + 1}).inputs), 2)
        self.assertEqual(len(record(Of(lambda self, items: items[0] + items[1]), [x, x + 1]).inputs), 2)

    def test_as_a_table_and_pickled(self):
        recorded = record(nn.Sequential(Block(3, 4)), images())
        table = str(recorded).splitlines()
        self.assertEqual(len(table), 4)
        self.assertRegex(table[1], r"^0\.conv +Convolution +#0 +#1 +2x4x8x8 +.*test_record\.py:\d+$")
        self.assertEqual(str(pickle.loads(pickle.dumps(recorded))), str(recorded))


@needs_torch
class ValuesTest(unittest.TestCase):
    def test_an_operation_in_place_makes_a_new_value(self):
        def forward(self, x):
            y = self.a(x)
            y.mul_(2)
            y[:, 0] = 1
            F.relu(y, inplace=True)
            return self.b(y)

        recorded = record(Of(forward, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(4, 4, 1)), images())
        self.assertEqual(names(recorded), ["a", "mul", "setitem", "relu", "b"])
        for before, after in zip(recorded.operations, recorded.operations[1:]):
            self.assertEqual(recorded.producer(after.inputs[0]).name, before.name)

    def test_a_write_through_a_view_makes_a_new_value_of_the_whole(self):
        for write in (lambda y: y[:, 0].mul_(2), lambda y: y.detach().zero_(), lambda y: y.view(-1).relu_()):
            def forward(self, x, write=write):
                y = self.a(x)
                write(y)
                return self.b(y)

            recorded = record(Of(forward, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(4, 4, 1)), images())
            self.assertEqual(recorded.producer(operation(recorded, "b").inputs[0]).name, recorded.operations[2].name)

    def test_data_that_is_assigned_makes_a_new_value(self):
        def forward(self, x):
            y = self.a(x)
            y.data = torch.zeros(2, 4, 8, 8)
            return self.b(y)

        recorded = record(Of(forward, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(4, 4, 1)), images())
        self.assertEqual(recorded.producer(operation(recorded, "b").inputs[0]).name, "data")

    def test_a_write_belongs_to_one_operation(self):
        model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 1))
        self.assertEqual([len(op.outputs) for op in record(model, images()).operations], [1, 1, 1])

    def test_a_write_in_inference_mode_is_seen(self):
        def forward(self, x):
            with torch.inference_mode():
                return self.b(self.a(x).mul_(2))

        recorded = record(Of(forward, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(4, 4, 1)), images())
        self.assertEqual(recorded.producer(operation(recorded, "b").inputs[0]).name, "mul")

    def test_reading_numbers_counts_and_asking_for_the_shape_does_not(self):
        def forward(self, x):
            y = self.a(x)
            if y.shape[0] > 100 or y.dim() == 2 or y.dtype == torch.int8 or len(y) > 100 or y.is_cuda:
                return y
            return y * float(y.max()) if y[0, 0, 0, 0] > 1e9 else self.b(y)

        recorded = record(Of(forward, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(4, 4, 1)), images())
        value = operation(recorded, "a").outputs[0]
        self.assertEqual([op.name for op in recorded.readers(value)], ["getitem", "b"])

    def test_numbers_read_by_numpy_count(self):
        def forward(self, x):
            y = self.a(x)
            return self.b(y) + float(y.numpy().max())

        recorded = record(Of(forward, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(4, 4, 1)), images())
        readers = recorded.readers(operation(recorded, "a").outputs[0])
        self.assertEqual([op.name for op in readers], ["b", "numpy"])

    def test_freed_tensors_do_not_lend_their_identity(self):
        def forward(self, x):
            for _ in range(20):
                x = self.a(x)
            return x

        recorded = record(Of(forward, a=nn.Conv2d(3, 3, 1)), images())
        self.assertEqual(len({op.outputs for op in recorded.operations}), 20)
        for before, after in zip(recorded.operations, recorded.operations[1:]):
            self.assertEqual(before.outputs, after.inputs)

    def test_outputs_in_dicts_tuples_and_dataclasses(self):
        from dataclasses import dataclass

        @dataclass
        class Result:
            boxes: object

        def forward(self, x):
            a = self.a(x)
            return {"a": a, "more": (a.relu(), [Result(a + 1)])}

        recorded = record(Of(forward, a=nn.Conv2d(3, 4, 1)), images())
        self.assertEqual(recorded.outputs, tuple(op.outputs[0] for op in recorded.operations))

    def test_tensors_that_outlive_the_pass_are_kept(self):
        seen = []
        stores = {
            "attribute": lambda self, y: setattr(self, "features", y),
            "list": lambda self, y: seen.append(y),
        }
        for name, store in stores.items():
            def forward(self, x, store=store):
                y = self.a(x)
                store(self, y)
                return self.b(y)

            with self.subTest(name):
                recorded = record(Of(forward, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(4, 4, 1)), images())
                kept = [recorded.values[op.outputs[0]].kept for op in recorded.operations]
                self.assertEqual(kept, [True, False])

        model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1))
        model[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
        recorded = record(model, images())
        self.assertEqual([recorded.values[op.outputs[0]].kept for op in recorded.operations], [True, False])
        model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1))
        recorded = record(model, images())
        self.assertEqual([recorded.values[op.outputs[0]].kept for op in recorded.operations], [False, False])

    def test_a_tensor_hidden_in_an_object_that_the_model_returns_is_kept(self):
        class Hidden:
            def __init__(self, tensor):
                self.tensor = tensor

        def forward(self, x):
            y = self.a(x)
            return Hidden(y), self.b(y)

        recorded = record(Of(forward, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(4, 4, 1)), images())
        self.assertEqual([recorded.values[op.outputs[0]].kept for op in recorded.operations], [True, False])

    def test_operations_that_return_their_input_pass_it_through(self):
        model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Identity(), nn.Dropout(), nn.Sequential(), nn.Conv2d(4, 4, 1))
        recorded = record(model, images())
        self.assertEqual([op.passes_through for op in recorded.operations], [False, True, True, True, False])
        self.assertEqual(recorded.operations[0].outputs, recorded.operations[-1].inputs)


@needs_torch
class ModulesTest(unittest.TestCase):
    def test_shared_and_never_called(self):
        def forward(self, x):
            return self.b(self.a(self.a(x)))

        recorded = record(Of(forward, a=nn.Conv2d(3, 3, 1), b=nn.ReLU(), c=nn.Linear(2, 2)), images())
        self.assertEqual(recorded.shared, ["a"])
        self.assertEqual(recorded.never_called, ["c"])
        self.assertEqual([op.name for op in recorded.of_module("a")], ["a", "a:1"])
        self.assertEqual({name: module.calls for name, module in recorded.modules.items()},
                         {"": 1, "a": 2, "b": 1, "c": 0})  # fmt: skip

    def test_one_module_under_two_paths(self):
        conv = nn.Conv2d(3, 3, 1)
        recorded = record(nn.Sequential(conv, nn.ReLU(), conv), images())
        self.assertEqual(recorded.modules["0"].aliases, ("2",))
        self.assertEqual(recorded.shared, ["0"])

    def test_parameters_that_share_memory(self):
        a, b, c, d = (nn.Conv2d(3, 3, 1, bias=False) for _ in range(4))
        b.weight = a.weight
        d.weight.data = c.weight.data
        recorded = record(nn.Sequential(a, b, c, d, nn.Conv2d(3, 3, 1)), images())
        self.assertEqual(sorted(recorded.tied), [("0.weight", "1.weight"), ("2.weight", "3.weight")])
        self.assertEqual([op.name for op in recorded.users("1.weight")], ["0", "1"])

    def test_parts_of_one_memory_that_do_not_overlap_are_not_shared(self):
        flat = torch.randn(18)
        a, b = nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(3, 3, 1, bias=False)
        a.weight.data, b.weight.data = flat[:9].view(3, 3, 1, 1), flat[9:].view(3, 3, 1, 1)
        self.assertEqual(record(nn.Sequential(a, b), images()).tied, [])
        b.weight.data = flat[8:17].view(3, 3, 1, 1)
        self.assertEqual(record(nn.Sequential(a, b), images()).tied, [("0.weight", "1.weight")])

    def test_a_parameter_that_a_function_reads_too(self):
        def forward(self, x):
            return self.a(x) * self.a.weight.abs().max()

        recorded = record(Of(forward, a=nn.Conv2d(3, 3, 1)), images())
        self.assertEqual([op.name for op in recorded.users("a.weight")], ["a", "abs"])

    def test_attention_is_recorded(self):
        recorded = record(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), torch.randn(1, 4, 8))
        self.assertTrue(recorded.operations)


@needs_torch
class RestoredTest(unittest.TestCase):
    def test_the_model_is_left_as_it_was(self):
        class Careless(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
                self.register_buffer("count", torch.zeros(1))
                self.grid, self.last = [torch.zeros(1)], None

            def forward(self, x):
                self.train()
                self.count += 1
                self.grid[0] = torch.ones(2)
                self.grid.append(x)
                self.last = self.new = self.norm(self.conv(x))
                self.conv.weight.data.mul_(2)
                self.register_buffer("late", torch.zeros(1))
                self.norm.running_var = torch.zeros(4)
                self.register_forward_hook(lambda *_: None)
                return self.last

        model = Careless()
        model.norm.eval()
        model.conv.weight.data[0, 0, 0, 0] = float("nan")
        attributes = [set(vars(module)) for module in model.modules()]
        state, norm = copy.deepcopy(model.state_dict()), model.norm
        grid, zero, running_var = model.grid, model.grid[0], norm.running_var
        record(model, images())
        self.assertEqual([set(vars(module)) for module in model.modules()], attributes)
        self.assertEqual([module.training for module in model.modules()], [True, True, False])
        self.assertEqual(list(model.state_dict()), list(state))
        for key, value in model.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), state[key].numpy())
        self.assertIs(model.grid, grid)
        self.assertEqual(len(grid), 1)
        self.assertIs(grid[0], zero)
        self.assertIs(norm.running_var, running_var)
        self.assertIsNone(model.last)
        self.assertFalse(model._forward_hooks)

    def test_it_is_left_as_it_was_where_it_raises(self):
        def forward(self, x):
            self.train()
            raise KeyError("own")

        model = Of(forward, a=nn.Conv2d(3, 4, 1)).eval()
        with self.assertRaisesRegex(KeyError, "own"):
            record(model, images())
        self.assertFalse(model.training)
        self.assertNotIn("forward", vars(model))
        self.assertIsInstance(images() + 1, torch.Tensor)
        self.assertTrue(torch.is_grad_enabled())

    def test_a_forward_of_the_instances_own_stays(self):
        model = Of(lambda self, x: self.a(x), a=Block(3, 4))
        model.a.forward = own = lambda x: model.a.conv(x)
        recorded = record(model, images())
        self.assertEqual(names(recorded), ["a.conv"])
        self.assertIs(model.a.forward, own)

    def test_the_random_numbers_go_on_as_if_nothing_had_been(self):
        def forward(self, x):
            return x + torch.rand(1) + np.random.rand() + random.random()

        for seed in (torch.manual_seed, np.random.seed, random.seed):
            seed(1)
        expected = [torch.rand(1).item(), np.random.rand(), random.random()]
        for seed in (torch.manual_seed, np.random.seed, random.seed):
            seed(1)
        record(Of(forward), images())
        self.assertEqual([torch.rand(1).item(), np.random.rand(), random.random()], expected)

    def test_inputs_that_the_model_writes_to_stay(self):
        x = images()
        expected = x.clone()
        record(Of(lambda self, x, y: x.mul_(2) + y[0].zero_()), {"x": x, "y": [x]})
        self.assertTrue(torch.equal(x, expected))

    def test_hooks_run_as_always(self):
        seen = []
        model = nn.Sequential(nn.Conv2d(3, 4, 1))
        model[0].register_forward_hook(lambda module, inputs, output: output * 2)
        model[0].register_forward_pre_hook(lambda module, inputs: seen.append(1))
        recorded = record(model, images())
        self.assertEqual(names(recorded), ["0", "mul"])
        self.assertEqual(seen, [1])

    def test_lazy_modules_have_to_run_first(self):
        with self.assertRaisesRegex(ValueError, "0.weight"):
            record(nn.Sequential(nn.LazyConv2d(4, 1)), images())


if __name__ == "__main__":
    unittest.main()
