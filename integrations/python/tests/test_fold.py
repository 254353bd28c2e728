"""fold_batchnorm: what is folded, what is not and why, and that the network computes the same."""

import copy
import unittest

from support import needs_torch, torch
from test_record import images

if torch is not None:
    import torch.nn.functional as F
    from test_record import Block, Of
    from torch import nn

    from gfpq.torch.fold import FoldError, fold_batchnorm
    from gfpq.torch.record import record

    BATCHNORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

    def trained(model):
        """With statistics and parameters that are not those of a new BatchNorm."""
        generator = torch.Generator().manual_seed(1)
        for module in model.modules():
            if isinstance(module, BATCHNORMS) and module.running_mean is not None:
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                if module.weight is not None:
                    module.weight.data.uniform_(0.5, 2, generator=generator)
                    module.bias.data.normal_(generator=generator)
        return model

    class Untraceable(nn.Module):
        def forward(self, x):
            return x * float(x.sum())

    def conv(**keywords):
        return nn.Conv2d(3, 3, 1, **keywords)

    class Traceable(Of):
        """One argument: torch.fx can trace it."""

        def forward(self, x):
            return self.steps(self, x)

    class Sum(nn.Sequential):
        """A Sequential with a forward of its own."""

        def forward(self, x):
            y = self[0](x)
            return self[1](y) + y


def norms_in(model):
    return sum(isinstance(module, BATCHNORMS) for module in model.modules())


@needs_torch
class FoldTest(unittest.TestCase):
    def check(self, model, x, folded, *, verified="float64"):
        """Folds with an example: these pairs, everything else is told, and the outputs stay."""
        trained(model).eval()
        count, expected = norms_in(model), model(x)
        report = fold_batchnorm(model, x)
        self.assertEqual(sorted(report), sorted(folded))
        self.assertEqual(norms_in(model), count - len(folded))
        self.assertTrue(torch.allclose(model(x), expected, rtol=1e-4, atol=1e-5))
        if folded:
            self.assertEqual((report.precision, report.inputs), (verified, 3))
            self.assertLess(report.largest_difference, 1e-9 if verified == "float64" else 1e-4)
        return report.unfolded

    def check_unfolded(self, model, x, reasons):
        """Folds nothing, for these reasons (regular expressions, by BatchNorm)."""
        state = copy.deepcopy(model.state_dict())
        found = self.check(model, x, [])
        self.assertEqual(sorted(found), sorted(reasons))
        for name, reason in reasons.items():
            self.assertRegex(found[name], reason)
        self.assertEqual(sorted(model.state_dict()), sorted(state))

    def test_layers_of_all_kinds(self):
        layers = [
            (nn.Conv1d(4, 6, 3, groups=2), nn.BatchNorm1d(6), (2, 4, 8)),
            (nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6), (2, 4, 8, 8)),
            (nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(6), (2, 4, 8, 8)),
            (nn.Conv2d(4, 4, 3, padding="same", groups=4), nn.BatchNorm2d(4, affine=False), (2, 4, 8, 8)),
            (nn.Conv3d(2, 4, 2, stride=2), nn.BatchNorm3d(4), (1, 2, 4, 4, 4)),
            (nn.ConvTranspose1d(4, 6, 3, bias=False), nn.BatchNorm1d(6), (2, 4, 8)),
            (nn.ConvTranspose2d(4, 6, 3, 2, groups=2), nn.BatchNorm2d(6), (2, 4, 8, 8)),
            (nn.ConvTranspose3d(2, 4, 2), nn.BatchNorm3d(4), (1, 2, 4, 4, 4)),
            (nn.Linear(4, 6), nn.BatchNorm1d(6), (5, 4)),
        ]
        for layer, norm, shape in layers:
            with self.subTest(layer=layer):
                model, parameter = nn.Sequential(layer, norm), layer.weight
                self.assertEqual(self.check(copy.deepcopy(model), images(*shape), [("0", "1")]), {})
                report = fold_batchnorm(trained(model).eval())
                self.assertEqual(report.folded, [("0", "1")])
                self.assertIs(layer.weight, parameter)
                self.assertIsInstance(model[1], nn.Identity)
                self.assertEqual(report.precision, "")
                self.assertRegex(" ".join(report.unknown), "not verified")

    def test_a_network_that_fx_can_not_trace(self):
        def forward(self, x):
            y = []
            if x.shape[-1] > 4:
                y.append(self.m(x))
            return y[-1]

        model = Of(forward, m=nn.Sequential(Block(3, 8), Block(8, 8)))
        self.check(model, images(), [("m.0.conv", "m.0.bn"), ("m.1.conv", "m.1.bn")])

    def test_a_layer_shared_by_levels_with_a_batchnorm_for_each(self):
        def forward(self, x):
            return self.n1(self.c(x)) + self.n2(self.c(x * 2))

        model = Of(forward, c=conv(), n1=nn.BatchNorm2d(3), n2=nn.BatchNorm2d(3))
        self.check_unfolded(model, images(), {"n1": "c is called 2 times", "n2": "c is called 2 times"})

    def test_a_shared_pair_is_folded_once(self):
        model = Of(lambda self, x: self.b(self.b(x)), b=Block(3, 3))
        self.check(model, images(), [("b.conv", "b.bn")])

    def test_a_layer_called_again_without_its_batchnorm(self):
        model = Of(lambda self, x: self.n(self.c(x)) + self.c(x * 2), c=conv(), n=nn.BatchNorm2d(3))
        self.check_unfolded(model, images(), {"n": "c is called 2 times in a pass, 1 of them"})

    def test_a_batchnorm_behind_two_layers(self):
        model = Of(lambda self, x: self.n(self.a(x)) + self.n(self.b(x)), a=conv(), b=conv(), n=nn.BatchNorm2d(3))
        self.check_unfolded(model, images(), {"n": "several layers: a, b"})

    def test_two_layers_with_one_weight(self):
        for tie in (lambda a, b: setattr(b, "weight", a.weight), lambda a, b: setattr(b.weight, "data", a.weight.data)):
            model = nn.Sequential(conv(), nn.BatchNorm2d(3), conv(), nn.BatchNorm2d(3))
            tie(model[0], model[2])
            self.check_unfolded(model, images(), {"1": "weight of 0 is also used", "3": "weight of 2 is also used"})
            self.assertEqual(fold_batchnorm(model).folded, [])

    def test_a_weight_that_a_layer_outside_the_pass_has_too(self):
        model = Of(lambda self, x: self.m(x), m=nn.Sequential(conv(), nn.BatchNorm2d(3)), auxiliary=conv())
        model.auxiliary.weight = model.m[0].weight
        self.check_unfolded(model, images(), {"m.1": "also used by auxiliary.weight"})

    def test_a_bias_of_two_layers(self):
        model = nn.Sequential(conv(), nn.BatchNorm2d(3), conv())
        model[2].bias = model[0].bias
        self.check_unfolded(model, images(), {"1": "bias of 0 is also used"})

    def test_a_weight_that_the_forward_reads_too(self):
        model = Of(lambda self, x: self.n(self.c(x)) * self.c.weight.abs().max(), c=conv(), n=nn.BatchNorm2d(3))
        self.check_unfolded(model, images(), {"n": "weight of c is also used by abs"})

    def test_a_batchnorm_whose_parameters_are_read_elsewhere(self):
        model = Of(lambda self, x: self.n(self.c(x)) * self.n.weight.max(), c=conv(), n=nn.BatchNorm2d(3))
        self.check_unfolded(model, images(), {"n": "also read by max"})

    def test_an_output_that_is_read_twice(self):
        model = Of(lambda self, x: self.m(x), m=Sum(conv(), nn.BatchNorm2d(3)))
        self.check_unfolded(model, images(), {"m.1": "output of m.0 is also read by m.add"})
        self.assertEqual(fold_batchnorm(model).folded, [])

    def test_an_output_between_that_is_used_elsewhere(self):
        def forward(self, x):
            results = []
            for layer in self.m:
                x = layer(x)
                results.append(x)
            return results[0].sum() + results[-1] if len(results) else x

        model = Of(forward, m=nn.Sequential(conv(), nn.BatchNorm2d(3)))
        self.check_unfolded(model, images(), {"m.1": "also read by sum"})

    def test_an_output_of_the_network(self):
        model = Of(lambda self, x: {"a": (y := self.c(x)), "b": self.n(y)}, c=conv(), n=nn.BatchNorm2d(3)).eval()
        report = fold_batchnorm(model, images())
        self.assertRegex(report.unfolded["n"], "output of the network")

    def test_an_output_that_is_changed_in_place_between(self):
        model = Of(lambda self, x: self.n(self.c(x).relu_()), c=conv(), n=nn.BatchNorm2d(3))
        self.check_unfolded(model, images(), {"n": "its input comes from relu"})

    def test_hooks_and_attributes_that_see_the_output(self):
        x, seen = images(), []
        cases = {
            "on the layer": lambda m: m[0].register_forward_hook(lambda *_: None),
            "before BatchNorm": lambda m: m[1].register_forward_pre_hook(lambda *_: None),
            "on BatchNorm": lambda m: m[1].register_forward_hook(lambda *_: None),
            "on an Identity between": lambda m: m[1].register_forward_hook(lambda *_: None),
        }
        for name, hook in cases.items():
            between = [nn.Identity()] if "between" in name else []
            model = trained(nn.Sequential(conv(), *between, nn.BatchNorm2d(3))).eval()
            hook(model)
            with self.subTest(name):
                report = fold_batchnorm(model, x)
                self.assertRegex(next(iter(report.unfolded.values())), "a hook of . sees")
        model = nn.Sequential(nn.Sequential(conv()), nn.BatchNorm2d(3))
        model[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
        self.check_unfolded(model, x, {"1": "kept beyond the pass"})

    def test_identity_between_is_no_obstacle_and_dropout_is(self):
        self.check(nn.Sequential(conv(), nn.Identity(), nn.BatchNorm2d(3)), images(), [("0", "2")])
        self.check_unfolded(nn.Sequential(conv(), nn.Dropout(), nn.BatchNorm2d(3)), images(), {"2": "also read by 1"})

    def test_batchnorm_before_the_layer(self):
        model = nn.Sequential(nn.BatchNorm2d(3), conv(), nn.ReLU(), nn.BatchNorm2d(3))
        self.check_unfolded(model, images(), {"0": "no layer's output", "3": r"comes from 2 \(ReLU\)"})

    def test_the_statistics_of_the_batch(self):
        class Stubborn(nn.BatchNorm2d):
            def train(self, mode=True):
                return super().train(True)

        model = nn.Sequential(conv(), nn.BatchNorm2d(3, track_running_stats=False))
        self.check_unfolded(model, images(), {"1": "no running statistics"})
        model = nn.Sequential(conv(), Stubborn(3)).eval()
        self.assertRegex(fold_batchnorm(model, images()).unfolded["1"], "statistics of the batch")

    def test_channels_on_another_axis_than_the_layers_outputs(self):
        model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5))
        self.check_unfolded(model, torch.randn(2, 5, 4), {"1": "channels are not the outputs"})

    def test_batchnorm_as_a_function(self):
        def forward(self, x):
            return F.batch_norm(self.c(x), self.mean, self.var)

        model = Of(forward, c=conv())
        model.register_buffer("mean", torch.ones(3))
        model.register_buffer("var", torch.ones(3))
        self.check_unfolded(model, images(), {"batch_norm": "a function is called"})

    def test_classes_that_compute_something_of_their_own(self):
        class WithActivation(nn.BatchNorm2d):
            def forward(self, x):
                return super().forward(x).relu()

        class Frozen(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("running_mean", torch.zeros(3))
                self.register_buffer("running_var", torch.ones(3))

            def forward(self, x):
                return x / self.running_var.view(-1, 1, 1)

        class Standardized(nn.Conv2d):
            def forward(self, x):
                return F.conv2d(x, self.weight - self.weight.mean(), self.bias)

        class Doubled(nn.Conv2d):
            def _conv_forward(self, x, weight, bias):
                return super()._conv_forward(x, weight * 2, bias)

        cases = [
            (conv(), WithActivation(3), "WithActivation computes something of its own"),
            (conv(), Frozen(), "Frozen is not torch.nn's"),
            (Standardized(3, 3, 1), nn.BatchNorm2d(3), "weight of 0.conv2d is not a parameter"),
            (Doubled(3, 3, 1), nn.BatchNorm2d(3), "weight of 0.conv2d is not a parameter"),
            (nn.utils.weight_norm(conv()), nn.BatchNorm2d(3), "weight of 0 is computed"),
            (nn.utils.parametrizations.spectral_norm(conv()), nn.BatchNorm2d(3), "is not a parameter"),
        ]
        for layer, norm, reason in cases:
            with self.subTest(layer=layer, norm=norm):
                self.check_unfolded(nn.Sequential(layer, norm), images(), {"1": reason})

    def test_subclasses_that_compute_the_same(self):
        class Wide(nn.Conv2d):
            def __init__(self):
                super().__init__(3, 4, 3)

        class SamePadding(nn.Conv2d):
            def forward(self, x):
                return F.conv2d(F.pad(x, (0, 1, 0, 1)), self.weight, self.bias)

        self.check(nn.Sequential(Wide(), nn.BatchNorm2d(4)), images(), [("0", "1")])
        model = nn.Sequential(SamePadding(3, 4, 2, bias=False), nn.BatchNorm2d(4))
        recorded = record(model, images())
        self.assertEqual(fold_batchnorm(model).folded, [])
        self.assertRegex(fold_batchnorm(model, record=recorded).unfolded["1"], "give example_inputs")
        self.check(model, images(), [("0", "1")])

    def test_a_forward_assigned_to_the_layer_or_the_batchnorm(self):
        for position in (0, 1):
            model = nn.Sequential(conv(), nn.BatchNorm2d(3)).eval()
            plain = model[position].forward
            model[position].forward = lambda x, plain=plain: plain(x) * 2
            report = fold_batchnorm(model, images())
            self.assertEqual(report.folded, [])
            self.assertIn("1", report.unfolded)

    def test_what_was_not_called(self):
        model = Of(lambda self, x: self.a(x), a=Block(3, 4), b=Block(3, 4))
        self.assertRegex(self.check(model, images(), [("a.conv", "a.bn")])["b.bn"], "not called")

    def test_a_batchnorm_in_two_places_is_replaced_in_both(self):
        block = Block(3, 3)
        model = nn.Sequential(block, block)
        model.again = block.bn
        model.forward_of = None
        trained(model).eval()
        fold_batchnorm(model[:2], images())
        model = Of(lambda self, x: self.again(self.b.conv(x)), b=Block(3, 3))
        model.again = model.b.bn
        self.check(model, images(), [("b.conv", "b.bn")])
        self.assertIsInstance(model.again, nn.Identity)

    def test_flags(self):
        model = trained(nn.Sequential(conv(bias=False), nn.BatchNorm2d(3))).train()
        model[0].weight.requires_grad_(False)
        fold_batchnorm(model, images())
        self.assertTrue(model[1].training and model.training)
        self.assertFalse(model[0].bias.requires_grad)
        self.assertEqual([name for name, _ in model.named_parameters()], ["0.weight", "0.bias"])

    def test_folded_in_half_precision_stays_in_it(self):
        model = nn.Sequential(conv(), nn.BatchNorm2d(3)).to(torch.bfloat16)
        fold_batchnorm(trained(model), images().to(torch.bfloat16))
        self.assertEqual({p.dtype for p in model.parameters()}, {torch.bfloat16})

    def test_a_report_as_a_table(self):
        model = nn.Sequential(nn.BatchNorm2d(3), conv(), nn.BatchNorm2d(3))
        lines = str(fold_batchnorm(model, images())).splitlines()
        self.assertRegex(lines[0], "^BatchNorm +folded into +not folded because$")
        self.assertRegex(lines[1], "^2 +1$")
        self.assertRegex(lines[2], "^0 +- +its input is no layer's output$")
        self.assertRegex(lines[3], r"compared in float64 on 3 inputs: largest difference \d.\de-\d+")


@needs_torch
class VerifiedTest(unittest.TestCase):
    def refused(self, model, x, pairs, text):
        trained(model).eval()
        state, outputs = copy.deepcopy(model.state_dict()), model(x)
        modules = [id(module) for module in model.modules()]
        with self.assertRaisesRegex(FoldError, text) as caught:
            fold_batchnorm(model, x)
        self.assertEqual(caught.exception.pairs, pairs)
        self.assertEqual([id(module) for module in model.modules()], modules)
        self.assertEqual(list(model.state_dict()), list(state))
        self.assertTrue(all(torch.equal(value, state[key]) for key, value in model.state_dict().items()))
        self.assertTrue(torch.equal(model(x), outputs))
        self.assertTrue(all(parameter.dtype == torch.float32 for parameter in model.parameters()))

    def test_another_input_that_goes_another_way(self):
        def forward(self, x):
            y = self.a(self.m(x))
            return self.n(self.c(y)) if float(x.sum()) == 2.0 else self.c(y)

        x = torch.zeros(1, 3, 4, 4)
        x[0, 0, 0, :2] = 1
        model = Of(forward, m=nn.Sequential(conv(), nn.BatchNorm2d(3)), a=nn.ReLU(), c=conv(), n=nn.BatchNorm2d(3))
        self.refused(model, x, [("c", "n")], "n in c changes the network's outputs")

    def test_a_layer_that_ignores_the_bias_it_is_given(self):
        class NoBias(nn.Conv2d):
            def forward(self, x):
                return F.conv2d(x, self.weight)

        model = nn.Sequential(NoBias(3, 3, 1, bias=False), nn.BatchNorm2d(3))
        self.refused(model, images(), [("0", "1")], "1 in 0 changes")

    def test_a_batchnorm_that_is_called_from_a_list(self):
        def forward(self, x):
            return self.hidden[0](self.c(x))

        model = Of(forward, c=conv(), n=nn.BatchNorm2d(3))
        model.hidden = [model.n]
        self.refused(model, images(), [("c", "n")], "n in c")

    def test_code_that_asks_for_a_parameter_of_batchnorm(self):
        model = Of(lambda self, x: self.n(self.c(x)) + self.n.eps, c=conv(), n=nn.BatchNorm2d(3))
        self.refused(model, images(), [("c", "n")], "n in c")

    def test_numbers_beyond_the_range(self):
        model = nn.Sequential(conv(), nn.BatchNorm2d(3)).eval()
        model[0].weight.data.fill_(1e38)
        model[1].running_var.fill_(1e-4)
        with self.assertRaisesRegex(FoldError, "1 in 0 is beyond torch.float32's range"):
            fold_batchnorm(model, images() * 1e-30)
        self.assertIsInstance(model[1], nn.BatchNorm2d)
        self.assertEqual(model[0].weight.max(), torch.tensor(1e38))

    def test_a_model_with_tensors_of_fixed_precision_is_compared_in_its_own(self):
        model = Of(lambda self, x: F.conv2d(self.n(self.c(x)), torch.ones(1, 3, 1, 1)), c=conv(), n=nn.BatchNorm2d(3))
        report = fold_batchnorm(trained(model), images())
        self.assertEqual((report.precision, report.folded), ("float32", [("c", "n")]))

    def test_random_inputs_on_which_the_network_magnifies_rounding_are_left_out(self):
        """As networks with random weights do: there a change in the last bit is as large in the outputs as folding."""

        def chaos(self, x):
            y = torch.sigmoid(self.n(self.c(x)))
            if x.max() > 1:
                for _ in range(self.rounds):
                    y = 4 * y * (1 - y)
            return y

        def branch(self, x):
            y = self.c(x)
            return chaos(self, x) + (y if x.max() > 1 else self.n(y))

        def made(forward, rounds):
            torch.manual_seed(0)
            model = Of(forward, c=nn.Conv2d(3, 4, 1), n=nn.BatchNorm2d(4)).eval()
            model.n.running_var.fill_(3.0)
            model.rounds = rounds
            return model

        x = torch.rand(2, 3, 8, 8)
        report = fold_batchnorm(made(chaos, 45), x)
        self.assertEqual((len(report), report.inputs), (1, 1))
        report = fold_batchnorm(made(chaos, 45), x * 2)  # as the example of an export, which is random too
        self.assertEqual((len(report), report.inputs), (1, 0))
        self.assertIn("was not verified", str(report))
        with self.assertRaisesRegex(FoldError, "changes the network's outputs"):
            fold_batchnorm(made(lambda self, x: branch(self, x) if x.max() > 1 else chaos(self, x), 30), x)

    def test_random_inputs_that_the_model_refuses_are_left_out(self):
        def forward(self, x):
            if x.max() > 1:
                raise ValueError("a picture is wanted")
            return self.n(self.c(x))

        report = fold_batchnorm(trained(Of(forward, c=conv(), n=nn.BatchNorm2d(3))), torch.rand(2, 3, 8, 8))
        self.assertEqual(report.inputs, 1)

    def test_random_numbers_in_the_forward(self):
        model = Of(lambda self, x: self.n(self.c(x)) * torch.rand(1), c=conv(), n=nn.BatchNorm2d(3))
        self.assertEqual(len(fold_batchnorm(trained(model), images())), 1)

    def test_a_model_that_writes_to_its_input(self):
        def forward(self, x):
            return F.conv2d(self.n(self.c(x.mul_(2))), torch.ones(1, 3, 1, 1))

        model = Of(forward, c=conv(), n=nn.BatchNorm2d(3))
        x = images()
        report = fold_batchnorm(trained(model), x)
        self.assertEqual((report.precision, len(report)), ("float32", 1))
        self.assertTrue(torch.equal(x, images()))

    def test_an_output_hidden_in_an_object(self):
        class Hidden:
            def __init__(self, tensor):
                self.tensor = tensor

        def forward(self, x):
            y = self.c(x)
            return Hidden(y), self.n(y)

        report = fold_batchnorm(trained(Of(forward, c=conv(), n=nn.BatchNorm2d(3))), images())
        self.assertEqual(report.folded, [])

    def test_integers_in_and_out(self):
        def forward(self, x):
            return self.n(self.c(self.e(x).permute(0, 2, 1))).argmax(1)

        model = Of(forward, e=nn.Embedding(10, 4), c=nn.Conv1d(4, 5, 3), n=nn.BatchNorm1d(5))
        report = fold_batchnorm(trained(model), torch.arange(10).repeat(2, 1))
        self.assertEqual((len(report), report.inputs), (1, 3))

    def test_a_model_that_returns_no_tensors(self):
        model = Of(lambda self, x: self.n(self.c(x)).tolist(), c=conv(), n=nn.BatchNorm2d(3))
        report = fold_batchnorm(trained(model), images())
        self.assertEqual((report.precision, len(report)), ("", 1))
        self.assertRegex(" ".join(report.unknown), "returns no tensors")


@needs_torch
class WithoutExampleTest(unittest.TestCase):
    def test_what_fx_tells(self):
        model = Traceable(lambda self, x: self.b(self.a(x)), a=Block(3, 4), b=Block(4, 4))
        report = fold_batchnorm(trained(model))
        self.assertEqual(report.folded, [("a.conv", "a.bn"), ("b.conv", "b.bn")])

    def test_what_fx_tells_against(self):
        cases = [
            lambda self, x: self.n(self.c(x)) + self.c(x),
            lambda self, x: self.n(y := self.c(x)) + y,
            lambda self, x: self.n(self.c(x)) * self.c.weight.max(),
            lambda self, x: self.n(self.c(x).relu()),
        ]
        for forward in cases:
            report = fold_batchnorm(Traceable(forward, c=conv(), n=nn.BatchNorm2d(3)))
            self.assertEqual((report.folded, list(report.unfolded)), ([], ["n"]))
            self.assertNotRegex(report.unfolded["n"], "trace")

    def test_a_chain_of_sequentials_that_fx_can_not_trace(self):
        inner = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
        model = trained(nn.Sequential(inner, Untraceable(), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), Block(3, 3)))
        report = fold_batchnorm(model)
        self.assertEqual(sorted(report.folded), [("0.0", "0.1"), ("2", "3")])
        self.assertRegex(report.unfolded["4.bn"], "can't trace.*no plain nn.Sequential")

    def test_a_sequential_in_code_that_fx_can_not_trace(self):
        def forward(self, x):
            return self.m[1](self.m[0](x) * float(x.sum()))

        report = fold_batchnorm(Of(forward, m=nn.Sequential(conv(), nn.BatchNorm2d(3))))
        self.assertEqual((report.folded, list(report.unfolded)), ([], ["m.1"]))

    def test_a_hook_of_a_module_around_the_layer(self):
        model = Traceable(lambda self, x: self.n(self.around(x)), around=nn.Sequential(conv()), n=nn.BatchNorm2d(3))
        self.assertEqual(len(fold_batchnorm(copy.deepcopy(model))), 1)
        model.around.register_forward_hook(lambda *_: None)
        self.assertRegex(fold_batchnorm(model).unfolded["n"], "a hook of around sees")

    def test_a_layer_in_two_places(self):
        c = conv()
        for last in (nn.ReLU(), Untraceable()):
            report = fold_batchnorm(nn.Sequential(c, nn.BatchNorm2d(3), nn.Sequential(c, nn.BatchNorm2d(3)), last))
            self.assertEqual(report.folded, [])
            norm = nn.BatchNorm2d(3)
            self.assertEqual(fold_batchnorm(nn.Sequential(conv(), norm, conv(), norm, last)).folded, [])

    def test_with_a_record_alone(self):
        model = trained(Of(lambda self, x: self.b(x * float(x.sum())), b=Block(3, 4))).eval()
        recorded, x = record(model, images()), images()
        expected = model(x)
        self.assertEqual(fold_batchnorm(model, record=recorded).folded, [("b.conv", "b.bn")])
        self.assertTrue(torch.allclose(model(x), expected, rtol=1e-4, atol=1e-4))


if __name__ == "__main__":
    unittest.main()
