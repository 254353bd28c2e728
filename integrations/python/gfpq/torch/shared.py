"""Quantized weights that something else reads too.

In training, and in the twin, a layer quantizes its weight where it uses it, and other readers see the float one. In the
exported network the weight itself is quantized, for all. Where the two would differ there is no network to deploy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from .fake_quantize import FakeQuantize, Policy
from .layers import not_supported
from .record import sharing_memory
from .recorded import Record

# They read the form of a tensor, and not its numbers: the first of their second argument, the others of their first.
_LIKE = ("type_as", "to", "expand_as", "view_as", "reshape_as")
_MAKE = ("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "new_zeros", "new_ones",
         "new_empty", "new_full", "new_tensor")  # fmt: skip


def check_shared(model: nn.Module, quantizers: Mapping[str, FakeQuantize], record: Record | None) -> None:
    """Raises NotSupportedError where a quantized weight is read by something that does not quantize it alike.

    Args:
        quantizers: of the weights, by the layers' names.
        record: of a pass, which tells of functions that read a weight.
    """
    tensors: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        for key, tensor in [*module._parameters.items(), *module._buffers.items()]:
            if tensor is not None:
                tensors[f"{name}.{key}" if name else key] = tensor
    for group in sharing_memory(list(tensors.items())):
        for name in group:
            layer = _layer_of(name)
            if name.rpartition(".")[2] == "weight" and layer in quantizers:
                for other in group:
                    if not _alike(name, other, tensors, quantizers):
                        raise _refusal(model, layer, f"is also {other}")
    for layer in quantizers if record is not None else ():
        assert record is not None
        for operation in record.users(f"{layer}.weight" if layer else "weight"):
            reads = [role for role, name in operation.parameters.items() if name.rpartition(".")[2] == "weight"]
            form_only = operation.function in _MAKE or (operation.function in _LIKE and reads in (["other"], ["1"]))
            if operation.module is None and operation.caller not in quantizers and not form_only:
                raise _refusal(model, layer, f"is also read by {operation.name} at {operation.site}")


def _layer_of(name: str) -> str:
    return name.rpartition(".")[0]


def _alike(a: str, b: str, tensors: Mapping[str, Tensor], quantizers: Mapping[str, FakeQuantize]) -> bool:
    """Whether two names are of one memory that is quantized in the same way."""
    first, second = quantizers.get(_layer_of(a)), quantizers.get(_layer_of(b))
    if first is None or second is None or not a.endswith("weight") or not b.endswith("weight"):
        return False
    same = tensors[a].data_ptr() == tensors[b].data_ptr() and tensors[a].numel() == tensors[b].numel()
    return same and _way_of(first) == _way_of(second)


def _way_of(quantizer: FakeQuantize) -> tuple[Any, ...]:
    """How it quantizes a weight."""
    own = None if quantizer.policy is Policy.ALWAYS_INIT else [bytes(param) for param in quantizer.params]
    return quantizer.bits, quantizer.groups, quantizer.dim, quantizer.enabled, quantizer.policy, own


def _refusal(model: nn.Module, layer: str, why: str) -> Exception:
    reason = (f"has a weight that {why}, which does not quantize it alike: the exported network would not be the one "
              "that is trained. Give the layer a weight of its own")  # fmt: skip
    return not_supported(layer, model.get_submodule(layer), reason)
