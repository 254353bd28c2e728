"""A recorded pass as a Caffe network."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import NotSupportedError
from ..torch.recorded import Operation, Record
from . import layers, network, proto
from .facts import HIGH_PRECISION, LOW_PRECISION, REPORT
from .network import Shape, ShapeError, text_of
from .problems import Problem, Refusal

_SHOWN = 10  # of an error's problems


@dataclass(frozen=True)
class Output:
    """An output of the network: the blob, its shape, and of which operation it is which result."""

    blob: str
    shape: Shape
    operation: str
    number: int = 0


@dataclass
class Built:
    """A network made of a recorded pass.

    `net` is a NetParameter with blobs. `first_layers` has, by an operation's place (the name that quantizers have), the
    first layer of each of its calls, which takes its inputs. `problems` are the operations that are no layers; in `net`
    layers of the type Unsupported stand for them.
    """

    net: Any
    inputs: dict[str, Shape] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    first_layers: dict[str, list[str]] = field(default_factory=dict)
    made: list[Output] = field(default_factory=list)  # what each operation makes that is a blob
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raises NotSupportedError where there are problems."""
        if self.problems:
            shown = "\n".join(f"- {problem}" for problem in self.problems[:_SHOWN])
            more = f"\nand {len(self.problems) - _SHOWN} more" if len(self.problems) > _SHOWN else ""
            raise NotSupportedError(
                f"no Caffe network for the mapper: {len(self.problems)} of the model's operations can't be its layers:\n"
                f"{shown}{more}\nOr end the network before them: cut=[names of the last operations to keep]"
            )


def build(
    record: Record, model: nn.Module, *, cut: str | Sequence[str] = (), depthwise: bool = False,
    high_precision: Collection[str] = (), name: str = "network",
) -> Built:
    """Makes a Caffe network of a recorded pass.

    Args:
        record: of a pass with one sample.
        model: the model that was recorded, for its weights and constants.
        cut: names of operations, as in the record: their outputs become those of the network, and what comes after
            them is left out. Without them the network ends with the model's outputs.
        depthwise: make depthwise convolutions layers of the type DepthwiseConv, else Convolutions with groups.
        high_precision: places whose layers get names that end in `_hp`; where there are any, no others do.

    Raises ValueError for names in `cut` that the record lacks.
    """
    return Builder(record, model, depthwise, set(high_precision)).build([cut] if isinstance(cut, str) else cut, name)


class Builder:
    """The network so far. `layers` adds to it."""

    def __init__(self, record: Record, model: nn.Module, depthwise: bool, high_precision: set[str]) -> None:
        self.record, self.depthwise, self.high_precision = record, depthwise, high_precision
        self.tensors = _tensors_of(model)
        self.net = proto.NetParameter()
        self.built = Built(self.net)
        self.blobs: dict[int, str] = {}
        self.data = record.data
        self.names: set[str] = set()
        self.reported: set[int] = set()  # values that are outputs and are read again

    def build(self, cut: Sequence[str], name: str) -> Built:
        self.net.name = name
        outputs = self._outputs(cut)
        needed = self._needed(outputs)
        read = {value for operation in needed for value in operation.inputs}
        self.reported = read & set(outputs)
        for number, value in enumerate(self.record.inputs):
            self._add_input(f"data_{number}" if number else "data", value)
        for operation in needed:
            self._convert(operation)
        self.built.made = [self._output(operation, value) for operation in needed
                           for value in operation.outputs if value in self.blobs and not operation.passes_through]
        for number, value in enumerate(outputs):
            made = self.record.producer(value)
            if value in self.blobs and made is not None:
                self.built.outputs.append(self._output(made, value))
            else:
                self._refuse_output(number, value, made)
        self._tell_of_decisions()
        return self.built

    def _output(self, operation: Operation, value: int) -> Output:
        return Output(self.blobs[value], self.shape(value), operation.name, operation.outputs.index(value))

    def _refuse_output(self, number: int, value: int, made: Operation | None) -> None:
        try:
            self.blob(value)
            raise Refusal("it is the network's input", "leave it out, or end the network elsewhere: cut=")
        except Refusal as refusal:
            place = (made.name, made.site) if made is not None else (f"output {number}", "returned by the model")
            self.built.problems.append(Problem(place[0], "output", place[1], refusal.reason, refusal.instead))

    def shape(self, value: int) -> Shape:
        return self.record.values[value].shape

    def blob(self, value: int) -> str:
        """The blob that a value is. Raises Refusal for one that no layer made."""
        if value in self.blobs:
            return self.blobs[value]
        if value not in self.data:
            raise Refusal("it takes a tensor that does not depend on the network's input and is no parameter",
                          "register it as a buffer of the module (register_buffer)")  # fmt: skip
        raise Refusal("it takes a tensor that was written to through a view of it",
                      "compute a new tensor instead of writing into a part of one")  # fmt: skip

    def bottoms(self, operation: Operation) -> list[str]:
        return [self.blob(value) for value in operation.inputs]

    def parameter(self, operation: Operation, role: str) -> NDArray[Any] | None:
        """A parameter or buffer that an operation is given."""
        name = operation.parameters.get(role)
        return None if name is None else self.tensors[name].detach().double().cpu().numpy()

    def add(
        self, operation: Operation, kind: str, bottoms: Sequence[str], outputs: Sequence[int | None] | None = None,
        suffix: str = "", blobs: Sequence[NDArray[Any]] = (),
    ) -> Any:
        """Adds a layer for an operation.

        Args:
            outputs: the values that its tops are; None for a top that nobody reads. Default: the operation's first.
        """
        layer = self.net.layer.add(name=self._name(operation, suffix), type=kind)
        layer.bottom.extend(bottoms)
        outputs = operation.outputs[:1] if outputs is None else outputs
        for number, value in enumerate(outputs):
            top = layer.name if len(outputs) == 1 else f"{layer.name}_{number}"
            if value is not None:
                top += REPORT if value in self.reported else ""
                self.blobs[value] = top
            layer.top.append(top)
        for blob in blobs:
            proto.add_blob(layer, blob)
        return layer

    def alias(self, operation: Operation) -> None:
        """An operation that passes on what it gets."""
        if operation.outputs:
            self.blobs[operation.outputs[0]] = self.blob(operation.inputs[0])

    def _convert(self, operation: Operation) -> None:
        if operation.passes_through:
            return
        before = len(self.net.layer)
        try:
            if "out" in operation.roles:
                raise Refusal("it writes to a given tensor (out=)", "take the tensor that it returns")
            layers.convert(self, operation)
            self._check_shapes(before)
        except Refusal as refusal:
            self._put_unsupported(operation, refusal, before)
        if len(self.net.layer) > before:
            self.built.first_layers.setdefault(operation.place, []).append(self.net.layer[before].name)

    def _check_shapes(self, first: int) -> None:
        """Raises Refusal where Caffe's layers make another shape than the model."""
        shapes = {self.blobs[value]: self.shape(value) for value in self.blobs}
        for layer in list(self.net.layer)[first:]:
            try:
                found = dict(zip(layer.top, network.shapes_after(layer, [shapes[bottom] for bottom in layer.bottom])))
            except ShapeError as error:
                raise Refusal(str(error), "another form of the data") from error
            for top, shape in found.items():
                if shapes.setdefault(top, shape) != shape:
                    raise Refusal(f"Caffe's {layer.type} makes {text_of(shape)} where the model makes "
                                  f"{text_of(shapes[top])}", "another size")  # fmt: skip

    def _put_unsupported(self, operation: Operation, refusal: Refusal, first: int) -> None:
        function = operation.function.rpartition(":")[2]
        kind = operation.kind if operation.kind in (None, function) else f"{function}, {operation.kind}"
        self.built.problems.append(
            Problem(operation.name, kind or function, operation.site, refusal.reason, refusal.instead)
        )
        self.names -= {layer.name for layer in list(self.net.layer)[first:]}
        del self.net.layer[first:]
        bottoms = [self.blobs[value] for value in operation.inputs if value in self.blobs]
        if operation.outputs:
            self.add(operation, "Unsupported", bottoms, operation.outputs)

    def _add_input(self, name: str, value: int) -> None:
        layer = self.net.layer.add(name=name, type="Input")
        layer.top.append(name)
        layer.input_param.shape.add().dim.extend(self.shape(value))
        self.blobs[value] = name
        self.names.add(name)
        self.built.inputs[name] = self.shape(value)

    def _name(self, operation: Operation, suffix: str) -> str:
        base = self._path(operation) or re.sub(r":(\d+)$", r"_call\1", operation.name) or "layer"
        end = suffix + (HIGH_PRECISION if operation.place in self.high_precision else "")
        if self.high_precision and operation.place not in self.high_precision and (base + end).endswith(HIGH_PRECISION):
            self.built.remarks.append(f"{base + end} is named {base + end + LOW_PRECISION}: the mapper makes layers 16 "
                                      f"bit whose names end in {HIGH_PRECISION}")  # fmt: skip
            end += LOW_PRECISION
        name, number = base + end, 1
        while name in self.names:
            name, number = f"{base}_{number}{end}", number + 1
        self.names.add(name)
        return name

    def _path(self, operation: Operation) -> str | None:
        """Of a module that hangs in several places, such as an activation, the path by which it was called."""
        module = self.record.modules.get(operation.module or "")
        inside = f"{operation.caller}." if operation.caller else ""
        paths = [path for path in (module.name, *module.aliases) if path.startswith(inside)] if module else []
        return paths[0] if module and module.aliases and len(paths) == 1 else None

    def _outputs(self, cut: Sequence[str]) -> list[int]:
        """The values that the network returns."""
        if not cut:
            return list(dict.fromkeys(self.record.outputs))
        known = {operation.name: operation for operation in self.record.operations}
        of_data = [name for name, operation in known.items() if self.data & set(operation.outputs)]
        missing = [name for name in cut if name not in of_data]
        if missing:
            raise ValueError(f"no operation on the network's data has the name {', '.join(missing)}; there are "
                             f"{', '.join(of_data)}")  # fmt: skip
        return list(dict.fromkeys(known[name].outputs[0] for name in cut))

    def _needed(self, outputs: list[int]) -> list[Operation]:
        """The operations that the outputs depend on, those on constants alone left out."""
        wanted, needed = set(outputs), []
        for operation in reversed(self.record.operations):
            if wanted & set(operation.outputs) and self.data & set(operation.inputs):
                wanted.update(operation.inputs)
                needed.append(operation)
        return needed[::-1]

    def _tell_of_decisions(self) -> None:
        for operation in self.record.operations:
            if (operation.sized_by_data or not operation.outputs) and self.data & set(operation.inputs):
                what = "makes a size of numbers" if operation.sized_by_data else "reads numbers"
                self.built.remarks.append(f"{operation.name} ({operation.site}) {what} of the data: the network is "
                                          "what this pass ran, whatever the model would decide on other data")  # fmt: skip


def _tensors_of(model: nn.Module) -> Mapping[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        for key, tensor in [*module._parameters.items(), *module._buffers.items()]:
            if tensor is not None:
                tensors[f"{name}.{key}" if name else key] = tensor
    return tensors
