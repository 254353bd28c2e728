"""The mutants that the *.toml files of this folder describe, and what each makes of the project's texts."""

from __future__ import annotations

import dataclasses
import difflib
import pathlib
import tomllib

import anchors

FOLDER = pathlib.Path(__file__).resolve().parent
PROJECT = FOLDER.parents[1]


@dataclasses.dataclass(frozen=True)
class Edit:
    """One change: exactly one of `replace`, `before` and `after`, or `within` alone, which stands for its body's start."""

    file: str  # or a pattern such as kernels/cpu/*: the one place may lie in any of them
    by: str
    within: str | None = None
    replace: str | None = None
    before: str | None = None
    after: str | None = None
    include: tuple[str, ...] = ()  # headers that `by` needs, such as <vector>

    def __post_init__(self):
        if sum(anchor is not None for anchor in (self.replace, self.before, self.after)) + (self._is_at_start) != 1:
            raise ValueError("an edit has one of replace, before and after, or within alone")

    @property
    def _is_at_start(self) -> bool:
        return self.within is not None and self.replace is self.before is self.after is None

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """What gives way to `by`."""
        if self._is_at_start:
            return [(begin, begin) for _, begin, _ in anchors.regions(text, self.within)]
        found = anchors.places(text, self.replace or self.before or self.after, self.within)
        if self.before is not None:
            return [(first, first) for first, _ in found]
        if self.after is not None:
            return [(last, last) for _, last in found]
        return found

    def apply(self, texts: dict[str, str]) -> None:
        """Changes one of the texts, which go by their files' paths in the project."""
        files = sorted(path for path in texts if pathlib.PurePath(path).match(self.file))
        found = [(file, span) for file in files for span in self._spans(texts[file])]
        if len(found) != 1:
            where = ", ".join(f"{file}:{texts[file].count(chr(10), 0, first) + 1}" for file, (first, _) in found)
            raise anchors.AnchorError(
                f"{self.file} has its place {len(found)} times instead of once{': ' * bool(where)}{where}\n"
                f"  within: {self.within or 'all'}\n"
                f"  place:  {self.replace or self.before or self.after or 'the start of its body'}")
        (file, (first, last)), = found
        text = texts[file]
        texts[file] = "".join(f"#include {header}\n" for header in self.include) \
            + f"{text[:first]} {self.by.strip()} {text[last:]}"


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A fault in the library, and what must find it."""

    name: str
    fault: str
    edits: tuple[Edit, ...] = ()
    requirement: str = ""  # that the runner must find broken
    targets: tuple[str, ...] = ()  # CPU targets that have the fault; see is_scalar
    program: str = ""  # a test program, instead of the runner, compiled with the mutant's texts...
    found_by: str = ""  # ...and its tests of which one at least must fail
    proof: str = ""  # the words of the static assertion that fails: the mutant must not compile
    cases: str = ""  # of the runner, a GoogleTest filter; without one, those that check the requirement
    arguments: tuple[str, ...] = ()  # of the runner
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    timeout: int = 300  # seconds
    race: bool = False  # shows by chance, in nearly every run of the runner: it may be run again
    long: bool = False  # another of its requirement is in the default run, or it takes minutes: its test has the label long

    def __post_init__(self):
        finders = bool(self.requirement) + bool(self.program and self.found_by) + bool(self.proof)
        if self.edits and finders != 1:
            raise ValueError("a mutant names a requirement, or a program and the tests that find it, or a proof")

    @property
    def is_scalar(self) -> bool:
        """Whether it is built without SIMD, which is compiled in a tenth of the time: where the fault is in the kernels, and no
        target is named. The library's own kernels serve a fault elsewhere, which is run with the fastest target.
        """
        return not self.targets and (not self.edits or any(edit.file.startswith("kernels/") for edit in self.edits))

    def texts(self, originals: dict[str, str]) -> dict[str, str]:
        """The project's texts with the mutant's edits."""
        texts = dict(originals)
        for edit in self.edits:
            edit.apply(texts)
        return texts


CONTROL = Mutant("none", "the same sources without a fault", cases="Ladder.*:Mode.*:Sample.*:Error.*")
_EDIT_FIELDS = {field.name for field in dataclasses.fields(Edit)}


def _frozen(value):
    return tuple(value) if isinstance(value, list) else value


def _mutant(entry: dict) -> Mutant:
    """An entry has its first edit's keys beside its own; further edits are a list, `also`."""
    edits = [{key: entry[key] for key in entry.keys() & _EDIT_FIELDS}, *entry.get("also", [])]
    own = {key: _frozen(value) for key, value in entry.items() if key not in _EDIT_FIELDS | {"also"}}
    return Mutant(edits=tuple(Edit(**{key: _frozen(value) for key, value in edit.items()}) for edit in edits), **own)


def load(folder: pathlib.Path = FOLDER) -> dict[str, Mutant]:
    """All mutants by name, the control first."""
    found = {CONTROL.name: CONTROL}
    for file in sorted(folder.glob("*.toml")):
        for entry in tomllib.loads(file.read_text())["mutant"]:
            try:
                mutant = _mutant(entry)
            except (TypeError, ValueError) as error:
                raise SystemExit(f"{file.name}: mutant {entry.get('name')}: {error}") from None
            if mutant.name in found:
                raise SystemExit(f"{file.name}: there is another mutant {mutant.name}")
            found[mutant.name] = mutant
    return found


def read_texts(project: pathlib.Path = PROJECT) -> dict[str, str]:
    """What a mutant's build may read of the project, by path."""
    folders = ("include", "kernels", "src", "tests/gpu", "tests/unit")
    files = [file for folder in folders for file in sorted((project / folder).rglob("*"))]
    return {str(file.relative_to(project)): file.read_text() for file in files if file.suffix in (".cpp", ".hpp", ".cuh")}


def difference(originals: dict[str, str], texts: dict[str, str]) -> str:
    """What a mutant changes, as a patch."""
    return "".join(line for path in originals if originals[path] != texts[path] for line in difflib.unified_diff(
        originals[path].splitlines(True), texts[path].splitlines(True), path, path, n=1))


if __name__ == "__main__":
    print(*(f"{name} long" if mutant.long else name for name, mutant in load().items()), sep="\n")
