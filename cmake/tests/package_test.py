#!/usr/bin/python3
"""Every package, in an empty folder and moved from where it was installed, serves every way of building the sample.

    package_test.py BUILD_FOLDER
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import NO_GPU, PROJECT, SAMPLE, cmake_cache, compile_cxx, run, sample_output

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
CACHE = cmake_cache(BUILD)
VERSION = CACHE["CMAKE_PROJECT_VERSION:STATIC"]
BUILD_TYPE = CACHE["CMAKE_BUILD_TYPE:STRING"].lower()
LIBRARIES = [name for name in ("gfpq", "gfpq_gpu") if (BUILD / "lib" / f"lib{name}.a").exists()]
HAS_GPU = "gfpq_gpu" in LIBRARIES


def has_nvidia_gpu():
    return shutil.which("nvidia-smi") and subprocess.run(["nvidia-smi", "-L"], stdout=subprocess.PIPE).stdout.strip()


class SampleTest(unittest.TestCase):
    """The sample beside the library in the build folder."""

    def test_it_runs_at_both_widths(self):
        for bits in (8, 16):
            self.assertRegex(run(BUILD / "bin/sample", bits), sample_output(bits, version=VERSION))

    def test_another_width_is_an_error(self):
        for width in ("9", "eight"):
            self.assertIn("Invalid bit width[", run(BUILD / "bin/sample", width, status=1))

    def test_the_vendors_library_would_do(self):
        """What the program asks the loader for, the vendor's library has: a file of this name with these functions."""
        self.assertIn("Shared library: [libgfpq.so.1]\n", run("readelf", "--dynamic", "--wide", BUILD / "bin/sample"))
        lines = run("nm", "--undefined-only", "--format=posix", BUILD / "bin/sample").splitlines()
        asked = {name for name in (line.split()[0] for line in lines) if "GFPQ" in name}
        ours = {line.split()[0] for line in (PROJECT / "src/exported_symbols.txt").read_text().splitlines()}
        self.assertLessEqual(asked, ours - {"GFPQ_Describe", "GFPQ_SetMessageSink"})
        self.assertTrue(asked)


class Package:
    """What the tests have in common. A subclass puts its package into a folder, and says where things are in it."""

    lib, sample = "lib", "share/doc/gfpq/sample"
    documents = {"share/doc/gfpq/LICENSE", "share/doc/gfpq/Release_note.txt"}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        first = pathlib.Path(folder.name) / "first"
        cls.root = pathlib.Path(folder.name) / "moved here" / "prefix"
        first.mkdir()
        mask = os.umask(0o077)  # of a careful builder
        prefix = cls.put(first)
        os.umask(mask)
        cls.root.parent.mkdir()
        shutil.move(prefix, cls.root)
        cls.first = first

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def check_sample(self, program, bits=8, **environment):
        count = 25600  # the guide's number takes seconds; SampleTest runs it
        self.assertRegex(run(program, bits, count, **environment), sample_output(bits, version=VERSION, count=count))

    def check_gpu_sample(self, program, **environment):
        if has_nvidia_gpu():
            function = "HI_GFPQ_QuantAndDeQuant_GPU"
            self.assertRegex(run(program, **environment), sample_output(function=function, version=VERSION))
        else:
            self.assertRegex(run(program, status=1, **environment), rf"\n\[ERR\].*{NO_GPU}.*\n$")

    def cmake(self, text, *arguments):
        """Configures and builds a project with this CMakeLists.txt; returns its build folder."""
        (self.folder / "CMakeLists.txt").write_text(f"cmake_minimum_required(VERSION 3.18)\n{text}")
        return self.cmake_folder(self.folder, *arguments)

    def cmake_folder(self, source, *arguments):
        build = self.folder / "build"
        run("cmake", "-S", source, "-B", build, *arguments)
        run("cmake", "--build", build)
        return build

    def pkg_config(self, *arguments):
        return shlex.split(run("pkg-config", *arguments, PKG_CONFIG_PATH=self.root / self.lib / "pkgconfig"))

    def test_it_has_the_files_of_a_package_and_no_others(self):
        found = {str(path.relative_to(self.root)) for path in self.root.rglob("*")
                 if path.is_symlink() or not path.is_dir()}
        wanted = {"include/gfpq.hpp", "include/gfpq_jobs.hpp", *self.documents}
        wanted |= {f"{self.sample}/{path.name}" for path in (PROJECT / "samples").iterdir() if path.is_file()}
        wanted |= {f"{self.lib}/cmake/gfpq/gfpq-config{suffix}.cmake" for suffix in ("", "-version")}
        for name in LIBRARIES:
            wanted |= {f"{self.lib}/lib{name}{suffix}" for suffix in (".a", ".so", ".so.1", f".so.{VERSION}")}
            wanted |= {f"{self.lib}/cmake/gfpq/{name}_{kind}{suffix}.cmake"
                       for kind in ("shared", "static") for suffix in ("", f"-{BUILD_TYPE}")}
            wanted.add(f"{self.lib}/pkgconfig/{name}.pc")
        self.assertEqual(found, wanted)

    def test_every_user_may_read_it(self):
        for path in (self.root, *self.root.rglob("*")):
            if path == self.root and not isinstance(self, DebianTest):  # made by whoever installs or unpacks
                continue
            wanted = 0o755 if path.is_dir() or path.suffix in (".sh", ".py") else 0o644
            self.assertEqual(path.stat().st_mode & wanted, wanted, path)

    def test_links_lead_to_the_library_of_this_version(self):
        for name in LIBRARIES:
            link = self.root / self.lib / f"lib{name}.so"
            self.assertEqual(str(link.readlink()), f"lib{name}.so.1")
            self.assertEqual(str(link.with_suffix(".so.1").readlink()), f"lib{name}.so.{VERSION}")

    def test_no_path_of_the_build_is_left(self):
        for path in self.root.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                for place in (PROJECT, BUILD, self.first):
                    self.assertNotIn(str(place).encode(), content, path)

    def test_libraries_have_their_protections(self):
        run(PROJECT / "scripts/check_elf.py", *(self.root / self.lib / f"lib{name}.so.{VERSION}" for name in LIBRARIES))

    def test_release_note_is_this_versions(self):
        note, = self.root.rglob("Release_note.txt")
        self.assertRegex(note.read_text(), rf"^[^\n]+\n\n{VERSION}\n-----\n")

    def test_cmake_builds_the_sample(self):
        build = self.cmake_folder(self.root / self.sample, f"-DCMAKE_PREFIX_PATH={self.root}")
        self.check_sample(build / "sample")
        self.assertEqual(HAS_GPU, (build / "sample_gpu").exists())
        if HAS_GPU:
            self.check_gpu_sample(build / "sample_gpu")

    def test_cmake_links_the_static_library(self):
        text = f"""
            project(program LANGUAGES CXX)
            find_package(gfpq REQUIRED COMPONENTS static)
            add_executable(program "{SAMPLE}")
            target_link_libraries(program gfpq::gfpq_static)
        """
        if HAS_GPU:
            text += f"""
                find_package(gfpq REQUIRED COMPONENTS gpu gpu_static)
                find_package(CUDAToolkit REQUIRED)
                add_executable(program_gpu "{SAMPLE}")
                target_compile_definitions(program_gpu PRIVATE SAMPLE_GPU)
                target_link_libraries(program_gpu gfpq::gfpq_gpu_static CUDA::cudart_static)
            """
        build = self.cmake(text, f"-DCMAKE_PREFIX_PATH={self.root}")
        self.assertNotIn("libgfpq", run("ldd", build / "program"))
        self.check_sample(build / "program")
        if HAS_GPU:
            self.check_gpu_sample(build / "program_gpu")

    def test_cmake_refuses_what_the_package_is_not(self):
        major = int(VERSION.split(".", maxsplit=1)[0])
        self.cmake(f"""
            project(program LANGUAGES CXX)
            macro(expect wanted)
              find_package(gfpq ${{ARGN}} QUIET)
              if(NOT "${{gfpq_FOUND}}" STREQUAL "${{wanted}}")
                message(FATAL_ERROR "find_package(gfpq ${{ARGN}}): gfpq_FOUND is ${{gfpq_FOUND}}")
              endif()
            endmacro()
            expect(1)
            expect(1 {major})
            expect(1 {VERSION} EXACT)
            expect(0 {major}.999)
            expect(0 {major + 1})
            expect(0 COMPONENTS abacus)
            expect({int(HAS_GPU)} COMPONENTS gpu)
        """, f"-DCMAKE_PREFIX_PATH={self.root}")

    def test_pkg_config_builds_the_sample(self):
        self.assertEqual(self.pkg_config("--modversion", "gfpq"), [VERSION])
        program = compile_cxx(self.folder / "program", SAMPLE, *self.pkg_config("--cflags", "--libs", "gfpq"))
        self.check_sample(program, LD_LIBRARY_PATH=self.root / self.lib)

    def test_pkg_config_links_the_static_library(self):
        flags = self.pkg_config("--static", "--cflags", "--libs", "gfpq")
        program = compile_cxx(self.folder / "program", "-static", SAMPLE, *flags)
        self.assertIn("not a dynamic executable", run("ldd", program, status=1))
        self.check_sample(program)

    @unittest.skipUnless(HAS_GPU, "the GPU library was not built")
    def test_pkg_config_links_the_gpu_library(self):
        cuda, = self.pkg_config("--variable=cuda_libdir", "gfpq_gpu")
        shared = [*self.pkg_config("--cflags", "--libs", "gfpq_gpu"), f"-L{cuda}", "-lcudart_static"]
        static = [word.replace("-lgfpq_gpu", "-l:libgfpq_gpu.a")
                  for word in self.pkg_config("--static", "--cflags", "--libs", "gfpq_gpu")]
        for flags in (shared, static):
            program = compile_cxx(self.folder / "program", SAMPLE, "-DSAMPLE_GPU", f"-I{cuda}/../include", *flags)
            self.check_gpu_sample(program, LD_LIBRARY_PATH=self.root / self.lib if flags is shared else "")

    def test_a_plain_command_builds_the_sample(self):
        program = compile_cxx(self.folder / "program", SAMPLE, f"-I{self.root}/include",
                              f"-L{self.root / self.lib}", "-lgfpq")
        self.check_sample(program, 16, LD_LIBRARY_PATH=self.root / self.lib)

    def test_a_plain_command_links_the_static_library(self):
        flags = self.pkg_config("--static", "--libs-only-other", "gfpq")
        program = compile_cxx(self.folder / "program", SAMPLE, f"-I{self.root}/include",
                              self.root / self.lib / "libgfpq.a", *flags)
        self.check_sample(program, 16)

    def test_the_python_sample_finds_the_library(self):
        output = run(sys.executable, self.root / self.sample / "sample_on_python.py",
                     LD_LIBRARY_PATH=self.root / self.lib, PYTHONDONTWRITEBYTECODE=1)
        self.assertIn("\nHI_GFPQ_QuantAndDeQuant success\nGFPQ PARAM: 0x60 0x62 ", output)


def cpack(generator, folder):
    run("cpack", "--config", BUILD / "CPackConfig.cmake", "-G", generator, "-B", folder)


class InstalledTest(Package, unittest.TestCase):
    @classmethod
    def put(cls, folder):
        cls.lib = CACHE["CMAKE_INSTALL_LIBDIR:PATH"]
        run("cmake", "--install", BUILD, "--prefix", folder)
        return folder


class ArchiveTest(Package, unittest.TestCase):
    """The guide's layout."""

    sample = "sample"
    documents = {"LICENSE", "Release_note.txt"}

    @classmethod
    def put(cls, folder):
        cpack("TGZ", folder)
        archive, = folder.glob("*.tgz")
        run("tar", "-C", folder, "-xf", archive)
        return folder / "GFPQLibs"

    def test_run_linux_builds_and_runs_the_sample(self):
        sample = self.root / self.sample
        self.addCleanup(shutil.rmtree, sample / "build-linux")
        if HAS_GPU and not has_nvidia_gpu():
            output = run("./run_linux.sh", "16", cwd=sample, status=1)
            self.assertIn(NO_GPU, output)
        else:
            output = run("./run_linux.sh", "16", cwd=sample)
        self.assertRegex(output, sample_output(16, version=VERSION))


@unittest.skipUnless(shutil.which("dpkg-deb"), "dpkg-deb is not here")
class DebianTest(Package, unittest.TestCase):
    packages = {"libgfpq1", "libgfpq-dev", *(["libgfpq-gpu1", "libgfpq-gpu-dev"] if HAS_GPU else [])}
    sample = "share/doc/libgfpq-dev/examples"
    documents = {"share/doc/libgfpq-dev/Release_note.txt",
                 *(f"share/doc/{package}/{name}" for package in packages for name in ("copyright", "changelog.gz"))}

    @classmethod
    def put(cls, folder):
        cls.lib = f"lib/{run('g++', '-print-multiarch').strip()}"
        cpack("DEB", folder)
        cls.files = {path.name.split("_")[0]: path for path in folder.glob("*.deb")}
        root = folder / "root"
        (root / "var/lib/dpkg").mkdir(parents=True)
        for name in ("status", "available"):
            (root / "var/lib/dpkg" / name).touch()
        # As dpkg does it: two packages with the same file would be an error.
        run("dpkg", "--force-not-root", "--force-bad-path", f"--root={root}", "--unpack", *cls.files.values())
        return root / "usr"

    def field(self, package, name):
        return run("dpkg-deb", "--field", self.files[package], name).strip()

    def test_control_fields_say_what_a_package_is(self):
        self.assertEqual(set(self.files), self.packages)
        for package in self.packages:
            self.assertEqual(self.field(package, "Version"), VERSION)
            self.assertEqual(self.field(package, "Architecture"), run("dpkg", "--print-architecture").strip())
        for package in self.packages - {"libgfpq-dev", "libgfpq-gpu-dev"}:
            depends = {entry.split()[0] for entry in self.field(package, "Depends").split(",")}
            self.assertLessEqual({"libc6", "libgcc-s1", "libstdc++6"}, depends)
            self.assertLessEqual(depends, {"libc6", "libgcc-s1", "libstdc++6"})
        self.assertEqual(self.field("libgfpq-dev", "Depends"), f"libgfpq1 (= {VERSION})")
        shlibs = run("dpkg-deb", "--info", self.files["libgfpq1"], "shlibs")
        self.assertEqual(shlibs.strip(), f"libgfpq 1 libgfpq1 (>= {VERSION})")


if __name__ == "__main__":
    unittest.main()
