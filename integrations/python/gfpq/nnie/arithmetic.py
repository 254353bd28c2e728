"""Layers of Caffe for sums, products and powers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..torch.recorded import Operation
from .network import text_of
from .problems import Refusal

if TYPE_CHECKING:
    from .build import Builder


def eltwise(builder: Builder, operation: Operation) -> None:
    a = operation.attributes
    if operation.parameters:
        raise Refusal("one of the two is a parameter with a number for each place", "one a channel, or a number")
    operations = {"product": 0, "sum": 1, "maximum": 2}
    layer = builder.add(operation, "Eltwise", builder.bottoms(operation))
    layer.eltwise_param.operation = operations[a["operation"]]
    if a.get("coefficients", (1.0, 1.0)) != (1.0, 1.0):
        layer.eltwise_param.coeff.extend(a["coefficients"])


def power(builder: Builder, operation: Operation) -> None:
    a = operation.attributes
    _add_power(builder, operation, a["power"], a["scale"], a["shift"])


def _add_power(builder: Builder, operation: Operation, power: float, scale: float, shift: float) -> None:
    layer = builder.add(operation, "Power", builder.bottoms(operation))
    layer.power_param.power, layer.power_param.scale, layer.power_param.shift = power, scale, shift


ARITHMETIC = ("add", "sub", "rsub", "mul", "div")


def affine(builder: Builder, operation: Operation, name: str) -> None:
    """Data with a number, or with a constant of one number a channel."""
    role = next((role for role in ("other", "input") if role in operation.parameters), None)
    given = builder.parameter(operation, role) if role else None
    if given is None and not isinstance(operation.attributes["other"], (bool, int, float)):
        raise Refusal(f"it takes {operation.attributes['other']}, no real number", "real numbers")
    constant: NDArray[Any] = np.asarray(operation.attributes["other"] if given is None else given, "f8")
    coefficients = operation.attributes.get("coefficients", (1.0, 1.0))
    if operation.attributes.get("alpha", 1) != 1 or (name == "div" and operation.attributes.get("rounding_mode")):
        raise Refusal("it has an alpha or a rounding_mode", "plain arithmetic")
    if name == "mul":
        scale, shift = constant, np.zeros_like(constant)
    elif name == "div":
        if role == "input":
            raise Refusal("it divides a constant by the data", "a multiplication")
        scale, shift = 1 / constant, np.zeros_like(constant)
    else:
        if "coefficients" not in operation.attributes:
            coefficients = {"add": (1.0, 1.0), "sub": (1.0, -1.0), "rsub": (-1.0, 1.0)}[name]
        of_data, of_constant = coefficients if role != "input" else coefficients[::-1]
        scale, shift = np.full_like(constant, of_data), of_constant * constant
    return _scale(builder, operation, scale, shift)


def _scale(builder: Builder, operation: Operation, scale: NDArray[Any], shift: NDArray[Any]) -> None:
    x, out = builder.shape(operation.inputs[0]), builder.shape(operation.outputs[0])
    if scale.size == 1:
        return _add_power(builder, operation, 1.0, scale.item(), shift.item())
    shape = (1,) * (len(x) - scale.ndim) + scale.shape
    if x != out or len(shape) != len(x) or any(length != 1 for i, length in enumerate(shape) if i != 1):
        raise Refusal(f"it joins {text_of(x)} and a constant of {text_of(scale.shape)}",
                            "a constant of one number a channel (1xCx1x1), or one number")  # fmt: skip
    blobs = [vector_of(scale), vector_of(shift)]
    layer = builder.add(operation, "Scale", builder.bottoms(operation), blobs=blobs)
    layer.scale_param.bias_term = True
    return None


def raised(builder: Builder, operation: Operation) -> None:
    name = operation.function.rpartition(":")[2]
    exponent = {"square": 2.0, "sqrt": 0.5, "reciprocal": -1.0, "rsqrt": -0.5}.get(name)
    exponent = operation.attributes.get("exponent") if exponent is None else exponent
    if not isinstance(exponent, (int, float)):
        raise Refusal("its exponent is no number", "a number")
    _add_power(builder, operation, float(exponent), 1.0, 0.0)


def negative(builder: Builder, operation: Operation) -> None:
    _add_power(builder, operation, 1.0, -1.0, 0.0)


def vector_of(array: NDArray[Any]) -> NDArray[Any]:
    """An array with one axis."""
    return np.ascontiguousarray(array).reshape(-1)
