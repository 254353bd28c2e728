#!/usr/bin/env python3
"""Fine-tunes Caffe networks for HiSilicon's NNIE with their weights quantized, finds what costs accuracy, exports.

    finetune.py prepare MODEL OUTPUT
    finetune.py train SOLVER --weights FLOAT.caffemodel
    finetune.py calibrate MODEL WEIGHTS OUTPUT.caffemodel --images FOLDER --mean 104 117 123 --bgr
    finetune.py test MODEL WEIGHTS --batches N
    finetune.py compare MODEL WEIGHTS --batches N                                    # a train or test file
    finetune.py compare MODEL WEIGHTS --images FOLDER --mean 104 117 123 --bgr       # a deploy file
    finetune.py export MODEL WEIGHTS FOLDER --mean 104 117 123 --bgr

Data are quantized by the network's Quant layers. The weights of a layer whose input comes from one are quantized here,
to the same bit width. PYTHONPATH needs this project's integrations/python and Caffe's python folder. Caffe's log is
shown by `train`, and with --verbose.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import caffe_log  # before Caffe
import caffe
import gfpq
from gfpq import files, parameters
from gfpq.comparison import LOW_SIMILARITY, Comparison, Layer
from gfpq.errors import some
from gfpq.nnie import mapper, proto
from gfpq.nnie.check import check_net
from gfpq.nnie.configure import name_high_precision, config_files_of
from gfpq.nnie.folding import fold, remove, set_blobs
from gfpq.nnie.network import inputs_of
from gfpq.nnie.proto import array_of
from gfpq.nnie_commands import add_normalization, options_of
from gfpq.similarity import Similarity

import network
import prototxt
from nets import QuantizedWeights, batches, check_filled, load, quantized_layers_of, read


def train(options: argparse.Namespace) -> None:
    solver = caffe.get_solver(str(options.solver))
    if options.weights:
        solver.net.copy_from(str(options.weights))
    if options.snapshot:
        solver.restore(str(options.snapshot))
    for net in (solver.net, *solver.test_nets):
        check_filled(net)
    layers = quantized_layers_of(solver.net)
    for layer in layers:
        tensors = "data and weights" if layer.has_weights and not options.data_only else "data"
        print(f"{layer.name} ({layer.kind}): {tensors} in {layer.bits} bit")
    sys.stdout.flush()
    if not options.data_only:
        QuantizedWeights(solver.net, layers).follow(solver)
    solver.solve()


def calibrate(options: argparse.Namespace) -> None:
    """Writes the weights with the ranges of all Quant layers, found anew on the data of the float network."""
    if options.output.exists() and options.output.samefile(options.weights):
        raise ValueError(f"{options.output}: the same file as the weights")
    net = read(options.model, options.weights)
    params = {layer.name: gfpq.Param(layer.quant_param.quant_bits)
              for layer in network.layers_of(net) if layer.type == "Quant"}
    if not params:
        raise ValueError(f"{options.model} has no Quant layer: put them in with prepare")
    plain = load(options.model, options.weights, quantize_data=False, quantize_weights=False)
    for _ in batches(plain, options):
        for place, name in enumerate(plain._layer_names):
            if name in params:
                param, data = params[name], plain._blobs[plain._bottom_ids(place)[0]].data
                gfpq.quantize(data, param=param, mode=gfpq.Mode.UPDATE if param.initialized else gfpq.Mode.INIT)
            plain._forward(place, place)
    for name, param in params.items():
        net.params[name][0].data[...] = [*bytes(param), param.bits]
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "ranged.caffemodel"
        net.save(str(saved))
        files.write({options.output: saved.read_bytes()})
    print(f"{options.output}: the weights, with the ranges of {len(params)} Quant layers")


def test(options: argparse.Namespace) -> dict[str, float]:
    """Prints and returns the means of the outputs."""
    net = load(options.model, options.weights, quantize_data=options.data, quantize_weights=options.of_weights)
    check_filled(net)
    means: dict[str, float] = {}
    for _ in range(options.batches):
        for name, values in net.forward().items():
            means[name] = means.get(name, 0.0) + float(values.mean()) / options.batches
    for name, mean in means.items():
        print(f"{name} = {mean:.6f}")
    return means


def compare(options: argparse.Namespace) -> Comparison:
    """Prints and returns how similar the layers of the quantized network are to those of the float one."""
    plain = load(options.model, options.weights, quantize_data=False, quantize_weights=False)
    quantized = load(options.model, options.weights, quantize_data=options.data, quantize_weights=options.of_weights)
    kinds = {layer.name: layer.kind for layer in quantized_layers_of(caffe.Net(str(options.model), caffe.TEST))}
    sums = {name: Similarity() for name in kinds}
    for _ in batches(plain, options):
        _run_both(plain, quantized, sums)
    comparison = Comparison(Layer(name, kinds[name], total.cosine, total.sqnr) for name, total in sums.items())
    print(comparison.table)
    if comparison.low:
        name = comparison.low[0].name
        print(f"Next, with {name}, the first below {LOW_SIMILARITY} (layers behind it inherit its error): compare with "
              "--data-only, then --weights-only; train with a small learning rate; or prepare with --layer-bits "
              f"{name}=16")
    return comparison


def _run_both(plain: caffe.Net, quantized: caffe.Net, sums: dict[str, Similarity]) -> None:
    """Runs a batch through two nets of the same layers, one layer after the other: some overwrite their input."""
    places = {name: place for place, name in enumerate(quantized._layer_names)}
    for place, name in enumerate(plain._layer_names):
        plain._forward(place, place)
        other = places[name]
        tops = [(plain._blobs[a].data, quantized._blobs[b].data)
                for a, b in zip(plain._top_ids(place), quantized._top_ids(other))]
        if len(plain._bottom_ids(place)) > 0:
            quantized._forward(other, other)
        else:  # both see the same batch
            for a, b in tops:
                b[...] = a
        if name in sums:
            sums[name].add(*tops[0])


def export(options: argparse.Namespace) -> None:
    """Writes the network as it is in the TEST phase, folded, with quantized weights and without Quant layers; and
    mapper.cfg. Prints the mapper's rules that it does not keep.
    """
    net = read(options.model, options.weights)
    layers = network.layers_of(net)
    quantized = network.quantized_layers(layers)
    by_name = {layer.name: layer for layer in layers}
    folded = fold(layers)
    rows = []
    for layer in quantized:
        block = bytes(array_of(by_name[layer.quant].blobs[0])[:16].astype("u1"))
        param = gfpq.Param.from_bytes(block, layer.bits)
        if not param.initialized:
            raise gfpq.NotInitializedError(f"{layer.quant} has no range yet: train the network with it first, or "
                                           "find the ranges with finetune.py calibrate")
        rows.append(parameters.row_of(layer.name, parameters.DATA, 0, param, layer.input))
        if layer.has_weights:
            weights = array_of(by_name[layer.name].blobs[0])
            for group, param in enumerate(network.quantize_weights(weights, layer)):
                rows.append(parameters.row_of(layer.name, parameters.WEIGHT, group, param))
            set_blobs(by_name[layer.name], weights)
    for quant in [layer for layer in layers if layer.type == "Quant"]:
        remove(layers, layers.index(quant))
    renamed = name_high_precision(layers, rows)

    text, weights = network.contents_of(layers, options.model.stem)
    deployed = proto.NetParameter.FromString(weights)
    contents = {mapper.MODEL: text.encode(), mapper.WEIGHTS: weights} | parameters.contents_of(rows)
    config = _config_of(deployed, rows, options_of(options))
    contents |= config.contents
    options.folder.mkdir(parents=True, exist_ok=True)
    files.write({options.folder / name: content for name, content in contents.items()})
    print(f"{options.folder}: {', '.join(contents)}")
    print(f"folded: {some(folded) or 'nothing'}")
    left = [layer.name for layer in layers if layer.type in ("BatchNorm", "Scale")]
    if left:
        print(f"left in float, as no convolution stands right before them: {some(left)}")
    if renamed:
        print(f"renamed, as layers of 16 bit beside others: {some(list(renamed.values()))}")
    for remark in config.remarks:
        print(f"note: {remark}")
    print(check_net(deployed))


def _config_of(net: Any, rows: list[parameters.Row], given: mapper.Options) -> mapper.ConfigFiles:
    """mapper.cfg and what goes with it, of a deploy file."""
    inputs = inputs_of(net)
    if len(inputs) == 1:
        return config_files_of(net, [row["bits"] for row in rows], given)
    reason = f"the network has {len(inputs)} inputs, and the mapper takes a deploy file with one"
    if given != mapper.Options():
        raise ValueError(f"{reason}: --mean, --scale, --order and --pictures do not fit")
    return mapper.ConfigFiles(remarks=[f"{mapper.CONFIG} is not written: {reason}"])


def main(arguments: list[str] | None = None) -> int:
    """Runs one command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     allow_abbrev=False)  # --verbose is looked for before
    parser.add_argument("--gpu", type=int, metavar="ID", help="run on this GPU; default: on the CPU")
    parser.add_argument("--verbose", action="store_true", help="show Caffe's log, of commands but train too")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    prototxt.add_arguments(commands.add_parser("prepare", help="put Quant layers into a prototxt"))

    command = commands.add_parser("train", help="run a solver with the weights quantized in every pass")
    command.set_defaults(run=train)
    command.add_argument("solver", type=Path)
    command.add_argument("--weights", type=Path, help="the float model to start from")
    command.add_argument("--snapshot", type=Path, help="the solverstate to go on from")
    command.add_argument("--data-only", action="store_true", help="leave the weights in float")

    command = commands.add_parser("calibrate", help="find the ranges without training")
    command.set_defaults(run=calibrate)
    command.add_argument("model", type=Path, help="prototxt, with Quant layers")
    command.add_argument("weights", type=Path)
    command.add_argument("output", type=Path, help="the caffemodel to write")
    command.add_argument("--batches", type=int, help="of a file with data layers; default: 1")
    add_normalization(command)

    for run, text in ((test, "the means of the outputs"), (compare, "the layers' similarity to the float network's")):
        command = commands.add_parser(run.__name__, help=text)
        command.set_defaults(run=run, data=True, of_weights=True)
        command.add_argument("model", type=Path, help="prototxt, with Quant layers")
        command.add_argument("weights", type=Path)
        command.add_argument("--batches", type=int, default=1 if run is test else None, help="default: 1")
        choice = command.add_mutually_exclusive_group()
        choice.add_argument("--data-only", dest="of_weights", action="store_false", help="leave the weights in float")
        choice.add_argument("--weights-only", dest="data", action="store_false", help="leave the data in float")
        if run is test:
            choice.add_argument("--float", dest="float_", action="store_true", help="quantize nothing")
        else:
            add_normalization(command)

    command = commands.add_parser("export", help="fold, quantize the folded weights, write their parameters")
    command.set_defaults(run=export)
    command.add_argument("model", type=Path, help="prototxt, with Quant layers; its TEST phase is exported")
    command.add_argument("weights", type=Path)
    command.add_argument("folder", type=Path)
    add_normalization(command)

    options = parser.parse_args(arguments)
    if getattr(options, "float_", False):
        options.data = options.of_weights = False
    if options.gpu is not None:
        caffe.set_device(options.gpu)
        caffe.set_mode_gpu()
    try:
        for name in ("solver", "snapshot", "model", "weights"):  # Caffe aborts where one is not there
            file = getattr(options, name, None)
            if file is not None:
                file.open("rb").close()
        options.run(options)
    except (gfpq.GfpqError, OSError, ValueError) as error:
        print(f"finetune: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
