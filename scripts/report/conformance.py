"""Result files of the conformance runner (schema "gfpq-conformance/2"), and what they say of a library."""

import dataclasses
import os

from report.fields import Field, label_apart, load_each, told_apart

SCHEMA = "gfpq-conformance/2"


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
    def share(self):
        """The share of checks that failed, in a few characters."""
        share = 100 * self.failed / self.checks
        return f"{share:.0f} %" if share >= 9.5 else f"{share:.1f} %" if share >= 0.05 else "<0.1 %"

    @property
    def told(self):
        """What there is to say beyond that it holds."""
        if self.result == "expected pass":
            return ""
        return self.result + (f": {self.reason}" if self.reason else "") + f"; {self.checks:,} checks"

    @property
    def area(self):
        """The middle of the id: LADDER of GFPQ-LADDER-01."""
        return self.id.split("-", 1)[1].rsplit("-", 1)[0]

    @property
    def outcome(self):
        return OUTCOMES[self.result]


@dataclasses.dataclass
class Profile:
    """A part of the verdict, such as the arithmetic of one kind of tensors."""

    name: str
    offered: bool
    offered_whole: bool
    holding: int
    known: int
    not_run: int
    failing: list

    @property
    def outcome(self):
        if not self.offered:
            return OUTCOMES["not run"]
        if self.failing:
            return OUTCOMES["unexpected failure"]
        if self.holding + self.known == 0:
            return OUTCOMES["not run"]
        return OUTCOMES["expected failure" if self.known else "expected pass"]

    @property
    def words(self):
        if not self.offered:
            return "not offered"
        judged = self.holding + self.known + len(self.failing)
        part = "" if self.offered_whole else ", offered in part"
        if self.failing:
            return f"{len(self.failing)} of {judged} fail{part}"
        if not judged:
            return "not run"
        return (f"{self.known} of {judged} known" if self.known else f"{judged} hold") + part


@dataclasses.dataclass
class Share:
    """How many numbers of some data get another code than the right one, for one kind of tensors."""

    data: str
    kind: str
    numbers: int
    other_codes: int
    problem: str

    @property
    def outcome(self):
        return OUTCOMES["unexpected failure" if self.other_codes or self.problem else "expected pass"]

    @property
    def words(self):
        if self.problem:
            return "not measured"
        return f"{100 * self.other_codes / self.numbers:.3g} %" if self.other_codes else "none"

    @property
    def told(self):
        return self.problem or f"{self.other_codes:,} of {self.numbers:,} numbers"


@dataclasses.dataclass
class Finding:
    """A case's failed checks of one requirement."""

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
    title: str
    version: str
    sha256: str
    build: str  # revision and build time, empty where the library does not tell
    device: str
    machine: str
    suite: str  # which suite judged, and how much of it was run
    known_deviations: str
    date: str
    seconds: float
    stated: str  # the verdict in words
    profiles: list
    requirements: list
    tests: list
    shares: list
    own_blocks: bool  # laid out in another way, with which all else was judged
    left_out: list  # cases with fewer calls than usual, since the library is slow
    label: str = ""

    @property
    def short_file(self):
        return os.path.basename(self.file)

    def with_result(self, *results):
        return [r for r in self.requirements if r.result in results]

    def requirement(self, wanted):
        return next((r for r in self.requirements if r.id == wanted), None)

    def profile(self, wanted):
        return next((p for p in self.profiles if p.name == wanted), None)

    def share(self, data, kind):
        return next((s for s in self.shares if (s.data, s.kind) == (data, kind)), None)

    @property
    def verdict(self):
        """(headline, css class): what a reader wants to know first."""
        for result in ("unexpected failure", "unexpected pass", "expected failure", "expected pass"):
            if self.with_result(result):
                return self.stated, OUTCOMES[result].css
        return self.stated, "skipped"

    @property
    def findings(self):
        """What failed, that which nobody expected first."""
        return sorted(self.tests, key=lambda t: t.result not in UNEXPECTED)


def plain(markdown):
    """The specification's own emphasis and code marks are taken out."""
    return markdown.replace("**", "").replace("`", "")


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


def _share(entry):
    share = Share(
        data=os.path.basename(entry["data"].text()),
        kind=f"{entry['bits'].count()} bit {'double' if entry['double'].boolean() else 'float'}",
        numbers=entry["numbers"].count(),
        other_codes=entry["other_codes"].count(),
        problem=entry.optional_text("problem"),
    )
    if share.other_codes > share.numbers:
        raise entry["other_codes"].wrong(f"{share.other_codes} of {share.numbers} numbers")
    return share


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
            result=_result(entry, ("expected pass", "unexpected pass", "not run")),
            reason=entry.optional_text("reason"),
        )
        for entry in top["requirements"]
    ]
    known_ids = {r.id for r in requirements}
    if len(known_ids) != len(requirements):
        raise top["requirements"].wrong("holds the same id twice")
    tests = []
    for entry in top["findings"]:
        if entry["requirement"].text() not in known_ids:
            raise entry["requirement"].wrong(f"{entry['requirement'].value!r} is not among the requirements")
        tests.append(
            Finding(
                name=entry["case"].text(),
                requirement=entry["requirement"].text(),
                checks=entry["checks"].count(),
                failed=entry["failed"].count(),
                result=_result(entry, ("expected pass", "unexpected pass", "not run")),
                reason=entry.optional_text("reason"),
                failure=entry["text"].text(),
            )
        )
    for result in top["summary"].keys():  # noqa: SIM118, a reader of one field
        stated = top["summary"][result]
        counted = sum(r.result == result for r in requirements)
        if stated.count() != counted:
            raise stated.wrong(f"says {stated.value}, but {counted} requirements have this result")
    suite, machine = top["suite"], top["machine"]
    scope = f"suite {suite['version'].text()}, {suite['cases_run'].count()} of {suite['cases'].count()} cases"
    if suite.optional_text("filter"):
        scope += f", {suite['filter'].text()}"
    profiles = [
        Profile(
            name=entry["name"].text(),
            offered=entry["offered"].value is True,
            offered_whole=not entry.has("offered_whole") or entry["offered_whole"].boolean(),
            holding=entry["holding"].count(),
            known=entry["known"].count(),
            not_run=entry["not_run"].count(),
            failing=[failing.text() for failing in entry["failing"]],
        )
        for entry in top["profiles"]
    ]
    shares = [_share(entry) for entry in top["shares"]] if top.has("shares") else []
    return Run(
        file=str(file),
        path=library["path"].text(),
        name=library["name"].text(),
        title=library.optional_text("title"),
        version=library["version"].text(),
        sha256=library["sha256"].text(),
        build=_build(library),
        device=top["device"].text(),
        machine=f"{machine['platform'].text()}, {machine.optional_text('cpu', 'unknown CPU') or 'unknown CPU'}",
        suite=scope,
        known_deviations=top.optional_text("known_deviations"),
        date=top["date"].text(),
        seconds=top["seconds"].number(),
        stated=top["verdict"].text(),
        profiles=profiles,
        requirements=requirements,
        tests=tests,
        shares=shares,
        own_blocks=library.has("own_blocks") and library["own_blocks"].boolean(),
        left_out=suite["left_out"].keys() if suite.has("left_out") else [],
    )


def load_all(files, refused=None):
    """Every file, each with a label of its own for the head of its column; see load_each()."""
    runs = load_each(load, files, refused)
    paths = told_apart([run.file for run in runs])
    label_apart(
        runs,
        (
            lambda run: run.title or f"{run.name}, {run.device}",
            lambda run: f"{run.title or run.name} {run.version}, {run.device}",
            lambda run: f"{run.name}, {run.device} ({run.short_file})",
            lambda run: f"{run.name}, {run.device} ({paths[run.file]})",
        ),
    )
    return runs


@dataclasses.dataclass
class Row:
    """A requirement across the libraries; a cell is None where a library's file does not know the requirement."""

    id: str
    title: str
    cells: list


def profile_rows(runs):
    """[(profile, [its Profile in each run])], in the order in which the files give them."""
    names = dict.fromkeys(profile.name for run in runs for profile in run.profiles)
    return [(name, [run.profile(name) for run in runs]) for name in names]


def share_rows(runs):
    """[(data, kind, [its Share in each run])], data and kinds in the order in which the files give them."""
    names = dict.fromkeys((share.data, share.kind) for run in runs for share in run.shares)
    return [(data, kind, [run.share(data, kind) for run in runs]) for data, kind in names]


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
