"""Builds the shared library with CMake and puts it into the package. Takes a checkout of the whole project.

The environment's GFPQ_PREBUILT may name a folder with libgfpq.so.1 (and libgfpq_gpu.so.1) to take instead.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from wheel.bdist_wheel import bdist_wheel

PROJECT = Path(__file__).resolve().parents[2]
LIBRARIES = ("gfpq.dll", "gfpq_gpu.dll") if sys.platform == "win32" else ("libgfpq.so.1", "libgfpq_gpu.so.1")


class BuildWithLibrary(build_py):
    def run(self) -> None:
        shutil.rmtree(Path(self.build_lib) / "gfpq", ignore_errors=True)  # what an earlier build left
        super().run()
        if getattr(self, "editable_mode", False):  # the package then finds the library in the checkout's build folder
            return
        source = Path(os.environ["GFPQ_PREBUILT"]) if os.environ.get("GFPQ_PREBUILT") else self.build_library()
        target = Path(self.build_lib) / "gfpq" / "lib"
        target.mkdir(parents=True, exist_ok=True)
        if not (source / LIBRARIES[0]).exists():
            raise FileNotFoundError(f"no {LIBRARIES[0]} in {source}")
        for library in LIBRARIES:
            if (source / library).exists():
                shutil.copy(source / library, target / library)  # the file itself: a wheel holds no links

    def build_library(self) -> Path:
        folder = Path(self.get_finalized_command("build").build_temp).resolve() / "cmake"
        options = ["-DCMAKE_BUILD_TYPE=Release", "-DGFPQ_BUILD_TESTS=OFF", "-DGFPQ_BUILD_BENCHMARKS=OFF"]
        subprocess.run(["cmake", "-S", PROJECT, "-B", folder, *options], check=True)
        subprocess.run(["cmake", "--build", folder, "--config", "Release", "--parallel"], check=True)
        return folder / ("bin/Release" if sys.platform == "win32" else "lib")


class BinaryDistribution(Distribution):
    def has_ext_modules(self) -> bool:
        return True  # so that all of it goes where a platform's packages go


class PlatformWheel(bdist_wheel):
    """One wheel for every Python 3 of a platform: the library is not tied to Python's version."""

    def get_tag(self) -> tuple:
        return "py3", "none", super().get_tag()[2]


def version() -> str:
    text = (PROJECT / "CMakeLists.txt").read_text()
    return re.search(r"project\(gfpq VERSION ([0-9.]+)", text).group(1)


setup(
    version=version(),
    distclass=BinaryDistribution,
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel},
)
