"""Runs the package's tests with another Python, PyTorch and numpy, in an environment made for it from PyPI.

    python test_versions.py --python python3.12 --torch 2.11.* --numpy ">=2"

The environment is kept, and used again by the next run with the same versions. A wheel of PyTorch for Linux and what it
needs take 5 GB. Tests that need the built library find it in the checkout's build folder, or where GFPQ_LIBRARY says.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
BUILD = FOLDER.parents[1] / "build"
NEEDED = ("torchvision", "scikit-learn", "matplotlib", "setuptools", "wheel")  # for what the tests and examples use


def environment(folder: Path, python: str, packages: list[str]) -> Path:
    """The Python of an environment with these packages, made where it is not there yet."""
    installed = folder / "installed.txt"  # written at the end, so that it stands for all
    executable = folder / "bin" / "python"
    wanted = "\n".join((python, *packages))
    if not installed.exists() or installed.read_text() != wanted:
        installed.unlink(missing_ok=True)
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([executable, "-m", "pip", "install", "--quiet", *packages], check=True)
        installed.write_text(wanted)
    return executable


def run(executable: Path, test: Path, folder: Path) -> tuple[int, int, bool]:
    """Runs a file of tests. Returns how many ran and how many of them were skipped, and whether none failed."""
    defaults = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "GFPQ_PREBUILT": str(BUILD / "lib"),
                "GFPQ_LIBRARY": str(BUILD / "lib" / "libgfpq.so")}  # fmt: skip
    changed = {**defaults, **os.environ, "GFPQ_TOOLS": str(folder / "tools")}
    start = time.monotonic()
    result = subprocess.run(
        [executable, test], env=changed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    (folder / f"{test.stem}.log").write_text(result.stdout)
    ran = int((re.search(r"^Ran (\d+) test", result.stdout, re.MULTILINE) or [0, 0])[1])
    skipped = int((re.search(r"skipped=(\d+)", result.stdout) or [0, 0])[1])
    good = result.returncode == 0 and ran > 0
    print(f"{'passed' if good else 'FAILED'}  {test.stem}: {ran} tests, {skipped} skipped, "
          f"{time.monotonic() - start:.0f} s", flush=True)  # fmt: skip
    if not good:
        print(result.stdout, flush=True)
    return ran, skipped, good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the interpreter; default: this one")
    parser.add_argument("--torch", default="", help="PyTorch's version, such as 2.11.*; default: the newest")
    parser.add_argument("--numpy", default=">=2", help="numpy's versions; default: >=2")
    parser.add_argument("--also", nargs="*", default=[], metavar="PACKAGE", help="further packages to install")
    parser.add_argument("--folder", type=Path, default=BUILD / "versions", help="where the environments are kept")
    parser.add_argument("tests", nargs="*", help="names such as arrays, cli; default: all")
    options = parser.parse_args()

    names = {test.stem.removeprefix("test_"): test for test in sorted((FOLDER / "tests").glob("test_*.py"))}
    unknown = set(options.tests) - set(names)
    if unknown:
        parser.error(f"no tests of the name {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    packages = [f"torch=={options.torch}" if options.torch else "torch", f"numpy{options.numpy}"]
    packages += [*NEEDED, *options.also]
    tag = re.sub(r"[^\w.=<>-]+", "_", f"{Path(options.python).name}-torch{options.torch or '-newest'}")
    folder = (options.folder / tag).resolve()
    executable = environment(folder, options.python, packages)
    versions = "import sys, numpy, torch; print('Python', sys.version.split()[0], 'PyTorch', torch.__version__, " \
               "'numpy', numpy.__version__)"  # fmt: skip
    subprocess.run([executable, "-c", versions], check=True)
    results = [run(executable, names[name], folder) for name in options.tests or names]
    failed = sum(not good for _, _, good in results)
    print(f"{sum(ran for ran, _, _ in results)} tests, {sum(skipped for _, skipped, _ in results)} skipped, in "
          f"{len(results)} files, of which {failed} failed; the output is in {folder}")  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
