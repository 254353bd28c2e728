"""Caffe's files. Its messages are made at import from the caffe.proto beside this file: protoc is not needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryNotFoundError
from ..files import FileError, naming

try:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
except ImportError as _error:
    raise LibraryNotFoundError(
        "gfpq.nnie reads and writes Caffe's files with protobuf: install Debian's python3-protobuf, or "
        "`pip install protobuf`"
    ) from _error

_DEFINITION = Path(__file__).with_name("caffe.proto")
_TOKEN = re.compile(r'"[^"]*"|[\w.+-]+|[{}=;\[\],]')


def _file_descriptor(text: str) -> Any:
    """The descriptor of a .proto in what caffe.proto uses of the language."""
    file = descriptor_pb2.FileDescriptorProto(name="gfpq/nnie/caffe.proto", syntax="proto2")
    tokens = iter(_TOKEN.findall(re.sub(r"//.*", "", text)))
    for word in tokens:
        if word == "package":
            file.package = next(tokens)
        elif word == "message":
            _message(file.message_type.add(), tokens)
        elif word == "enum":
            _enum(file.enum_type.add(), tokens)
    messages = {message.name for message in file.message_type}
    for message in file.message_type:
        inner = {enum.name: f"{message.name}.{enum.name}" for enum in message.enum_type}
        for field in message.field:
            name = field.type_name
            if name:
                field.type = field.TYPE_MESSAGE if name in messages else field.TYPE_ENUM
                field.type_name = f".{file.package}.{inner.get(name, name)}"
    return file


def _message(message: Any, tokens: Iterator[str]) -> None:
    message.name = next(tokens)
    _expect(tokens, "{")
    for word in tokens:
        if word == "}":
            return
        if word == "enum":
            _enum(message.enum_type.add(), tokens)
            continue
        kind, name = next(tokens), next(tokens)
        _expect(tokens, "=")
        field = message.field.add(name=name, number=int(next(tokens)))
        field.label = field.LABEL_REPEATED if word == "repeated" else field.LABEL_OPTIONAL
        plain = getattr(field, f"TYPE_{kind.upper()}", None)
        if plain is None:
            field.type_name = kind
        else:
            field.type = plain
        if next(tokens) == "[":
            option, _, value = next(tokens), next(tokens), next(tokens)
            if option == "packed":
                field.options.packed = value == "true"
            else:
                field.default_value = value
            _expect(tokens, "]")
            _expect(tokens, ";")


def _enum(enum: Any, tokens: Iterator[str]) -> None:
    enum.name = next(tokens)
    _expect(tokens, "{")
    for word in tokens:
        if word == "}":
            return
        _expect(tokens, "=")
        enum.value.add(name=word, number=int(next(tokens)))
        _expect(tokens, ";")


def _expect(tokens: Iterator[str], wanted: str) -> None:
    found = next(tokens)
    if found != wanted:
        raise ValueError(f"{_DEFINITION}: {wanted} expected, and {found} found")


# A pool of its own: pycaffe registers the same names in the default one.
_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file_descriptor(_DEFINITION.read_text()))


def _class_of(name: str) -> Any:
    descriptor = _pool.FindMessageTypeByName(f"caffe.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(_pool).GetPrototype(descriptor)


NetParameter = _class_of("NetParameter")
LayerParameter = _class_of("LayerParameter")
BlobProto = _class_of("BlobProto")


def text_of(net: Any) -> str:
    """A network as prototxt, without blobs."""
    bare = NetParameter()
    bare.CopyFrom(net)
    for layer in bare.layer:
        layer.ClearField("blobs")
    return str(text_format.MessageToString(bare))


def bytes_of(net: Any) -> bytes:
    """A network as caffemodel. Parameters whose fields are not Caffe 1.0's stand in the prototxt alone."""
    whole = NetParameter()
    whole.CopyFrom(net)
    for layer in whole.layer:
        layer.ClearField("upsample_param")
    return bytes(whole.SerializeToString(deterministic=True))


def read_prototxt(path: Path) -> Any:
    """Reads a network's prototxt. Raises FileError, also for Caffe's old format."""
    with naming(path):
        net = NetParameter()
        text_format.Parse(path.read_text(), net, allow_unknown_field=True)
        return _checked(path, net)


def read_caffemodel(path: Path) -> Any:
    """Reads a network's caffemodel. Raises FileError, also for Caffe's old format."""
    with naming(path):
        net = NetParameter()
        net.ParseFromString(path.read_bytes())
        return _checked(path, net)


def _checked(path: Path, net: Any) -> Any:
    if net.layers:
        raise FileError(path, "in Caffe's old format (layers { ... }): upgrade it with Caffe's "
                              "upgrade_net_proto_text or upgrade_net_proto_binary")
    if not net.layer:
        raise FileError(path, "holds no layer")
    return net


def read_network(model: Path, weights: Path | None = None) -> Any:
    """A prototxt's network, with the caffemodel's blobs in the layers of the same names."""
    net = read_prototxt(model)
    if weights is not None:
        blobs = {layer.name: layer.blobs for layer in read_caffemodel(weights).layer if layer.blobs}
        for layer in net.layer:
            layer.blobs.extend(blobs.get(layer.name, ()))
    return net


def array_of(blob: Any) -> NDArray[Any]:
    """A blob's numbers, in its shape: the old one, of four numbers, too."""
    double = len(blob.double_data) > 0
    field = "double_data" if double else "data"
    bare = type(blob)()  # with this one packed field: its tag, its length, its numbers
    getattr(bare, field).MergeFrom(getattr(blob, field))
    content = bare.SerializeToString()
    size = len(getattr(blob, field)) * (8 if double else 4)
    numbers = np.frombuffer(content[len(content) - size :], "<f8" if double else "<f4")
    shape = tuple(blob.shape.dim) if blob.HasField("shape") else (blob.num, blob.channels, blob.height, blob.width)
    return numbers.reshape(shape).copy()


def add_blob(layer: Any, array: NDArray[Any]) -> None:
    """Appends an array to a layer's blobs, as float32."""
    _fill(layer.blobs.add(), array)


def blob_of(array: NDArray[Any]) -> Any:
    """An array as a blob of float32."""
    blob = BlobProto()
    _fill(blob, array)
    return blob


def _fill(blob: Any, array: NDArray[Any]) -> None:
    blob.shape.dim.extend(array.shape)
    numbers = np.ascontiguousarray(array, "<f4").tobytes()
    blob.MergeFromString(_PACKED_DATA + _varint(len(numbers)) + numbers)  # far faster than by Python's floats


_PACKED_DATA = bytes([5 << 3 | 2])


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
