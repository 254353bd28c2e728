"""Quant layers put into a network's prototxt, which stays as its author wrote it otherwise. Takes no Caffe."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gfpq import files
from gfpq.caffe_layers import JOINING, WEIGHTED
from gfpq.nnie_commands import layer_bits_of

# What quantized numbers pass without leaving the ladder.
PASSING = ("Dropout", "Flatten", "ReLU", "Reshape")

_TOKEN = re.compile(r"""#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[{}<>:;,\[\]]|[^\s{}<>:;,\[\]"'#]+""")


@dataclass
class Text:
    """A word of a prototxt with its place. Strings are without their quotes."""

    word: str
    start: int
    end: int


@dataclass
class LayerText:
    """A layer of a prototxt, with the places of what is changed."""

    start: int
    end: int
    name: str = ""
    type: str = ""
    bottoms: list[Text] = field(default_factory=list)
    tops: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)  # its include and exclude, as they stand there


def layers_of(text: str) -> list[LayerText]:
    """The layers of a prototxt, in their order.

    Raises ValueError for Caffe's old format, and for what is no prototxt.
    """
    tokens = [Text(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)]
    tokens = [token for token in tokens if not token.word.startswith("#")]
    layers, place = [], 0
    while place < len(tokens):
        name, place = tokens[place], place + 1
        if place < len(tokens) and tokens[place].word == ":":
            place += 1
        if place < len(tokens) and tokens[place].word in ("{", "<"):
            end = _end_of_block(tokens, place, text)
            if name.word == "layers":
                raise ValueError("in Caffe's old format (layers { ... }): upgrade it with upgrade_net_proto_text first")
            if name.word == "layer":
                layers.append(_layer(tokens, place + 1, end, name.start, text))
            place = end
        elif name.word in ("layer", "}", ">"):
            raise ValueError(f"line {_line(text, name.start)}: no prototxt: {name.word} stands alone")
        place += 1
    if not layers:
        raise ValueError("no layer { ... } is in it")
    return layers


def _end_of_block(tokens: list[Text], place: int, text: str) -> int:
    depth = 0
    for index in range(place, len(tokens)):
        depth += (tokens[index].word in ("{", "<")) - (tokens[index].word in ("}", ">"))
        if depth == 0:
            return index
    raise ValueError(f"line {_line(text, tokens[place].start)}: a brace that nothing closes")


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _layer(tokens: list[Text], place: int, end: int, start: int, text: str) -> LayerText:
    layer = LayerText(start, tokens[end].end)
    while place < end:
        key, place = tokens[place].word, place + 1
        first = tokens[place - 1].start
        if tokens[place].word == ":":
            place += 1
        if tokens[place].word in ("{", "<"):
            last = _end_of_block(tokens, place, text)
            if key in ("include", "exclude"):
                layer.rules.append(text[first : tokens[last].end])
            place = last + 1
            continue
        value = Text(tokens[place].word[1:-1], tokens[place].start, tokens[place].end)
        if key in ("name", "type"):
            setattr(layer, key, value.word)
        elif key == "bottom":
            layer.bottoms.append(value)
        elif key == "top":
            layer.tops.append(value.word)
        place += 1
        while place < end and tokens[place].word in (",", ";"):
            place += 1
    return layer


@dataclass
class Prepared:
    """A prototxt with Quant layers: the text, and what was put in: (Quant layer, width, the layers that read it)."""

    text: str
    placed: list[tuple[str, int, list[str]]]


def prepare(
    text: str, bits: int = 8, layer_bits: Mapping[str, int] | None = None, *, joining: bool = False,
    skip: Collection[str] = (),
) -> Prepared:
    """Puts a Quant layer before each layer whose input NNIE quantizes: one for all that read the same data.

    A layer whose input comes from a Quant layer already stays as it is. Quant layers get a top of their own, and the
    layers after them that work in place go on on the old one.

    Args:
        text: of a train, test or deploy file. It is changed where a Quant layer is put in, and where a layer reads it.
        bits: 8 or 16; `layer_bits` gives some layers, by name, another width.
        joining: before Concat and Eltwise too, one a bottom.
        skip: names of layers to leave in float.

    Raises ValueError for a file that is no prototxt, or in Caffe's old format, and for names that no layer has.
    """
    layers, layer_bits = layers_of(text), dict(layer_bits or {})
    unknown = sorted({*layer_bits, *skip} - {layer.name for layer in layers})
    if unknown:
        raise ValueError(f"no layer has the name {', '.join(unknown)}")
    kinds = (*WEIGHTED, "Pooling", *(JOINING if joining else ()))
    names = {layer.name for layer in layers} | {top for layer in layers for top in layer.tops}
    versions: dict[str, int] = {}  # how often a blob was written so far
    quantized: set[str] = set()  # blobs that hold quantized numbers now
    sources: dict[str, bool] = {}  # whether a blob comes from a layer without bottoms
    tops: dict[tuple[str, int, int, str], int] = {}  # the Quant layer of a blob's version, width and rules
    placed: list[tuple[str, int, list[str]]] = []
    changes: list[tuple[int, int, str]] = []
    for layer in layers:
        if layer.type in kinds and layer.name not in skip:
            width = layer_bits.get(layer.name, bits)
            for bottom in layer.bottoms:
                if bottom.word in quantized:
                    continue
                key = (bottom.word, versions.get(bottom.word, 0), width, " ".join(sorted(layer.rules)))
                if key not in tops:
                    name = _free(f"quant_{bottom.word}", names)
                    tops[key] = len(placed)
                    placed.append((name, width, []))
                    of_data = sources.get(bottom.word, True)
                    block = "".join(_quant(name, bottom.word, width, layer.rules, of_data, _indent(text, layer.start)))
                    changes.append((layer.start, layer.start, block))
                name, _, readers = placed[tops[key]]
                readers.append(layer.name)
                changes.append((bottom.start, bottom.end, f'"{name}"'))
        from_quantized = layer.type == "Quant" or (
            layer.type in PASSING and bool(layer.bottoms) and all(b.word in quantized for b in layer.bottoms)
        )
        for top in layer.tops:
            versions[top] = versions.get(top, 0) + 1
            sources[top] = not layer.bottoms
            (quantized.add if from_quantized else quantized.discard)(top)
    for start, end, new in sorted(changes, key=lambda change: change[0], reverse=True):
        text = text[:start] + new + text[end:]
    return Prepared(text, placed)


def _free(name: str, names: set[str]) -> str:
    found, number = name, 2
    while found in names:
        found, number = f"{name}_{number}", number + 1
    names.add(found)
    return found


def _indent(text: str, place: int) -> str:
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line if not line.strip() else ""


def _quant(name: str, bottom: str, bits: int, rules: list[str], of_data: bool, indent: str) -> Iterator[str]:
    yield f'layer {{\n{indent}  name: "{name}" type: "Quant" bottom: "{bottom}" top: "{name}"\n'
    for rule in rules:
        yield f"{indent}  {rule}\n"
    if of_data:  # saves the gradient of the data, which nobody needs
        yield f"{indent}  param {{ lr_mult: 0 }}\n"
    yield f"{indent}  quant_param {{ quant_bits: {bits} quant_en: 1 }}\n{indent}}}\n{indent}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `prepare`."""
    parser.set_defaults(run=prepare_file)
    parser.add_argument("model", type=Path, help="prototxt: a train, test or deploy file")
    parser.add_argument("output", type=Path, help="the prototxt to write")
    parser.add_argument("--bits", type=int, choices=(8, 16), default=8)
    parser.add_argument("--layer-bits", nargs="+", default=[], metavar="LAYER=BITS", help="other widths of some layers")
    parser.add_argument("--joining", action="store_true", help="before Concat and Eltwise too")
    parser.add_argument("--skip", nargs="+", default=[], metavar="LAYER", help="layers to leave in float")


def prepare_file(options: argparse.Namespace) -> None:
    """Reads a prototxt, and writes it with Quant layers. Raises OSError and ValueError; then nothing is written."""
    layer_bits = layer_bits_of(options.layer_bits)
    if options.output.exists() and options.output.samefile(options.model):
        raise ValueError(f"{options.output}: the same file as {options.model}")
    try:
        done = prepare(options.model.read_text(), options.bits, layer_bits, joining=options.joining, skip=options.skip)
    except ValueError as error:
        raise ValueError(f"{options.model}: {error}") from None
    files.write({options.output: done.text.encode()})
    for name, bits, readers in done.placed:
        print(f"{name}: {bits} bit, read by {', '.join(readers)}")
    print(f"{options.output}: {len(done.placed)} Quant layers put in")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    options = parser.parse_args()
    try:
        options.run(options)
    except (OSError, ValueError) as error:
        print(f"prototxt: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
