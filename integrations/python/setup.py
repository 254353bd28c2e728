"""Builds the shared library with CMake and puts it into the package: wheels.py."""

import os
import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.sdist import sdist

sys.path.insert(0, str(Path(__file__).resolve().parent))

import wheels


class SourceArchive(sdist):
    """With the library's source, and Highway's headers, so that it can be installed where neither is."""

    def make_release_tree(self, base_dir, files) -> None:
        super().make_release_tree(base_dir, files)
        project = Path(base_dir) / "project"
        for folder in ("cmake", "include", "src", "kernels"):
            unwanted = shutil.ignore_patterns("__pycache__", "tests")
            shutil.copytree(wheels.PROJECT / folder, project / folder, ignore=unwanted)
        for file in ("CMakeLists.txt", "LICENSE", "Release_note.txt"):
            shutil.copyfile(wheels.PROJECT / file, project / file)
        shutil.copyfile(wheels.PROJECT / "LICENSE", Path(base_dir) / "LICENSE")
        highway = project / "third_party" / "hwy"
        own = wheels.PROJECT / "third_party" / "hwy"
        source = own if own.exists() else Path(os.environ.get("GFPQ_HIGHWAY", "/usr/include")) / "hwy"
        if not (source / "highway.h").exists():
            raise FileNotFoundError(f"no highway.h in {source}: let GFPQ_HIGHWAY name the folder with hwy/highway.h")
        shutil.copytree(source, highway, ignore=shutil.ignore_patterns("tests", "contrib"))


setup(
    version=wheels.version(),
    distclass=wheels.BinaryDistribution,
    cmdclass={
        "build_py": wheels.build_with_library("gfpq", "gfpq"),
        "bdist_wheel": wheels.PlatformWheel,
        "sdist": SourceArchive,
    },
)
