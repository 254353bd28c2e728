#!/usr/bin/python3
"""The files of a release, without a system to install them on: names, contents, what they need, checksums.

    release_test.py

GFPQ_RELEASE names the folder that scripts/release.sh made; without it all is skipped.
"""

import hashlib
import json
import os
import pathlib
import platform
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

from elftools.elf import elffile
from support import PROJECT, run

if not os.environ.get("GFPQ_RELEASE"):
    print("skipped: GFPQ_RELEASE names no folder that scripts/release.sh made")
    sys.exit(77)
RELEASE = pathlib.Path(os.environ["GFPQ_RELEASE"]).resolve(strict=True)
ARM_ROOT = pathlib.Path("/usr/aarch64-linux-gnu")
NVCC = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
PROCESSORS = ("x86_64", "aarch64")
VERSION = re.search(r"project\(gfpq VERSION ([0-9.]+)", (PROJECT / "CMakeLists.txt").read_text()).group(1)


def targets_of_machine():
    """The instruction sets that the library has code for, by what Linux says of this CPU, fastest first."""
    line = next(line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    flags = set(line.split())
    levels = {"sse4": {"ssse3", "sse4_1", "sse4_2", "pclmulqdq", "aes"}, "avx2": {"avx2", "fma", "f16c", "bmi1", "bmi2"},
              "avx512": {"avx512f", "avx512vl", "avx512dq", "avx512bw", "avx512cd"}}
    found, needed = ["scalar"], set()
    for name, more in levels.items():
        needed |= more
        if needed <= flags:
            found.insert(0, name)
    return found


def device_images(library):
    """Of each file that nvcc compiled into a library, what there is for which architecture."""
    with open(library, "rb") as file:
        data = elffile.ELFFile(file).get_section_by_name(".nv_fatbin").data()
    found = []
    position = 0
    while position < len(data):
        magic, _, header_size, size = struct.unpack_from("<IHHQ", data, position)
        assert magic == 0xBA55ED50
        position += header_size
        end = position + size
        images = set()
        while position < end:
            kind, _, header_size, size = struct.unpack_from("<HHIQ", data, position)
            number, = struct.unpack_from("<I", data, position + 28)
            images.add(({1: "PTX", 2: "machine code"}[kind], number))
            position += header_size + size
        found.append(images)
        position += -position % 8
    return found


class ReleaseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        for processor in PROCESSORS:
            with tarfile.open(RELEASE / f"GFPQLibs-{VERSION}-linux-{processor}.tgz") as archive:
                archive.extractall(cls.folder / processor)

    def package(self, processor):
        return self.folder / processor / "GFPQLibs"

    def wheel(self, processor):
        wheel, = RELEASE.glob(f"gfpq-{VERSION}-py3-none-*manylinux2014_{processor}.whl")
        return wheel

    def test_checksums(self):
        lines = dict(reversed(line.split()) for line in (RELEASE / "SHA256SUMS").read_text().splitlines())
        files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest()
                 for file in RELEASE.iterdir() if file.name != "SHA256SUMS"}
        self.assertEqual(lines, files)

    def test_no_path_of_the_build_is_left(self):
        """Else two builds of the same revision in different folders would not give the same files."""
        for processor in PROCESSORS:
            for program in (self.package(processor) / "bin").iterdir():
                self.assertNotRegex(program.read_bytes(), rb"/golden\0|/build/portable")

    def test_archives(self):
        for processor in PROCESSORS:
            package = self.package(processor)
            found = {str(path.relative_to(package)) for path in package.rglob("*") if not path.is_dir()}
            wanted = {"include/gfpq.hpp", "include/gfpq_jobs.hpp", "LICENSE", "THIRD_PARTY_LICENSES.txt", "Release_note.txt",
                      "bin/gfpq_info", "bin/gfpq_conformance", "lib/libgfpq.so", "lib/libgfpq.so.1", f"lib/libgfpq.so.{VERSION}",
                      "lib/pkgconfig/gfpq.pc", "sample/run_linux.sh", "sample/sample.cpp"}
            self.assertLessEqual(wanted, found)
            self.assertEqual([name for name in found if name.endswith(".a") or "static" in name], [])
            self.assertIn("libgfpq.a", (package / "Release_note.txt").read_text())  # says why there is none

    def test_oldest_glibc(self):
        for processor in PROCESSORS:
            libraries = [self.package(processor) / f"lib/libgfpq.so.{VERSION}"]
            with zipfile.ZipFile(self.wheel(processor)) as archive:
                libraries.append(pathlib.Path(archive.extract("gfpq/lib/libgfpq.so.1", self.folder / f"wheel {processor}")))
            self.assertEqual(libraries[0].read_bytes(), libraries[1].read_bytes())
            for program in (self.package(processor) / "bin").iterdir():
                versions = set(re.findall(r"GLIBC_(\d+)\.(\d+)", run("readelf", "--version-info", "--wide", program)))
                self.assertLessEqual(max((int(major), int(minor)) for major, minor in versions), (2, 17), program)
                self.assertNotIn("libstdc++", run("readelf", "--dynamic", program))

    @unittest.skipUnless(platform.machine() == "x86_64", "for x86-64")
    def test_every_instruction_set_of_this_machine_is_used(self):
        """Not that the library runs without SIMD because a function that asks the CPU is a stub."""
        said = json.loads(run(self.package("x86_64") / "bin/gfpq_info", "--json"))
        self.assertEqual(said["targets"], targets_of_machine())
        self.assertEqual(said["library"], str((self.package("x86_64") / f"lib/libgfpq.so.{VERSION}").resolve()))
        self.assertEqual(set(said["self-test"].values()), {"passed"})

    @unittest.skipUnless(shutil.which("qemu-aarch64") and ARM_ROOT.exists(), "no emulator of Arm")
    def test_arm(self):
        package = self.package("aarch64")
        said = json.loads(run("qemu-aarch64", "-L", ARM_ROOT, package / "bin/gfpq_info", "--json", package / "lib/libgfpq.so"))
        self.assertEqual(said["targets"], ["neon", "scalar"])
        self.assertEqual(set(said["self-test"].values()), {"passed"})

    def test_wheels(self):
        for processor in PROCESSORS:
            with zipfile.ZipFile(self.wheel(processor)) as archive:
                names = archive.namelist()
            self.assertEqual([name for name in names if "/lib/" in name], ["gfpq/lib/libgfpq.so.1"])
            for name in ("LICENSE", "THIRD_PARTY_LICENSES.txt"):
                self.assertIn(f"gfpq-{VERSION}.dist-info/licenses/{name}", names)

    def test_gpu_wheel(self):
        wheels = list(RELEASE.glob(f"gfpq_gpu-{VERSION}-py3-none-*.whl"))
        if not wheels:
            self.skipTest("the release was made without nvcc")
        with zipfile.ZipFile(wheels[0]) as archive:
            names = archive.namelist()
            library = archive.extract("gfpq_gpu/lib/libgfpq_gpu.so.1", self.folder)
            metadata = archive.read(f"gfpq_gpu-{VERSION}.dist-info/METADATA").decode()
        self.assertRegex(metadata, rf"Requires-Dist: gfpq ?\(?=={re.escape(VERSION)}\)?\n")  # as setuptools writes it
        self.assertEqual([name for name in names if "/lib/" in name], ["gfpq_gpu/lib/libgfpq_gpu.so.1"])
        self.assertIn(f"gfpq_gpu-{VERSION}.dist-info/licenses/THIRD_PARTY_LICENSES.txt", names)
        self.assertNotIn("libcudart", run("readelf", "--dynamic", library))  # it is inside
        said = json.loads(run(self.package("x86_64") / "bin/gfpq_info", "--json", library))
        self.assertEqual(said["targets"], targets_of_machine())
        self.assertLess(pathlib.Path(library).stat().st_size, 16 << 20)  # compressed
        if NVCC:  # the release's, or one that knows the same
            known = {int(number) for number in re.findall(r"sm_(\d+)\b", run(NVCC, "--list-gpu-code"))}
            for images in device_images(library):
                self.assertEqual(images, {("machine code", number) for number in known} | {("PTX", max(known))})

    def test_auditwheel(self):
        tool = PROJECT / "build/tools/bin/auditwheel"
        if not tool.exists():
            self.skipTest("auditwheel is not in build/tools (scripts/setup.sh portable)")
        wheels = [(self.wheel(processor), processor) for processor in PROCESSORS]
        wheels += [(wheel, "x86_64") for wheel in RELEASE.glob("gfpq_gpu-*.whl")]
        for wheel, processor in wheels:
            said = " ".join(subprocess.run([tool, "show", wheel], check=True, text=True,
                                           stdout=subprocess.PIPE).stdout.split())
            self.assertRegex(said, rf'consistent with the following platform tag: "manylinux_2_17_{processor}"')


if __name__ == "__main__":
    unittest.main()
