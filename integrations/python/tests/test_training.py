"""Other habits of training loops on a prepared network: stochastic weight averaging, channels_last, autocast, gradient
checkpointing, shared and frozen weights, checkpoints of torchvision's reference loop."""

import copy
import unittest
import warnings

from support import needs_torch, torch

import gfpq

if torch is not None:
    from torch import nn
    from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
    from torch.utils.checkpoint import checkpoint

    import gfpq.torch as gq

    class Block(nn.Module):
        """torchvision's BasicBlock: two convolutions, and the input added."""

        def __init__(self, ins, outs, stride):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(ins, outs, 3, stride, 1, bias=False), nn.BatchNorm2d(outs)
            self.relu = nn.ReLU(inplace=True)
            self.conv2, self.bn2 = nn.Conv2d(outs, outs, 3, 1, 1, bias=False), nn.BatchNorm2d(outs)
            self.downsample = None
            if ins != outs or stride > 1:
                self.downsample = nn.Sequential(nn.Conv2d(ins, outs, 1, stride, bias=False), nn.BatchNorm2d(outs))

        def forward(self, x):
            identity = x if self.downsample is None else self.downsample(x)
            x = self.relu(self.bn1(self.conv1(x)))
            x = self.bn2(self.conv2(x))
            x += identity
            return self.relu(x)

    class Residual(nn.Module):
        """A small ResNet; with `saves_memory` its blocks are computed again for the gradient."""

        def __init__(self, saves_memory=None):
            super().__init__()
            self.conv1, self.bn1, self.relu = nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            self.layer1, self.layer2 = Block(8, 8, 1), Block(8, 16, 2)
            self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(16, 4)
            self.saves_memory = saves_memory

        def forward(self, x):
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            for block in (self.layer1, self.layer2):
                x = block(x) if self.saves_memory is None else checkpoint(block, x, **self.saves_memory)
            return self.fc(torch.flatten(self.avgpool(x), 1))


X_SHAPE = (4, 3, 16, 16)


def batches(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(X_SHAPE, generator=generator) * (i % 3 + 1), torch.randint(4, (4,), generator=generator))
        for i in range(count)
    ]


def prepared(seed=0, model=None, **arguments):
    torch.manual_seed(seed)
    model = model or Residual()
    gq.prepare(model, example_inputs=batches(1, 7)[0][0], **arguments)
    return model


def epoch(model, optimizer, data, averaged=None):
    """torchvision's train_one_epoch."""
    model.train()
    losses = []
    for image, target in data:
        loss = nn.functional.cross_entropy(model(image), target, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if averaged is not None:
            averaged.update_parameters(model)
    return losses


def ranges(model):
    return [[param.delta for param in quantizer.params] for _, tensor, quantizer in gq.quantizers(model)
            if tensor != "weight"]  # fmt: skip


def evaluated(model, x=None):
    with torch.no_grad():
        return model.eval()(batches(1, 9)[0][0] if x is None else x)


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)


@needs_torch
class AveragedModelTest(unittest.TestCase):
    def averaged(self, model, **arguments):
        try:
            return AveragedModel(model, **arguments)
        except TypeError as error:
            self.skipTest(f"this PyTorch's AveragedModel is another: {error}")

    def test_stochastic_weight_averaging_then_update_bn(self):
        """PyTorch's recipe: average from some step on, then take BatchNorm's statistics anew."""
        for buffers in (False, True):
            for calibrated in (False, True):
                model = prepared()
                if calibrated:
                    gq.calibrate(model, [x for x, _ in batches(2)])
                averaged, optimizer = self.averaged(model, use_buffers=buffers), sgd(model)
                schedule = SWALR(optimizer, swa_lr=0.02, anneal_epochs=2)
                for _ in range(3):
                    epoch(model, optimizer, batches(3))
                    averaged.update_parameters(model)
                    schedule.step()
                update_bn([x for x, _ in batches(3)], averaged)
                result = evaluated(averaged)
                self.assertTrue(torch.isfinite(result).all())
                self.assertEqual(len(ranges(averaged)), len(ranges(model)))
                with gq.only(averaged, data=False, weights=False):
                    floating = evaluated(averaged)
                self.assertFalse(torch.equal(result, floating))
                cosine = nn.functional.cosine_similarity(result.flatten(), floating.flatten(), dim=0)
                self.assertGreater(cosine.item(), 0.95)

    def test_an_average_without_buffers_says_what_it_lacks(self):
        """Its ranges are those from when it was made: none yet. Newer versions of PyTorch copy the model's instead."""
        model = prepared()
        averaged, optimizer = self.averaged(model, use_buffers=False), sgd(model)
        epoch(model, optimizer, batches(2))
        averaged.update_parameters(model)
        if any(quantizer.initialized for _, tensor, quantizer in gq.quantizers(averaged) if tensor == "data"):
            self.assertEqual(ranges(averaged), ranges(model))
            return
        with self.assertRaisesRegex(gfpq.NotInitializedError, "conv1.*calibrate"):
            evaluated(averaged)
        gq.calibrate(averaged, [x for x, _ in batches(2)])
        self.assertTrue(torch.isfinite(evaluated(averaged)).all())

    def test_an_export_of_an_average_without_buffers_is_warned_of(self):
        for buffers in (False, True):
            model = prepared()
            gq.calibrate(model, [x for x, _ in batches(1)])
            averaged = self.averaged(model, use_buffers=buffers)
            averaged.update_parameters(model)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                gq.export(averaged)
            self.assertEqual(any("use_buffers=True" in str(w.message) for w in caught), not buffers)

    def test_averages_of_ranges_lie_among_them(self):
        """torchvision's ExponentialMovingAverage is an AveragedModel with buffers, updated at each step."""
        decay = 0.9
        for function in (None, lambda average, new, count: decay * average + (1 - decay) * new):
            model = prepared()
            optimizer, seen = sgd(model), []
            averaged = self.averaged(model, avg_fn=function, use_buffers=True)
            for batch in batches(6):
                epoch(model, optimizer, [batch], averaged)
                seen.append(ranges(model))
            moved = 0
            for place, found in enumerate(ranges(averaged)):
                history = [step[place][0] for step in seen]
                self.assertTrue(min(history) <= found[0] <= max(history), f"{place}: {found} of {history}")
                moved += min(history) < max(history)
            self.assertGreater(moved, 2)
            self.assertTrue(torch.isfinite(evaluated(averaged)).all())

    def test_an_average_exports(self):
        model = prepared()
        averaged, optimizer = self.averaged(model, use_buffers=True), sgd(model)
        epoch(model, optimizer, batches(3), averaged)
        update_bn([x for x, _ in batches(3)], averaged)
        exported = gq.export(averaged.module)
        self.assertEqual([m for m in exported.model.modules() if isinstance(m, nn.BatchNorm2d)], [])
        a, b = evaluated(averaged).flatten(), evaluated(exported.twin).flatten()
        self.assertGreater(nn.functional.cosine_similarity(a, b, dim=0).item(), 0.98)


@needs_torch
class ReferenceLoopTest(unittest.TestCase):
    def test_weight_decay_groups_by_module(self):
        """torchvision's set_weight_decay sorts the parameters by the classes of their modules."""
        model, plain = prepared(), Residual()

        def sorted_(net):
            norms = [name for name, module in net.named_modules() if isinstance(module, nn.modules.batchnorm._NormBase)]
            return norms, [name for name, p in net.named_parameters() if name.rpartition(".")[0] not in norms]

        self.assertEqual(sorted_(model), sorted_(plain))

    def test_evaluation_in_inference_mode_between_the_epochs(self):
        """With the moving average, which copies the model while the learning rate warms up, and its checkpoint."""
        model = prepared()
        averaged = AveragedModel(model, avg_fn=lambda a, b, _: 0.9 * a + 0.1 * b, use_buffers=True)
        optimizer = sgd(model)
        for number in range(3):
            epoch(model, optimizer, batches(2, number), averaged)
            if number == 0:
                averaged.n_averaged.fill_(0)
            for one in (model, averaged):
                one.eval()
                with torch.inference_mode():
                    found = one(batches(1, 9)[0][0])
                self.assertTrue(torch.equal(found, evaluated(one)))
        again = AveragedModel(prepared(1), use_buffers=True)
        again.load_state_dict(averaged.state_dict())
        self.assertTrue(torch.equal(evaluated(again), evaluated(averaged)))

    def test_nothing_but_training_draws_random_numbers(self):
        """Who exports in the middle of a training goes on as who does not."""
        torch.manual_seed(0)
        plain, x = Residual().eval(), batches(1)[0][0]
        model = copy.deepcopy(plain)
        by_modules = copy.deepcopy(plain)
        both = (model, by_modules)
        for name, action in (
            ("prepare", lambda: gq.prepare(model, example_inputs=x)),
            ("prepare without an example", lambda: gq.prepare(by_modules)),
            ("calibrate", lambda: [gq.calibrate(one, [x]) for one in both]),
            ("export", lambda: [gq.export(one) for one in both]),
            ("compare_layers", lambda: [gq.compare_layers(plain, one, [x]) for one in both]),
            ("fold_batchnorm", lambda: (gq.fold_batchnorm(copy.deepcopy(plain), x), gq.fold_batchnorm(plain))),
        ):
            before = torch.get_rng_state()
            action()
            self.assertTrue(torch.equal(torch.get_rng_state(), before), name)

    def test_what_inference_mode_calibrated_trains(self):
        model = prepared()
        with torch.inference_mode():
            gq.calibrate(model, [x for x, _ in batches(2)])
        before = ranges(model)
        epoch(model, sgd(model), [(3 * x, y) for x, y in batches(2)])
        self.assertGreater(ranges(model)[0], before[0])
        self.assertTrue(torch.isfinite(evaluated(model)).all())
        copy.deepcopy(model)

    def test_a_checkpoint_resumes(self):
        """torchvision's: state_dicts of the model, the optimizer and the schedule."""
        def start(seed):
            model = prepared(seed)
            optimizer = sgd(model)
            return model, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)

        model, optimizer, schedule = start(0)
        epoch(model, optimizer, batches(3))
        schedule.step()
        state = copy.deepcopy({"model": model.state_dict(), "optimizer": optimizer.state_dict(),
                               "schedule": schedule.state_dict()})  # fmt: skip
        epoch(model, optimizer, batches(3, 2))
        resumed, optimizer, schedule = start(1)
        resumed.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        epoch(resumed, optimizer, batches(3, 2))
        self.assertEqual(ranges(resumed), ranges(model))
        self.assertTrue(torch.equal(evaluated(resumed), evaluated(model)))

    def test_a_prepared_state_without_its_ranges_loads_strictly_into_the_float_class(self):
        model, plain = prepared(), Residual()
        epoch(model, sgd(model), batches(2))
        plain.load_state_dict(gq.float_state(model.state_dict()))
        with gq.only(model, data=False, weights=False):
            self.assertTrue(torch.equal(evaluated(plain), evaluated(model)))

    def test_an_exported_model_loads_strictly_into_the_float_class_where_nothing_is_folded(self):
        model = prepared()
        epoch(model, sgd(model), batches(2))
        plain = Residual()
        plain.load_state_dict(gq.export(model, fold=False).model.state_dict())
        with gq.only(model, data=False):
            torch.testing.assert_close(evaluated(plain), evaluated(model), rtol=0, atol=0)


@needs_torch
class LayoutTest(unittest.TestCase):
    def test_channels_last(self):
        usual, last = prepared(), prepared().to(memory_format=torch.channels_last)
        data = batches(3)
        losses = epoch(usual, sgd(usual), data)
        other = epoch(last, sgd(last), [(x.to(memory_format=torch.channels_last), y) for x, y in data])
        torch.testing.assert_close(torch.tensor(other), torch.tensor(losses), rtol=1e-3, atol=1e-4)
        self.assertTrue(last.layer1.conv1.weight.is_contiguous(memory_format=torch.channels_last))
        for a, b in zip(ranges(usual), ranges(last)):
            self.assertLessEqual(abs(a[0] - b[0]), 1)
        torch.testing.assert_close(evaluated(last), evaluated(usual), rtol=0.05, atol=0.05)

    def test_the_order_of_axes_does_not_change_what_is_quantized(self):
        quantizer = gq.FakeQuantize()
        x = torch.randn(2, 3, 4, 5)
        expected = quantizer(x)
        other = quantizer(x.to(memory_format=torch.channels_last))
        self.assertTrue(torch.equal(other, expected))
        self.assertTrue(other.is_contiguous(memory_format=torch.channels_last))

    def test_autocast(self):
        model = prepared()
        optimizer = sgd(model)
        model.train()
        before = copy.deepcopy(list(model.parameters()))
        for image, target in batches(3):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = nn.functional.cross_entropy(model(image), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            self.assertTrue(torch.isfinite(loss))
        for a, b in zip(model.parameters(), before):
            if b.requires_grad:
                self.assertFalse(torch.equal(a, b))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = evaluated(model).float()
        torch.testing.assert_close(mixed, evaluated(model), rtol=0.1, atol=0.15)

    def test_autocast_quantizes_the_float_weight(self):
        """Weights are parameters in float32: what autocast rounds is the quantized weight, not the other way round."""
        layer = nn.Sequential(nn.Conv2d(3, 8, 1))
        gq.prepare(layer, 16, data=False)
        x = torch.ones(1, 3, 1, 1)
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
            found = layer(x)
            weight = gfpq.torch.quantize(layer[0].weight.detach(), 16)
            expected = nn.functional.conv2d(x, weight, layer[0].bias)
        self.assertTrue(torch.equal(found, expected))


@needs_torch
class CheckpointingTest(unittest.TestCase):
    def test_gradients_are_those_without_it(self):
        for options in ({"use_reentrant": True}, {"use_reentrant": False}):
            plain, saving = prepared(), prepared(model=None)
            saving.saves_memory = options
            x, y = batches(1)[0]
            for model in (plain, saving):
                model.train()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # the reentrant kind warns of inputs without gradient
                    nn.functional.cross_entropy(model(x), y).backward()
            for (name, a), b in zip(plain.named_parameters(), saving.parameters()):
                self.assertEqual(a.grad is None, b.grad is None, name)
                if a.grad is not None:
                    torch.testing.assert_close(b.grad, a.grad, rtol=0, atol=0, msg=f"{options} {name}")
            self.assertEqual(ranges(saving), ranges(plain))

    def test_what_is_computed_again_is_quantized(self):
        """The second pass runs outside the model's forward, in backward."""
        for options in ({"use_reentrant": True}, {"use_reentrant": False}):
            model = prepared()
            model.saves_memory = options
            epoch(model, sgd(model), batches(2))
            calls = []
            for _, _, quantizer in gq.quantizers(model.layer1):
                quantizer.register_forward_hook(lambda *_, calls=calls: calls.append(1))
            x, y = batches(1)[0]
            loss = nn.functional.cross_entropy(model(x), y)
            first = len(calls)
            loss.backward()
            self.assertGreater(first, 2)
            self.assertEqual(len(calls), 2 * first)


@needs_torch
class SharedWeightsTest(unittest.TestCase):
    def tied(self):
        class Tied(nn.Module):
            """An autoencoder's two layers with one weight, as language models tie theirs."""

            def __init__(self):
                super().__init__()
                self.into, self.out = nn.Conv2d(4, 4, 1, bias=False), nn.Conv2d(4, 4, 1, bias=False)
                self.out.weight = self.into.weight

            def forward(self, x):
                return self.out(torch.relu(self.into(x)))

        torch.manual_seed(0)
        return Tied()

    def test_a_tied_weight_stays_one(self):
        model, plain = self.tied(), self.tied()
        x = torch.randn(2, 4, 5, 5)
        gq.prepare(model, example_inputs=x)
        self.assertIs(model.into.weight, model.out.weight)
        self.assertEqual(len(list(model.parameters())), 1)
        copied = copy.deepcopy(model)
        self.assertIs(copied.into.weight, copied.out.weight)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(x).square().mean().backward()
        optimizer.step()
        self.assertIs(model.into.weight, model.out.weight)
        self.assertFalse(torch.equal(model.out.weight, plain.out.weight))

    def test_a_shared_module_is_prepared_once(self):
        torch.manual_seed(0)
        conv = nn.Conv2d(4, 4, 1)
        model = nn.Sequential(conv, nn.ReLU(), conv)
        x = torch.randn(2, 4, 5, 5)
        gq.prepare(model, example_inputs=x)
        self.assertIs(model[0], model[2])
        gq.calibrate(model, [x])
        self.assertEqual(len({id(quantizer) for _, _, quantizer in gq.quantizers(model)}),
                         len(list(gq.quantizers(model))))  # fmt: skip
        self.assertTrue(torch.isfinite(evaluated(model, x)).all())


@needs_torch
class LoraTest(unittest.TestCase):
    """Low-rank adaptation: the weight stays, and a product of two thin matrices is trained beside it."""

    def network(self):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 16), nn.Linear(16, 4))

    def train(self, model, x):
        model.train()
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.SGD(trained, lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
        model.eval()

    def test_as_a_parametrization_of_the_weight(self):
        class Added(nn.Module):
            def __init__(self, rows, columns):
                super().__init__()
                self.a, self.b = nn.Parameter(torch.randn(rows, 2)), nn.Parameter(torch.zeros(2, columns))

            def forward(self, weight):
                return weight + self.a @ self.b

        x = torch.randn(4, 3, 8, 8)
        for after in (False, True):
            model = self.network()
            if after:
                gq.prepare(model, example_inputs=x)
            for layer in (model[3], model[4]):
                nn.utils.parametrize.register_parametrization(layer, "weight", Added(*layer.weight.shape))
                layer.parametrizations.weight.original.requires_grad = False
            if not after:
                gq.prepare(model, example_inputs=x)
            frozen = model[3].parametrizations.weight.original.clone()
            self.train(model, x)
            self.assertTrue(torch.equal(model[3].parametrizations.weight.original, frozen))
            self.assertFalse(torch.equal(model[3].weight, frozen))
            exported = gq.export(model)
            self.assertTrue(torch.equal(exported.twin(x), model(x)))
            for place in (3, 4):
                expected = gq.quantize(model[place].weight.detach(), 8)
                self.assertTrue(torch.equal(exported.model[place].weight, expected), f"{place}, after={after}")

    def test_as_layers_beside_the_layer(self):
        class Beside(nn.Module):
            def __init__(self, base):
                super().__init__()
                self.base = base.requires_grad_(False)
                self.a = nn.Linear(base.in_features, 2, bias=False)
                self.b = nn.Linear(2, base.out_features, bias=False)

            def forward(self, x):
                return self.base(x) + self.b(self.a(x))

        x = torch.randn(4, 3, 8, 8)
        model = self.network()
        model[3] = Beside(model[3])
        gq.prepare(model, example_inputs=x)
        before = model[3].base.weight.clone()
        self.train(model, x)
        self.assertTrue(torch.equal(model[3].base.weight, before))
        self.assertTrue(torch.equal(gq.export(model).twin(x), model(x)))
        # Put in after prepare they would run in float: that is said.
        late = self.network()
        gq.prepare(late, example_inputs=x)
        late[3] = Beside(late[3])
        with self.assertRaisesRegex(gfpq.NotSupportedError, "3.a, 3.b"):
            late(x)


@needs_torch
class FreezingTest(unittest.TestCase):
    def test_frozen_layers_stay_and_are_quantized_still(self):
        model = prepared()
        for parameter in model.layer1.parameters():
            parameter.requires_grad = False
        before = copy.deepcopy(model.layer1.state_dict())
        epoch(model, torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1), batches(2))
        for key, value in model.layer1.named_parameters():
            self.assertTrue(torch.equal(value, before[key]), key)
        with gq.only(model, data=False):
            quantized = evaluated(model.layer1, torch.ones(1, 8, 4, 4))
        with gq.only(model, data=False, weights=False):
            floating = evaluated(model.layer1, torch.ones(1, 8, 4, 4))
        self.assertFalse(torch.equal(quantized, floating))

    def test_frozen_statistics(self):
        """Many detectors keep BatchNorm in evaluation while training."""
        model = prepared()
        optimizer = sgd(model)
        before = model.bn1.running_mean.clone()
        model.train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        x, y = batches(1)[0]
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        self.assertTrue(torch.equal(model.bn1.running_mean, before))
        self.assertEqual(len(ranges(model)), len(ranges(prepared_and_seen())))


def prepared_and_seen():
    model = prepared()
    gq.calibrate(model, [x for x, _ in batches(1)])
    return model


if __name__ == "__main__":
    unittest.main()
