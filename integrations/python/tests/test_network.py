"""prepare, the float copy of the weights, folding, switches, calibration."""

import copy
import io
import unittest
from collections import OrderedDict

from support import needs_torch, torch

import gfpq

if torch is not None:
    from torch import nn

    import gfpq.torch as gq
    from gfpq.torch.prepare import DATA, WEIGHT


def network():
    """All kinds of layers, BatchNorm away from its initial state; takes [N, 4, 12, 12]."""
    torch.manual_seed(0)
    model = nn.Sequential(OrderedDict(
        conv=nn.Conv2d(4, 8, 3, bias=False), norm=nn.BatchNorm2d(8), relu=nn.ReLU(),
        grouped=nn.Conv2d(8, 6, 3, groups=2), norm2=nn.BatchNorm2d(6, affine=False),
        depthwise=nn.Conv2d(6, 6, 3, groups=6, padding=1), pool=nn.MaxPool2d(2),
        up=nn.ConvTranspose2d(6, 8, 2, groups=2), norm3=nn.BatchNorm2d(8),
        average=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), linear=nn.Linear(8, 5), norm4=nn.BatchNorm1d(5),
    ))  # fmt: skip
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 2)
                nn.init.normal_(module.bias)
    return model


def images(count=6, seed=0):
    return torch.randn(count, 4, 12, 12, generator=torch.Generator().manual_seed(seed))


@needs_torch
class PrepareTest(unittest.TestCase):
    def test_lists_what_it_did(self):
        placed = gq.prepare(network())
        self.assertEqual(
            [(row.layer, row.kind, row.tensor, row.groups) for row in placed],
            [
                ("conv", "Convolution", DATA, 1), ("conv", "Convolution", WEIGHT, 1),
                ("grouped", "Convolution", DATA, 2), ("grouped", "Convolution", WEIGHT, 2),
                ("depthwise", "DepthwiseConv", DATA, 1), ("depthwise", "DepthwiseConv", WEIGHT, 1),
                ("pool", "Pooling", DATA, 1),
                ("up", "Deconvolution", DATA, 2), ("up", "Deconvolution", WEIGHT, 2),
                ("average", "Pooling", DATA, 1),
                ("linear", "InnerProduct", DATA, 1), ("linear", "InnerProduct", WEIGHT, 1),
            ],
        )  # fmt: skip
        self.assertEqual(str(placed).splitlines()[1], "conv       Convolution    data    8     1")

    def test_choices(self):
        model = network()
        with self.assertWarnsRegex(UserWarning, "split_depthwise: a range for each channel"):
            placed = gq.prepare(model, 16, layer_bits={"linear": 8}, skip=["conv"], split_depthwise=True)
        self.assertEqual({row.bits for row in placed if row.layer == "linear"}, {8})
        self.assertEqual({row.bits for row in placed if row.layer != "linear"}, {16})
        self.assertNotIn("conv", {row.layer for row in placed})
        self.assertEqual({row.groups for row in placed if row.layer == "depthwise"}, {6})
        self.assertEqual({row.tensor for row in gq.prepare(network(), data=False)}, {WEIGHT})
        self.assertEqual({row.tensor for row in gq.prepare(network(), weights=False)}, {DATA})

    def test_refused(self):
        model = network()
        gq.prepare(model)
        with self.assertRaisesRegex(ValueError, "prepared already"):
            gq.prepare(model)
        with self.assertRaisesRegex(ValueError, "convv"):
            gq.prepare(network(), skip=["convv"])
        with self.assertRaisesRegex(ValueError, "before it becomes a DataParallel"):
            gq.prepare(nn.DataParallel(network()))
        model = network()
        model.forward = lambda x: x
        with self.assertRaisesRegex(ValueError, "`forward` was replaced"):
            gq.prepare(model)

    def test_layers_compute_with_quantized_tensors(self):
        model, x = network(), images()
        gq.prepare(model)
        layer = model.grouped
        data = []
        layer.register_forward_hook(lambda _layer, inputs, output: data.append((inputs[0], output)))
        model(x)
        ((given, output),) = data
        given = layer.input_quantizer.eval()(given)
        weight = layer.quantized_weight()
        for group in range(2):
            rows, channels = slice(3 * group, 3 * group + 3), slice(4 * group, 4 * group + 4)
            expected = torch.from_numpy(gfpq.quantize(layer.weight[rows].detach().numpy()))
            self.assertTrue(torch.equal(weight[rows], expected))
            param = layer.input_quantizer.params[group]
            again = gfpq.quantize(given[:, channels].detach().numpy(), param=param)
            self.assertTrue(torch.equal(given[:, channels], torch.from_numpy(again)))  # nothing changes twice
        torch.testing.assert_close(output, nn.functional.conv2d(given, weight, layer.bias, groups=2))

    def test_input_without_a_batch_axis(self):
        layer = nn.Sequential(nn.Conv2d(4, 4, 3, groups=2))
        gq.prepare(layer)
        self.assertTrue(torch.allclose(layer(images()[0]), layer(images()[:1])[0], atol=1e-6))

    def test_remove_gives_the_float_model_back(self):
        model, x = network().eval(), images()
        expected = model(x)
        state = {key: value.clone() for key, value in model.state_dict().items()}
        gq.prepare(model)
        gq.calibrate(model, [x])
        prepared = copy.deepcopy(model)
        quantized = model(x)
        self.assertFalse(torch.equal(quantized, expected))
        gq.remove(model)
        self.assertTrue(torch.equal(model(x), expected))
        self.assertEqual(set(model.state_dict()), set(state))
        self.assertTrue(all(torch.equal(value, state[key]) for key, value in model.state_dict().items()))
        self.assertTrue(torch.equal(prepared(x), quantized))  # a copy keeps its quantizers

    def test_checkpoints(self):
        model, x = network(), images()
        gq.prepare(model)
        for seed in range(3):
            model(images(seed=seed))
        file = io.BytesIO()
        torch.save(model.state_dict(), file)
        file.seek(0)
        other = network()
        gq.prepare(other)
        other.load_state_dict(torch.load(file, map_location="cpu"))
        self.assertTrue(torch.equal(other.eval()(x), model.eval()(x)))

    def test_only(self):
        model, x = network().eval(), images()
        expected = model(x)
        gq.prepare(model)
        gq.calibrate(model, [x])
        both = model(x)
        with gq.only(model, data=False, weights=False):
            self.assertTrue(torch.equal(model(x), expected))
        with gq.only(model, weights=False):
            data = model(x)
        with gq.only(model, data=False):
            weights = model(x)
        self.assertTrue(torch.equal(model(x), both))
        self.assertEqual(len({tuple(result.flatten().tolist()) for result in (expected, both, data, weights)}), 4)

    def test_calibrate_changes_ranges_alone(self):
        model = network()
        gq.prepare(model)
        state = {key: value.clone() for key, value in model.state_dict().items() if "range" not in key}
        training = [module.training for module in model.modules()]
        gq.calibrate(model, [images(), (images(seed=1) * 4, None)])
        self.assertEqual([module.training for module in model.modules()], training)
        self.assertTrue(all(torch.equal(model.state_dict()[key], value) for key, value in state.items()))
        expected = gfpq.Param()
        gfpq.quantize((images(seed=1) * 4).numpy(), param=expected)
        self.assertEqual(model.conv.input_quantizer.params, [expected])


@needs_torch
class TrainingTest(unittest.TestCase):
    def step(self, model, optimizer, seed=0):
        optimizer.zero_grad()
        model(images(seed=seed)).square().mean().backward()
        optimizer.step()

    def test_the_optimizer_updates_the_float_copy(self):
        """Updates far below a quantization step add up, where quantizing in place would mark time."""
        model = nn.Sequential(nn.Linear(4, 1, bias=False))
        nn.init.constant_(model[0].weight, 1.0)
        gq.prepare(model, data=False)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        seen = set()
        for _ in range(100):
            optimizer.zero_grad()
            model(torch.full((1, 4), 1e-3)).sum().backward()
            optimizer.step()
            seen.add(model[0].quantized_weight()[0, 0].item())
        torch.testing.assert_close(model[0].weight.detach(), torch.full((1, 4), 0.9), rtol=1e-4, atol=0)
        self.assertGreater(len(seen), 1)
        self.assertLess(len(seen), 6)
        self.assertIn(
            model[0].quantized_weight()[0, 0].item(), gfpq.quantize(model[0].weight.detach().numpy())[0].tolist()
        )

    def test_momentum_is_the_guides(self):
        """w(i+1) = w(i) + D(i+1), D(i+1) = momentum * D(i) - rate * gradient at the quantized weights."""
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 3, bias=False)).double()
        gq.prepare(model, data=False)
        w, d = model[0].weight.detach().clone(), 0
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for seed in range(5):
            x = torch.randn(8, 6, generator=torch.Generator().manual_seed(seed)).double()
            optimizer.zero_grad()
            (model(x) ** 2).sum().backward()
            optimizer.step()
            quantized = torch.from_numpy(gfpq.quantize(w.numpy()))
            d = 0.9 * d - 0.1 * 2 * (x @ quantized.T).T @ x
            w = w + d
            torch.testing.assert_close(model[0].weight.detach(), w, rtol=1e-10, atol=1e-12)

    def test_batchnorm_and_quantization_are_not_the_optimizers(self):
        model = network()
        gq.prepare(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
        names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        self.assertFalse([name for name in names if "norm" in name or "range" in name])
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        for seed in range(3):
            self.step(model, optimizer, seed)
        for name, parameter in model.named_parameters():
            self.assertEqual(torch.equal(parameter, before[name]), name not in names, name)
        for _, _, quantizer in gq.quantizers(model):
            self.assertTrue(quantizer.initialized)
        # The step itself, with no forward pass, leaves statistics and ranges alone.
        model(images()).square().mean().backward()
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        optimizer.step()
        self.assertTrue(all(torch.equal(buffer, buffers[name]) for name, buffer in model.named_buffers()))

    def test_batchnorm_may_be_trained(self):
        model = network()
        gq.prepare(model, train_batchnorm=True)
        before = model.norm.weight.detach().clone()
        self.step(model, torch.optim.SGD(model.parameters(), lr=0.1))
        self.assertFalse(torch.equal(model.norm.weight, before))

    def test_gradient_is_the_float_networks_at_the_quantized_point(self):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 4)).double()
        reference = copy.deepcopy(model)
        gq.prepare(model)
        x = torch.randn(8, 6).double().requires_grad_()
        model(x).square().sum().backward()
        with torch.no_grad():
            reference[0].weight.copy_(model[0].quantized_weight())
        y = gq.quantize(x.detach()).requires_grad_()
        reference(y).square().sum().backward()
        torch.testing.assert_close(model[0].weight.grad, reference[0].weight.grad, rtol=1e-12, atol=0)
        torch.testing.assert_close(x.grad, y.grad, rtol=1e-12, atol=0)


@needs_torch
class FoldTest(unittest.TestCase):
    PAIRS = [("conv", "norm"), ("grouped", "norm2"), ("up", "norm3"), ("linear", "norm4")]

    def test_a_prepared_model_quantizes_the_folded_weights(self):
        model = network()
        folded = copy.deepcopy(model).eval()
        gq.fold_batchnorm(folded)
        gq.prepare(model)
        model.eval()
        self.assertEqual(list(gq.fold_batchnorm(model)), self.PAIRS)
        expected = gfpq.quantize(folded.conv.weight.detach().numpy())
        self.assertTrue(torch.equal(model.conv.quantized_weight(), torch.from_numpy(expected)))


if __name__ == "__main__":
    unittest.main()
