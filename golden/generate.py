#!/usr/bin/python3
"""Writes the golden vectors in generated/ and SHA256SUMS, or checks them. Only --verify-mpmath needs a package."""

import argparse
import hashlib
import sys
from itertools import zip_longest
from pathlib import Path

from oracle.arithmetic import WIDTHS
from oracle.digest import digest_rows
from oracle.record import verify
from oracle.tables import delta_rows, ladder_rows, special_rows

GOLDEN = Path(__file__).resolve().parent
DATA_FOLDERS = ["generated", "guide", "vendor-1.1.5"]


def generated_files():
    """Every generated file: its path in golden/ and its text."""
    tables = {"special": special_rows(), "digest": digest_rows()}
    for width in WIDTHS.values():
        tables[f"ladder_{width.bits}"] = ladder_rows(width)
        tables[f"deltas_{width.bits}"] = delta_rows(width)
    return {
        f"generated/{name}.csv": "".join(",".join(map(str, row)) + "\n" for row in rows)
        for name, rows in tables.items()
    }


def checksums():
    """The text of SHA256SUMS for the data files as they lie on disk."""
    files = (path for folder in DATA_FOLDERS for path in (GOLDEN / folder).rglob("*") if path.is_file())
    names = sorted(path.relative_to(GOLDEN).as_posix() for path in files)
    return "".join(f"{hashlib.sha256((GOLDEN / name).read_bytes()).hexdigest()}  {name}\n" for name in names)


def write():
    (GOLDEN / "generated").mkdir(exist_ok=True)
    for name, text in generated_files().items():
        (GOLDEN / name).write_bytes(text.encode())
    (GOLDEN / "SHA256SUMS").write_bytes(checksums().encode())


def check():
    """Ends the program with the first line on disk that is not as computed afresh."""
    for name, text in {**generated_files(), "SHA256SUMS": checksums()}.items():
        found, expected = (GOLDEN / name).read_bytes(), text.encode()
        if found == expected:
            continue
        lines = zip_longest(found.splitlines(keepends=True), expected.splitlines(keepends=True), fillvalue=b"")
        number, on_disk, computed = next((i, a, b) for i, (a, b) in enumerate(lines, 1) if a != b)
        sys.exit(f"{name}:{number} differs\n  on disk:  {on_disk}\n  computed: {computed}")
    print("generated/ and SHA256SUMS are as computed afresh")


def verify_record():
    counts = verify(GOLDEN / "guide/samples.json", GOLDEN / "vendor-1.1.5")
    for kind, count in counts.items():
        print(f"{count:9,}  {kind}")


def verify_mpmath():
    from oracle import second_opinion  # here, so that the rest runs without mpmath

    for kind, count in second_opinion.verify(GOLDEN / "generated").items():
        print(f"{count:9,}  {kind}")


def main():
    parser = argparse.ArgumentParser(description="Without an option: write generated/ and SHA256SUMS.")
    parser.set_defaults(action=write)
    actions = parser.add_mutually_exclusive_group()
    for option, action, text in (
        ("--check", check, "compare the files on disk with a fresh computation"),
        ("--verify-record", verify_record, "compare the oracle with the guide and the vendor's record"),
        ("--verify-mpmath", verify_mpmath, "compare the generated tables with mpmath's arithmetic"),
    ):
        actions.add_argument(option, dest="action", action="store_const", const=action, help=text)
    try:
        parser.parse_args().action()
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
