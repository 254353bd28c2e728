"""The tensors that operations of a model make in a pass, by the names that a record has for them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import Tensor, nn

from .record import Recorder
from .running import tensors_in, untouched


def values_of(model: nn.Module, example_inputs: Any, names: Collection[str]) -> dict[str, list[Tensor]]:
    """Runs a model once, in evaluation, quantized where it is prepared, and returns what operations make.

    Args:
        example_inputs: as for gfpq.torch.record.
        names: of operations, as in a record of this model.

    Returns copies, by the operation's name, in the order of what it returns. The model is left as it was.
    """
    with untouched(model):
        model.eval()
        recorder = _Keeping(model, set(names))
        recorder.run(example_inputs)
        return recorder.kept


class _Keeping(Recorder):
    def __init__(self, model: nn.Module, names: set[str]) -> None:
        super().__init__(model)
        self.names, self.kept = names, dict[str, list[Tensor]]()

    def _add(self, module: str | None, name: str, described: Any, inputs: Any, result: Any, frame: Any) -> None:
        super()._add(module, name, described, inputs, result, frame)
        added = self.record.operations[-1].name
        if added in self.names:  # later operations may work in place
            self.kept[added] = [tensor.detach().clone() for _, tensor in tensors_in(result)]
