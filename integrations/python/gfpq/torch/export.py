"""What a quantized network leaves training as: a float model with quantized weights, the parameters, and a twin."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, TypeVar

import torch
from torch import Tensor, nn

from .. import parameters
from ..errors import NotInitializedError
from ..parameters import DATA
from .fake_quantize import FakeQuantize
from .fold import fold_pairs
from .layers import QuantizedLayer
from .model import QuantizedModel, State, check_all, example_of, mapped, may_call_functions, some, unprepared_layers
from .pairs import Pairs
from .placed import check_not_switched, check_prepared, only, quantizers, remove, unwrapped
from .record import record
from .recorded import Record
from .report import NOT_QUANTIZED, Report, add_unprepared, report_of
from .running import call, tensors_in, untouched
from .shared import check_shared
from .sites import CallSites, call_sites

Result = TypeVar("Result")


@dataclass
class Export:
    """What `export` found.

    `model` is a plain float model with quantized weights, without this package's modules, in evaluation. `twin` is the
    network as it is deployed: weights folded and quantized, and data quantized, in float arithmetic, in evaluation; it
    can be switched with `only`. `parameters` has the rows of gfpq.parameters, one a Param. `folded` are the pairs
    (layer, BatchNorm) that were folded, by prepare or here. `report` says what was not quantized or not folded, and
    why. `without_ranges` are layers that saw no data. `record` is the pass that this was taken from.
    """

    model: nn.Module
    parameters: list[dict[str, Any]]
    twin: nn.Module
    folded: list[tuple[str, str]] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    without_ranges: list[str] = field(default_factory=list)
    record: Record | None = None

    @property
    def nnie(self) -> dict[str, Any]:
        """The clip values of each layer's data, as gfpq.parameters.nnie_of gives them."""
        return parameters.nnie_of(self.parameters)

    def save(self, folder: str | Path) -> None:
        """Writes model.pt (the model's state_dict), parameters.json and nnie.json, and makes the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.model.state_dict(), folder / "model.pt")
        parameters.save(self.parameters, folder)


def export(model: nn.Module, folder: str | Path | None = None, *, fold: bool = True) -> Export:
    """Exports a prepared model, which stays as it is; of PyTorch's wrappers (AveragedModel, DataParallel,
    DistributedDataParallel), the model that they hold.

    With `fold`, BatchNorm is folded first, and the folded weights are quantized: the parameters are theirs. The bias
    stays in float. Which BatchNorms can be folded is taken from the pass that prepare recorded, or from a pass on
    random inputs like those of the model's first pass, or, where it had none, from the modules alone.

    Layers that saw no data have no parameters for it, and are warned of by name: layers that are not called in
    evaluation (auxiliary heads). Raises NotInitializedError where no layer saw data, or one that evaluation calls;
    NotSupportedError where layers were replaced after prepare; ValueError for a model that is not prepared, and within
    `only`; OSError where `folder` can't be written.
    """
    model = unwrapped(model)
    check_prepared(model)
    check_not_switched(model, "an export")
    check_all(model)
    twin = copy.deepcopy(model).eval()
    example = example_like_the_first(twin) if fold else None
    recorded = recorded_pass(twin, example) if fold else None
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, QuantizedLayer)}
    weights = {name: layer.weight_quantizer for name, layer in layers.items() if layer.weight_quantizer is not None}
    check_shared(model, weights, recorded)
    state = model._gfpq if isinstance(model, QuantizedModel) else State([], [])
    folded, remarks = list(state.folded), Report()
    if fold:
        # The network's outputs are compared in the first export, each layer's in all of them.
        compared = state.compared and state.record is recorded
        report = fold_pairs(twin, None if compared else example, recorded)
        state.record, state.compared = recorded, True
        folded += report.folded
        names = {name for name, _, _ in quantizers(twin)}
        calls = CallSites() if recorded is None else call_sites(recorded, twin, names)
        remarks = report_of(recorded, calls, Pairs(reasons=report.unfolded), names, state.skipped)
        if not state.functions:
            _warn_of_functions(remarks, calls)
        if isinstance(twin, QuantizedModel):
            twin._gfpq.folded, twin._gfpq.record = folded, recorded
    _tell_of_unprepared(twin, remarks)
    rows, without = [], []
    with torch.no_grad():
        for name, tensor, quantizer in quantizers(twin):
            if tensor != DATA:
                layer: Any = twin.get_submodule(name)
                layer.quantized_weight()  # sets the Params
            if quantizer.initialized:
                rows += [
                    parameters.row_of(name, tensor, group, param, quantizer.input_number)
                    for group, param in enumerate(quantizer.params)
                ]
            elif name not in without:
                without.append(name)
    _check_ranges(without, rows, recorded)
    plain = copy.deepcopy(twin)
    remove(plain, keep_quantized=True)
    _drop_placed_by_hand(plain)
    exported = Export(plain, rows, twin, folded, remarks, without, recorded)
    if folder is not None:
        exported.save(folder)
    return exported


def recorded_pass(model: nn.Module, example: Any) -> Record | None:
    """The pass that prepare recorded, or one on the example; None where there is none."""
    known = model._gfpq.record if isinstance(model, QuantizedModel) else None
    if known is not None and set(known.modules) <= {name for name, _ in model.named_modules()}:
        return known
    return None if example is None else record(model, example)  # modules were taken out since


def example_like_the_first(model: nn.Module) -> Any:
    """Random inputs like those of a prepared model's first pass; None where it had none.

    Two samples of a batch, where the first axes of all tensors agree in their length and the model takes so few.
    """
    example = example_of(model)
    if len({tensor.shape[:1] for _, tensor in tensors_in(example)}) != 1:
        return example
    few = mapped(lambda item: item[:2] if isinstance(item, Tensor) and item.dim() else item, example)
    try:
        with torch.no_grad(), untouched(model), only(model, data=False, weights=False):
            call(model, few)
    except Exception:  # whatever the model's code does with a batch that is too small for it
        return example
    return few


def evaluate(model: nn.Module | Export, run: Callable[[nn.Module], Result]) -> Result:
    """Returns run(twin): what a validation of your own finds of the network as it will be deployed.

    Args:
        model: a prepared model, or its Export.
    """
    twin = model.twin if isinstance(model, Export) else export(model).twin
    return run(twin)


def _check_ranges(without: list[str], rows: list[dict[str, Any]], recorded: Record | None) -> None:
    if not without:
        return
    operations = recorded.operations if recorded is not None else []
    called = [name for name in without if any(name in (operation.layer, operation.place) for operation in operations)]
    if called or not any(row["tensor"] == DATA for row in rows):
        raise NotInitializedError(
            f"there is no range yet for the data of {', '.join(called or without)}: run batches in training, or "
            "gfpq.torch.calibrate(model, batches), or load a checkpoint first"
        )
    warnings.warn(f"no data was seen by {', '.join(without)}: exported without parameters for it. If the deployed "
                  "network calls them, calibrate first; else pass skip=[...] to gfpq.torch.prepare", stacklevel=3)


def _warn_of_functions(remarks: Report, calls: CallSites) -> None:
    """Without an example prepare saw no functions: what they take would stay in float without a word."""
    known = {site.name for site in calls.found}
    names = [name for name in remarks.names(NOT_QUANTIZED) if name in known]
    if names:
        warnings.warn(f"the inputs of {len(names)} functions are not quantized ({some(names)}): prepare the model with "
                      "example_inputs", stacklevel=3)


def _tell_of_unprepared(model: nn.Module, remarks: Report) -> None:
    """Names what stays in float because `prepare` did not see it."""
    layers, functions = unprepared_layers(model), may_call_functions(model)
    add_unprepared(remarks, layers, functions)
    names = ([some(list(layers))] if layers else []) + (["functions outside the prepared parts"] if functions else [])
    if names:
        warnings.warn(f"exported in float: {' and '.join(names)}, which gfpq.torch.prepare did not see. To quantize "
                      "all: gfpq.torch.remove(model), then prepare the whole", stacklevel=3)


def _drop_placed_by_hand(model: nn.Module) -> None:
    for parent in model.modules():
        for key, child in parent._modules.items():
            if isinstance(child, FakeQuantize):
                parent._modules[key] = nn.Identity().eval()
