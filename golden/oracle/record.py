"""Compares the oracle with what is known of the vendor's library: the guide's samples and the record of its answers."""

import csv
import json
import struct
import sys
from collections import Counter

from .arithmetic import FORMATS, WIDTHS, delta_from_maximum, delta_used, maximum, parameter_block, quantize
from .tables import delta_rows, ladder_rows

DOUBLE_SLACK = 16  # ulp around a threshold within which the vendor's doubles may go either way
NEAR = f"answers to doubles within {DOUBLE_SLACK} ulp of a threshold"
INEXACT = "of these, not the exact answer"

# The record's tables are columns of ours: name, our table, our columns after the key.
RECORD_TABLES = [
    ("ladder", ladder_rows, ["f32_value", "f32_above"]),
    ("params", delta_rows, ["f32_smallest_max", "block"]),
    (
        "zero_zone",
        delta_rows,
        ["f32_positive_kept", "f32_positive_value", "f32_negative_kept", "f32_negative_value"],
    ),
]


def verify(guide, record):
    """Compares with the guide's samples and every row in the folder of the record; returns the counts by kind."""
    counts = Counter()
    verify_guide(json.loads(guide.read_text()), counts)
    for width in WIDTHS.values():
        for name, rows, columns in RECORD_TABLES:
            verify_table(record / f"{name}_{width.bits}.csv", rows(width), columns, counts)
    with open(record / "cases.csv", newline="") as file:
        for row in csv.DictReader(file):
            verify_case(row, record / "tensors", counts)
    return {**counts, NEAR: counts[NEAR], INEXACT: counts[INEXACT]}  # there when 0 too


def require(kind, where, recorded, allowed, counts):
    """Counts one comparison; ends the program where the record has none of the allowed answers, the exact one first."""
    if recorded not in allowed:
        sys.exit(f"{kind}: {where}: the record has {recorded}, the oracle {' or '.join(map(str, allowed))}")
    counts[kind] += 1
    if len(allowed) > 1:
        counts[NEAR] += 1
        counts[INEXACT] += recorded != allowed[0]


def verify_guide(guide, counts):
    sample, parameter = guide["sample"], guide["parameter"]
    width, fmt = WIDTHS[sample["bits"]], FORMATS["f32"]
    data = [fmt.pattern(x) for x in sample["input"]]
    delta = delta_from_maximum(maximum(data, fmt), width, fmt)
    block = parameter_block(delta)
    printed = [hex(byte) for byte in struct.unpack("16b", block)]
    require("guide: delta and block", "delta", parameter["delta"], [delta], counts)
    require("guide: delta and block", "block", parameter["block"], [block.hex()], counts)
    require("guide: delta and block", "printed", parameter["printed"], [printed], counts)
    for digits, key in ((6, "printed_cpp"), (10, "printed_python")):
        values = [f"{fmt.number(quantize(x, delta, width, fmt)):.{digits}f}" for x in data]
        require("guide: printed lines", key, sample[key], [values], counts)


def verify_table(path, rows, columns, counts):
    key, *header = next(rows)
    ours = {str(k): dict(zip(header, row)) for k, *row in rows}
    with open(path, newline="") as file:
        recorded = csv.reader(file)
        next(recorded)
        for k, *row in recorded:
            require(f"{path.name}: rows", f"{key} {k}", row, [[ours[k][column] for column in columns]], counts)


def verify_case(row, tensors, counts):
    """One recorded call: the block that it leaves behind and every value."""
    width, fmt = WIDTHS[int(row["bits"])], FORMATS[row["dtype"]]
    kind = f"{fmt.name}, {width.bits} bit"
    where = f"{row['sequence']} step {row['step']}"
    data, output = (read_tensor(tensors / row[column], fmt) for column in ("input", "output"))
    shape = [len(data), len(output), row["return_code"]]
    require(f"{kind}: calls", where, shape, [[int(row["count"]), int(row["count"]), "0x00000000"]], counts)

    before, after = row["param_before"], row["param_after"]
    deltas = [
        delta_used(row["mode"], block_delta(before), m, width, fmt) for m in vendor_views(maximum(data, fmt), fmt)
    ]
    writes = row["mode"] in ("init", "update")
    blocks = [parameter_block(delta).hex() for delta in dict.fromkeys(deltas)] if writes else [before]
    require(f"{kind}: blocks", where, after, blocks, counts)

    delta = block_delta(after) if writes else deltas[0]
    for i, (x, recorded) in enumerate(zip(data, output)):
        exact, *others = (quantize(view, delta, width, fmt) for view in vendor_views(x, fmt))
        # Only the steps of the ladder are loose: what goes to zero is exact for doubles too.
        allowed = dict.fromkeys([exact] + [other for other in others if exact and other])
        require(f"{kind}: values", f"{where} [{i}]", fmt.hex(recorded), [fmt.hex(value) for value in allowed], counts)


def vendor_views(x, fmt):
    """The numbers for which the vendor's library may take x, itself first: its double thresholds are some ulp off."""
    if fmt.name == "f64" and DOUBLE_SLACK < x & ~fmt.sign < fmt.infinity - DOUBLE_SLACK:
        return [x, x - DOUBLE_SLACK, x + DOUBLE_SLACK]
    return [x]


def read_tensor(path, fmt):
    raw = path.read_bytes()
    return struct.unpack(f"<{len(raw) * 8 // fmt.size}{fmt.pattern_code}", raw)


def block_delta(block):
    return struct.unpack_from("<i", bytes.fromhex(block), 4)[0]
