"""Any file at all is read, or refused with one line that names it: never a traceback.

Deterministic and short; GFPQ_HYPOTHESIS_EXAMPLES=5000 in the environment makes it long, and random.
"""

import contextlib
import copy
import io
import json
import os
import pathlib
import tempfile
import unittest

import fixtures  # first: it makes scripts/ importable
import hypothesis
from hypothesis import strategies
from report import benchmark, conformance
from report.fields import InputError

EXAMPLES = int(os.environ.get("GFPQ_HYPOTHESIS_EXAMPLES", "0"))
settings = hypothesis.settings(
    max_examples=EXAMPLES or 150,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)

SCALARS = (
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.just(10**400)  # more than a float holds
    | strategies.floats()
    | strategies.text()
    | strategies.sampled_from(["\ud800", "gfpq-bench/1", "gfpq-conformance/2", "cpu", "expected pass", "\n", "0"])
)
VALUES = strategies.recursive(
    SCALARS, lambda inner: strategies.lists(inner, max_size=4) | strategies.dictionaries(strategies.text(), inner, max_size=4)
)


def small_bench_run():
    run = fixtures.bench_run()
    run["benchmarks"] = run["benchmarks"][:20]
    return run


def places(value, path=()):
    """The path of everything within a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from places(child, path + (key,))


@strategies.composite
def damaged(draw, original):
    """A good file's value with one to three places changed, taken out or said twice."""
    value = copy.deepcopy(original)
    for _ in range(draw(strategies.integers(1, 3))):
        path = draw(strategies.sampled_from(list(places(value))))
        if not path:
            continue
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        action = draw(strategies.sampled_from(["change", "remove", "add"]))
        if action == "change":
            parent[path[-1]] = draw(VALUES)
        elif action == "remove":
            del parent[path[-1]]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[path[-1]]))
        else:
            parent[draw(strategies.text())] = draw(VALUES)
    return value


class Readers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.file = str(cls.folder / "the_file.json")
        cls.good = fixtures.write(cls.folder, "good.json", small_bench_run())
        cls.report = fixtures.script("report.py")
        cls.conformance_report = fixtures.script("conformance_report.py")

    def read(self, content):
        """Give the file to both readers, and to the scripts that use them."""
        pathlib.Path(self.file).write_bytes(content)
        for reader in (conformance, benchmark):
            try:
                reader.load_all([self.file])
            except InputError as error:
                self.assertIn("the_file.json", str(error))
                self.assertEqual(len(str(error).splitlines()), 1)
        self.run_script(self.conformance_report, [self.file, "--html", str(self.folder / "page.html")])
        self.run_script(self.report, ["--compare", self.good, self.file])
        self.run_script(self.report, ["--compare", self.file, self.good, "--force"])

    def run_script(self, script, arguments):
        # As strict as a terminal is.
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = script.main(arguments)
        err.seek(0)
        message = err.read()
        self.assertIn(status, (0, 1, 2))
        if status == 2:
            self.assertIn("the_file.json", message)
            self.assertEqual(len(message.splitlines()), 1, message)

    @settings
    @hypothesis.given(strategies.binary())
    def test_any_bytes_are_read_or_refused(self, content):
        self.read(content)

    @settings
    @hypothesis.given(VALUES)
    def test_any_value_is_read_or_refused(self, value):
        self.read(json.dumps(value).encode())

    @settings
    @hypothesis.given(damaged(fixtures.conformance_run()))
    def test_damaged_conformance_results_are_read_or_refused(self, value):
        self.read(json.dumps(value).encode())

    @settings
    @hypothesis.given(damaged(small_bench_run()))
    def test_damaged_benchmark_results_are_read_or_refused(self, value):
        self.read(json.dumps(value).encode())

    @settings
    @hypothesis.given(strategies.sampled_from([fixtures.conformance_run(), small_bench_run()]), strategies.data())
    def test_files_cut_off_or_overwritten_are_read_or_refused(self, value, data):
        content = bytearray(json.dumps(value).encode())
        at = data.draw(strategies.integers(0, len(content)))
        content[at : at + data.draw(strategies.integers(0, 10))] = data.draw(strategies.binary(max_size=10))
        self.read(bytes(content[: data.draw(strategies.integers(0, len(content)))]))

    def test_what_the_parser_cannot_bear_is_read_or_refused(self):
        for content in (b"[" * 100_000, b'{"context":' * 100_000, b"1" * 10_000, b"\xef\xbb\xbf{}"):
            self.read(content)

    def test_what_a_field_cannot_bear_is_read_or_refused(self):
        for number in (10**400, -(10**400), float("inf"), float("nan")):
            self.read(json.dumps(dict(fixtures.conformance_run(), seconds=number)).encode())
            run = small_bench_run()
            run["benchmarks"][0]["real_time"] = number
            self.read(json.dumps(run).encode())
        run = small_bench_run()
        run["benchmarks"][0]["name"] = run["benchmarks"][0]["run_name"] = fixtures.quantize_name(count=10**400)
        self.read(json.dumps(run).encode())
        for text in ("\ud800", "two\nlines"):
            run = fixtures.conformance_run()
            run["requirements"][0]["title"] = text
            self.read(json.dumps(run).encode())
            self.read(json.dumps(dict(run, **{text: 1}, schema=text)).encode())


if __name__ == "__main__":
    unittest.main()
