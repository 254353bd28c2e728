"""Quantized layers stay what they were: parameters, names, copies, files, subclasses, calls."""

import copy
import io
import pickle
import unittest
import warnings

import torch.nn.functional as F
from support import needs_torch, torch
from test_network import images, network

import gfpq

if torch is not None:
    from torch import nn
    from torch.nn.utils import parametrize

    import gfpq.torch as gq
    from gfpq.torch import layers


class SameConv2d(nn.Conv2d):
    """As timm's Conv2dSame: pads in a forward of its own."""

    def forward(self, x):
        x = F.pad(x, (1, 1, 1, 1))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class StandardizedConv2d(nn.Conv2d):
    """As timm's StdConv2d: convolves with something else than its weight."""

    def forward(self, x):
        return F.conv2d(x, (self.weight - self.weight.mean()) / self.weight.std(), self.bias)


class TwiceLinear(nn.Linear):
    def forward(self, x):
        return F.linear(F.linear(x, self.weight), self.weight)


class QuietConv2d(nn.Conv2d):
    """A subclass without a forward of its own."""

    extra = 7


class SamePool2d(nn.MaxPool2d):
    def forward(self, x):
        return F.max_pool2d(F.pad(x, (0, 1, 0, 1)), self.kernel_size, self.stride)


class Positive(nn.Module):
    def forward(self, x):
        return x.abs()


def calibrated(model, *batches):
    gq.prepare(model)
    gq.calibrate(model, batches)
    return model.eval()


def expected_of(layer, function, x):
    """A layer's output, computed from tensors that numpy's quantizer made."""
    return function(gq.quantize(x), gq.quantize(layer.weight.detach()), layer.bias)


@needs_torch
class LayerTest(unittest.TestCase):
    def test_all_kinds_compute_with_quantized_tensors(self):
        def reference(layer):
            return lambda x, weight, bias: torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

        for n, size in ((1, (9,)), (2, (9, 8)), (3, (5, 6, 7))):
            for kind in ("Conv", "ConvTranspose"):
                layer = getattr(nn, f"{kind}{n}d")(4, 6, 3, stride=2, padding=1, dilation=1)
                plain, x = copy.deepcopy(layer), torch.randn(2, 4, *size)
                model = calibrated(nn.Sequential(layer), x)
                self.assertEqual(type(layer), getattr(layers, f"Quantized{kind}{n}d"))
                with torch.no_grad():
                    plain.weight.copy_(gq.quantize(plain.weight.detach()))
                    self.assertTrue(torch.equal(model(x), plain(gq.quantize(x))))
                    if kind == "ConvTranspose":
                        wanted = [2 * length for length in size]
                        self.assertTrue(torch.equal(layer(x, wanted), plain(gq.quantize(x), wanted)))
        linear, x = nn.Linear(5, 3, bias=False), torch.randn(2, 7, 5)
        model = calibrated(nn.Sequential(linear), x)
        self.assertTrue(torch.equal(model(x), F.linear(gq.quantize(x), gq.quantize(linear.weight.detach()))))
        for padding_mode in ("reflect", "circular"):
            layer, x = nn.Conv2d(4, 6, 3, padding=1, padding_mode=padding_mode), images()
            plain = copy.deepcopy(layer)
            model = calibrated(nn.Sequential(layer), x)
            with torch.no_grad():
                plain.weight.copy_(gq.quantize(plain.weight.detach()))
                self.assertTrue(torch.equal(model(x), plain(gq.quantize(x))))
        for pool in (nn.MaxPool2d(2), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(2), SamePool2d(2)):
            x, plain = images(), copy.deepcopy(pool)
            self.assertTrue(torch.equal(calibrated(nn.Sequential(pool), x)(x), plain(gq.quantize(x))))
        values, _ = calibrated(nn.Sequential(nn.MaxPool2d(2, return_indices=True)), images())(images())
        self.assertTrue(torch.equal(values, F.max_pool2d(gq.quantize(images()), 2)))

    def test_the_weight_stays_the_parameter_that_it_was(self):
        model = network()
        parameters = dict(model.named_parameters())
        names = list(model.state_dict())
        layer = model.conv
        gq.prepare(model)
        self.assertIs(model.conv, layer)
        self.assertIsInstance(layer, nn.Conv2d)
        self.assertEqual(list(dict(model.named_parameters())), list(parameters))
        for name, parameter in model.named_parameters():
            self.assertIs(parameter, parameters[name])
        self.assertIsInstance(model.linear.weight, nn.Parameter)
        self.assertEqual([name for name in model.state_dict() if "quantizer" not in name], names)
        layer.weight.data = torch.full_like(layer.weight, 3.0)
        self.assertTrue(torch.equal(layer.quantized_weight(), gq.quantize(layer.weight.detach())))
        layer.weight.data[0] = 5.0
        self.assertTrue(torch.equal(layer.quantized_weight(), gq.quantize(layer.weight.detach())))

    def test_copies_and_files_of_the_whole_module(self):
        parametrized = nn.Sequential(nn.Linear(4, 4))
        parametrize.register_parametrization(parametrized[0], "weight", Positive())
        for model, x in (
            (network(), images()),
            (nn.Sequential(SameConv2d(4, 4, 3), QuietConv2d(4, 4, 1), SamePool2d(2)), images()),
        ):
            calibrated(model, x)
            expected = model(x)
            file = io.BytesIO()
            torch.save({"model": copy.deepcopy(model)}, file)
            file.seek(0)
            options = {} if torch.__version__ < "2" else {"weights_only": False}
            copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(file, **options)["model"]]
            for other in copies:
                self.assertEqual([type(m) for m in other.modules()], [type(m) for m in model.modules()])
                self.assertTrue(torch.equal(other(x), expected))
                gq.remove(other)
                self.assertFalse([m for m in other.modules() if "gfpq" in type(m).__module__])
            self.assertTrue(torch.equal(model(x), expected))

    def test_a_forward_of_its_own_is_quantized_where_it_convolves(self):
        layer, x = SameConv2d(4, 6, 3), images()
        model = calibrated(nn.Sequential(layer), x)
        expected = F.conv2d(gq.quantize(x), gq.quantize(layer.weight.detach()), layer.bias, padding=1)
        self.assertTrue(torch.equal(model(x), expected))
        model.train()
        model(x).sum().backward()
        self.assertEqual(layer.weight.grad.shape, layer.weight.shape)
        layer = QuietConv2d(4, 6, 3)
        model = calibrated(nn.Sequential(layer), x)
        self.assertEqual(layer.extra, 7)
        self.assertTrue(torch.equal(model(x), expected_of(layer, F.conv2d, x)))

    def test_what_would_stay_float_is_refused_by_name(self):
        for layer, x in ((StandardizedConv2d(4, 6, 3), images()), (TwiceLinear(4, 4), torch.ones(2, 4))):
            model = nn.Sequential(layer)
            gq.prepare(model)
            with self.assertRaisesRegex(gfpq.NotSupportedError, r"layer 0 \((Standard|Twice).*skip=\['0'\]"):
                model(x)
        layer = nn.Conv2d(4, 4, 1)
        layer.forward = lambda x: x
        with self.assertRaisesRegex(gfpq.NotSupportedError, "layer 0 .*`forward` that was assigned"):
            gq.prepare(nn.Sequential(layer))
        with self.assertRaisesRegex(gfpq.NotSupportedError, "layer 0 .*weight_norm"):
            gq.prepare(nn.Sequential(nn.utils.weight_norm(nn.Linear(3, 3))))
        with self.assertRaisesRegex(gfpq.NotSupportedError, "layer 0 .*lazy"):
            gq.prepare(nn.Sequential(nn.LazyLinear(3)))

    def test_a_failed_prepare_leaves_the_model_as_it_was(self):
        model = nn.Sequential(nn.Conv2d(4, 4, 1), nn.utils.weight_norm(nn.Conv2d(4, 4, 1)), nn.BatchNorm2d(4))
        before = [type(module) for module in model.modules()], list(model.state_dict())
        for arguments in ({}, {"bits": 7}, {"skip": ["nothing"]}, {"range": "median"}, {"layer_bits": {"0": 12}},
                          {"skip": ["1"], "example_inputs": torch.ones(1, 3, 2, 2)}):  # fmt: skip
            with self.assertRaises((gfpq.GfpqError, ValueError, RuntimeError)):
                gq.prepare(model, **arguments)
            self.assertEqual(([type(module) for module in model.modules()], list(model.state_dict())), before)
            self.assertTrue(model[2].weight.requires_grad)

    def test_calls_by_keyword(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.pool, self.linear = nn.Conv2d(4, 4, 1), nn.MaxPool2d(2), nn.Linear(6, 2)
                self.up = nn.ConvTranspose2d(4, 4, 2)

            def forward(self, x):
                return self.linear(input=self.pool(input=self.conv(input=x)) + self.up(input=x).mean())

        model, x = Net(), images()
        calibrated(model, x)
        self.assertEqual(model(x=x).shape, (6, 4, 6, 2))

    def test_tied_weights(self):
        model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
        model[1].weight = model[0].weight
        x = torch.randn(3, 4)
        calibrated(model, x)
        self.assertIs(model[0].weight, model[1].weight)
        self.assertEqual(len(list(model.parameters())), 1)
        weight = gq.quantize(model[0].weight.detach())
        gq.remove(model, keep_quantized=True)
        self.assertIs(model[0].weight, model[1].weight)
        self.assertTrue(torch.equal(model[0].weight, weight))  # once

    def test_parametrized_layers(self):
        model, x = nn.Sequential(nn.Linear(4, 4)), torch.randn(3, 4)
        parametrize.register_parametrization(model[0], "weight", Positive())
        calibrated(model, x)
        weight = gq.quantize(model[0].parametrizations.weight.original.detach().abs())
        expected = F.linear(gq.quantize(x), weight, model[0].bias)
        self.assertTrue(torch.equal(model(x), expected))
        exported = gq.export(model).model
        self.assertEqual(type(exported[0]), nn.Linear)
        self.assertTrue(torch.equal(exported[0].weight, weight))
        self.assertTrue(torch.equal(model(x), expected))


    def test_a_parametrization_that_comes_after_prepare(self):
        model, x = nn.Sequential(nn.Linear(4, 4)), torch.randn(3, 4)
        gq.prepare(model)
        parametrize.register_parametrization(model[0], "weight", Positive())
        gq.calibrate(model, [x])
        weight = model[0].parametrizations.weight.original.detach().abs()
        expected = F.linear(gq.quantize(x), gq.quantize(weight), model[0].bias)
        self.assertTrue(torch.equal(model.eval()(x), expected))
        exported = gq.export(model).model
        self.assertEqual(type(exported[0]), nn.Linear)
        self.assertTrue(torch.equal(exported[0].weight, gq.quantize(weight)))
        self.assertTrue(torch.equal(model(x), expected))
        gq.remove(model)
        self.assertTrue(torch.equal(model(x), F.linear(x, weight, model[0].bias)))
        self.assertTrue(parametrize.is_parametrized(model[0], "weight"))


    def test_a_checkpoint_takes_a_batch_into_the_range_once(self):
        from torch.utils.checkpoint import checkpoint

        class Net(nn.Module):
            def __init__(self, reentrant):
                super().__init__()
                self.body, self.reentrant = nn.Linear(4, 4), reentrant

            def forward(self, x):
                if self.reentrant is None:
                    return self.body(x)
                return checkpoint(self.body, x, use_reentrant=self.reentrant)

        found = []
        for reentrant in (None, True, False):
            torch.manual_seed(0)
            model = Net(reentrant)
            gq.prepare(model, range="moving maximum")
            for scale in (1.0, 3.0):
                x = (torch.ones(2, 4) * scale).requires_grad_()
                model(x).square().sum().backward()
            found.append((model.body.input_quantizer.range, model.body.weight.grad))
        for ranges, gradient in found[1:]:
            self.assertTrue(torch.equal(ranges, found[0][0]))
            self.assertTrue(torch.equal(gradient, found[0][1]))


@needs_torch
class CheckpointTest(unittest.TestCase):
    def test_a_float_checkpoint_loads_strictly_and_the_missing_ranges_are_said_once(self):
        state = network().state_dict()
        model = network()
        gq.prepare(model)
        nn.init.zeros_(model.linear.weight)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("default")
            model.load_state_dict(state)
        self.assertEqual(len(said), 1)
        self.assertIn("lacks ranges", str(said[0].message))
        self.assertTrue(torch.equal(model.linear.weight, state["linear.weight"]))
        self.assertFalse(any(q.initialized for _, tensor, q in gq.quantizers(model) if tensor == "data"))

    def test_a_prepared_checkpoint_loads_into_a_float_model(self):
        model = calibrated(network(), images())
        plain = network()
        plain.load_state_dict(gq.float_state(model.state_dict()))  # strict
        for name, value in plain.state_dict().items():
            self.assertTrue(torch.equal(value, model.state_dict()[name]))

    def test_a_float_optimizers_state_fits(self):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        model(images()).sum().backward()
        optimizer.step()
        state = copy.deepcopy(optimizer.state_dict())
        gq.prepare(model)
        other = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        other.load_state_dict(state)
        for parameter in model.parameters():
            self.assertEqual(other.state[parameter]["momentum_buffer"].shape, parameter.shape)

    def test_checkpoints_of_version_1_2(self):
        model, x = calibrated(network(), images()), images()
        old = {}
        for name, value in model.state_dict().items():
            layer, _, key = name.rpartition(".")
            if key == "weight" and "norm" not in layer:
                old[f"{layer}.parametrizations.weight.original"] = value
                groups = 2 if layer in ("grouped", "up") else 1
                old[f"{layer}.parametrizations.weight.0.blocks"] = torch.zeros(groups, 16, dtype=torch.uint8)
                old[f"{layer}.parametrizations.weight.0.bit_width"] = torch.tensor(8, dtype=torch.uint8)
            elif key == "range":
                params = model.get_submodule(layer).params
                old[f"{layer}.blocks"] = torch.tensor([list(bytes(param)) for param in params], dtype=torch.uint8)
                old[f"{layer}.bit_width"] = torch.tensor(8, dtype=torch.uint8)
            else:
                old[name] = value
        other = network()
        gq.prepare(other)
        nn.init.zeros_(other.linear.weight)
        other.load_state_dict(old)  # strict
        self.assertTrue(torch.equal(other.eval()(x), model(x)))
        wide = network()
        gq.prepare(wide, 16)
        with self.assertRaisesRegex(RuntimeError, "conv.input_quantizer was saved for 8 bit"):
            wide.load_state_dict(old)


@needs_torch
class ReplacedTest(unittest.TestCase):
    """A model's own fuse() replaces layers by float ones: that is refused, not run."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn = nn.Conv2d(4, 4, 3, bias=False), nn.BatchNorm2d(4)

        def forward(self, x):
            return self.bn(self.conv(x))

        def forward_fused(self, x):
            return self.conv(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(ReplacedTest.Block(), ReplacedTest.Block())

        def forward(self, x):
            return self.body(x)

        def fuse(self):
            for block in self.body:
                block.conv = torch.nn.utils.fusion.fuse_conv_bn_eval(block.conv, block.bn)
                del block.bn
                block.forward = block.forward_fused

    def test_fuse(self):
        model = calibrated(self.Net(), images())
        for block in model.body:  # as YOLOv5's fuse_conv_and_bn
            conv = nn.Conv2d(4, 4, 3)
            conv.weight.data.copy_(block.conv.weight)
            block.conv = conv
            block.forward = block.forward_fused
            del block.bn
        for run in (lambda: model(images()), lambda: copy.deepcopy(model)(images()), lambda: gq.export(model)):
            with self.assertRaisesRegex(gfpq.NotSupportedError, r"body\.0\.conv, body\.1\.conv.*fuse\(\)"):
                run()

    def test_pytorchs_own_fusion_copies_the_quantizers(self):
        model, x = calibrated(self.Net(), images()), images()
        for block in model.body:
            block.bn.running_var.fill_(4.0)
        folded = copy.deepcopy(model)
        gq.remove(folded)
        folded.fuse()
        params = model.body[0].conv.input_quantizer.params
        model.fuse()
        y = gq.quantize(x, param=params[0])
        weight = gq.quantize(folded.body[0].conv.weight.detach())
        self.assertTrue(torch.equal(model.body[0](x), F.conv2d(y, weight, folded.body[0].conv.bias)))
        self.assertEqual(model(x).shape, (6, 4, 8, 8))

    def test_layers_that_go_under_another_name(self):
        model = calibrated(self.Net(), images())
        model.body[0].merged = nn.Conv2d(4, 4, 3)
        del model.body[0].conv, model.body[0].bn
        model.body[0].forward = lambda x: model.body[0].merged(x)
        with self.assertRaisesRegex(gfpq.NotSupportedError, r"body\.0\.merged"):
            model(images())

    def test_an_assigned_forward(self):
        model = calibrated(self.Net(), images())
        model.body[0].conv.forward = lambda x: x
        with self.assertRaisesRegex(gfpq.NotSupportedError, r"body\.0\.conv"):
            model(images())

    def test_a_layer_that_is_taken_out_is_no_fault(self):
        model = calibrated(network(), images())
        model.pool = nn.Identity()
        self.assertEqual(model(images()).shape, (6, 5))


if __name__ == "__main__":
    unittest.main()
