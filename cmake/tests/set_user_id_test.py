#!/usr/bin/python3
"""In a program with more rights than its caller, the caller's environment chooses nothing: above all no file to write.

    set_user_id_test.py BUILD_FOLDER

Takes root, who alone can make such a program and become another user.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from support import PROJECT, SAMPLE, compile_cxx

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
NOBODY = 65534
# Static, since the loader ignores LD_LIBRARY_PATH too.
FLAGS = (f"-I{PROJECT}/include", BUILD / "lib/libgfpq.a", "-pthread")


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


if os.geteuid() != 0:
    skip("only root can make a set-user-ID program")
if os.statvfs(tempfile.gettempdir()).f_flag & os.ST_NOSUID:
    skip(f"the file system of {tempfile.gettempdir()} lets no program have other rights than its caller")
if "NoNewPrivs:\t1" in pathlib.Path("/proc/self/status").read_text():
    skip("this process may not gain rights")


class SetUserIdTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o777)
        self.file = self.folder / "messages.txt"
        self.program = compile_cxx(self.folder / "program", SAMPLE, *FLAGS)

    def run_as_nobody(self, bits, **environment):
        return subprocess.run([self.program, bits], user=NOBODY, group=NOBODY, extra_groups=[], env=environment, text=True,
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def set_user_id(self):
        self.program.chmod(0o4755)

    def test_it_writes_no_file_that_its_caller_names(self):
        environment = {"GFPQ_MESSAGES": f"file:{self.file}"}
        self.assertNotIn("Invalid bit width", self.run_as_nobody("9", **environment).stdout)
        self.assertIn("Invalid bit width", self.file.read_text())  # it is the caller who writes

        self.file.unlink()
        self.set_user_id()
        self.assertIn("Invalid bit width", self.run_as_nobody("9", **environment).stdout)
        self.assertFalse(self.file.exists())

    def test_its_caller_chooses_no_target(self):
        self.assertIn("GFPQ_TARGET=abacus", self.run_as_nobody("8", GFPQ_TARGET="abacus").stdout)
        self.set_user_id()
        done = self.run_as_nobody("8", GFPQ_TARGET="abacus")
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
