"""YOLOv5's training loop, unchanged, on a prepared detector of its build: parameter groups, moving average, half
checkpoints, whole modules saved and read again, resuming, fusing, validation."""

import copy
import io
import tempfile
import unittest
from pathlib import Path

from support import FOLDER, needs_torch, run_python, torch

import gfpq

if torch is not None:
    from detector import Average, Detector, groups_by_attribute, groups_by_name, images, optimizer_of, train
    from torch import nn

    import gfpq.torch as gq

EXAMPLE_SEED = 7


def prepared(seed=0, **arguments):
    torch.manual_seed(seed)
    model = Detector()
    gq.prepare(model, example_inputs=images(1, EXAMPLE_SEED)[0], **arguments)
    return model


def ranges(model):
    """The delta of each Param of each data quantizer, by name."""
    return {
        (name, tensor, group): param.delta
        for name, tensor, quantizer in gq.quantizers(model) if tensor != "weight"
        for group, param in enumerate(quantizer.params)
    }  # fmt: skip


def outputs(model, x=None):
    """All detections, in evaluation."""
    with torch.no_grad():
        return model.eval()(images(1, 9)[0] if x is None else x)[0]


def saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return file


def loaded(file):
    return torch.load(file, map_location="cpu", weights_only=False)


@needs_torch
class ParametersTest(unittest.TestCase):
    def test_groups_have_the_parameters_of_the_float_model(self):
        for groups in (groups_by_name, groups_by_attribute):
            torch.manual_seed(0)
            model = Detector()
            before = groups(model)
            gq.prepare(model, example_inputs=images(1, EXAMPLE_SEED)[0])
            after = groups(model)
            self.assertEqual([list(map(id, group)) for group in after], [list(map(id, group)) for group in before])
            self.assertEqual([len(group) for group in after], [27 + 2, 27, 27 + 2])

    def test_every_convolution_trains(self):
        for groups in (groups_by_name, groups_by_attribute):
            model = prepared()
            before = copy.deepcopy(model.state_dict())
            losses = train(model, optimizer_of(model, groups), images(3, 1))
            self.assertLess(losses[-1], losses[0])
            for name, module in model.named_modules():
                if isinstance(module, nn.Conv2d):
                    self.assertFalse(torch.equal(module.weight, before[f"{name}.weight"]), name)

    def test_names_and_order_are_those_of_the_float_model(self):
        model, plain = prepared(), Detector()
        self.assertEqual([name for name, _ in model.named_parameters()], [name for name, _ in plain.named_parameters()])
        self.assertEqual([key for key in model.state_dict() if key in plain.state_dict()], list(plain.state_dict()))

    def test_the_optimizer_of_a_float_training_goes_on(self):
        torch.manual_seed(0)
        model = Detector()
        optimizer = optimizer_of(model)
        train(model, optimizer, images(2, 1))
        state = optimizer.state_dict()
        gq.prepare(model, example_inputs=images(1, EXAMPLE_SEED)[0])
        resumed = optimizer_of(model)
        resumed.load_state_dict(state)
        parameters = [parameter for group in resumed.param_groups for parameter in group["params"]]
        shapes = [resumed.state[parameter]["momentum_buffer"].shape for parameter in parameters]
        self.assertEqual(shapes, [parameter.shape for parameter in parameters])
        train(model, resumed, images(2, 2))

    def test_a_value_assigned_to_data_is_the_weight(self):
        """As pruning and weight normalization of training loops do."""
        model = prepared()
        conv = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
        conv.weight.data = torch.ones_like(conv.weight)
        self.assertTrue(torch.equal(conv.weight, torch.ones_like(conv.weight)))
        self.assertTrue(torch.equal(model.state_dict()["model.0.conv.weight"], torch.ones_like(conv.weight)))

    def test_freezing(self):
        model = prepared()
        frozen = {name for name, _ in model.named_parameters() if name.startswith(("model.0.", "model.2."))}
        before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name not in frozen
        train(model, optimizer_of(model), images(2, 1))
        for name, parameter in model.named_parameters():
            if name in frozen:
                self.assertTrue(torch.equal(parameter, before[name]), name)
        self.assertFalse(torch.equal(model.model[1].conv.weight, before["model.1.conv.weight"]))


@needs_torch
class AverageTest(unittest.TestCase):
    def test_ranges_of_the_average_lie_among_those_of_the_model(self):
        model = prepared()
        average, optimizer, seen = Average(model), optimizer_of(model), []
        for batch in images(6, 1):
            train(model, optimizer, [batch], average)
            seen.append(ranges(model))
        averaged = ranges(average.model)
        self.assertEqual(set(averaged), set(seen[0]))
        self.assertGreater(len(averaged), 30)
        moved = 0
        for key, delta in averaged.items():
            history = [step[key] for step in seen]
            self.assertTrue(min(history) <= delta <= max(history), f"{key}: {delta} of {history}")
            moved += min(history) < max(history)
        self.assertGreater(moved, 5)

    def test_ranges_that_stay_are_the_averages_exactly(self):
        model = prepared()
        gq.calibrate(model, images(6, 1))
        average = Average(model)
        for _ in range(300):
            average.update(model)
        self.assertEqual(ranges(average.model), ranges(model))

    def test_validation_with_the_average_changes_nothing(self):
        model = prepared()
        average = Average(model)
        train(model, optimizer_of(model), images(3, 1), average)
        before = copy.deepcopy(average.model.state_dict())
        first = outputs(average.model)
        self.assertTrue(torch.isfinite(first).all())
        self.assertTrue(torch.equal(outputs(average.model), first))
        for key, value in average.model.state_dict().items():
            self.assertTrue(torch.equal(value, before[key]), key)

    def test_the_average_is_quantized(self):
        model = prepared()
        average = Average(model)
        train(model, optimizer_of(model), images(3, 1), average)
        quantized = outputs(average.model)
        with gq.only(average.model, data=False, weights=False):
            floating = outputs(average.model)
        self.assertFalse(torch.equal(quantized, floating))
        conv = average.model.model[0].conv
        self.assertEqual(len(list(gq.quantizers(average.model))), len(list(gq.quantizers(model))))
        self.assertIsInstance(conv.weight, nn.Parameter)


@needs_torch
class CheckpointTest(unittest.TestCase):
    def trained(self, batches=3):
        model = prepared()
        average, optimizer = Average(model), optimizer_of(model)
        train(model, optimizer, images(batches, 1), average)
        return model, average, optimizer

    def test_a_half_checkpoint_keeps_the_ranges_and_half_of_the_weights(self):
        _, average, _ = self.trained()
        file = saved({"ema": copy.deepcopy(average.model).half()})
        again = loaded(file)["ema"].float()
        self.assertEqual(ranges(again), ranges(average.model))
        for (name, a), (_, b) in zip(again.named_parameters(), average.model.named_parameters()):
            self.assertTrue(torch.equal(a, b.half().float()), name)
        half = copy.deepcopy(average.model).half().float()
        self.assertTrue(torch.equal(outputs(again), outputs(half)))

    def test_to_half_and_back_before_training(self):
        """The loop does this to the anchors' precision; ranges must outlast it."""
        model, _, _ = self.trained()
        before = ranges(model)
        model.half().float()
        self.assertEqual(ranges(model), before)

    def test_a_whole_module_is_read_again_elsewhere(self):
        _, average, _ = self.trained()
        x = images(1, 9)[0]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.pt"
            torch.save({"model": average.model, "x": x, "y": outputs(average.model, x)}, file)
            script = (
                "import torch\n"
                f"content = torch.load({str(file)!r}, weights_only=False)\n"
                "with torch.no_grad(): y = content['model'](content['x'])[0]\n"
                "assert torch.equal(y, content['y']), (y - content['y']).abs().max()\n"
                "import gfpq.torch as gq\n"
                "print(len(list(gq.quantizers(content['model']))))\n"
            )
            result = run_python("-c", script, PYTHONPATH=f"{FOLDER}:{FOLDER / 'tests'}")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(int(result.stdout), len(list(gq.quantizers(average.model))))

    def test_resuming_is_as_if_it_had_not_been_cut(self):
        model, average, optimizer = self.trained()
        checkpoint = saved({
            "model": copy.deepcopy(model).float(), "ema": copy.deepcopy(average.model), "updates": average.updates,
            "optimizer": optimizer.state_dict(),
        })  # fmt: skip
        train(model, optimizer, images(3, 2), average)

        content = loaded(checkpoint)
        resumed = prepared(seed=1)
        resumed.load_state_dict(content["model"].float().state_dict())
        resumed_average = Average(resumed)
        resumed_average.model.load_state_dict(content["ema"].float().state_dict())
        resumed_average.updates = content["updates"]
        resumed_optimizer = optimizer_of(resumed)
        resumed_optimizer.load_state_dict(content["optimizer"])
        train(resumed, resumed_optimizer, images(3, 2), resumed_average)

        self.assertEqual(ranges(resumed), ranges(model))
        self.assertEqual(ranges(resumed_average.model), ranges(average.model))
        for a, b in ((resumed, model), (resumed_average.model, average.model)):
            self.assertTrue(torch.equal(outputs(a), outputs(b)))

    def test_a_module_that_was_read_trains_on(self):
        model, _, _ = self.trained()
        again = loaded(saved(model))
        for one in (model, again):
            train(one, optimizer_of(one), images(2, 2))
        self.assertEqual(ranges(again), ranges(model))
        self.assertTrue(torch.equal(outputs(again), outputs(model)))

    def test_float_checkpoints_load_strictly(self):
        torch.manual_seed(3)
        floating = Detector()
        model = prepared()
        model.load_state_dict(floating.state_dict())
        for key, value in floating.state_dict().items():
            self.assertTrue(torch.equal(model.state_dict()[key], value), key)
        with self.assertRaises(gfpq.NotInitializedError):
            outputs(model)  # weights there are, ranges there are none
        gq.calibrate(model, images(2, 1))
        self.assertTrue(torch.isfinite(outputs(model)).all())

    def test_a_float_model_takes_what_has_its_names(self):
        """What fine-tuning from a checkpoint keeps: the entries whose name and shape are the model's."""
        model, _, _ = self.trained()
        floating = Detector()
        shapes = {key: value.shape for key, value in floating.state_dict().items()}
        common = {key: value for key, value in model.state_dict().items() if shapes.get(key) == value.shape}
        self.assertEqual(set(common), set(shapes))
        floating.load_state_dict(common)
        with gq.only(model, data=False, weights=False):
            self.assertTrue(torch.equal(outputs(floating), outputs(model)))


@needs_torch
class FuseTest(unittest.TestCase):
    def test_the_models_own_fuse_does_not_leave_a_float_network_silently(self):
        model = prepared()
        gq.calibrate(model, images(3, 1))
        expected = gq.export(model).twin
        with torch.no_grad():
            try:
                model.eval().fuse()
                found = outputs(model)
            except (RuntimeError, ValueError, TypeError, AttributeError) as error:
                self.assertRegex(str(error), "gfpq|fold|prepare")
                return
        self.assertLess((found - outputs(expected)).abs().max().item(), 1e-3 * found.abs().max().item())

    def test_every_batchnorm_is_folded(self):
        model = prepared()
        train(model, optimizer_of(model), images(3, 1))
        exported = gq.export(model)
        left = [name for name, module in exported.model.named_modules() if isinstance(module, nn.BatchNorm2d)]
        self.assertEqual(left, [])
        # What it computes in float is what the folded float network computes.
        plain = copy.deepcopy(model)
        gq.remove(plain)
        before = outputs(plain)
        report = gq.fold_batchnorm(plain, images(1, EXAMPLE_SEED)[0])
        self.assertEqual(len(list(report.folded)), 27)
        torch.testing.assert_close(outputs(plain), before, rtol=1e-4, atol=1e-3)

    def test_the_twin_is_near_the_average_that_was_validated(self):
        model = prepared(bits=16)
        average = Average(model)
        train(model, optimizer_of(model), images(6, 1), average)
        gq.calibrate(average.model, images(6, 1))
        twin = gq.export(average.model).twin
        a, b = outputs(average.model).flatten(), outputs(twin).flatten()
        self.assertGreater(nn.functional.cosine_similarity(a, b, dim=0).item(), 0.9999)


if __name__ == "__main__":
    unittest.main()
