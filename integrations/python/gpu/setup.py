"""Builds the GPU library with CMake and puts it into the package: ../wheels.py. Takes a checkout, and CUDA's nvcc."""

import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import wheels

setup(
    version=wheels.version(),
    install_requires=[f"gfpq=={wheels.version()}"],
    distclass=wheels.BinaryDistribution,
    cmdclass={
        "build_py": wheels.build_with_library("gfpq_gpu", "gfpq_gpu"),
        "bdist_wheel": wheels.PlatformWheel,
    },
)
