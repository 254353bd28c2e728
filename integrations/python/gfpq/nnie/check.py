"""The mapper's rules, held against a network: before training, or against a prototxt."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from ..caffe_layers import CONVOLUTIONS, DEPTHWISE
from . import facts, mapper, network, proto
from .facts import Rule
from .network import Shape, geometry, text_of

_ADVICE = (facts.DEPTHWISE, facts.BATCHNORM)


@dataclass(frozen=True)
class Finding:
    """A rule that a layer does not keep: what it has there, how sure the rule is."""

    rule: str
    layer: str
    value: str
    certainty: str
    advice: bool = False  # it works, but costs accuracy or speed


class Findings(list[Finding]):
    """What a check found, in the order of the layers; prints as a table, each piece of advice in one row."""

    @property
    def broken(self) -> list[Finding]:
        """Those that are more than advice."""
        return [finding for finding in self if not finding.advice]

    def __str__(self) -> str:
        if not self:
            return "nothing against the rules that are publicly known"
        rows = [("rule", "layer", "value", "how sure the rule is")]
        rows += [(f.rule, f.layer, f.value, f.certainty) for f in self.broken]
        for rule in dict.fromkeys(f.rule for f in self if f.advice):
            alike = [f for f in self if f.rule == rule]
            more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
            rows.append((f"advice: {rule}", alike[0].layer + more, alike[0].value, alike[0].certainty))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def check(
    network_or_model: Any, example_inputs: Any = None, *, cut: Sequence[str] = (), depthwise: bool = False
) -> Findings:
    """Holds the mapper's rules against a network.

    Args:
        network_or_model: the path of a prototxt or of a folder that an export wrote, a NetParameter, or a nn.Module,
            which is run once in evaluation and recorded: usable before training. It may be prepared; how its layers
            are named and how wide they are is then not checked, as gfpq.torch.export(..., nnie=...) does.
        example_inputs: what the model is called with, one sample, as for gfpq.torch.record. A prepared model knows it.
        cut, depthwise: as in gfpq.nnie.Options.

    Returns the findings. Raises FileError for a file that can't be read, ValueError for a model without an example.
    """
    if isinstance(network_or_model, (str, Path)):
        path = Path(network_or_model)
        return check_net(proto.read_prototxt(path / mapper.MODEL if path.is_dir() else path))
    if isinstance(network_or_model, proto.NetParameter):
        return check_net(network_or_model)
    return _check_model(network_or_model, example_inputs, cut, depthwise)


def _check_model(model: Any, example_inputs: Any, cut: Sequence[str], depthwise: bool) -> Findings:
    from ..torch.fold import fold_batchnorm
    from ..torch.model import example_of
    from ..torch.placed import is_prepared, remove
    from ..torch.record import record
    from .build import build

    example_inputs = example_of(model) if example_inputs is None else example_inputs
    if example_inputs is None:
        raise ValueError("a model is checked by a recorded pass: give example_inputs")
    folded = copy.deepcopy(model).eval()
    if is_prepared(folded):
        remove(folded)
    fold_batchnorm(folded, record=record(folded, example_inputs))
    built = build(record(folded, example_inputs), folded, cut=cut, depthwise=depthwise)
    problems = {problem.operation: problem for problem in built.problems}
    found = Findings()
    for finding in check_net(built.net, {output.blob: output.shape for output in built.made}):
        name = next((name for name in problems if finding.layer.startswith(name.replace(":", "_call"))), None)
        if finding.value == "Unsupported" and name is not None:
            finding = Finding(finding.rule, finding.layer, str(problems[name]), finding.certainty)
        found.append(finding)
    return found


def check_net(net: Any, known: Mapping[str, Shape] | None = None) -> Findings:
    """Holds the rules against a NetParameter; its weights are not needed. `known`: shapes of blobs, as in shapes_of."""
    found = Findings()

    def add(rule: Rule, layer: str, value: object) -> None:
        found.append(Finding(rule.text, layer, str(value), rule.certainty, rule in _ADVICE))

    layers, inputs = network.test_layers(net), network.inputs_of(net)
    given = ", ".join(f"{name} {text_of(shape)}" for name, shape in inputs.items())
    if len(inputs) != 1 or any(shape[:1] != (1,) for shape in inputs.values()):
        add(facts.ONE_INPUT, "(input)", given or "none")
    unknown: dict[str, str] = {}
    shapes = network.shapes_of(net, lambda layer, error: unknown.update({layer.name: str(error)}), known)
    batch = next(iter(inputs.values()), (1,))[:1]
    for layer in layers:
        before = len(found)
        _check_type(layer, add)
        check_layer = _LAYERS.get(layer.type)
        if check_layer is not None and len(found) == before:
            for rule, value in check_layer(layer, [shapes.get(bottom, ()) for bottom in layer.bottom]):
                add(rule, layer.name, value)
        if layer.name in unknown and len(found) == before:
            add(facts.LAYERS, layer.name, unknown[layer.name])
        for top in layer.top:
            shape = shapes.get(top, batch)
            if top in layer.bottom or not shape:
                continue
            if shape[:1] != batch:
                add(facts.BATCH_AXIS, layer.name, text_of(shape))
            elif max(shape) > facts.LARGEST_DIMENSION:
                add(facts.DIMENSIONS, layer.name, text_of(shape))
    return found


def _check_type(layer: Any, add: Callable[[Rule, str, object], None]) -> None:
    if layer.type in facts.OF_TRAINING:
        add(facts.LAYERS, layer.name, f"{layer.type}: of training, take it out of the deploy file")
    elif layer.type in facts.ON_THE_CPU:
        add(facts.LAYERS, layer.name, f"{layer.type}: runs on the CPU, by your own code")
    elif layer.type in DEPTHWISE and layer.type not in facts.EXTENSIONS:
        add(facts.LAYERS, layer.name, f"{layer.type}: the mapper's name for it is {DEPTHWISE[0]}")
    elif layer.type not in facts.CAFFE_LAYERS | facts.EXTENSIONS:
        add(facts.LAYERS, layer.name, layer.type)


_Broken = Iterator[tuple[Rule, object]]


def _convolution(layer: Any, bottoms: list[Shape]) -> _Broken:
    yield from _sizes(layer)
    group = int(layer.convolution_param.group)
    if group > facts.MOST_GROUPS:
        yield facts.GROUPS, group
    if layer.type in DEPTHWISE or (group > 1 and bottoms[0][1:2] == (group,)):
        yield facts.DEPTHWISE, f"{group} groups" if group > 1 else layer.type


def _sizes(layer: Any) -> _Broken:
    for name, numbers in geometry(layer).items():
        least = 0 if name == "pad" else 1
        if not all(least <= number <= facts.LARGEST_SIZE for number in numbers):
            yield facts.SIZES, f"{name} {text_of(numbers)}"


def _pooling(layer: Any, _bottoms: list[Shape]) -> _Broken:
    if not layer.pooling_param.global_pooling:
        yield from _sizes(layer)
    if layer.pooling_param.round_mode != 0:
        yield facts.POOLING, "round_mode: FLOOR"


def _permute(layer: Any, _bottoms: list[Shape]) -> _Broken:
    order = tuple(layer.permute_param.order)
    if order[:1] != (0,):
        yield facts.BATCH_AXIS, f"order {','.join(map(str, order))}"
    elif order != facts.PERMUTE_ORDER:
        yield facts.PERMUTE, ",".join(map(str, order))


def _upsample(layer: Any, bottoms: list[Shape]) -> _Broken:
    if len(bottoms[0]) == 4:
        x, out = bottoms[0], network.shapes_after(layer, bottoms)[0]
        if out[2:] != (facts.UPSAMPLE_SCALE * x[2], facts.UPSAMPLE_SCALE * x[3]):
            yield facts.UPSAMPLE, f"{text_of(x[2:])} to {text_of(out[2:])}"


def _power(layer: Any, _bottoms: list[Shape]) -> _Broken:
    if layer.power_param.power not in facts.EXPONENTS:
        yield facts.POWERS, f"{layer.power_param.power:g}"


def _along_axis(layer: Any, bottoms: list[Shape]) -> _Broken:
    axis = layer.softmax_param.axis if layer.type == "Softmax" else network.concat_axis(layer)
    if bottoms[0] and axis % len(bottoms[0]) == 0:
        yield facts.BATCH_AXIS, f"axis {axis}"


def _batch_norm(layer: Any, _bottoms: list[Shape]) -> _Broken:
    yield facts.BATCHNORM, layer.type


_LAYERS: dict[str, Callable[[Any, list[Shape]], _Broken]] = {
    **dict.fromkeys(CONVOLUTIONS, _convolution), "Pooling": _pooling, "Permute": _permute,
    "Upsample": _upsample, "Power": _power, "BatchNorm": _batch_norm,
    **dict.fromkeys(["Concat", "Slice", "Softmax"], _along_axis),
}  # fmt: skip
