"""What would give a wrong result without a word is refused, or named."""

import copy
import io
import pickle
import unittest
import warnings

from support import needs_torch, torch
from test_record import images

if torch is not None:
    from torch import nn

    import gfpq.torch as gq

    class Wrapped(nn.Module):
        """A prepared backbone inside a new model."""

        def __init__(self, backbone):
            super().__init__()
            self.backbone, self.head = backbone, nn.Conv2d(4, 2, 1)

        def forward(self, x):
            y = self.backbone(x)
            return self.head(torch.cat([y, y], 1)[:, :4])


def plain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3)).eval()


def prepared(**arguments):
    model = plain()
    gq.prepare(model, example_inputs=images(), **arguments)
    gq.calibrate(model, [images()])
    return model


def saved_and_loaded(model):
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    return torch.load(buffer, **({"weights_only": False} if torch.__version__ >= "2" else {}))


@needs_torch
class OnlyTest(unittest.TestCase):
    def test_copies_and_files_made_within_only_are_quantized(self):
        model, x = prepared(), images()
        expected = model(x)
        for choice in ({"data": False}, {"weights": False}, {"data": False, "weights": False}):
            with gq.only(model, **choice):
                inside = model(x)
                copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), saved_and_loaded(model)]
            self.assertFalse(torch.equal(inside, expected))
            for copied in copies:
                self.assertTrue(torch.equal(copied(x), expected))
            self.assertTrue(torch.equal(model(x), expected))

    def test_a_quantizer_that_was_disabled_by_hand_stays_so_in_copies(self):
        model = prepared()
        model[0].input_quantizer.enabled = False
        with gq.only(model, weights=False):
            copied = copy.deepcopy(model)
        self.assertFalse(copied[0].input_quantizer.enabled)
        self.assertTrue(copied[0].weight_quantizer.enabled)

    def test_what_is_made_of_a_model_within_only_is_refused(self):
        model = prepared()
        expected = model[0].input_quantizer.params
        for choice in ({"data": False}, {"weights": False}):
            with gq.only(model, **choice):
                for make in (gq.export, lambda m: gq.evaluate(m, lambda twin: 1),
                             lambda m: gq.compare_layers(plain(), m, [images()])):  # fmt: skip
                    with self.assertRaisesRegex(ValueError, "within `?only"):
                        make(model)
        with gq.only(model, data=False), self.assertRaisesRegex(ValueError, "within `?only"):
            gq.calibrate(model, [images() * 9])
        self.assertEqual(model[0].input_quantizer.params, expected)
        with gq.only(model, weights=False):
            gq.calibrate(model, [images()])
        gq.export(model)

    def test_only_within_only(self):
        model, x = prepared(), images()
        with gq.only(model, data=False):
            with gq.only(model, weights=False):
                pass
            inside = model(x)
        with gq.only(model, data=False):
            self.assertTrue(torch.equal(model(x), inside))
        gq.export(model)

    def test_a_twin_is_switched_for_comparisons(self):
        exported = gq.export(prepared())
        comparison = gq.compare_layers(plain(), exported, [images()], data_only=True)
        self.assertEqual(len(comparison), 2)
        with gq.only(exported.twin, data=False):
            self.assertTrue(torch.equal(exported.twin(images()), exported.model(images())))


@needs_torch
class UnpreparedTest(unittest.TestCase):
    def test_a_float_model_is_refused(self):
        model = plain()
        for use in (gq.export, lambda m: gq.evaluate(m, lambda twin: 1),
                    lambda m: gq.compare_layers(m, m, [images()]),
                    lambda m: gq.compare_layers(m, m, [images()], fold=False)):  # fmt: skip
            with self.assertRaisesRegex(ValueError, "not prepared.*gfpq.torch.prepare"):
                use(model)

    def test_swapped_arguments_are_refused(self):
        model = prepared()
        for fold in (True, False):
            with self.assertRaisesRegex(ValueError, "first.*float"):
                gq.compare_layers(model, plain(), [images()], fold=fold)
            with self.assertRaisesRegex(ValueError, "first.*float"):
                gq.compare_layers(model, model, [images()], fold=fold)
        gq.remove(model)
        gq.prepare(model, data=False)
        self.assertEqual(len(gq.compare_layers(plain(), model, [images()])), 2)


@needs_torch
class PartTest(unittest.TestCase):
    """A part of a model is prepared, and the others are not."""

    def exported(self, model, **arguments):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            exported = gq.export(model, **arguments)
        return exported, [str(warning.message) for warning in caught]

    def test_what_is_outside_the_prepared_part_is_named_and_warned_of(self):
        backbone = plain()
        gq.prepare(backbone, example_inputs=images(), skip=["3"])
        model = Wrapped(backbone)
        gq.calibrate(model, [images()])
        for fold in (True, False):
            exported, texts = self.exported(model, fold=fold)
            self.assertIn("head", exported.report.names("not quantized"))
            self.assertNotIn("backbone.3", [row.name for row in exported.report.rows if "prepared" in row.reason])
            self.assertEqual(exported.report.names("not known"), ["(model)"])
            self.assertIn("functions outside the prepared parts", str(exported.report))
            self.assertEqual(len(texts), 1)
            self.assertRegex(texts[0], "in float: head.*functions.*gfpq.torch.remove.*prepare the whole")

    def test_of_a_wrapper_of_ones_own_the_prepared_parts_are_folded(self):
        class Block(nn.Module):
            """What only a recorded pass can tell: its forward depends on the data."""

            def __init__(self):
                super().__init__()
                self.conv, self.norm, self.other = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)
                for norm in (self.norm, self.other):
                    norm.running_var.fill_(4.0)

            def forward(self, x):
                y = self.norm(self.conv(x)) if x.shape[-1] > 4 else x
                return self.other(y + x)

        class Wrapper(nn.Module):
            def __init__(self, *parts):
                super().__init__()
                self.parts, self.norm = nn.ModuleList(parts), nn.BatchNorm2d(3)

            def forward(self, x):
                for part in self.parts if x.sum() < 1e9 else ():
                    x = part(x)
                return self.norm(x)

        torch.manual_seed(0)
        model = Wrapper(Block(), Block()).eval()
        plain_model = copy.deepcopy(model)
        for part in model.parts:
            gq.prepare(part, example_inputs=images())
        gq.calibrate(model, [images()])
        exported, texts = self.exported(model)
        self.assertEqual(exported.folded, [(f"parts.{i}.conv", f"parts.{i}.norm") for i in (0, 1)])
        self.assertEqual(exported.report.names("not folded"), ["parts.0.other", "parts.1.other", "norm"])
        self.assertTrue(all("functions" in text for text in texts), texts)
        with gq.only(exported.twin, data=False):
            self.assertTrue(torch.equal(exported.twin(images()), exported.model(images())))
        difference = (exported.model(images()) - plain_model(images())).abs().max()
        self.assertLess(difference, 0.1 * plain_model(images()).abs().max())
        names = [layer.name for layer in gq.compare_layers(plain_model, model, [images()])]
        self.assertEqual(names, ["parts.0.conv", "parts.1.conv"])

    def test_of_a_wrapper_of_pytorchs_the_model_in_it_is_exported(self):
        model = prepared()
        gq.calibrate(model, [images()])
        expected = gq.export(model)
        for wrapped in (torch.optim.swa_utils.AveragedModel(model, use_buffers=True), nn.DataParallel(model)):
            exported, texts = self.exported(wrapped)
            self.assertEqual(texts, [])
            self.assertEqual(exported.folded, expected.folded)
            self.assertEqual(exported.parameters, expected.parameters)
            self.assertEqual(list(exported.model.state_dict()), list(expected.model.state_dict()))

    def test_a_layer_that_was_added_later_is_named(self):
        model = prepared()
        model.extra = nn.Conv2d(4, 2, 1)
        gq.calibrate(model, [images()])
        exported, texts = self.exported(model)
        self.assertIn("extra", exported.report.names("not quantized"))
        self.assertRegex(texts[0], "in float: extra")

    def test_a_whole_model_has_no_such_remark(self):
        exported, texts = self.exported(prepared())
        self.assertEqual((exported.report.rows, texts), ([], []))

    def test_wrappers_of_pytorch_call_no_functions(self):
        wrapped = torch.optim.swa_utils.AveragedModel(prepared(), use_buffers=True)
        exported, texts = self.exported(wrapped)
        self.assertEqual(exported.report.names("not quantized"), [])
        self.assertEqual([text for text in texts if "gfpq" in text], [])

    def test_prepare_says_which_part_is_prepared(self):
        with self.assertRaisesRegex(ValueError, "its part backbone is prepared already.*remove"):
            gq.prepare(Wrapped(prepared()), example_inputs=images())
        with self.assertRaisesRegex(ValueError, "this model is prepared already"):
            gq.prepare(prepared(), example_inputs=images())


@needs_torch
class FrozenTest(unittest.TestCase):
    def test_frozen_norms_stay_with_an_optimizer_that_stepped_before(self):
        for make in (lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.1),
                     lambda p: torch.optim.Adam(p, 0.1)):  # fmt: skip
            model = plain().train()
            optimizer = make(model.parameters())
            model(images()).square().sum().backward()
            optimizer.step()
            gq.prepare(model, example_inputs=images())
            before = model[1].weight.clone()
            for _ in range(2):
                optimizer.zero_grad()
                model(images()).square().sum().backward()
                optimizer.step()
            self.assertTrue(torch.equal(model[1].weight, before))

    def test_remove_gives_requires_grad_back(self):
        model = plain()
        model[1].bias.requires_grad_(False)
        before = [parameter.requires_grad for parameter in model.parameters()]
        for arguments in ({}, {"train_batchnorm": True}):
            gq.prepare(model, example_inputs=images(), **arguments)
            copied = copy.deepcopy(model)
            for one in (model, copied):
                gq.remove(one)
                self.assertEqual([parameter.requires_grad for parameter in one.parameters()], before)


if __name__ == "__main__":
    unittest.main()
