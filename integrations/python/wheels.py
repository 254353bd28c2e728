"""How the packages gfpq and gfpq-gpu get their library: built with CMake, or taken from GFPQ_PREBUILT.

The environment tells
    GFPQ_PREBUILT        a folder with the library, libgfpq.so.1 or libgfpq_gpu.so.1, to take instead of building one
    GFPQ_WHEEL_PLATFORM  the platform tag of a wheel with a library that is more portable than this machine
    CMAKE_ARGS           options for CMake, as -DGFPQ_SCALAR=ON
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from setuptools import Distribution
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    from wheel.bdist_wheel import bdist_wheel

HERE = Path(__file__).resolve().parent
# In the package's source archive the project's source lies in a folder of it, in a checkout above it.
PROJECT = HERE / "project" if (HERE / "project").exists() else HERE.parents[1]


def version() -> str:
    """The project's."""
    found = re.search(r"project\(gfpq VERSION ([0-9.]+)", (PROJECT / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert found
    return found.group(1)


def license_files() -> list[Path]:
    """Of all that a wheel holds."""
    return [PROJECT / "LICENSE", PROJECT / "cmake" / "portable" / "THIRD_PARTY_LICENSES.txt"]


def build(folder: Path, with_gpu: bool = False) -> Path:
    """Configures and builds the library in `folder`. Returns where it lies then."""
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DGFPQ_BUILD_TESTS=OFF", "-DGFPQ_BUILD_BENCHMARKS=OFF"]
    options += [f"-DGFPQ_BUILD_GPU={'ON' if with_gpu else 'OFF'}", *shlex.split(os.environ.get("CMAKE_ARGS", ""))]
    if shutil.which("ninja") and not (folder / "CMakeCache.txt").exists():
        options += ["-G", "Ninja"]
    subprocess.run(["cmake", "-S", PROJECT, "-B", folder, *options], check=True)
    subprocess.run(["cmake", "--build", folder, "--config", "Release", "--parallel"], check=True)
    return folder / ("bin/Release" if sys.platform == "win32" else "lib")


def build_with_library(package: str, name: str) -> type[build_py]:
    """The command that puts the library `name` into the folder lib of `package`."""
    file = f"{name}.dll" if sys.platform == "win32" else f"lib{name}.so.1"

    class BuildWithLibrary(build_py):
        def run(self) -> None:
            shutil.rmtree(Path(self.build_lib) / package, ignore_errors=True)  # what an earlier build left
            super().run()
            prebuilt = os.environ.get("GFPQ_PREBUILT")
            if getattr(self, "editable_mode", False):  # the package finds the library in the checkout's build folder
                if not prebuilt and not (PROJECT / "build" / "lib" / file).exists():
                    build(PROJECT / "build", name == "gfpq_gpu")
                return
            temporary = Path(self.get_finalized_command("build").build_temp).resolve() / "cmake"
            source = Path(prebuilt) if prebuilt else build(temporary, name == "gfpq_gpu")
            if not (source / file).exists():
                raise FileNotFoundError(f"no {file} in {source}")
            target = Path(self.build_lib) / package / "lib"
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / file, target / file)  # the file itself: a wheel holds no links

    return BuildWithLibrary


class BinaryDistribution(Distribution):
    """So that all of it goes where a platform's packages go."""

    def has_ext_modules(self) -> bool:
        return True


class PlatformWheel(bdist_wheel):
    """One wheel for every Python 3 of a platform: the library is not tied to Python's version."""

    def get_tag(self) -> Any:
        return "py3", "none", os.environ.get("GFPQ_WHEEL_PLATFORM") or super().get_tag()[2]

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        super().egg2dist(egginfo_path, distinfo_path)
        licenses = Path(distinfo_path) / "licenses"
        licenses.mkdir(exist_ok=True)
        for file in license_files():
            shutil.copyfile(file, licenses / file.name)
