"""NaN and infinite numbers in a model."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def holding_nan(model: nn.Module) -> str:
    """Says which parameters and statistics of BatchNorm hold NaN or infinite numbers; "" where none does."""
    tensors: dict[str, Tensor] = dict(model.named_parameters())
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            tensors.update((f"{name}.{key}" if name else key, tensor) for key, tensor in module.named_buffers())
    found = [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if not found:
        return ""
    more = f" (and {len(found) - 1} more tensors)" if len(found) > 1 else ""
    return (f"{found[0]} holds NaN or infinite numbers{more}: training diverged, or the file was damaged. Quantized, NaN "
            "becomes 0 and infinite numbers the clip value")  # fmt: skip
