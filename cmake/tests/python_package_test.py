#!/usr/bin/python3
"""The Python package from a checkout: wheel, source archive and editable, each installed into an environment of its own.

    python_package_test.py BUILD_FOLDER

Offline: what pip would fetch to build (setuptools, wheel, cmake, ninja) is the system's.
"""

import os
import pathlib
import platform
import shutil
import sys
import tarfile
import tempfile
import unittest
import zipfile

from support import PROJECT, run

LIBRARY_FOLDER = pathlib.Path(sys.argv.pop(1)).resolve() / "lib"
PACKAGE = PROJECT / "integrations" / "python"
SOONER = "-DCMAKE_BUILD_TYPE=None"  # without optimization, on which nothing here depends
SCRIPT = "import numpy, gfpq; print(gfpq.info().path, gfpq.quantize(numpy.arange(10, dtype='f4'))[3])"


class PythonPackageTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name).resolve()  # as the package tells its paths
        # Not in the checkout: a build leaves files beside its setup.py.
        self.source = self.folder / "checkout"
        shutil.copytree(PACKAGE, self.source / "integrations/python",
                        ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "dist"))
        for name in ("CMakeLists.txt", "LICENSE", "Release_note.txt", "cmake", "include", "kernels", "src"):
            (self.source / name).symlink_to(PROJECT / name)
        self.package = self.source / "integrations/python"

    def pip(self, command, *arguments, **environment):
        run(sys.executable, "-m", "pip", command, "--no-deps", "--no-index", "--no-build-isolation", *arguments,
            PIP_DISABLE_PIP_VERSION_CHECK=1, TMPDIR=self.folder, **environment)

    def wheel_of(self, source, **environment):
        self.pip("wheel", "-w", self.folder / "wheels", source, **environment)
        wheel, = (self.folder / "wheels").glob("*.whl")
        return wheel

    def check_wheel(self, wheel):
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
        self.assertEqual([name for name in names if "/lib/" in name], ["gfpq/lib/libgfpq.so.1"])  # and no GPU library
        for license in ("LICENSE", "THIRD_PARTY_LICENSES.txt"):
            self.assertTrue(any(name.endswith(f".dist-info/licenses/{license}") for name in names), names)
        site = self.folder / "site"
        self.pip("install", "--target", site, wheel)
        path, value = run(sys.executable, "-c", SCRIPT, cwd=self.folder, PYTHONPATH=site, GFPQ_LIBRARY="").split()
        self.assertEqual(path, str(site / "gfpq/lib/libgfpq.so.1"))
        self.assertEqual(value[:8], "2.953652")

    def test_wheel_of_a_built_library(self):
        tag = f"manylinux2014_{platform.machine()}"
        wheel = self.wheel_of(self.package, GFPQ_PREBUILT=LIBRARY_FOLDER, GFPQ_WHEEL_PLATFORM=tag)
        self.assertTrue(wheel.name.endswith(f"-py3-none-{tag}.whl"), wheel)
        self.check_wheel(wheel)

    def test_source_archive(self):
        """Has all that it needs: it is installed where there is no checkout, and no Highway."""
        run(sys.executable, "setup.py", "-q", "sdist", "-d", self.folder, cwd=self.package)
        archive, = self.folder.glob("gfpq-*.tar.gz")
        with tarfile.open(archive) as opened:
            names = {name.partition("/")[2] for name in opened.getnames()}
        wanted = {"LICENSE", "pyproject.toml", "project/src/gfpq.cpp", "project/third_party/hwy/highway.h"}
        self.assertLessEqual(wanted, names)
        shutil.rmtree(self.source)
        hidden = f"{SOONER} -DCMAKE_FIND_ROOT_PATH=/nonexistent -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY"
        wheel = self.wheel_of(archive, CMAKE_ARGS=hidden)
        self.assertRegex(wheel.name, r"-py3-none-linux_\w+\.whl$")
        self.check_wheel(wheel)

    def test_editable(self):
        self.pip("install", "--target", self.folder / "site", "--editable", self.package, CMAKE_ARGS=SOONER)
        self.assertTrue((self.source / "build/lib/libgfpq.so.1").exists())
        # -I: no other gfpq of the environment's.
        path, value = run(sys.executable, "-I", "-c", f"import site; site.addsitedir('{self.folder / 'site'}'); {SCRIPT}",
                          cwd=self.folder, GFPQ_LIBRARY="").split()
        self.assertEqual(pathlib.Path(path).parent, self.source / "build/lib")
        self.assertEqual(value[:8], "2.953652")


if __name__ == "__main__":
    os.environ.pop("GFPQ_PREBUILT", None)
    unittest.main()
