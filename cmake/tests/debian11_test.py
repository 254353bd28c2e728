#!/usr/bin/python3
"""A release's artifacts work on Debian 11 (glibc 2.31, GCC 10, CMake 3.18, Python 3.9), in a root of its own.

    debian11_test.py

GFPQ_RELEASE names the folder that scripts/release.sh made; without it, without root or debootstrap, all is skipped.
GFPQ_DEBIAN11 may name a root folder made before by debootstrap with the packages below.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import run, sample_output

PACKAGES = "ca-certificates,cmake,g++,make,python3-pip,python3-venv"
MIRROR = "http://deb.debian.org/debian"


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


if not os.environ.get("GFPQ_RELEASE"):
    skip("GFPQ_RELEASE names no folder that scripts/release.sh made")
if os.geteuid() != 0:
    skip("only root can make a root folder")
if not shutil.which("debootstrap"):
    skip("debootstrap is not here (scripts/setup.sh portable)")
RELEASE = pathlib.Path(os.environ["GFPQ_RELEASE"]).resolve(strict=True)

# In a mount namespace of its own, so that nothing stays mounted.
ENTER = """set -e
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/dev"
for device in null zero random urandom; do touch "$1/dev/$device"; mount --bind "/dev/$device" "$1/dev/$device"; done
mkdir "$1/dev/shm"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 OMP_NUM_THREADS=2 \\
  chroot "$1" bash -euo pipefail -c "$2"
"""


class Debian11Test(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name) / "root"
        if os.environ.get("GFPQ_DEBIAN11"):
            subprocess.run(["cp", "-a", "--reflink=auto", os.environ["GFPQ_DEBIAN11"], cls.root], check=True)
        else:
            run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bullseye", cls.root, MIRROR)
        (cls.root / "release").mkdir()
        for file in RELEASE.iterdir():
            shutil.copy(file, cls.root / "release")
        # The system's numpy is 1.19, and 1.20 is needed.
        run(sys.executable, "-m", "pip", "-q", "download", "--only-binary=:all:", "--python-version=3.9",
            "--platform=manylinux2014_x86_64", "--no-deps", "-d", cls.root / "release", "numpy<2")

    def inside(self, script, status=0):
        return run("unshare", "--mount", "bash", "-c", ENTER, "enter", self.root, script, status=status)

    def test_archive(self):
        """Unpacked, checked by its own programs, and its sample built by this system's compiler."""
        self.inside("cd /root && tar xf /release/GFPQLibs-*-linux-x86_64.tgz")
        said = self.inside("/root/GFPQLibs/bin/gfpq_info")
        self.assertIn("/root/GFPQLibs/lib/libgfpq.so.", said)
        self.assertEqual(said.count("passed"), 4, said)
        self.assertIn("2.31", said)
        said = self.inside("cd /root/GFPQLibs/sample && ./run_linux.sh 16")
        self.assertRegex(said, sample_output(16))

    def test_conformance(self):
        self.inside("mkdir -p /root/judge && cd /root/judge && tar xf /release/GFPQLibs-*-linux-x86_64.tgz")
        # Status 0: no unexpected result.
        self.inside("/root/judge/GFPQLibs/bin/gfpq_conformance --library=/root/judge/GFPQLibs/lib/libgfpq.so")

    def test_debian_packages(self):
        self.inside("dpkg --install /release/libgfpq1_*.deb /release/libgfpq-dev_*.deb")
        sample = "/usr/share/doc/libgfpq-dev/examples/sample.cpp"
        said = self.inside(f"cd /tmp && g++ -O2 {sample} -lgfpq -o program && ./program")
        self.assertRegex(said, sample_output())

    def test_wheel(self):
        said = self.inside("python3 -m venv /root/venv && cd /root && . venv/bin/activate && "
                           "python -m pip -q install --no-index --find-links /release gfpq && "
                           "python -c \"import gfpq, numpy; print(gfpq.quantize(numpy.full(1 << 24, 3, 'f4'))[0])\"; "
                           "python -m gfpq doctor")
        self.assertIn("\ntarget:", said)
        self.assertEqual(said.count("passed"), 4, said)


if __name__ == "__main__":
    unittest.main()
