"""Result files of the conformance runner (schema "gfpq-conformance/1"), and what they say of a library."""

import dataclasses
import os

from report.fields import Field, label_apart

SCHEMA = "gfpq-conformance/1"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one of the five results is shown: never by colour alone."""

    symbol: str
    css: str
    meaning: str


OUTCOMES = {
    "expected pass": Outcome("✓", "pass", "holds"),
    "expected failure": Outcome("≠", "known", "does not hold, and the list of known deviations says so"),
    "unexpected failure": Outcome("✗", "fail", "does not hold"),
    "unexpected pass": Outcome("!", "surprise", "holds, although the list of known deviations says that it does not"),
    "not run": Outcome("–", "skipped", "was not tested in this run"),
}
UNEXPECTED = ("unexpected failure", "unexpected pass")


@dataclasses.dataclass
class Requirement:
    id: str
    title: str
    checks: int
    passed: int
    failed: int
    result: str
    reason: str

    @property
    def area(self):
        """The middle of the id: LADDER of GFPQ-LADDER-01."""
        return self.id.split("-", 1)[1].rsplit("-", 1)[0]

    @property
    def outcome(self):
        return OUTCOMES[self.result]


@dataclasses.dataclass
class Test:
    name: str
    requirement: str
    checks: int
    failed: int
    result: str
    reason: str
    failure: str

    @property
    def outcome(self):
        return OUTCOMES[self.result]


@dataclasses.dataclass
class Run:
    """One library, tested once."""

    file: str
    path: str
    name: str
    version: str
    build: str  # revision and build time, empty where the library does not tell
    device: str
    known_deviations: str
    date: str
    seconds: float
    requirements: list
    tests: list
    label: str = ""

    def with_result(self, *results):
        return [r for r in self.requirements if r.result in results]

    def requirement(self, wanted):
        return next((r for r in self.requirements if r.id == wanted), None)

    @property
    def verdict(self):
        """(headline, css class): what a reader wants to know first."""
        total = len(self.requirements)
        held = len(self.with_result("expected pass", "unexpected pass"))
        known, failed, surprising, skipped = (
            len(self.with_result(r)) for r in ("expected failure", "unexpected failure", "unexpected pass", "not run")
        )
        untested = f"; {skipped} not run" if skipped else ""
        if total == skipped:
            return "was not tested: no requirement was run", "skipped"
        if failed:
            also = f", and in {known} more as known" if known else ""
            unseen = f"; known deviations not seen: {surprising}" if surprising else ""
            return f"does NOT conform: it fails {of_requirements(failed, total)}{also}{unseen}{untested}", "fail"
        if surprising:
            return (
                f"behaves better than its list of known deviations: {surprising} listed, but not seen"
                f" ({held} of {total} requirements hold{untested}); correct the list",
                "surprise",
            )
        if known:
            return f"deviates in {of_requirements(known, total)}, all known{untested}", "known"
        if skipped:
            return f"computes GFPQ as far as tested: {held} of {total} requirements hold{untested}", "pass"
        return f"computes GFPQ: {held} of {total} requirements hold", "pass"

    @property
    def findings(self):
        """The tests with something to read, those that nobody expected first."""
        shown = [t for t in self.tests if t.failure or t.failed or t.result in UNEXPECTED]
        return sorted(shown, key=lambda t: t.result not in UNEXPECTED)


def plain(markdown):
    """The specification's own emphasis and code marks are taken out; titles stand in HTML and in Markdown."""
    return markdown.replace("**", "").replace("`", "")


def of_requirements(count, total):
    return f"{count} of {total} requirements" if total != 1 else "the only requirement"


def _result(entry, contradicted):
    """The result of a requirement or a test; those in `contradicted` cannot stand beside a failed check."""
    result = entry["result"].one_of(tuple(OUTCOMES))
    failed = entry["failed"].count()
    if failed > entry["checks"].count():
        raise entry["failed"].wrong(f"{failed} failed of {entry['checks'].value} checks")
    if failed and result in contradicted:
        raise entry["result"].wrong(f"is {result!r}, but {failed} checks failed")
    return result


def _build(library):
    told = []
    if library.has("revision"):
        told.append(f"revision {library['revision'].count()}")
    if library.optional_text("build_time", "unknown") != "unknown":
        told.append(f"built {library['build_time'].text()}")
    return ", ".join(told) or "revision and build time not told"


def load(file):
    """Read and check one file; InputError says what is wrong with it."""
    top = Field.load(file)
    top["schema"].one_of((SCHEMA,))
    library = top["library"]
    requirements = [
        Requirement(
            id=entry["id"].matching(r"[A-Z0-9]+-[A-Z0-9-]*[A-Z0-9]-\d+", "an id like GFPQ-LADDER-01"),
            title=plain(entry["title"].text()),
            checks=entry["checks"].count(),
            passed=entry["passed"].count(),
            failed=entry["failed"].count(),
            # An unexpected pass may have failed checks: one of its tests passed, another failed as listed.
            result=_result(entry, ("expected pass", "not run")),
            reason=entry.optional_text("reason"),
        )
        for entry in top["requirements"]
    ]
    known_ids = {r.id for r in requirements}
    if len(known_ids) != len(requirements):
        raise top["requirements"].wrong("holds the same id twice")
    tests = []
    for entry in top["tests"]:
        if entry["requirement"].text() not in known_ids:
            raise entry["requirement"].wrong(f"{entry['requirement'].value!r} is not among the requirements")
        tests.append(
            Test(
                name=entry["name"].text(),
                requirement=entry["requirement"].text(),
                checks=entry["checks"].count(),
                failed=entry["failed"].count(),
                result=_result(entry, ("expected pass", "unexpected pass", "not run")),
                reason=entry.optional_text("reason"),
                failure=entry.optional_text("failure"),
            )
        )
    for result in top["summary"].keys():
        stated = top["summary"][result]
        counted = sum(r.result == result for r in requirements)
        if stated.count() != counted:
            raise stated.wrong(f"says {stated.value}, but {counted} requirements have this result")
    return Run(
        file=str(file),
        path=library["path"].text(),
        name=library["name"].text(),
        version=library["version"].text(),
        build=_build(library),
        device=top["device"].text(),
        known_deviations=top.optional_text("known_deviations"),
        date=top["date"].text(),
        seconds=top["seconds"].number(),
        requirements=requirements,
        tests=tests,
    )


def load_all(files):
    """Every file, each with a label of its own for the head of its column."""
    runs = [load(file) for file in files]
    label_apart(
        runs,
        (
            lambda run: f"{run.name}, {run.device}",
            lambda run: f"{run.name} {run.version}, {run.device}",
            lambda run: f"{run.name}, {run.device} ({os.path.basename(run.file)})",
            lambda run: f"{run.name}, {run.device} ({run.file})",
        ),
    )
    return runs


@dataclasses.dataclass
class Row:
    """A requirement across the libraries; a cell is None where a library's file does not know the requirement."""

    id: str
    title: str
    cells: list


def matrix(runs):
    """[(area, [Row])], areas and requirements in the order in which the files give them."""
    areas = {}
    for run in runs:
        for requirement in run.requirements:
            rows = areas.setdefault(requirement.area, {})
            if requirement.id not in rows:
                cells = [other.requirement(requirement.id) for other in runs]
                rows[requirement.id] = Row(requirement.id, requirement.title, cells)
    return [(area.capitalize(), list(rows.values())) for area, rows in areas.items()]
