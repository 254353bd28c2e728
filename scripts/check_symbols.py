#!/usr/bin/python3
"""Check that a shared library exports the symbols of a list, the first word of each line, and nothing else."""

import argparse
import pathlib
import subprocess
import sys


def exported(library):
    output = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", library], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    return {line.split()[0] for line in output.splitlines()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("list", type=pathlib.Path)
    arguments = parser.parse_args()

    wanted = {line.split()[0] for line in arguments.list.read_text().splitlines()}
    found = exported(arguments.library)
    for name in sorted(wanted - found):
        print(f"missing: {name}")
    for name in sorted(found - wanted):
        print(f"exported, but not in {arguments.list.name}: {name}")
    sys.exit(0 if wanted == found else 1)


if __name__ == "__main__":
    main()
