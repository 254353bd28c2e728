"""Ranges of functions in a state_dict go to the calls that they were found for."""

import copy
import unittest
import warnings

from support import needs_torch, torch

if torch is not None:
    import torch.nn.functional as F
    from test_record import Of
    from torch import nn

    import gfpq.torch as gq

    def layers():
        torch.manual_seed(0)
        return {"a": nn.Conv2d(2, 2, 1), "b": nn.Conv2d(2, 2, 1), "head": nn.Conv2d(2, 2, 1)}

    def prepared(forward, **arguments):
        """A calibrated model."""
        model = Of(forward, **layers()).eval()
        gq.prepare(model, example_inputs=images(), **arguments)
        gq.calibrate(model, [images()])
        return model

    def in_order(self, x):
        p = x + self.a(x)
        q = x + self.b(x) * 8
        return torch.cat([p, q], 1)

    def residual(self, x):
        return self.head(self.b(x) + self.a(x))

    def swapped(self, x):
        q = x + self.b(x) * 8
        p = x + self.a(x)
        return torch.cat([p, q], 1)


def images():
    return torch.linspace(-1, 1, 64).view(2, 2, 4, 4)


@needs_torch
class CallsInStatesTest(unittest.TestCase):
    def test_swapped_lines_are_refused(self):
        state = prepared(in_order).state_dict()
        with self.assertRaisesRegex(RuntimeError, "add was saved for the call that is add_1 here.*\n?.*float_state"):
            prepared(swapped).load_state_dict(state)
        prepared(in_order).load_state_dict(state)

    def test_other_functions_before_a_call_are_another_call(self):
        def again(function):
            def forward(self, x):
                y = self.a(x)
                return self.head(y + y) + self.head(y + function(y))

            return forward

        state = prepared(again(F.relu)).state_dict()
        prepared(again(F.relu)).load_state_dict(state)
        with self.assertRaisesRegex(RuntimeError, "add_1 was saved for another call"):
            prepared(again(F.elu)).load_state_dict(state, strict=False)

    def test_parts_of_a_tensor(self):
        def parts(first, second):
            def forward(self, x):
                y = torch.cat([x, self.a(x)], 1)
                halves = y.chunk(2, 1)
                p = halves[first] + self.b(x)
                q = halves[second] + self.b(x)
                return p + y[:, 2 * first : 2 * first + 2], q

            return forward

        state = prepared(parts(0, 1)).state_dict()
        with self.assertRaisesRegex(RuntimeError, "add_1 was saved for the call that is add here"):
            prepared(parts(1, 0)).load_state_dict(state)

    def test_numbers_on_the_way_to_a_call(self):
        def scaled(factor):
            return lambda self, x: x + self.a(x) * factor

        state = prepared(scaled(1)).state_dict()
        prepared(scaled(1.0)).load_state_dict(state)
        with self.assertRaisesRegex(RuntimeError, "add was saved for another call"):
            prepared(scaled(300)).load_state_dict(state)

    def test_what_does_not_matter(self):
        """Lines elsewhere, the size of the images, where the model hangs in another."""

        def longer(self, x):
            """A line more."""
            p = x + self.a(x)
            q = torch.add(x, self.b(x) * 8)
            return torch.cat((p, q), dim=1)

        state = prepared(in_order).state_dict()
        prepared(longer).load_state_dict(state)
        large = Of(in_order, **layers())
        gq.prepare(large, example_inputs=torch.rand(1, 2, 9, 7))
        large.load_state_dict(state)
        outer = Of(lambda self, x: self.inner(x), inner=Of(lambda self, x: self.net(self.a(x)), a=nn.Conv2d(2, 2, 1),
                                                            net=Of(residual, **layers())))  # fmt: skip
        gq.prepare(outer, example_inputs=images())
        gq.calibrate(outer, [images()])
        alone = Of(lambda self, x: self.net(self.a(x)), a=nn.Conv2d(2, 2, 1), net=Of(residual, **layers()))
        gq.prepare(alone, example_inputs=images())
        alone.load_state_dict(outer.inner.state_dict())

    def test_averages_and_casts_of_states(self):
        model = prepared(in_order)
        other = copy.deepcopy(model)
        for _ in range(1000):  # an EMA that averages every entry
            for own, new in zip(other.state_dict().values(), model.state_dict().values()):
                own.copy_(own * 0.9998 + new * (1 - 0.9998))
        prepared(in_order).load_state_dict(other.half().state_dict())
        with self.assertRaisesRegex(RuntimeError, "is add_1 here"):
            prepared(swapped).load_state_dict(other.state_dict())

    def test_states_without_it(self):
        model = prepared(in_order)
        state = model.state_dict()
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            prepared(in_order).load_state_dict(gq.float_state(state))
        Of(in_order, **layers()).load_state_dict(gq.float_state(state))
        del state["call_quantizers.calls"]
        with self.assertRaisesRegex(RuntimeError, "call_quantizers has ranges and no `calls`"):
            model.load_state_dict(state, strict=False)

    def test_states_of_other_policies(self):
        def with_policies(data, weight, forward=in_order):
            model = prepared(forward)
            for number, (_, tensor, quantizer) in enumerate(gq.quantizers(model)):
                quantizer.policy = weight if tensor == "weight" else data[number % len(data)]
            return model

        every, fixed = gq.Policy.ALWAYS_INIT, gq.Policy.FIXED
        for data in ([every], [every, fixed], [fixed]):
            model = with_policies(data, fixed)
            state = model.state_dict()
            other = with_policies(data, fixed)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                other.load_state_dict(state)
            Of(in_order, **layers()).load_state_dict(gq.float_state(state))
        with self.assertRaisesRegex(RuntimeError, "is add_1 here"):
            with_policies([every, fixed], fixed, swapped).load_state_dict(with_policies([every, fixed], fixed).state_dict())
        with self.assertWarnsRegex(RuntimeWarning, "a.weight_quantizer, whose policy here is ALWAYS_INIT"):
            prepared(in_order).load_state_dict(with_policies([fixed], fixed).state_dict(), strict=False)

    def test_skipped_calls_and_other_bits(self):
        state = prepared(in_order, skip=["add"]).state_dict()
        prepared(in_order, skip=["add"]).load_state_dict(state)
        with self.assertRaisesRegex(RuntimeError, "add_1 was saved for another call"):
            prepared(swapped, skip=["add"]).load_state_dict(state)
        model = prepared(in_order)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.load_state_dict(state, strict=False)
        self.assertTrue(caught)


if __name__ == "__main__":
    unittest.main()
