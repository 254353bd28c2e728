#!/usr/bin/python3
"""Copy the library's sources, with every mutant of mutants.json in them behind a definition of its own.

A mutant replaces one line of the reference. The copy holds `#if defined(GFPQ_MUTANT_<name>)` around the line's
replacements, so that each mutant builds from the same files with one compile definition, and the sources proper carry
no trace of them. A line that is not found exactly once is an error: the mutant is out of date.
"""

import argparse
import json
import pathlib
import sys

FOLDERS = ("include", "kernels", "src")


def mutate(text, mutants, file):
    """The text with its mutants' lines behind their definitions."""
    lines = text.splitlines()
    stripped = [line.strip() for line in lines]
    at = {}
    for mutant in mutants:
        if stripped.count(mutant["line"]) != 1:
            found = stripped.count(mutant["line"])
            sys.exit(f"mutant {mutant['name']}: {file} has its line {found} times instead of once:\n  {mutant['line']}")
        at.setdefault(stripped.index(mutant["line"]), []).append(mutant)
    result = []
    for number, line in enumerate(lines):
        for index, mutant in enumerate(at.get(number, [])):
            result += [f"#{'el' if index else ''}if defined(GFPQ_MUTANT_{mutant['name']})", *mutant["becomes"]]
        result += ["#else", line, "#endif"] if number in at else [line]
    return "\n".join(result) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path, help="the project's folder")
    parser.add_argument("output", type=pathlib.Path, help="the folder to write; files that are up to date stay")
    arguments = parser.parse_args()

    mutants = json.loads((pathlib.Path(__file__).parent / "mutants.json").read_text())
    by_file = {}
    for mutant in mutants:
        by_file.setdefault(mutant["file"], []).append(mutant)
    for folder in FOLDERS:
        for path in sorted((arguments.source / folder).rglob("*")):
            if path.suffix not in (".cpp", ".hpp"):
                continue
            file = path.relative_to(arguments.source)
            text = mutate(path.read_text(), by_file.pop(str(file), []), file)
            copy = arguments.output / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists() or copy.read_text() != text:
                copy.write_text(text)
    for file, left in by_file.items():
        sys.exit(f"mutant {left[0]['name']}: there is no file {file}")


if __name__ == "__main__":
    main()
