#!/usr/bin/python3
"""Builds a mutant and requires that it is found out: by the build, under the requirement that it breaks, or by tests."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import anchors
import builds
import mutants

SKIPPED = 77
RUNS_OF_A_RACE = 4
CRASHED = 3  # the runner's status where a case ended its process: what it checks has failed


def run(command: list[str], mutant: mutants.Mutant, **environment: str) -> subprocess.CompletedProcess:
    # On one thread, unless the mutant wants more: a kernel's fault in long tensors shows where it gets the whole one.
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **environment, **mutant.environment}
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env=variables, timeout=mutant.timeout)


def cases_of(requirement: str) -> str:
    """A filter for the runner's cases that name a requirement."""
    text = "".join(file.read_text() for file in sorted((mutants.PROJECT / "conformance/cases").glob("*.cpp")))
    cases = re.findall(r"^CONFORMANCE_TEST\w*\(\s*(\w+),\s*(\w+),(.*?)\)\s*\{", text, re.DOTALL | re.MULTILINE)
    found = [f"{suite}.{name}" for suite, name, requirements in cases if f'"{requirement}"' in requirements]
    if not found:
        sys.exit(f"No case names {requirement}: the mutant must name its cases.")
    return ":".join(found)


def verdict(settings: builds.Settings, mutant: mutants.Mutant, library: pathlib.Path, target: str | None, *arguments: str,
            ) -> tuple[subprocess.CompletedProcess, list[str]]:
    """Runs the runner on a mutant's library. Returns how it ended and the requirements that fail."""
    cases = mutant.cases or cases_of(mutant.requirement)
    command = [settings.runner, f"--library={library}", "--gtest_brief=1", f"--gtest_filter={cases}", *mutant.arguments,
               *arguments]
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder) / "results.json"
        ended = run([*command, f"--json={results}"], mutant, **({"GFPQ_TARGET": target} if target else {}))
        if f"GFPQ_TARGET={target}: this machine has" in ended.stdout:
            print(f"this machine lacks {target}")
            sys.exit(SKIPPED)
        if ended.returncode not in (0, 1, CRASHED) or not results.exists():
            sys.exit(f"{ended.stdout[-4000:]}\nThe runner ended with status {ended.returncode} and no verdict.")
        text = results.read_text()
    return ended, [entry["id"] for entry in json.loads(text)["requirements"] if entry["result"] == "unexpected failure"]


def judge(settings: builds.Settings, mutant: mutants.Mutant, library: pathlib.Path, target: str | None) -> None:
    """Requires that the runner finds a mutant's library out."""
    for count in range(1, (RUNS_OF_A_RACE if mutant.race else 1) + 1):
        # Up to the first case that fails; to the end where that is for another requirement.
        ended, failed = verdict(settings, mutant, library, target, "--gtest_fail_fast")
        if failed and mutant.requirement not in failed:
            ended, failed = verdict(settings, mutant, library, target)
        if mutant.requirement in failed:
            break
        if mutant.race:
            print(f"{target or 'fastest target'}: run {count} of {RUNS_OF_A_RACE} did not find it")
    if (ended.returncode != 0) != bool(failed):
        sys.exit(f"The runner's status {ended.returncode} contradicts its verdict: {failed or 'nothing fails'}.")
    if mutant is mutants.CONTROL:
        if failed:
            sys.exit(f"{ended.stdout[-4000:]}\nThe unchanged sources should pass.")
    elif mutant.requirement not in failed:
        sys.exit(f"{target or 'fastest target'}: {mutant.requirement} should fail; what fails: {', '.join(failed) or 'nothing'}.")
    print(f"{target or 'fastest target'}: found out: {', '.join(failed) or 'nothing, as it should be'}")


def test(mutant: mutants.Mutant, program: pathlib.Path) -> None:
    """Runs a test program that was built with the mutant's texts."""
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder) / "results.json"
        ended = run([str(program), f"--gtest_filter={mutant.found_by}", "--gtest_brief=1",
                     f"--gtest_output=json:{results}"], mutant)
        if not results.exists():
            sys.exit(f"{ended.stdout[-4000:]}\nThe program ended with status {ended.returncode} and no results.")
        suites = json.loads(results.read_text())["testsuites"]
    if not suites:
        sys.exit(f"{mutant.program} has no test {mutant.found_by}.")
    failed = [f"{suite['name']}.{entry['name']}" for suite in suites for entry in suite["testsuite"] if "failures" in entry]
    if not any(fnmatch.fnmatchcase(name, pattern) for name in failed for pattern in mutant.found_by.split(":")):
        sys.exit(f"{mutant.found_by} should fail, and passes.")
    print(f"Found out by {', '.join(failed)}")


def is_disproved(error: str, proof: str) -> bool:
    """Whether a compiler's output says that a static assertion with these words failed."""
    return any(("static assertion failed" in line or "static_assert" in line) and proof in line for line in error.splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", type=pathlib.Path, help="what CMake wrote of the build")
    parser.add_argument("name")
    parser.add_argument("--build-only", action="store_true", help="make its library, and leave it to other tests")
    arguments = parser.parse_args()

    mutant = mutants.load()[arguments.name]
    originals = mutants.read_texts()
    settings = builds.Settings(arguments.settings.resolve())
    output = settings.folder / ("bin" if mutant.program else "lib") / f"{mutant.name}{'' if mutant.program else '.so'}"
    try:
        texts = mutant.texts(originals)
        print(mutant.fault, mutants.difference(originals, texts), sep="\n", flush=True)
        builds.build(settings, mutant, originals, texts, output)
    except anchors.AnchorError as error:
        sys.exit(f"mutant {mutant.name}: {error}")
    except builds.BuildError as error:
        if mutant.proof and is_disproved(str(error), mutant.proof):
            return print(f"Found out by the build: {mutant.proof}")
        sys.exit(f"mutant {mutant.name}: {str(error)[-6000:]}")
    if arguments.build_only:
        return
    if mutant.proof:
        sys.exit(f"mutant {mutant.name} compiles; what should not hold: {mutant.proof}")
    try:
        if mutant.program:
            test(mutant, output)
        else:
            for target in mutant.targets or ("scalar" if mutant.is_scalar else None,):
                judge(settings, mutant, output, target)
    except subprocess.TimeoutExpired:
        sys.exit(f"mutant {mutant.name}: no end within {mutant.timeout} s")


if __name__ == "__main__":
    main()
