"""Builds a mutant at the least cost: only the translation units that see its text are compiled, the others shared."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import re
import shlex
import subprocess
import tempfile

import mutants

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
_TARGET = re.compile(r"X\((HWY_\w+), (\w+)\)")
_ROOTS = ("", "include", "src")


class BuildError(Exception):
    """A mutant does not compile."""


@dataclasses.dataclass(frozen=True)
class Unit:
    """A translation unit of the unchanged project, as CMake compiled it."""

    source: str  # in the project
    object: pathlib.Path
    command: tuple[str, ...]  # without source, object and dependency file
    folder: str  # where the command runs


class Settings:
    """What CMake told of the build: see CMakeLists.txt."""

    def __init__(self, file: pathlib.Path):
        self._settings = json.loads(file.read_text())
        self.folder = file.parent
        self.runner: str = self._settings["runner"]
        self._binary = pathlib.Path(self._settings["binary"])
        self._commands = json.loads((self._binary / "compile_commands.json").read_text())

    def units(self, mutant: mutants.Mutant) -> list[Unit]:
        """What a mutant's library, or test program, is made of."""
        if mutant.program:
            targets = [mutant.program]
            if mutant.program == "gfpq_unit":
                targets += ["gfpq_core", "gfpq_kernels"]
        else:
            targets = ["gfpq_core", "gfpq_shared", "gfpq_mutant_scalar" if mutant.is_scalar else "gfpq_kernels"]
        return [self._unit(pathlib.Path(file)) for target in targets for file in self._settings["objects"][target]]

    @property
    def gtest(self) -> list[str]:
        return self._settings["gtest"]

    def _unit(self, file: pathlib.Path) -> Unit:
        option = f" -o {file.relative_to(self._binary)} "
        entry = next(entry for entry in self._commands if option in entry["command"])
        arguments = iter(shlex.split(entry["command"]))
        kept: list[str] = []
        for argument in arguments:
            if argument in ("-o", "-MF", "-MT", "-MQ", "-c"):
                next(arguments)
            elif argument not in ("-MD", "-MMD"):
                kept.append(argument)
        source = str(pathlib.Path(entry["file"]).relative_to(mutants.PROJECT))
        return Unit(source, file, tuple(kept), entry["directory"])

    def moved(self, unit: Unit, tree: pathlib.Path) -> list[str]:
        """A unit's command that reads the tree instead of the project."""
        def move(argument: str) -> str:
            folder = pathlib.Path(argument[2:])
            is_ours = argument.startswith("-I") and folder.is_relative_to(mutants.PROJECT)
            if not is_ours or folder.is_relative_to(self._binary):
                return argument
            return f"-I{tree / folder.relative_to(mutants.PROJECT)}"
        return [move(argument) for argument in unit.command]


def closure(texts: dict[str, str], source: str) -> set[str]:
    """The texts that a source includes, and it."""
    found: set[str] = set()
    left = [source]
    while left:
        file = left.pop()
        if file in found:
            continue
        found.add(file)
        for name in _INCLUDE.findall(texts[file]):
            for root in (str(pathlib.PurePath(file).parent), *_ROOTS):
                path = _normal(f"{root}/{name}")
                if path in texts:
                    left.append(path)
                    break
    return found


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def build(settings: Settings, mutant: mutants.Mutant, originals: dict[str, str], texts: dict[str, str],
          output: pathlib.Path) -> None:
    """Makes a mutant's library, or its test program. Does nothing where the output was made of the same."""
    units = settings.units(mutant)
    changed = {path for path in texts if texts[path] != originals[path]}
    stale, shared = [], []
    for unit in units:
        sees_it = closure(texts, unit.source) & changed
        (stale if sees_it and not _may_stay(mutant, unit, changed) else shared).append(unit)
    if changed and not stale:
        raise BuildError(f"{', '.join(sorted(changed))}: no part of what is built for this mutant")

    key = _key(texts, stale, shared)
    key_file = output.with_suffix(".key")
    if output.exists() and key_file.exists() and key_file.read_text() == key:
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for path, text in texts.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        objects = []  # the mutant's first: of an inline function that others have too, a linker takes the first
        for number, group in enumerate(_groups(texts, stale)):
            made = str(tree / f"{number}.o")
            text = "".join(f'#include "{tree / unit.source}"\n' for unit in group)
            command = settings.moved(group[0], tree)
            command += [argument for unit in group[1:] for argument in settings.moved(unit, tree)
                        if argument.startswith(("-D", "-I")) and argument not in command]
            if not mutant.proof:  # what a proof would stop is what others are to find
                command.append("-Dstatic_assert(...)=static_assert(true)")
            if mutant.targets:
                command.append(f"-DGFPQ_COMPILED_TARGETS=({_highway_targets(texts, mutant.targets)})")
            _run([*command, "-O1", "-w", "-x", "c++", "-c", "-", "-o", made], group[0].folder, text)
            objects.append(made)
        objects += [str(unit.object) for unit in shared]
        output.parent.mkdir(parents=True, exist_ok=True)
        key_file.unlink(missing_ok=True)
        compiler = units[0].command[:_compiler_length(units[0].command)]
        link = [*settings.gtest, "-fopenmp"] if mutant.program else ["-shared", "-Wl,-z,defs"]
        _run([*compiler, *objects, "-o", str(output), "-pthread", *link], units[0].folder)
    key_file.write_text(key)


def _may_stay(mutant: mutants.Mutant, unit: Unit, changed: set[str]) -> bool:
    """Whether a unit serves as it is though it sees the fault: that of jobs, which takes as long to compile as all others,
    where other functions are to show it.
    """
    is_for_others = mutant.requirement != "" and not mutant.requirement.startswith("GFPQ-JOB")
    return unit.source.startswith("src/job") and is_for_others and not any(path.startswith("src/job") for path in changed)


def _highway_targets(texts: dict[str, str], targets: tuple[str, ...]) -> str:
    """Highway's names of CPU targets, combined."""
    names = {name: highway_name for highway_name, name in _TARGET.findall(texts["kernels/cpu/targets.hpp"])}
    return " | ".join(names[target] for target in targets)


def _compiler_length(command: tuple[str, ...]) -> int:
    """How many words name the compiler, a launcher such as ccache included."""
    return next(i for i, word in enumerate(command) if word.startswith("-"))


def _groups(texts: dict[str, str], units: list[Unit]) -> list[list[Unit]]:
    """Units that may be compiled as one, which saves reading the same headers. A test's, and what Highway reads again
    for each target, stand alone.
    """
    together = [unit for unit in units
                if not unit.source.startswith("tests/") and not any("#include <hwy/" in texts[path]
                                                                    for path in closure(texts, unit.source))]
    alone = [[unit] for unit in units if unit not in together]
    return [together, *alone] if together else alone


def _key(texts: dict[str, str], stale: list[Unit], shared: list[Unit]) -> str:
    """Changes with all that an output is made of."""
    digest = hashlib.sha256()
    for unit in stale:
        digest.update("\0".join(unit.command).encode())
        for path in sorted(closure(texts, unit.source)):
            digest.update(f"{path}\0{texts[path]}\0".encode())
    for unit in shared:
        digest.update(unit.object.read_bytes())
    return digest.hexdigest()


def _run(command: list[str], folder: str, text: str = "") -> None:
    run = subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise BuildError(f"{shlex.join(command)}\n{run.stderr}")
