"""Folding BatchNorm into the layer before it, as NNIE does at inference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from ..errors import GfpqError, some
from .finite import holding_nan
from .optimizers import warn_of_optimizers
from .pairs import module_pairs, recorded_pairs
from .record import record as record_pass
from .recorded import Record, aligned
from .running import call, copied, evaluate_in_float, mapped, own_forward, tensors_in, untouched

# The largest difference that is put down to rounding, as a part of the largest number in the tensor.
TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-3}
_RANDOM_INPUTS = 2
_LAST_BITS, _AS_LARGE = 4, 10  # differences of one size: what so many last bits in the inputs make, or 10 times that
_AS_IT_WAS = "The model is as it was"


class FoldError(GfpqError, ValueError):
    """Folding would change what the network computes. `pairs`: (layer, BatchNorm) that do."""

    def __init__(self, text: str, pairs: list[tuple[str, str]]) -> None:
        super().__init__(text)
        self.pairs = pairs


@dataclass
class FoldReport:
    """What `fold_batchnorm` did. Iterating over it gives the pairs that were folded; prints as a table."""

    folded: list[tuple[str, str]]  # (layer, BatchNorm), by their paths
    unfolded: dict[str, str]  # BatchNorm's path: the reason
    unknown: list[str] = field(default_factory=list)  # what could not be found out
    new_parameters: list[str] = field(default_factory=list)  # biases of layers that had none
    precision: str = ""  # "float64" or "float32": in which the network's outputs were compared; "" where they were not
    inputs: int = 0  # on how many inputs, the example's among them
    largest_difference: float = 0.0  # as a part of the largest number in the output
    record: Record | None = None  # of the pass before folding

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.folded)

    def __len__(self) -> int:
        return len(self.folded)

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("BatchNorm", "folded into", "not folded because")]
        rows += [(norm, layer or "(model)", "") for layer, norm in self.folded]
        rows += [(norm, "-", reason) for norm, reason in self.unfolded.items()]
        lines = [aligned(rows), *self.unknown]
        if self.new_parameters:
            lines.append(f"new parameters: {some(self.new_parameters)}")
        if self.precision:
            lines.append(f"outputs before and after compared in {self.precision} on {self.inputs} inputs: largest "
                         f"difference {self.largest_difference:.1e} of the largest output")  # fmt: skip
        return "\n".join(lines)


def fold_batchnorm(model: nn.Module, example_inputs: Any = None, *, record: Record | None = None) -> FoldReport:
    """Folds each BatchNorm, in place, into the Conv, ConvTranspose or Linear whose output it alone takes.

    The weights and biases change, and an Identity takes BatchNorm's place: in evaluation the network computes what it
    did, up to rounding. In a prepared model the weights are from then on quantized as folded.

    Folded is what a recorded pass proves: all calls of the layer are followed by this BatchNorm, which reads its very
    output; nothing else reads that, nor the weight; no hook sees either; running statistics are used. Then the float
    outputs before and after are compared, on the example and on random inputs like it: in float64 (to 1e-9 of the
    largest output), or where the model does not run in float64, in its own precision (to 1e-3). Inputs on which the
    network magnifies a change in their last bits as much are left out. Each layer is compared by itself in float64
    as well, on random numbers.

    Args:
        example_inputs: as for `record`. Without them BatchNorm is folded as far as torch.fx or plain nn.Sequentials
            tell who follows whom, and the network's outputs are not compared.
        record: of a pass on this model, where there is one already.

    A layer without bias gets one, which optimizers that were made before do not update: make them after (where one is
    found in the process, it is warned of). `new_parameters` of the report has their names.

    Returns what was folded, and for every other BatchNorm the reason. Raises FoldError, which names the pairs, where
    the outputs differ: the model is then as it was.
    """
    report = fold_pairs(model, example_inputs, record)
    warn_of_optimizers(model, report.new_parameters, stacklevel=2)
    return report


def fold_pairs(model: nn.Module, example_inputs: Any, record: Record | None) -> FoldReport:
    """`fold_batchnorm` without a look at optimizers."""
    if record is None and example_inputs is not None:
        record = record_pass(model, example_inputs)
    pairs = module_pairs(model) if record is None else recorded_pairs(model, record)
    report = FoldReport(pairs.found, pairs.reasons, pairs.unknown, record=record)
    if example_inputs is None:
        _leave_own_forwards(model, report)
    _check_alone(model, report.folded)
    if example_inputs is not None and report.folded:
        _check_network(model, example_inputs, report)
    layers = [layer for layer, _ in report.folded]
    report.new_parameters = [
        f"{layer}.bias" if layer else "bias" for layer in layers if model.get_submodule(layer).bias is None
    ]
    put_pairs(model, report.folded)
    return report


def put_pairs(model: nn.Module, pairs: list[tuple[str, str]]) -> None:
    """Folds these (layer, BatchNorm), which are known to follow each other."""
    # All is computed before anything is changed.
    for arguments in [(pair, *_rounded(model, pair)) for pair in pairs]:
        _put(model, *arguments)


def _leave_own_forwards(model: nn.Module, report: FoldReport) -> None:
    """Takes out what only the whole network's outputs could verify."""
    for layer, norm in list(report.folded):
        if own_forward(model.get_submodule(layer)):
            report.folded.remove((layer, norm))
            report.unfolded[norm] = f"{layer} has a forward of its own: give example_inputs"


def _check_alone(model: nn.Module, pairs: list[tuple[str, str]]) -> None:
    """Each layer and its BatchNorm on random numbers in float64, against the folded layer."""
    wrong = []
    for pair in pairs:
        layer: Any = model.get_submodule(pair[0])
        norm: Any = model.get_submodule(pair[1])
        if own_forward(layer):
            continue
        with torch.no_grad(), untouched(layer), untouched(norm):
            evaluate_in_float(layer)
            with _in_float64(layer), _in_float64(norm):
                x = torch.randn(_input_shape(layer), dtype=layer.weight.dtype, device=layer.weight.device)
                statistics = norm.running_mean, norm.running_var
                expected = F.batch_norm(layer(x), *statistics, norm.weight, norm.bias, eps=norm.eps)
                layer.weight.data, bias = _folded(layer, norm)
                layer.bias = nn.Parameter(bias, requires_grad=False)
                found = layer(x)
        if _difference([expected], [found]) > TOLERANCES[torch.float64]:
            wrong.append(pair)
    if wrong:
        raise FoldError(f"folded, {_listed(wrong)} would compute something else on random numbers. {_AS_IT_WAS}", wrong)


def _input_shape(layer: Any) -> tuple[int, ...]:
    """Of data on which a kernel has some room."""
    if isinstance(layer, nn.Linear):
        return (2, layer.in_features)
    padding = [0 if isinstance(layer.padding, str) else p for p in layer.padding]
    return (2, layer.in_channels, *(3 + d * (k - 1) + p for k, d, p in zip(layer.kernel_size, layer.dilation, padding)))


def _check_network(model: nn.Module, example_inputs: Any, report: FoldReport) -> None:
    """The network before and after folding, on the example and random inputs."""
    try:
        largest, inputs = _network_difference(model, report.folded, example_inputs, torch.float64)
        precision = torch.float64
    except Exception:  # such as tensors of a fixed precision in the model's code, or a device without float64
        largest, inputs = _network_difference(model, report.folded, example_inputs, torch.float32)
        precision = torch.float32
    if largest > TOLERANCES[precision]:
        alone = {pair: _network_difference(model, [pair], example_inputs, precision)[0] for pair in report.folded}
        wrong = [pair for pair, difference in alone.items() if difference > TOLERANCES[precision]] or report.folded
        raise FoldError(
            f"folding {_listed(wrong)} changes the network's outputs by {largest:.1e} of the largest output, though in "
            "the recorded pass nothing else read between the two. Does the model decide by its data which layers it "
            f"calls? {_AS_IT_WAS}",
            wrong,
        )
    if not inputs:
        report.unknown.append("the model returns no tensors, or magnifies rounding as much on these inputs: that it "
                              "computes the same was not verified")
        return
    report.largest_difference, report.inputs = largest, inputs
    report.precision = str(precision).rpartition(".")[2]


def _network_difference(
    model: nn.Module, pairs: list[tuple[str, str]], example_inputs: Any, precision: torch.dtype
) -> tuple[float, int]:
    """The largest difference that folding makes, and on how many inputs."""
    differences = [0.0]
    generator = torch.Generator().manual_seed(0)
    for number in range(1 + _RANDOM_INPUTS):
        inputs = example_inputs if number == 0 else _like(example_inputs, generator)
        double = precision is torch.float64
        try:
            expected = _outputs(model, inputs, [], double)
        except Exception:
            if number:  # random numbers need not be inputs that the network can take
                continue
            raise
        if expected:
            try:
                difference = _difference(expected, _outputs(model, inputs, pairs, double))
            except Exception:  # such as code that asks for a parameter of BatchNorm
                difference = math.inf
            if TOLERANCES[precision] < difference < math.inf:
                # A network may magnify rounding without bound on inputs that are not of its kind: they tell nothing.
                nudged = _difference(expected, _outputs(model, inputs, [], double, _LAST_BITS))
                if difference < _AS_LARGE * nudged:
                    continue
            differences.append(difference)
    return max(differences), len(differences) - 1


def _outputs(
    model: nn.Module, inputs: Any, pairs: list[tuple[str, str]], double: bool, last_bits: int = 0
) -> list[Tensor]:
    """What the network returns with these pairs folded, and the inputs changed in the last bits. It is left as it was.
    """

    def given(x: Tensor) -> Tensor:
        if not x.is_floating_point():
            return x
        x = x.double() if double else x
        return x.mul(1 + last_bits * torch.finfo(x.dtype).eps)

    with torch.no_grad(), untouched(model):
        evaluate_in_float(model)
        with _in_float64(model) if double else nullcontext():
            for pair in pairs:
                _put(model, pair, *_folded(*map(model.get_submodule, pair)))
            return [tensor.clone() for _, tensor in tensors_in(call(model, _of_tensors(given, copied(inputs))))]


def _like(inputs: Any, generator: torch.Generator) -> Any:
    """Other inputs: normal numbers with the same mean and deviation; of integers the same ones in another order."""

    def other(x: Tensor) -> Tensor:
        if x.is_floating_point() and x.numel() > 1:
            noise = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.device)
            return (noise * (x.double().std() or 1) + x.double().mean()).to(x.dtype)
        order = torch.randperm(x.numel(), generator=generator).to(x.device)
        return x.flatten()[order].view(x.shape)

    return _of_tensors(other, inputs)


def _of_tensors(function: Callable[[Tensor], Tensor], inputs: Any) -> Any:
    return mapped(lambda item: function(item) if isinstance(item, Tensor) else item, inputs)


def _difference(expected: list[Tensor], found: list[Tensor]) -> float:
    """The largest difference, as a part of the largest number of its tensor; infinite where the forms differ."""
    largest = 0.0
    if [x.shape for x in expected] != [x.shape for x in found]:
        return math.inf
    overall = max((_largest(x) for x in expected), default=0.0)
    for a, b in zip(expected, found):
        if not torch.equal(torch.isfinite(a), torch.isfinite(b)):
            return math.inf
        # What is next to nothing beside the other outputs may be rounding alone.
        scale = max(_largest(a), 1e-6 * overall, 1e-300)
        largest = max(largest, _largest(a.to(_wide(a)) - b.to(_wide(b))) / scale)
    return largest


def _largest(x: Tensor) -> float:
    finite = x[torch.isfinite(x)].to(_wide(x)).abs()
    return finite.max().item() if finite.numel() else 0.0


def _wide(x: Tensor) -> torch.dtype:
    return torch.complex128 if x.is_complex() else torch.float32 if x.device.type == "mps" else torch.float64


def _rounded(model: nn.Module, pair: tuple[str, str]) -> tuple[Tensor, Tensor]:
    """The folded weight and bias in the layer's precision."""
    layer: Any = model.get_submodule(pair[0])
    weight, bias = (tensor.to(layer.weight.dtype) for tensor in _folded(layer, model.get_submodule(pair[1])))
    if not (weight.isfinite().all() and bias.isfinite().all()):
        text = f"folded, the weight or bias of {_listed([pair])} is beyond {layer.weight.dtype}'s range. {_AS_IT_WAS}"
        if damaged := holding_nan(model):
            text = f"{_listed([pair])} can't be folded: {damaged}. {_AS_IT_WAS}"
        raise FoldError(text, [pair])
    return weight, bias


@torch.no_grad()
def _put(model: nn.Module, pair: tuple[str, str], weight: Tensor, bias: Tensor) -> None:
    layer: Any = model.get_submodule(pair[0])
    norm = model.get_submodule(pair[1])
    layer.weight.copy_(weight)
    if layer.bias is None:
        layer.bias = nn.Parameter(bias, requires_grad=layer.weight.requires_grad)
    else:
        layer.bias.copy_(bias)
    replacement = nn.Identity().train(norm.training)
    for parent in model.modules():
        for key, child in parent._modules.items():
            if child is norm:
                parent._modules[key] = replacement


@torch.no_grad()
def _folded(layer: Any, norm: Any) -> tuple[Tensor, Tensor]:
    """Weight and bias of the two as one, in float64 where the device has it."""
    wide = _wide(layer.weight)
    scale = torch.rsqrt(norm.running_var.to(wide) + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.to(wide)
    bias = -norm.running_mean.to(wide) * scale
    if norm.bias is not None:
        bias = bias + norm.bias.to(wide)
    if layer.bias is not None:
        bias = bias + layer.bias.to(wide) * scale
    return layer.weight.to(wide) * _by_output(scale, layer), bias


def _by_output(scale: Tensor, layer: Any) -> Tensor:
    """The scale of each output channel, in a shape to multiply the weight with."""
    weight = layer.weight
    if not isinstance(layer, _ConvTransposeNd):  # [out, in / groups, ...]
        return scale.view(-1, *[1] * (weight.dim() - 1))
    # [in, out / groups, ...]: the rows of a group lead to that group's outputs.
    rows = scale.view(layer.groups, -1).repeat_interleave(layer.in_channels // layer.groups, dim=0)
    return rows.view(*rows.shape, *[1] * (weight.dim() - 2))


@contextmanager
def _in_float64(module: nn.Module) -> Iterator[None]:
    """Within it parameters and buffers are float64. `untouched`, around it, puts the buffers back."""
    before = [(parameter, parameter.data) for parameter in module.parameters()]
    for parameter, data in before:
        if data.is_floating_point():
            parameter.data = data.double()
    for part in module.modules():
        for key, buffer in part._buffers.items():
            if buffer is not None and buffer.is_floating_point():
                part._buffers[key] = buffer.double()
    try:
        yield
    finally:
        for parameter, data in before:
            parameter.data = data


def _listed(pairs: list[tuple[str, str]]) -> str:
    return ", ".join(f"{norm} in {layer or '(model)'}" for layer, norm in pairs)
