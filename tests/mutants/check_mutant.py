#!/usr/bin/python3
"""Run the conformance runner on a mutant and require that it is found out, under the requirement that it breaks."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runner")
    parser.add_argument("library")
    parser.add_argument("--breaks", help="the requirement that must fail; without it, none may")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder) / "results.json"
        run = subprocess.run(
            [arguments.runner, f"--library={arguments.library}", f"--json={results}", "--gtest_brief=1"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if run.returncode not in (0, 1) or not results.exists():
            sys.exit(f"{run.stdout[-4000:]}\nThe runner ended with status {run.returncode} and no verdict.")
        failed = [requirement["id"] for requirement in json.loads(results.read_text())["requirements"]
                  if requirement["result"] == "unexpected failure"]

    if (run.returncode != 0) != bool(failed):
        sys.exit(f"The runner's status {run.returncode} contradicts its verdict: {failed or 'nothing fails'}.")
    if arguments.breaks is None:
        if failed:
            sys.exit(f"{run.stdout[-4000:]}\nThe unchanged sources should pass.")
    elif arguments.breaks not in failed:
        sys.exit(f"{arguments.breaks} should fail; what fails: {', '.join(failed) or 'nothing'}.")
    print(f"Found out: {', '.join(failed) or 'nothing, as it should be'}")


if __name__ == "__main__":
    main()
