#!/usr/bin/python3
"""Run every command of README.md, README.zh-CN.md and docs/ in a fresh clone, as a reader would.

Blocks of sh, cpp and python are run in their order, page by page; a cpp block becomes program.cpp. A comment
`<!-- needs: WORD ... -->` before a block names what it takes beside a checkout:
    wheel, archive, deb   a file of a release: --release names its folder, whose files are copied into the clone
    root                  --root allows to install packages here
    caffe                 CAFFE_ROOT in the environment
A block whose need is not met is left out, and said. scripts/setup.sh is run where its packages are there.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROJECT = pathlib.Path(__file__).resolve().parents[1]
PAGES = ["README.md", "README.zh-CN.md", "docs/install.md", "docs/zh/quick-start.md", "docs/migration.md",
         "docs/zh/migration.md", "docs/nnie.md", "docs/zh/nnie.md"]
BLOCK = re.compile(r"(?:<!-- needs: ([\w ]+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text):
    """Each code block as (needs, language, content)."""
    return [((needs or "").split(), language, content) for needs, language, content in BLOCK.findall(text)]


def unmet(need, options):
    """Why a need is not met, or nothing."""
    patterns = {"wheel": "gfpq-*.whl", "archive": "GFPQLibs-*-linux-x86_64.tgz", "deb": "libgfpq1_*.deb"}
    if need in patterns:
        return "" if options.release and list(options.release.glob(patterns[need])) else f"--release has no {patterns[need]}"
    if need == "root":
        return "" if options.root else "--root is not given"
    if need == "caffe":
        return "" if os.environ.get("CAFFE_ROOT") else "CAFFE_ROOT is not set"
    raise ValueError(f"unknown need: {need}")


def command_of(language, content, folder):
    """The command line of a block, or nothing where it is only to be saved."""
    if language == "sh":
        return ["bash", "-euo", "pipefail", "-c", content]
    if language == "python":
        return ["python3", "-c", content]
    if language == "cpp":
        (folder / "program.cpp").write_text(content, encoding="utf-8")
        return None
    raise ValueError(f"a block of {language or 'no language'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", default=PAGES)
    parser.add_argument("--release", type=pathlib.Path, help="folder with the artifacts of a release")
    parser.add_argument("--root", action="store_true", help="install packages on this machine")
    options = parser.parse_args()
    failures = run = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / "gfpq"
        subprocess.run(["git", "clone", "--quiet", PROJECT, folder], check=True)
        if options.release:
            for file in options.release.iterdir():
                if file.is_file():
                    shutil.copy(file, folder)
        # What pip installs goes into an environment of its own, over the system's packages.
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--system-site-packages", folder.parent / "venv"], check=True)
        environment = {**os.environ, "PATH": f"{folder.parent / 'venv/bin'}:{os.environ['PATH']}"}
        if not options.release:
            environment["PYTHONPATH"] = str(folder / "integrations/python")
        for page in options.pages:
            for number, (needs, language, content) in enumerate(blocks((PROJECT / page).read_text(encoding="utf-8")), 1):
                title = f"{page}, block {number}: {content.strip().splitlines()[0]}"
                reasons = [reason for reason in (unmet(need, options) for need in needs) if reason]
                if reasons:
                    print(f"left out  {title} ({'; '.join(reasons)})", flush=True)
                    continue
                command = command_of(language, content, folder)
                if command is None:
                    continue
                run += 1
                done = subprocess.run(command, cwd=folder, env=environment, check=False, text=True, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT)
                print(f"{'passed  ' if done.returncode == 0 else 'FAILED  '}  {title}", flush=True)
                if done.returncode != 0:
                    failures += 1
                    print(done.stdout[-4000:])
    print(f"{run - failures} passed, {failures} failed")
    return 1 if failures or not run else 0


if __name__ == "__main__":
    sys.exit(main())
