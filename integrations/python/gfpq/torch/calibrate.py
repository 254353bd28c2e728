"""Finds the ranges of data without training."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, Callable

import torch
from torch import nn

from ..errors import some
from ..parameters import DATA
from .fake_quantize import Policy
from .placed import check_not_switched, is_prepared, quantizers
from .running import call

_NEXT_TO_NOTHING = 1e-6  # the least range, that of zeros, lies below


def calibrate(
    model: nn.Module, batches: Iterable[Any], *, extend: bool = False, input_of: Callable[[Any], Any] | None = None,
    progress: bool = False,
) -> None:
    """Finds the ranges of data for a network that is not to be trained, or before it is: post-training quantization.

    The quantizers see the batches as in training, everything else (BatchNorm, Dropout) as in evaluation; no gradient,
    no weight changes. What was found before is dropped. Under torch.distributed all ranks have to call this, with the
    same number of batches each.

    Args:
        batches: each a tensor, or a tuple or list whose first item is the input, or a dict of keyword arguments.
        extend: keep what was found before, and let these batches change it.
        input_of: takes a batch and returns what the model is called with: a tuple of arguments, a dict of keyword
            arguments, or one argument.
        progress: show a bar; takes tqdm.

    Warns of layers that saw no data, or nothing but zeros, by name. Raises TypeError for a tensor in place of
    batches; ValueError for a model without quantizers of data, where `only` switched them off, and where there is no
    batch. The ranges are as they were where it raises.
    """
    found = [
        (name, quantizer)
        for name, tensor, quantizer in quantizers(model)
        if tensor == DATA and quantizer.policy is Policy.TRAINING
    ]
    if not found:
        raise ValueError("the model has no quantizers of data to calibrate: "
                         + ("it was prepared without (data=False)" if is_prepared(model) else "prepare it first"))
    if isinstance(batches, torch.Tensor):
        raise TypeError("the batches are one tensor, whose rows are no batches: give a list, [x]")
    check_not_switched(model, "a calibration", [DATA])
    remaining = iter(batches)
    try:
        first_batch = next(remaining)
    except StopIteration:
        raise ValueError("no batch to calibrate with: an empty loader, or an iterator that was used up") from None
    all_batches: Iterable[Any] = itertools.chain([first_batch], remaining)
    if progress:
        from tqdm import tqdm  # type: ignore[import-untyped]

        all_batches = tqdm(all_batches, "calibrate", len(batches) if isinstance(batches, Sized) else None)
    before = [copy.deepcopy(quantizer.state_dict()) for _, quantizer in found]
    try:
        with evaluating(model), torch.no_grad():
            for _, quantizer in found:
                quantizer.calibrating = True
                if not extend:
                    quantizer.forget()
            for batch in all_batches:
                call_with(model, batch, input_of)
    except BaseException:
        for (_, quantizer), content in zip(found, before):
            quantizer.load_state_dict(content)
        raise
    finally:
        for _, quantizer in found:
            quantizer.calibrating = False
    nothing = [name for name, quantizer in found if quantizer.initialized and
               all(param.largest < _NEXT_TO_NOTHING for param in quantizer.params)]  # fmt: skip
    if nothing:
        warnings.warn(f"calibration brought nothing but zeros to {some(list(dict.fromkeys(nothing)))}: other data will "
                      "be clipped to 0, or nearly so. Calibrate on data as the network will see it", stacklevel=2)
    without = list(dict.fromkeys(name for name, quantizer in found if not quantizer.initialized))
    if without:
        warnings.warn(f"calibration brought no data to {', '.join(without)}: not called in evaluation, or disabled",
                      stacklevel=2)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Puts the model into evaluation, and each of its modules back to what it was."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def call_with(model: nn.Module, batch: Any, input_of: Callable[[Any], Any] | None) -> Any:
    """Calls a model with a batch's input."""
    if input_of is not None:
        return call(model, input_of(batch))
    try:
        return call(model, first(batch))
    except (TypeError, AttributeError) as error:
        form = f"a dict with {', '.join(map(str, batch))}" if isinstance(batch, dict) else f"a {type(batch).__name__}"
        raise TypeError(f"{error} (the batch is {form}: where the model is to be called with something else than its "
                        "first item, or the dict's items by name, give input_of=)") from error


def first(batch: Any) -> Any:
    """A batch's input."""
    return batch[0] if isinstance(batch, (tuple, list)) else batch
