"""The module that quantizes and dequantizes a tensor in a network."""

from __future__ import annotations

import warnings
from enum import Enum
from typing import Any, cast

import torch
from torch import Tensor

from ..errors import NotInitializedError, NotSupportedError
from ..param import Mode, Param
from ..widths import DEFAULT_BITS
from . import context, distributed, jobs, passes
from .extremes import Known, extremes, known_for
from .range_buffer import RangeBuffer
from .ranges import Range, Widest, keeps_widest, range_of
from .rows import UNKNOWN, Row, params_of, rows_of
from .tensors import HALVES, apply_params, float_copy, quantize_, takes_one_pass

_SMALL = 1 << 15
_NO_DATA = float("-inf")  # as an exponent: less than any


class Policy(str, Enum):
    """Where a FakeQuantize takes its range from."""

    TRAINING = "training"  # the batches in training and in calibration; APPLY in evaluation
    ALWAYS_INIT = "always init"  # INIT at every call: the range of weights follows the weights
    FIXED = "fixed"  # APPLY at every call; set_params gives the range, and calibration leaves it


def _has_buffer(policy: Policy) -> bool:
    return policy is not Policy.ALWAYS_INIT


class FakeQuantize(RangeBuffer):
    """Quantizes and dequantizes a tensor: float32 or float64, on CPU or CUDA; float16 and bfloat16 as float32, whose
    results are rounded to them (of bfloat16 with 16 bit that is warned of once: of 128 values an octave 117 are left).

    The ranges are in the buffer `range`, float64 [groups, 3]: w * (e, bits, 1) for a range whose largest value is 2^e,
    zeros where no batch was seen. So a weighted average of states (EMA, SWA) is again a state, and one that was not set
    counts for nothing in it; a range between two steps is rounded to the wider one. `half` and the like leave the
    buffer alone. It is saved and loaded with the model, on any device; a state for another width is refused; one that
    lacks the range changes nothing, with a warning. The vendor's blocks of 16 bytes are `bytes` of `params`.
    With ALWAYS_INIT there is no buffer. Nothing is a parameter, so no optimizer changes it.

    The gradient is straight-through: that of the output is passed on as it is, for the staircase's own is zero nearly
    everywhere. With `clip_gradient` it is stopped where |x| exceeds the largest value, 2^((delta+K)/S).

    Infinities and NaN never enter a range. `nonfinite` counts them, and the first are warned of.

    With a GPU library that has jobs (gfpq_jobs.hpp) a call on a CUDA tensor is one job, whose parameter is on the GPU,
    and nothing waits for it: `range` follows there, and the host reads it where it is asked for (`params`,
    `initialized`, state_dict). Therefore nobody looks at the numbers: NaN becomes 0 without being counted or warned of,
    and a batch that asks for the widest range that there is (infinite numbers do) is quantized so and changes no range.
    What the GPU finds to be damaged raises where the host looks next, or in gfpq.torch.check(model). Calibration, the
    moving ranges, and libraries without jobs have the host look at each batch, as on the CPU.

    Under torch.distributed, in training, a quantizer by itself, with `exact`, or with a moving range has all ranks of
    `process_group` take part in every call, and uses the range of their joined batch. Those of a prepared model leave it
    to one reduction at the end of its forward pass: then all ranks have the widest range of all, for the next step; in
    the pass each rank uses that of the steps before and of its own batch. (ALWAYS_INIT is for weights, which all ranks
    have alike, and does not ask the others.)

    In backward, where a checkpoint computes a module again, ranges stay: they have seen this batch.

    torch.compile (PyTorch 2.7 or later) makes one operator of a call; `nonfinite` does not count there. A CUDA graph
    captures training with the range "widest", and evaluation after one call without. What is set between its replays by
    set_params, forget and load_state_dict they go on from; what is written to the buffer otherwise they overwrite.

    Args:
        bits: a width of gfpq.widths.WIDTHS.
        policy: where the range comes from.
        range: how TRAINING follows the batches: "widest" (the vendor's UPDATE), "moving maximum", "percentile",
            "fixed", or an object of gfpq.torch.ranges.
        groups: into how many equal parts axis `dim` is cut, each with a Param of its own.
        dim: the axis of the groups; negative counts from the last.
        clip_gradient: stop the gradient beyond the largest value.
        process_group: torch.distributed's; None is the default group. Not copied or pickled with the module.
        exact: see above, of torch.distributed.

    Raises NotInitializedError when called in evaluation before any batch in training; ValueError where `groups` does
    not divide the axis; TypeError for tensors of integers; NotSupportedError when traced, scripted or exported, and
    compiled where a range is learned that only the host can.
    """

    exact = False  # of those that were pickled before there was a choice
    _known: Known | None = None  # of the last range that was asked for
    _warned_of_bfloat16 = False  # of the class: once a process

    def __init__(
        self, bits: int = DEFAULT_BITS, policy: Policy = Policy.TRAINING, *, range: str | Range = "widest",
        groups: int = 1, dim: int = 1, clip_gradient: bool = False, process_group: Any = None, exact: bool = False,
    ) -> None:
        chosen = Policy(policy)
        super().__init__(bits, groups, _has_buffer(chosen))
        self._policy = chosen
        self.range_choice = range_of(range)
        self.dim = dim
        self.clip_gradient = clip_gradient
        self.process_group = process_group
        self.exact = exact
        self.enabled = True
        self.calibrating = False  # `calibrate` sets it: the range follows the batches in evaluation too
        self.nonfinite = 0
        self.input_number = 0  # which input of a function with several, such as Concat

    @property
    def policy(self) -> Policy:
        """Where the range comes from. The range stays when it is set to another: then the buffer appears or goes. It is made
        on the device of the last call on a GPU, or on the CPU: set the policy before a model is moved. Programs of
        torch.compile don't keep what ALWAYS_INIT finds: call the model once without, before it is set to another.
        """
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        policy = Policy(policy)
        self._keep_in_buffer(_has_buffer(policy))
        self._policy = policy

    @property
    def learns(self) -> bool:
        """Whether a call now would change the range."""
        in_training = self.training and self.range_choice.learns
        return self._policy is Policy.TRAINING and (
            self.calibrating or (in_training and (context.compiling() or not context.recomputing()))
        )

    @property
    def may_join(self) -> bool:
        """Whether it is one that in distributed training leaves it to the end of a model's pass to join all ranks' ranges.
        """
        choice = self.range_choice
        return not self.exact and self._policy is Policy.TRAINING and choice.learns and keeps_widest(choice)

    @property
    def joins(self) -> bool:
        """Whether it does so now."""
        return self.may_join and self.learns and distributed.world_size(self.process_group) > 1

    @property
    def how_to_find(self) -> str:
        """What a user can do to find the range, for messages."""
        if self._policy is Policy.FIXED:
            return "it has the policy FIXED: give it by set_params, or load a checkpoint first"
        others = "gfpq.torch.calibrate(model, batches), or load a checkpoint first"
        if not self.range_choice.learns:
            return f"it has range='fixed', which does not learn in training: use {others}, or give it by set_params"
        return f"run a batch in training mode (model.train()), or {others}"

    def forget(self) -> None:
        """Drops the ranges and the count of numbers that are not finite."""
        self.nonfinite = 0
        self._replace_rows([UNKNOWN] * self._groups)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the quantized tensor, with x's shape, type and device."""
        if not self.enabled or self.switched_off:
            return x
        compiling = context.compiling()
        if not compiling and context.tracing(x):
            raise self._no_tracing()
        if not x.is_floating_point():
            raise TypeError(f"{self._label()} got a tensor of {x.dtype}; only floating-point tensors can be quantized")
        if compiling:
            # Else modes would look at each function that the ranges take.
            with torch._C.DisableTorchFunction():  # type: ignore[attr-defined, unused-ignore]
                return self._quantize_by_operator(x)
        if x.dtype is torch.bfloat16 and self.bits == 16:
            self._warn_of_bfloat16()
        if not (x.requires_grad and torch.is_grad_enabled()):
            return self._quantize(x)[0]
        is_small = x.numel() <= _SMALL and x.is_contiguous() and not jobs.on_gpu(x) and takes_one_pass(x)
        if is_small and not self.clip_gradient:
            return self._quantize_clone(x)
        return cast(Tensor, _StraightThrough.apply(x, self))  # type: ignore[no-untyped-call]

    def extra_repr(self) -> str:
        choice = f", range={self.range_choice}" if self.range_choice != Widest() else ""
        groups = f", groups={self._groups}" if self._groups > 1 else ""
        disabled = ", disabled" if not self.enabled or self.switched_off else ""
        return f"bits={self.bits}, policy={self._policy.value!r}{choice}{groups}{disabled}"

    def _quantize(self, x: Tensor, wants_mask: bool = False) -> tuple[Tensor, Tensor | None]:
        """The quantized tensor, and a mask where it is wanted: 1 where |x| does not exceed the largest value."""
        if jobs.gpu_takes(x) and x.numel():
            return self._quantize_on_gpu(x, wants_mask)
        params = None
        if takes_one_pass(x):
            params = self._params_for(self._parts_to_learn(x))
            known = self._group_params()
            if known is not None:
                return apply_params(x, known, self.bits, self._groups, self.dim, wants_mask)
        return self._quantize_copy(x, params), _inside(x, self) if wants_mask else None

    def _quantize_clone(self, x: Tensor) -> Tensor:
        """Writes the quantized numbers over those of a clone, whose gradient is the straight-through one: for few
        numbers that takes less time than an autograd.Function does."""
        numbers = x.detach()
        self._params_for(self._parts_to_learn(numbers))
        known = self._group_params()
        if known is None:
            return cast(Tensor, _StraightThrough.apply(x, self))  # type: ignore[no-untyped-call]
        result = x.clone()
        apply_params(numbers, known, self.bits, self._groups, self.dim, result=result)
        return result

    def _quantize_on_gpu(self, x: Tensor, wants_mask: bool) -> tuple[Tensor, Tensor | None]:
        """One job, with its parameters on the GPU. Where a range is to be learned as the GPU can't, the host learns it.
        """
        self._check_axis(x)
        learns = False
        if self._policy is Policy.ALWAYS_INIT:
            if self.ready is not None and self.ready.is_of(x) and (not wants_mask or self.ready.result[1] is not None):
                ready, mask = self.ready.result
                return ready.detach(), mask  # a tensor of its own, for a gradient of its own
            mode = int(Mode.INIT)
        elif self._trains_on_gpu(x) and (not self.learns or self._learns_alone()):
            mode, learns = jobs.AUTO, self.learns
        else:
            mode = int(Mode.APPLY)
            known = self._params_for(self._parts_to_learn(x))
            if not all(param.initialized for param in known):
                return self._quantize_copy(x, known), _inside(x, self) if wants_mask else None
        params = self._params_on(x.device)
        if mode == jobs.AUTO and not learns:  # a checkpoint computes again what AUTO made of this batch
            params = params.clone()
        result = jobs.run([jobs.Call(x, params, self.bits, mode, self.dim, wants_mask)])[0]
        if learns:
            passes.note_learned(self)
        return result

    def call_for_weight(self, weight: Tensor) -> jobs.Call | None:
        """The call that quantizes a weight, if that is a job on the GPU."""
        is_on = self.enabled and not self.switched_off and self._policy is Policy.ALWAYS_INIT
        if not is_on or not weight.numel() or not jobs.gpu_takes(weight):
            return None
        self._check_axis(weight)
        params = self._params_on(weight.device)
        return jobs.Call(weight, params, self.bits, int(Mode.INIT), self.dim, self.clip_gradient)

    def _trains_on_gpu(self, x: Tensor) -> bool:
        """Whether the GPU can follow the range. Calibration, which may wait, looks for infinite numbers."""
        in_training = self._policy is Policy.TRAINING and self.training and not self.calibrating
        follows = self.range_choice.learns and keeps_widest(self.range_choice)
        return in_training and follows and self.range is not None and self.range.device == x.device

    def _learns_alone(self) -> bool:
        """Whether no other rank is to be asked in this call."""
        return distributed.world_size(self.process_group) <= 1 or (passes.is_under_way() and self.joins)

    def _quantize_by_operator(self, x: Tensor) -> Tensor:
        """The same for torch.compile: an operator between the buffer and the buffer."""
        own, mode = self.range, int(Mode.INIT)
        if own is None:
            params = torch.zeros(self._groups, jobs.WORDS, dtype=torch.int32, device=x.device)
        else:
            learns = self.learns
            if learns and not keeps_widest(self.range_choice):
                raise NotSupportedError(f"{self._label()} learns its range by {self.range_choice}, which torch.compile "
                                        "can't: calibrate, then train with range='fixed', or use range='widest'")
            mode = jobs.AUTO if learns else int(Mode.APPLY)
            self._check_shape(own.shape)
            params = params_of(own, self.bits)
        result, _, after = jobs.fake_quantize(
            x, params, self.bits, mode, self.dim, self.clip_gradient, self._label()
        )
        if own is not None:
            with torch.no_grad():
                if mode == jobs.AUTO:
                    own.copy_(rows_of(after, own, self.bits, leaves_out_infinite=jobs.on_gpu(x)))
                elif jobs.on_gpu(x):  # what it found to be damaged
                    own.masked_fill_(after[:, jobs.STATUS].ne(0).unsqueeze(1), float("nan"))
            if jobs.on_gpu(x):  # a program may raise no version
                self._read = self._device_read = None
        return result

    def _quantize_copy(self, x: Tensor, params: list[Param] | None) -> Tensor:
        """Quantizes a copy in place, by Params that are known, or that the copy tells."""
        work = float_copy(x)
        cut = work.unsqueeze(0) if self._groups == 1 else self._cut(work).contiguous()
        parts = list(cut)
        for part, param in zip(parts, self._params_for(parts) if params is None else params):
            if param.initialized:
                quantize_(part, param=param, mode=Mode.APPLY)
            else:  # no finite number was seen yet
                quantize_(part, bits=self.bits)
        if self._groups > 1:
            work = cut.movedim(0, self.dim % x.dim()).reshape(x.shape)
        return work.to(x.dtype)

    def _parts_to_learn(self, x: Tensor) -> list[Tensor]:
        """The numbers of each group, where a range is to be learned from them."""
        if self._groups == 1:
            return [x]
        if self._policy is not Policy.ALWAYS_INIT and not self.learns:
            self._check_axis(x)
            return [x]
        return list(self._cut(x.detach()))

    def _warn_of_bfloat16(self) -> None:
        if not FakeQuantize._warned_of_bfloat16:
            FakeQuantize._warned_of_bfloat16 = True
            warnings.warn(f"{self._label()} rounds the values of 16 bit to bfloat16, which has fewer numbers: of 128 values "
                          "an octave 117 are left, and those that the chip computes with are others. Train in float32 or "
                          "float16, or with 8 bit", stacklevel=3)  # fmt: skip

    def _check_axis(self, x: Tensor) -> None:
        if self._groups > 1 and x.shape[self.dim % x.dim()] % self._groups:
            raise ValueError(f"{self._label()}: axis {self.dim % x.dim()} of {tuple(x.shape)} can't be cut into "
                             f"{self._groups} groups")

    def _cut(self, x: Tensor) -> Tensor:
        """Brings the groups to the front: [groups, ..., length / groups, ...]."""
        self._check_axis(x)
        dim = self.dim % x.dim()
        shape = (*x.shape[:dim], self._groups, x.shape[dim] // self._groups, *x.shape[dim + 1 :])
        return x.reshape(shape).movedim(dim, 0)

    def _params_for(self, parts: list[Tensor]) -> list[Param]:
        """The Param of each group in this call, after the groups' numbers were learned from, where that is to be.

        Where no finite number was seen yet a Param of one that learns holds nothing.
        """
        learns = self.learns
        if context.capturing(parts[0]):
            if learns:
                raise NotSupportedError(f"{self._label()} learns its range, which a CUDA graph can't: capture the "
                                        "model in evaluation (model.eval())")
        elif learns or self._policy is Policy.ALWAYS_INIT:
            self._learn(parts)
            return self._params
        params = self._current_params()
        if self._group_params() is None:
            raise NotInitializedError(f"{self._label()} has no range yet: {self.how_to_find}")
        return params

    def _learn(self, parts: list[Tensor]) -> None:
        """Takes this batch into the ranges."""
        self._current_params()
        if self._policy is Policy.ALWAYS_INIT:
            exponents = [self._exponent(part, *pair, None) for part, pair in zip(parts, extremes(parts))]
            self._set_rows([[e, self.bits, 1.0] if e != _NO_DATA else UNKNOWN for e in exponents])
            return
        alone = self._learns_alone()
        rows = [row if alone else None for row in self._rows]
        exponents = [self._exponent(part, *pair, row) for part, pair, row in zip(parts, extremes(parts), rows)]
        if not alone:
            found = torch.tensor(exponents, dtype=torch.float64, device=parts[0].device)
            exponents = distributed.largest(found, self.process_group).tolist()
        merged = [self._merged(row, exponent) for row, exponent in zip(self._rows, exponents)]
        if merged != self._rows:
            self._set_rows(merged)

    def _merged(self, row: Row, exponent: float) -> Row:
        if exponent == _NO_DATA:
            return row
        total, weight = self.range_choice.merge((row[0], row[2]), exponent)
        return [total, self.bits * weight, weight]

    def _exponent(self, numbers: Tensor, low: float, high: float, row: Row | None) -> float:
        """The exponent of the range that a group's numbers ask for, of known extremes; -inf where none is finite.

        Where they ask for no more than a row that is given and is only widened, it may be any up to the row's.
        """
        largest, whole, widest = max(-low, high), numbers, keeps_widest(self.range_choice)
        if numbers.dtype in HALVES and not (largest < float("inf") and widest):
            numbers = whole = numbers.float()
        if not largest < float("inf"):
            numbers = whole[whole.isfinite()]
            self._count(whole.numel() - numbers.numel(), whole.numel())
            largest = numbers.abs().amax().item() if numbers.numel() else 0.0
        if numbers.numel() == 0:
            return _NO_DATA
        reach, known = self.range_choice.reach(numbers, largest), self._known
        if known is not None and known.is_double is (numbers.dtype is torch.float64):
            if known.lowest <= reach <= known.highest:
                return known.exponent
            if row is not None and widest and 0 < reach < known.lowest and known.exponent <= row[0] and row[2] == 1:
                return known.exponent
        self._known = known_for(reach, numbers.dtype, self.bits, known)
        return self._known.exponent

    def _count(self, nonfinite: int, total: int) -> None:
        if self.nonfinite == 0:
            warnings.warn(f"{self._label()} got a tensor in which {nonfinite} of {total} numbers are infinite or NaN: "
                          "they don't enter the range; NaN becomes 0, and infinite numbers the clip value",
                          RuntimeWarning, stacklevel=2)  # fmt: skip
        self.nonfinite += nonfinite

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if "policy" in state:  # pickled when that was an attribute like others
            state["_policy"] = Policy(state.pop("policy"))
        super().__setstate__(state)
        self._keep_in_buffer(_has_buffer(self._policy))

    def __prepare_scriptable__(self) -> Any:  # torch.jit.script asks each module for it
        raise self._no_tracing()

    def _no_tracing(self) -> NotSupportedError:
        return NotSupportedError(
            f"{self._label()} can't be traced, scripted or exported, nor compiled before PyTorch 2.7: the result would be a "
            "float network. Take what gfpq.torch.export(model) returns."
        )


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, quantizer: FakeQuantize) -> Tensor:
        result, ctx.inside = quantizer._quantize(x, quantizer.clip_gradient)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient if ctx.inside is None else gradient.masked_fill(ctx.inside == 0, 0), None


def _inside(x: Tensor, quantizer: FakeQuantize) -> Tensor:
    """Where |x| does not exceed its group's largest value."""
    x = x.detach().float() if x.dtype in HALVES else x.detach()
    limits = [param.largest if param.initialized else 0.0 for param in quantizer._current_params()]
    largest = torch.tensor(limits, dtype=x.dtype, device=x.device)
    if quantizer.groups == 1:
        return x.abs() <= largest
    dim = quantizer.dim % x.dim()
    largest = largest.repeat_interleave(x.shape[dim] // quantizer.groups)
    return x.abs() <= largest.view(-1, *[1] * (x.dim() - dim - 1))
