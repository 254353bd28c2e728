"""What a quantized network leaves training as: a float model with quantized weights, the parameters, and a twin."""

from __future__ import annotations

import copy
import io
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel

from .. import files, parameters
from ..errors import NotInitializedError, some
from ..parameters import DATA
from .fake_quantize import FakeQuantize
from .finite import holding_nan
from .fold import fold_pairs
from .model import (
    QuantizedModel,
    State,
    check_all,
    example_of,
    mapped,
    may_call_functions,
    prepared_parts,
    unprepared_layers,
)
from .pairs import Pairs
from .placed import (
    check_enabled,
    check_not_switched,
    check_prepared,
    only,
    quantizers,
    remove,
    unwrapped,
    weight_quantizers,
)
from .record import record
from .recorded import Record
from .report import NOT_FOLDED, NOT_QUANTIZED, Remark, Report, add_unprepared, report_of
from .running import call, tensors_in, untouched
from .shared import check_shared
from .sites import CallSites, call_sites
from .steady import difference

if TYPE_CHECKING:
    from ..nnie.export import Deployed
    from ..nnie.mapper import Options

Result = TypeVar("Result")


@dataclass
class Export:
    """What `export` found.

    `model` is a plain float model with quantized weights, without this package's modules, in evaluation. `twin` is the
    network as it is deployed: weights folded and quantized, and data quantized, in float arithmetic, in evaluation; it
    can be switched with `only`. `parameters` has the rows of gfpq.parameters, one a Param. `folded` are the pairs
    (layer, BatchNorm) that were folded, by prepare or here. `report` says what was not quantized or not folded, and
    why. `without_ranges` are layers that saw no data. `record` is the pass that this was taken from, where it was one.
    `deployed` is what was made for nnie_mapper: see gfpq.nnie.
    """

    model: nn.Module
    parameters: list[dict[str, Any]]
    twin: nn.Module
    folded: list[tuple[str, str]] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    without_ranges: list[str] = field(default_factory=list)
    record: Record | None = None
    deployed: Deployed | None = None

    @property
    def nnie(self) -> dict[str, Any]:
        """The clip values of each layer's data, as gfpq.parameters.nnie_of gives them."""
        return parameters.nnie_of(self.parameters)

    def save(self, folder: str | Path) -> None:
        """Writes model.pt (the model's state_dict), parameters.json and nnie.json, and makes the folder; with the files
        for nnie_mapper, where they were made, and then the parameters have the names of its prototxt. All or none.
        """
        folder, state = Path(folder), io.BytesIO()
        torch.save(self.model.state_dict(), state)
        contents = {"model.pt": state.getvalue()}
        contents |= parameters.contents_of(self.parameters if self.deployed is None else self.deployed.rows)
        contents |= {} if self.deployed is None else self.deployed.files
        folder.mkdir(parents=True, exist_ok=True)
        files.write({folder / name: content for name, content in contents.items()})


def export(
    model: nn.Module, folder: str | Path | None = None, *, fold: bool = True, nnie: Options | bool = False
) -> Export:
    """Exports a prepared model, which stays as it is; of PyTorch's wrappers (AveragedModel, DataParallel,
    DistributedDataParallel), the model that they hold.

    With `fold`, BatchNorm is folded first, and the folded weights are quantized: the parameters are theirs. The bias
    stays in float. Which BatchNorms can be folded is taken from the pass that prepare recorded, or from a pass on
    random inputs like those of the model's first pass, or, where it had none, from the modules alone. Of a model with
    prepared parts in it, that is done for each part; what is outside them stays in float.

    With `nnie`, a gfpq.nnie.Options, the network is made into one of Caffe's too, for nnie_mapper: see gfpq.nnie. True
    stands for Options() and is for networks that take feature maps or pictures of one channel as they are.

    Layers that saw no data have no parameters for it, and are warned of by name: layers that are not called in
    evaluation (auxiliary heads). Raises NotInitializedError where no layer saw data, or one that evaluation calls;
    NotSupportedError where layers were replaced after prepare; ValueError for a model that is not prepared, within
    `only`, with quantizers that are disabled, and with `nnie` for parameters that hold NaN (else they are warned of);
    OSError where `folder` can't be written; with `nnie` also what gfpq.nnie.export.deploy raises. Nothing is written then.
    """
    if isinstance(model, AveragedModel) and not getattr(model, "use_buffers", True):
        warnings.warn("gfpq.torch: an AveragedModel without use_buffers=True: with some versions of PyTorch its ranges and "
                      "BatchNorm's statistics are those that the model had when the average was made. Where they were "
                      "found anew (update_bn, calibrate) there is nothing to do", stacklevel=2)  # fmt: skip
    model = unwrapped(model)
    check_prepared(model)
    check_not_switched(model, "an export")
    check_enabled(model, "an export")
    check_all(model)
    check_shared(model, weight_quantizers(model), None)
    if damaged := holding_nan(model):
        if nnie:
            raise ValueError(f"no network for the mapper: {damaged}")
        warnings.warn(f"gfpq.torch: {damaged}", stacklevel=2)
    twin = copy.deepcopy(model).eval()
    parts: dict[str, nn.Module] = {**prepared_parts(twin)} or {"": twin}
    folded, remarks, called = [], Report(), set()
    for name, part in parts.items():
        done = _fold_part(part, _state_of(model.get_submodule(name)), fold)
        folded += [(_inside(name, layer), _inside(name, norm)) for layer, norm in done.folded]
        remarks.rows += [replace(row, name=_inside(name, row.name)) for row in done.remarks.rows]
        operations = done.record.operations if done.record is not None else []
        called |= {_inside(name, place) for op in operations for place in (op.place, op.layer) if place is not None}
    if fold:
        _add_unfolded(twin, parts, remarks)
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
    _check_ranges(twin, without, rows, called)
    plain = copy.deepcopy(twin)
    remove(plain, keep_quantized=True)
    _drop_placed_by_hand(plain)
    exported = Export(plain, rows, twin, folded, remarks, without, done.record if list(parts) == [""] else None)
    if nnie:
        from ..nnie.export import deploy
        from ..nnie.mapper import Options

        exported.deployed = deploy(plain, twin, rows, Options() if isinstance(nnie, bool) else nnie)
    if folder is not None:
        exported.save(folder)
    return exported


@dataclass
class _Folded:
    """What was found of a prepared part, by names in it."""

    folded: list[tuple[str, str]]
    remarks: Report = field(default_factory=Report)
    record: Record | None = None


def _fold_part(part: nn.Module, state: State, fold: bool) -> _Folded:
    """Folds a part of a twin, in place. `state`: what the prepared part knows of itself."""
    if not fold:
        return _Folded(list(state.folded))
    example = example_like_the_first(part)
    recorded = recorded_pass(part, example)
    if state.record is None and recorded is not None and (unsteady := difference(part, example, recorded)):
        warnings.warn(f"gfpq.torch: {unsteady}", stacklevel=4)
    check_shared(part, weight_quantizers(part), recorded)
    # The network's outputs are compared in the first export, each layer's in all of them.
    compared = state.compared and state.record is recorded
    report = fold_pairs(part, None if compared else example, recorded)
    state.record, state.compared = recorded, True
    names = {name for name, _, _ in quantizers(part)}
    calls = CallSites() if recorded is None else call_sites(recorded, part, names)
    remarks = report_of(recorded, calls, Pairs(reasons=report.unfolded), names, state.skipped)
    if not state.functions:
        _warn_of_functions(remarks, calls)
    done = _Folded([*state.folded, *report.folded], remarks, recorded)
    if isinstance(part, QuantizedModel):
        part._gfpq.folded, part._gfpq.record = done.folded, recorded
    return done


def _state_of(part: nn.Module) -> State:
    return part._gfpq if isinstance(part, QuantizedModel) else State([], [])


def _inside(part: str, name: str) -> str:
    """A part's module by its name in the whole model."""
    return ".".join(filter(None, (part, name)))


def _add_unfolded(twin: nn.Module, parts: dict[str, Any], remarks: Report) -> None:
    """Adds the BatchNorms that are in no prepared part."""
    inside = {id(module) for part in parts.values() for module in part.modules()}
    for name, module in twin.named_modules():
        if isinstance(module, _BatchNorm) and id(module) not in inside:
            remarks.rows.append(Remark(name, "BatchNorm", NOT_FOLDED, "it is in no prepared part"))


def recorded_pass(model: nn.Module, example: Any) -> Record | None:
    """The pass that prepare recorded, or one on the example; None where there is none."""
    known = model._gfpq.record if isinstance(model, QuantizedModel) else None
    if known is not None:
        modules = dict(model.named_modules())
        norms = {name for name, module in modules.items() if isinstance(module, _BatchNorm)}
        if set(known.modules) <= set(modules) and all(known.modules[name].type == type(modules[name]).__name__
                                                      for name in norms & set(known.modules)):  # fmt: skip
            return known
    return None if example is None else record(model, example)  # modules were taken out or replaced since


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


def _check_ranges(twin: nn.Module, without: list[str], rows: list[dict[str, Any]], called: set[str]) -> None:
    if not without:
        return
    needed = [name for name in without if name in called]
    if needed or not any(row["tensor"] == DATA for row in rows):
        needed = needed or without
        ways = (quantizer.how_to_find for name, _, quantizer in quantizers(twin) if name in needed)
        raise NotInitializedError(
            f"there is no range yet for the data of {', '.join(needed)}: {'; '.join(dict.fromkeys(ways))}"
        )
    warnings.warn(f"no data was seen by {', '.join(without)}: exported without parameters for it. If the deployed "
                  "network calls them, calibrate first; else pass skip=[...] to gfpq.torch.prepare", stacklevel=3)


def _warn_of_functions(remarks: Report, calls: CallSites) -> None:
    """Without an example prepare saw no functions: what they take would stay in float without a word."""
    known = {site.name for site in calls.found}
    names = [name for name in remarks.names(NOT_QUANTIZED) if name in known]
    if names:
        warnings.warn(f"the inputs of {len(names)} functions are not quantized ({some(names)}): prepare the model with "
                      "example_inputs", stacklevel=4)


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
