"""python -m gfpq nnie: export, calibrate, config, check, compare."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from . import files
from .widths import DEFAULT_BITS, WIDTHS


def add_commands(parser: argparse.ArgumentParser, described: Callable[..., dict[str, Any]]) -> None:
    """Adds the commands to `python -m gfpq nnie`."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str, *examples: str) -> Any:
        shown = [f"nnie {example}" for example in examples]
        added = commands.add_parser(name, help=text, **described(f"{text[0].upper()}{text[1:]}.", *shown))
        added.set_defaults(run=run)
        return added

    export = command(
        "export", _export, "write the files for nnie_mapper of a prepared model that torch.save wrote",
        "export prepared.pt deployed --mean 123.7 116.3 103.5 --scale 0.0171 --order RGB --pictures photos",
        "export prepared.pt deployed --order BGR --cut head.0 head.1",
    )  # fmt: skip
    export.add_argument("model", type=Path, metavar="MODEL.pt", help="torch.save(model, FILE) after gfpq.torch.prepare "
                        "and training or calibrate; run this where its classes can be imported")  # fmt: skip
    export.add_argument("folder", type=Path, metavar="FOLDER")
    add_normalization(export)
    export.add_argument("--cut", nargs="+", default=(), metavar="NAME", help="end the network with these operations")
    export.add_argument("--depthwise", action="store_true", help="DepthwiseConv layers instead of groups")

    calibrate = command(
        "calibrate", _calibrate, "find a Caffe network's ranges on pictures, without Caffe, and write the files",
        "calibrate deploy.prototxt float.caffemodel deployed --order BGR --mean 104 117 123 --pictures photos",
        "calibrate deploy.prototxt float.caffemodel deployed --order BGR --pictures photos --layer-bits conv1=16",
    )  # fmt: skip
    calibrate.add_argument("model", type=Path, metavar="MODEL.prototxt", help="a deploy file")
    calibrate.add_argument("weights", type=Path, metavar="WEIGHTS.caffemodel")
    calibrate.add_argument("folder", type=Path, metavar="FOLDER")
    add_normalization(calibrate)
    calibrate.add_argument("--bits", type=int, choices=tuple(WIDTHS), default=DEFAULT_BITS)
    calibrate.add_argument("--layer-bits", nargs="+", default=(), metavar="LAYER=BITS", help="other widths for some")

    config = command(
        "config", _config, "write mapper.cfg, image list and means beside a Caffe network",
        "config deployed --mean 104 117 123 --scale 0.017 --order BGR --pictures photos",
    )  # fmt: skip
    config.add_argument("folder", type=Path, metavar="FOLDER", help="with model.prototxt, model.caffemodel and "
                        "parameters.json, as integrations/caffe exports them")  # fmt: skip
    add_normalization(config)

    check = command(
        "check", _check, "hold the mapper's known rules against a network; 1 where a rule is not kept",
        "check model.prototxt",
        "check model.pt --shape 1 3 224 224",
    )  # fmt: skip
    check.add_argument("network", type=Path, metavar="FILE", help="a prototxt; the folder that an export wrote; or "
                       "a model, float or prepared, that torch.save(model, FILE.pt) wrote")  # fmt: skip
    check.add_argument("--shape", type=int, nargs="+", metavar="N", help="of a float model's input: 1 3 224 224")
    check.add_argument("--cut", nargs="+", default=(), metavar="NAME", help="of a model: end it with these operations")

    compare = command(
        "compare", _compare, "compare the mapper's dumps (log_level 3) with an exported network; 1 where they depart",
        "compare deployed mapper_quant --input photos/last.png --html page.html",
    )  # fmt: skip
    compare.add_argument("deployed", type=Path, metavar="DEPLOYED", help="the folder that an export wrote")
    compare.add_argument("dumps", type=Path, metavar="MAPPER_QUANT", help="the folder with the dumps")
    compare.add_argument("--input", type=Path, required=True, metavar="FILE",
                         help="the last picture of image_list, in the network's size; or a tensor")  # fmt: skip
    compare.add_argument("--html", type=Path, metavar="PAGE.html", help="write the table and pictures of the maps")


def add_normalization(parser: Any) -> None:
    """Adds what the network's pictures are and how they are normalized, for options_of."""
    parser.add_argument("--mean", type=_number_or_file, nargs="+", metavar="MEAN", help="of the picture's bytes, 0 to "
                        "255: one number, or one a channel in the network's order, or the .binaryproto of a mean "
                        "picture; subtracted first")  # fmt: skip
    parser.add_argument("--scale", type=float, help="what is multiplied then")
    order = parser.add_mutually_exclusive_group()
    order.add_argument("--order", choices=("RGB", "BGR"), help="the channels' order that the network was trained with")
    order.add_argument("--bgr", dest="order", action="store_const", const="BGR", help="--order BGR")
    parser.add_argument("--pictures", "--images", type=Path, help="a folder of 20 to 50 pictures of the real scene")


def _number_or_file(text: str) -> float | Path:
    try:
        return float(text)
    except ValueError:
        return Path(text)


def options_of(options: argparse.Namespace) -> Any:
    """The gfpq.nnie.Options that the arguments of add_normalization give. Raises ValueError."""
    from .nnie import Options

    mean = options.mean
    files_given = [item for item in mean or () if isinstance(item, Path)]
    if files_given and len(mean) > 1:
        raise ValueError(f"--mean {' '.join(map(str, mean))}: give numbers, or one file")
    return Options(files_given[0] if files_given else mean, options.scale, options.order, options.pictures)


def layer_bits_of(given: Iterable[str]) -> dict[str, int]:
    """Widths by layer, of --layer-bits. Raises ValueError."""
    layer_bits = {}
    for item in given:
        name, _, bits = item.rpartition("=")
        if not name or bits not in map(str, WIDTHS):
            raise ValueError(f"--layer-bits {item}: want {' or '.join(f'LAYER={width}' for width in WIDTHS)}")
        layer_bits[name] = int(bits)
    return layer_bits


def _calibrate(options: argparse.Namespace) -> int:
    from .nnie.calibrate import calibrate

    given = options_of(options)
    try:
        done = calibrate(
            options.model, options.weights, options.folder, given, bits=options.bits,
            layer_bits=layer_bits_of(options.layer_bits),
        )  # fmt: skip
    except ValueError as error:
        raise files.FileError(options.model, error) from error
    print(done)
    return 0


def _config(options: argparse.Namespace) -> int:
    from .nnie.configure import configure

    try:
        done = configure(options.folder, options_of(options))
    except ValueError as error:
        raise files.FileError(options.folder, error) from error
    print(done)
    return 0


def _load_model(file: Path) -> Any:
    """The nn.Module that torch.save wrote. Raises FileError."""
    import torch

    with files.naming(file):
        newer: dict[str, Any] = {"weights_only": False} if "weights_only" in torch.load.__code__.co_varnames else {}
        try:
            model = torch.load(file, map_location="cpu", **newer)
        except (AttributeError, ImportError) as error:
            raise ValueError(f"{error}: run this where the model's classes can be imported (PYTHONPATH)") from error
        if not isinstance(model, torch.nn.Module):
            raise ValueError("holds no model: write it with torch.save(model, FILE), not its state_dict")
    return model


def _export(options: argparse.Namespace) -> int:
    from .torch import export
    from .torch.placed import is_prepared

    model = _load_model(options.model)
    if not is_prepared(model):
        raise files.FileError(options.model, "holds no prepared model: gfpq.torch.prepare it first")
    given = dataclasses.replace(options_of(options), cut=options.cut, depthwise=options.depthwise)
    try:
        print(export(model, options.folder, nnie=given).deployed)
    except ValueError as error:
        raise files.FileError(options.model, error) from error
    return 0


def _check(options: argparse.Namespace) -> int:
    from .nnie import check

    if options.network.suffix not in (".pt", ".pth"):
        if options.shape or options.cut:
            raise files.FileError(options.network, "--shape and --cut are for a model (.pt)")
        findings = check(options.network)
    else:
        import torch

        model = _load_model(options.network)
        example = None if options.shape is None else torch.rand(options.shape)
        try:
            findings = check(model, example, cut=options.cut)
        except (ValueError, RuntimeError) as error:  # the latter where the shape does not fit
            remedy = " (--shape)" if example is None else ""
            raise files.FileError(options.network, f"{error}{remedy}") from error
    print(findings)
    return 1 if findings.broken else 0


def _compare(options: argparse.Namespace) -> int:
    from .nnie import compare

    found = compare(options.deployed, options.dumps, options.input)
    print(found)
    if options.html:
        files.write({options.html: found.html().encode()})
    return 1 if found.departures else 0
