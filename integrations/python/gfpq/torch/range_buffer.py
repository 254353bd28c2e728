"""The ranges of a FakeQuantize: its buffer, and what the host and a GPU know of it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Callable, TypeVar

import torch
from torch import Tensor, nn

from ..errors import BadParametersError, NotSupportedError
from ..library import GroupParams
from ..param import Param
from ..widths import width_of
from . import context, jobs, passes
from .rows import UNKNOWN, Row, convert_blocks, param_of, params_of, row_of

Kind = TypeVar("Kind", bound="RangeBuffer")
Seen = tuple[Tensor, int]  # a buffer, itself, as another may get its address, and its version


class RangeBuffer(nn.Module):
    """A module with the buffer `range`, float64 [groups, 3], which is the truth, and two copies of it: Params on the host
    and, on a GPU, the parameters of jobs. The version of the buffer tells whether a copy is still one.
    """

    range: Tensor | None
    switched_off = 0  # by how many `only` blocks; not copied or pickled
    device_params: Tensor | None = None  # on a GPU: the jobs' parameters, int32 [groups, 16]
    left_out: Tensor | None = None  # how many batches changed no range there, as they asked for the widest there is
    ready: passes.Ready | None = None  # what it would return for a weight in the pass that is under way
    _device_read: Seen | None = None  # which buffer, and which version of it, `device_params` are of
    _applied: tuple[list[Param], GroupParams | None] | None = None  # a list of Params, and what it is for jobs

    def __init__(self, bits: int, groups: int, has_buffer: bool) -> None:
        super().__init__()
        width_of(bits)
        self._bits, self._groups = bits, groups
        self.switched_off = 0  # of the object: a program of torch.compile knows it so before and after `only`
        self.name = ""  # for messages; `prepare` sets it
        self.register_buffer("range", torch.zeros(groups, 3, dtype=torch.float64) if has_buffer else None)
        self._rows = [UNKNOWN] * groups  # what the buffer was seen to hold, and the Params that it stands for
        self._params = [Param(bits) for _ in self._rows]
        self._read: Seen | None = None  # on a GPU: which buffer, and which version of it, was seen

    @property
    def bits(self) -> int:
        """The bit width. It stays: the ranges are for it."""
        return self._bits

    @bits.setter
    def bits(self, bits: int) -> None:
        raise AttributeError(
            f"{self._label()} has {self._bits} bit for good, as its ranges are for them: make another, FakeQuantize(bits={bits})"
            f", or prepare the model with bits={bits} or layer_bits"
        )

    @property
    def groups(self) -> int:
        """The number of groups. It stays: there is a range for each."""
        return self._groups

    @groups.setter
    def groups(self, groups: int) -> None:
        raise AttributeError(f"{self._label()}: the number of groups, {self._groups}, stays, as there is a range for each: "
                             f"make another, FakeQuantize(groups={groups})")  # fmt: skip

    @property
    def params(self) -> list[Param]:
        """Copies of the Params, one a group. Raises BadParametersError where a GPU found one to be damaged."""
        return [Param.from_bytes(bytes(param), self.bits) for param in self._params_now()]

    def set_params(self, params: list[Param]) -> None:
        """Takes one Param a group. Raises ValueError for another number of them or another bit width."""
        if len(params) != self._groups or any(param.bits != self.bits for param in params):
            raise ValueError(f"{self._label()} takes {self._groups} Params for {self.bits} bit")
        self._replace_rows([row_of(param) for param in params])

    def snapshot(self) -> Tensor | None:
        """A copy of the ranges, for `put_back`. Nothing waits for a GPU."""
        passes.settle(self)
        return None if self.range is None else self.range.clone()

    @torch.no_grad()
    def put_back(self, ranges: Tensor | None) -> None:
        """Sets the ranges to what they were."""
        passes.settle(self)
        if self.range is not None and ranges is not None:
            self._check_shape(ranges.shape)
            self.range.copy_(ranges)
            self._refresh_device()

    def _keep_in_buffer(self, has_buffer: bool) -> None:
        """Puts the ranges into a buffer that is made for them, or takes them out and drops it."""
        if has_buffer is (self.range is not None):
            return
        self.check()  # reads what a GPU has found
        device = "cpu" if self.device_params is None else self.device_params.device
        with torch.inference_mode(False):
            self.range = torch.tensor(self._rows, dtype=torch.float64, device=device) if has_buffer else None
        self._read = self._device_read = None

    @property
    def initialized(self) -> bool:
        """Whether a batch was seen, or Params were loaded."""
        return all(param.initialized for param in self._params_now())

    def train(self: Kind, mode: bool = True) -> Kind:
        self._read = self._device_read = None  # changes that raise no version (Tensor.data) are seen at the latest now
        return super().train(mode)

    def _params_on(self, device: torch.device) -> Tensor:
        """The jobs' parameters. Their memory stays the same, for CUDA graphs have its address."""
        known = self.device_params is not None and self.device_params.device == device
        if not known:
            with torch.inference_mode(False):  # else they could not change outside of it
                self.device_params = torch.zeros(self._groups, jobs.WORDS, dtype=torch.int32, device=device)
                self.left_out = torch.zeros(self._groups, dtype=torch.int32, device=device)
        # Without a buffer they are the only ones, and INIT does not read them.
        if self.range is not None and not (known and self._is_seen(self._device_read)):
            self._refresh_device()
        assert self.device_params is not None
        return self.device_params

    def _refresh_device(self) -> None:
        """Takes the buffer into the jobs' parameters, if there are any. Nothing waits for the GPU."""
        if self.device_params is not None and self.range is not None:
            self._check_shape(self.range.shape)
            with torch.no_grad():
                self.device_params.copy_(params_of(self.range, self.bits))
            self.note_device_params()

    def note_device_params(self) -> None:
        """Tells that `device_params` are those of the buffer as it is now."""
        self._device_read = None if context.compiling() else self._seen_now()

    def check(self) -> None:
        """Raises BadParametersError where the range is damaged, or a job on the GPU found that. Waits for the GPU."""
        self._read = None  # whatever the GPU did since: the replay of a CUDA graph raises no version
        passes.settle(self)
        if self.device_params is not None and any(self.device_params[:, jobs.STATUS].tolist()):
            raise BadParametersError(f"{self._label()}: the GPU found its parameter to be damaged, and left out what it "
                                     "was to quantize: set_params, or load a checkpoint, and repeat the steps since")
        self._current_params()

    def warn_of_left_out(self) -> None:
        """Warns of batches with infinite numbers that a GPU met since the last time. Waits for the GPU."""
        count = 0 if self.left_out is None else max(self.left_out.tolist())
        if self.left_out is not None and count:
            self.left_out.zero_()
            warnings.warn(f"{self._label()} got {count} batches with infinite numbers, or others that ask for the widest "
                          "range there is: they were quantized so, which makes 0 of most numbers, and changed no range",
                          RuntimeWarning, stacklevel=3)  # fmt: skip

    def _current_params(self) -> list[Param]:
        """The Params on the host. They are read again where the buffer was changed or replaced from outside.

        Asking a buffer on a GPU for its numbers at each call would stop the GPU's queue each time.
        """
        own = self.range
        if own is None:
            if self.device_params is not None:  # what the last call found, or the replay of a CUDA graph
                words = self.device_params[:, :4].cpu().numpy()
                self._params = [Param.from_bytes(block.tobytes(), self.bits) for block in words]
                self._rows = [row_of(param) for param in self._params]
            return self._params
        capturing = context.capturing(own)
        if not (jobs.on_gpu(own) or capturing):
            self._take_rows(own.tolist())
        elif not self._is_seen(self._read):
            if capturing:
                raise NotSupportedError(f"{self._label()}: run the model once in evaluation before the capture of a "
                                        "CUDA graph, which can't read the range")
            self._take_rows(own.tolist())
            self._read = self._seen_now()
        return self._params

    def _group_params(self) -> GroupParams | None:
        """`_params` for jobs on the CPU; None where one holds nothing."""
        if self._applied is None or self._applied[0] is not self._params:
            known = all(param.initialized for param in self._params)
            self._applied = self._params, GroupParams([bytes(param) for param in self._params]) if known else None
        return self._applied[1]

    def _params_now(self) -> list[Param]:
        self.check()
        return self._params

    def _seen_now(self) -> Seen | None:
        """What tells the buffer and its content apart from others. None where that can't be told."""
        own = self.range
        return None if own is None or own.is_inference() else (own, own._version)

    def _is_seen(self, seen: Seen | None) -> bool:
        """Whether the buffer is as it was then."""
        own = self.range
        return seen is not None and own is seen[0] and not own.is_inference() and own._version == seen[1]

    def _take_rows(self, rows: list[Row]) -> None:
        if rows != self._rows:
            if self.range is not None:
                self._check_shape(self.range.shape)
            try:
                self._params = [param_of(row, self.bits) for row in rows]
            except BadParametersError as error:
                raise BadParametersError(f"{self._label()}: {error}") from None
            self._rows = rows

    def _check_shape(self, shape: Sequence[int]) -> None:
        if tuple(shape) != (self._groups, 3):
            raise BadParametersError(f"{self._label()}: the buffer `range` is to have the shape [{self._groups}, 3], one row for "
                                     "each group, and has another: set_params, or load a checkpoint")  # fmt: skip

    def _replace_rows(self, rows: list[Row]) -> None:
        """Writes rows whatever the buffer holds."""
        passes.settle(self)
        self._read, self._rows = None, []
        with suppress(BadParametersError):
            self._current_params()
        self._set_rows(rows)

    def _set_rows(self, rows: list[Row]) -> None:
        """Writes the rows to the buffer where they changed from what was read of it last."""
        if rows != self._rows and self.range is not None:
            with torch.no_grad():
                found = torch.tensor(rows, dtype=torch.float64, device=self.range.device)
                if self.range.shape == found.shape:
                    self.range.copy_(found)
                else:
                    self.range = found
            self._read = self._seen_now()
        self._take_rows(rows)
        if self.range is not None:
            self._refresh_device()
        elif self.device_params is not None:
            with torch.no_grad():
                self.device_params.copy_(params_of(torch.tensor(rows, dtype=torch.float64), self.bits))

    def _apply(self: Kind, fn: Callable[[Tensor], Tensor], *arguments: Any, **keywords: Any) -> Kind:
        before = self.range
        if before is None:
            self._current_params()  # while the GPU that has them is there
        super()._apply(fn, *arguments, **keywords)  # type: ignore[no-untyped-call]
        if before is not None and self.range is not None and self.range.dtype != before.dtype:  # half, float
            self.range = before.to(self.range.device)
        if self.device_params is not None:
            now = fn(torch.empty(0, device=self.device_params.device)) if self.range is None else self.range
            if now.device != self.device_params.device:
                self.device_params = None
        self._read = self._device_read = None
        return self

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        if self.device_params is not None:
            self.check()
        super()._save_to_state_dict(destination, prefix, keep_vars)  # type: ignore[no-untyped-call]

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], strict: bool, missing: list[str],
        unexpected: list[str], errors: list[str],
    ) -> None:
        key = prefix + "range"
        is_lost = self.range is None and key in state_dict
        convert_blocks(state_dict, prefix)
        loaded = state_dict.get(key)
        if loaded is not None and loaded.dim() == 2 and loaded.shape[1] == 3:
            wrong = {round(row[1] / row[2]) for row in loaded.tolist() if row[2] > 0} - {self.bits}
            if wrong:
                errors.append(f"{prefix[:-1]} was saved for {wrong.pop()} bit and is to be loaded for {self.bits} bit")
                return
        if is_lost:
            warnings.warn(
                f"the state_dict has a range for {prefix[:-1]}, whose policy here is ALWAYS_INIT: it finds one of its own at "
                "each call. Set the policy that it was saved with, then load again", RuntimeWarning, stacklevel=2,
            )  # fmt: skip
        if self.range is None:
            state_dict.pop(key, None)
        elif loaded is None:
            warnings.warn("the state_dict lacks ranges of data, as that of a float model does: they stay as they are. "
                          "Find them with gfpq.torch.calibrate or in training.", stacklevel=2)
            return
        super()._load_from_state_dict(  # type: ignore[no-untyped-call]
            state_dict, prefix, local_metadata, strict, missing, unexpected, errors
        )
        if self.range is not None and self.range.dtype != torch.float64:  # load_state_dict(assign=True)
            self.range = self.range.double()
        self._read = None
        self._refresh_device()

    def __getstate__(self) -> dict[str, Any]:
        passes.settle(self)
        if self.range is None:
            self._current_params()
        none = ("process_group", "_read", "device_params", "_device_read", "left_out", "ready", "_applied", "_known")
        return {**self.__dict__, "switched_off": 0, **dict.fromkeys(none)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        for name in ("bits", "groups"):  # pickled when these were attributes like others
            if name in state:
                state[f"_{name}"] = state.pop(name)
        super().__setstate__(state)  # type: ignore[no-untyped-call, unused-ignore]

    def _label(self) -> str:
        return f"FakeQuantize of {self.name}" if self.name else "FakeQuantize"
