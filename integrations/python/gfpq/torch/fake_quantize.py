"""The module that quantizes and dequantizes a tensor in a network."""

from __future__ import annotations

from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import NotInitializedError
from ..library import BLOCK_LENGTH
from ..param import Mode, Param, width_of
from . import distributed
from .tensors import HALVES, delta_of, float_copy, quantize_


_NO_DELTA = -(1 << 30)  # less than any


class Policy(str, Enum):
    """Where a FakeQuantize takes its range from."""

    TRAINING = "training"  # INIT at the first batch in training, UPDATE at the others, APPLY in evaluation
    ALWAYS_INIT = "always init"  # INIT at every call: the range of weights follows the weights
    FIXED = "fixed"  # APPLY at every call


class FakeQuantize(nn.Module):
    """Quantizes and dequantizes a tensor: float32 or float64, on CPU or CUDA; float16 and bfloat16 as float32.

    The Param is kept in the buffer `blocks`, uint8 [groups, 16], zeros until the first batch. It moves, is saved and is
    loaded with the model, on any device. The buffer `bit_width` is saved with it: a state for another width is refused.
    Neither is a parameter, so no optimizer changes them.

    The gradient is straight-through: that of the output is passed on as it is, for the staircase's own is zero nearly
    everywhere. With `clip_gradient` it is stopped where |x| exceeds the largest value, 2^((delta+K)/S).

    Under torch.distributed, in training, all ranks of `process_group` take part in every call, and use the widest
    range that one of them saw. (ALWAYS_INIT is for weights, which all ranks have alike, and does not ask the others.)

    Args:
        bits: 8 or 16.
        policy: where the range comes from.
        groups: into how many equal parts axis `dim` is cut, each with a Param of its own.
        dim: the axis of the groups; negative counts from the last.
        clip_gradient: stop the gradient beyond the largest value.
        process_group: torch.distributed's; None is the default group. Not copied or pickled with the module.

    Raises NotInitializedError when called in evaluation before any batch in training; ValueError where `groups` does
    not divide the axis; TypeError for tensors of integers.
    """

    blocks: Tensor
    bit_width: Tensor

    def __init__(
        self, bits: int = 8, policy: Policy = Policy.TRAINING, *, groups: int = 1, dim: int = 1,
        clip_gradient: bool = False, process_group: Any = None,
    ) -> None:
        super().__init__()
        width_of(bits)
        self.bits, self.policy = bits, Policy(policy)
        self.groups, self.dim = groups, dim
        self.clip_gradient = clip_gradient
        self.process_group = process_group
        self.enabled = True
        self.name = ""  # for messages; `prepare` sets it
        self.register_buffer("blocks", torch.zeros(groups, BLOCK_LENGTH, dtype=torch.uint8))
        self.register_buffer("bit_width", torch.tensor(bits, dtype=torch.uint8))
        self._params = [Param(bits) for _ in range(groups)]
        self._read: tuple[int, int] | None = None  # which buffer, and which version of it, _params stands for
        self._stored: list[bytes] = []  # what that buffer holds

    @property
    def params(self) -> list[Param]:
        """Copies of the Params, one a group."""
        return [Param.from_bytes(bytes(param), self.bits) for param in self._current_params()]

    def set_params(self, params: list[Param]) -> None:
        """Takes one Param a group. Raises ValueError for another number of them or another bit width."""
        if len(params) != self.groups or any(param.bits != self.bits for param in params):
            raise ValueError(f"{self._label()} takes {self.groups} Params for {self.bits} bit")
        self._current_params()  # learns what the buffer holds now
        self._params = [Param.from_bytes(bytes(param), self.bits) for param in params]
        self._store()

    @property
    def initialized(self) -> bool:
        """Whether a batch was seen, or Params were loaded."""
        return all(param.initialized for param in self._current_params())

    def forward(self, x: Tensor) -> Tensor:
        """Returns the quantized tensor, with x's shape, type and device."""
        if not self.enabled:
            return x
        if not x.is_floating_point():
            raise TypeError(f"{self._label()} got a tensor of {x.dtype}; only floating-point tensors can be quantized")
        if x.requires_grad and torch.is_grad_enabled():
            return _StraightThrough.apply(x, self)
        return self._quantize(x)

    def extra_repr(self) -> str:
        groups = f", groups={self.groups}" if self.groups > 1 else ""
        return f"bits={self.bits}, policy={self.policy.value!r}{groups}" + ("" if self.enabled else ", disabled")

    def _quantize(self, x: Tensor) -> Tensor:
        work = float_copy(x)
        if self.groups == 1:
            self._quantize_parts_([work])
        else:
            parts = self._cut(work).contiguous()
            self._quantize_parts_(list(parts))
            work = parts.movedim(0, self.dim % x.dim()).reshape(x.shape)
        return work.to(x.dtype)

    def _cut(self, x: Tensor) -> Tensor:
        """Brings the groups to the front: [groups, ..., length / groups, ...]."""
        dim = self.dim % x.dim()
        if x.shape[dim] % self.groups:
            raise ValueError(f"{self._label()}: axis {dim} of {tuple(x.shape)} can't be cut into {self.groups} groups")
        shape = (*x.shape[:dim], self.groups, x.shape[dim] // self.groups, *x.shape[dim + 1 :])
        return x.reshape(shape).movedim(dim, 0)

    def _quantize_parts_(self, parts: list[Tensor]) -> None:
        params = self._current_params()
        if self.policy is Policy.ALWAYS_INIT:
            modes = [Mode.INIT] * len(params)
        elif self.training and self.policy is Policy.TRAINING:
            if distributed.world_size(self.process_group) > 1:
                self._agree(parts)
                modes = [Mode.APPLY] * len(params)
            else:
                modes = [Mode.UPDATE if param.initialized else Mode.INIT for param in params]
        elif all(param.initialized for param in params):
            modes = [Mode.APPLY] * len(params)
        else:
            raise NotInitializedError(
                f"{self._label()} has no range yet: run a batch in training mode (model.train()), or "
                "gfpq.torch.calibrate(model, batches), or load a checkpoint first"
            )
        for part, param, mode in zip(parts, self._params, modes):
            quantize_(part, param=param, mode=mode)
        self._store()

    def _agree(self, parts: list[Tensor]) -> None:
        """Widens the ranges to this batch's, on all ranks."""
        deltas = [
            max(
                delta_of(part, self.bits) if part.numel() else _NO_DELTA,
                param.delta if param.initialized else _NO_DELTA,
            )
            for part, param in zip(parts, self._params)
        ]
        deltas = distributed.widest(deltas, parts[0].device, self.process_group)
        self._params = [
            Param(self.bits) if delta == _NO_DELTA else Param.from_delta(delta, self.bits) for delta in deltas
        ]

    def _current_params(self) -> list[Param]:
        """The Params on the host. They are read again where the buffer was changed or replaced from outside.

        Asking a buffer on a GPU for its bytes at each call would stop the GPU's queue each time.
        """
        if self._read is None or self._read != self._buffer_version():
            rows = self.blocks.cpu().tolist()
            self._params = [Param.from_bytes(bytes(row), self.bits) for row in rows]
            self._read = self._buffer_version()
            self._stored = [bytes(param) for param in self._params]
        return self._params

    def _buffer_version(self) -> tuple[int, int] | None:
        """Tells the buffer and its content apart from others. None for tensors of inference mode, which keep none."""
        return None if self.blocks.is_inference() else (id(self.blocks), self.blocks._version)

    def _store(self) -> None:
        """Writes the Params to the buffer where they changed."""
        content = [bytes(param) for param in self._params]
        if content != self._stored:
            with torch.no_grad():
                self.blocks.copy_(torch.tensor([list(block) for block in content], dtype=torch.uint8))
            self._read = self._buffer_version()
            self._stored = content

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *arguments: Any) -> None:
        saved = state_dict.get(prefix + "bit_width")
        if saved is not None and int(saved) != self.bits:
            errors = arguments[-1]
            errors.append(f"{prefix[:-1]} was saved for {int(saved)} bit and is to be loaded for {self.bits} bit")
            return
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "process_group": None, "_read": None}

    def _label(self) -> str:
        return f"FakeQuantize of {self.name}" if self.name else "FakeQuantize"


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, quantizer: FakeQuantize) -> Tensor:
        result = quantizer._quantize(x)
        ctx.outside = ~_inside(x, quantizer) if quantizer.clip_gradient else None
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient if ctx.outside is None else gradient.masked_fill(ctx.outside, 0), None


def _inside(x: Tensor, quantizer: FakeQuantize) -> Tensor:
    """Where |x| does not exceed its group's largest value."""
    x = x.detach().float() if x.dtype in HALVES else x.detach()
    largest = torch.tensor([param.largest for param in quantizer._current_params()], dtype=x.dtype, device=x.device)
    if quantizer.groups == 1:
        return x.abs() <= largest
    dim = quantizer.dim % x.dim()
    largest = largest.repeat_interleave(x.shape[dim] // quantizer.groups)
    return x.abs() <= largest.view(-1, *[1] * (x.dim() - dim - 1))
