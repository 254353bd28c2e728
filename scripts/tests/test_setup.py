"""setup.sh and run.sh: explain themselves, install as little as the task needs, and serve users who are not root."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
RELEASE_FOLDER = pathlib.Path("/tmp/gfpq-release")
TASKS = ("run", "test", "portable", "all")


class SetupTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o755)

    def pretend(self, name, script):
        """A command that comes before the system's."""
        file = self.folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def run_script(self, name, *arguments, status):
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        done = subprocess.run([PROJECT / "scripts" / name, *arguments], env=environment, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def missing(self, task):
        """The packages that a task needs on a system that has none of them, as an ordinary user reads it."""
        self.pretend("dpkg-query", "exit 1")
        self.pretend("id", "echo 1000")
        said = self.run_script("setup.sh", task, status=1)
        return set(re.search(r"sudo apt-get install --no-install-recommends (.+)", said).group(1).split())

    def test_help_starts_nothing(self):
        for command in ("cmake", "apt-get"):
            self.pretend(command, "echo started; exit 1")
        for name in ("setup.sh", "run.sh", "release.sh"):
            said = self.run_script(name, "--help", status=0)
            self.assertIn(f"scripts/{name}", said)
            self.assertNotIn("started", said)
            self.assertIn(f"scripts/{name}", self.run_script(name, "--surprise", status=2))

    def test_a_task_needs_no_more_than_it_uses(self):
        lists = {task: self.missing(task) for task in TASKS}
        for word in ("wine", "torch", "mpi", "clang", "mingw", "aarch64", "scipy", "valgrind"):
            self.assertEqual([package for package in lists["run"] if word in package], [])
        self.assertLess(lists["run"], lists["test"])
        self.assertLess(lists["run"], lists["portable"])
        self.assertEqual(lists["all"], lists["test"] | lists["portable"])

    def test_the_default_is_what_the_tests_need(self):
        self.pretend("dpkg-query", "exit 1")
        self.pretend("id", "echo 1000")
        said = self.run_script("setup.sh", status=1)
        self.assertIn("wine", said)

    def test_nothing_missing_needs_no_root(self):
        self.pretend("dpkg-query", "echo installed")
        self.pretend("apt-get", "exit 1")
        self.pretend("id", "echo 1000")
        self.assertEqual(self.run_script("setup.sh", "run", status=0), "")

    def test_run_builds_what_it_runs(self):
        """And no more; in a copy of the tree, with every program pretended."""
        tree = self.folder / "tree"
        (tree / "build/bin").mkdir(parents=True)
        shutil.copytree(PROJECT / "scripts", tree / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        self.pretend("cmake", f'echo "cmake $*" >>{self.folder}/calls')
        self.pretend("dpkg-query", "echo installed")
        for program in ("gfpq_conformance", "gfpq_bench"):
            file = tree / "build/bin" / program
            file.write_text("#!/bin/sh\nexit 9\n")
            file.chmod(0o755)
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        subprocess.run([tree / "scripts/run.sh"], env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        calls = (self.folder / "calls").read_text().splitlines()
        self.assertEqual(len(calls), 2)
        self.assertTrue(calls[1].endswith("--target gfpq_shared gfpq_conformance gfpq_bench"), calls)

    def test_a_release_is_built_in_one_place(self):
        """Wherever the checkout is: nvcc names symbols by the source's path."""
        if RELEASE_FOLDER.exists():
            self.skipTest("a release is being made")
        self.pretend("cmake", f'echo "$PWD $*" >>{self.folder}/calls; exit 9')
        self.pretend("dpkg-query", "echo installed")
        for name in ("here", "another place"):
            tree = self.folder / name
            shutil.copytree(PROJECT / "scripts", tree / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
            (tree / "cmake/portable").mkdir(parents=True)
            (tree / "integrations/python").mkdir(parents=True)
            for file in ("cmake/portable/requirements.txt", "integrations/python/setup.py", "CMakeLists.txt"):
                shutil.copy(PROJECT / file, tree / file)
            for command in (["init", "-q"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x"]):
                subprocess.run(["git", "-C", tree, *command], check=True)
            (tree / "build/tools/bin").mkdir(parents=True)  # with all that setup.sh installs there
            (tree / "build/tools/bin/python").write_text(f"#!/bin/sh\ncat {PROJECT}/cmake/portable/requirements.txt\n")
            (tree / "build/tools/bin/python").chmod(0o755)
            environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
            done = subprocess.run([tree / "scripts/release.sh", self.folder / f"{name} release"], env=environment, text=True,
                                  check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.returncode, 9, done.stdout)
        self.assertFalse(RELEASE_FOLDER.exists())
        calls = (self.folder / "calls").read_text().splitlines()
        self.assertEqual(len(calls), 2)
        self.assertEqual(calls[0], calls[1])


if __name__ == "__main__":
    unittest.main()
