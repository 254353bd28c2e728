#!/usr/bin/python3
"""In another project the library builds itself alone: nothing of the parent's is set, installed, packed or demanded."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from support import PROJECT, SAMPLE, run, sample_output

# The parent has a target with the name that a sample might take, and none of the packages that our tests need.
PARENT = f"""
cmake_minimum_required(VERSION 3.16)
project(parent VERSION 7.8.9 LANGUAGES CXX)
foreach(package GTest CLI11 nlohmann_json benchmark Python3 OpenMP)
  set(CMAKE_DISABLE_FIND_PACKAGE_${{package}} ON)
endforeach()
set(variables CMAKE_BUILD_TYPE CMAKE_CXX_STANDARD CMAKE_LIBRARY_OUTPUT_DIRECTORY CMAKE_POSITION_INDEPENDENT_CODE
              CMAKE_CUDA_ARCHITECTURES Python3_EXECUTABLE CPACK_GENERATOR CPACK_PACKAGE_NAME CPACK_PACKAGE_VERSION)
foreach(variable ${{variables}})
  set(before_${{variable}} "${{${{variable}}}}")
endforeach()
%s
foreach(variable ${{variables}})
  if(NOT "${{${{variable}}}}" STREQUAL "${{before_${{variable}}}}")
    message(SEND_ERROR "the parent's ${{variable}} became '${{${{variable}}}}'")
  endif()
endforeach()
function(list_targets folder)
  get_property(targets DIRECTORY ${{folder}} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${{targets}})
    if(NOT target MATCHES "^gfpq_")
      message(SEND_ERROR "a target without our prefix: ${{target}}")
    endif()
    message(STATUS "target ${{target}}")
  endforeach()
  get_property(folders DIRECTORY ${{folder}} PROPERTY SUBDIRECTORIES)
  foreach(child ${{folders}})
    list_targets(${{child}})
  endforeach()
endfunction()
list_targets("{PROJECT}")
add_executable(sample "{SAMPLE}")
target_link_libraries(sample PRIVATE gfpq::gfpq)
add_executable(static_sample "{SAMPLE}")
target_link_libraries(static_sample PRIVATE gfpq::gfpq_static)
install(TARGETS sample DESTINATION bin)
include(CPack)
"""
ADDED = f'add_subdirectory("{PROJECT}" gfpq)'
FETCHED = f'include(FetchContent)\nFetchContent_Declare(gfpq SOURCE_DIR "{PROJECT}")\nFetchContent_MakeAvailable(gfpq)'


class SubprojectTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def configure(self, how):
        (self.folder / "CMakeLists.txt").write_text(PARENT % how)
        build = self.folder / "build"
        said = run("cmake", "-S", self.folder, "-B", build, "-G", "Ninja", "-DCMAKE_CXX_FLAGS_RELEASE=-O1")  # sooner
        self.assertLessEqual(said.count("-- target gfpq_"), 8, said)
        cache = (build / "CMakeCache.txt").read_text()
        for variable in ("CMAKE_BUILD_TYPE:STRING=Release", "Python3_EXECUTABLE", "CMAKE_CUDA_ARCHITECTURES"):
            self.assertNotIn(variable, cache)
        return build

    def test_add_subdirectory(self):
        build = self.configure(ADDED)
        run("cmake", "--build", build)
        for program in ("sample", "static_sample"):
            self.assertRegex(run(build / program), sample_output())
        self.assertNotIn("libgfpq", run("ldd", build / "static_sample"))
        run("cmake", "--install", build, "--prefix", self.folder / "installed")
        installed = [path.name for path in (self.folder / "installed").rglob("*") if not path.is_dir()]
        self.assertEqual(installed, ["sample"])
        self.assertIn("7.8.9", (build / "CPackConfig.cmake").read_text())
        self.assertNotIn("gfpq", run("ctest", "-N", "--test-dir", build))

    def test_fetch_content(self):
        self.configure(FETCHED)

NO_HIGHWAY = ("-DCMAKE_FIND_ROOT_PATH=/nonexistent", "-DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY")


class HighwayTest(unittest.TestCase):
    """Without Highway, or with one that is too old, a library without SIMD is built only where that is asked for."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def configure(self, *options):
        done = subprocess.run(["cmake", "-S", PROJECT, "-B", self.folder / "build", "-G", "Ninja", "-DGFPQ_BUILD_TESTS=OFF",
                               "-DGFPQ_BUILD_BENCHMARKS=OFF", "-DGFPQ_BUILD_GPU=OFF", *options], env=os.environ, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, " ".join(done.stdout.split())

    def test_not_found(self):
        status, said = self.configure(*NO_HIGHWAY)
        self.assertNotEqual(status, 0, said)
        self.assertIn("hwy/highway.h was not found", said)
        self.assertIn("-DGFPQ_SCALAR=ON", said)

    def test_downloaded_on_demand(self):
        status, said = self.configure("-DGFPQ_FETCH_HIGHWAY=ON", *NO_HIGHWAY, "-DGFPQ_HIGHWAY_URL=file:///nonexistent.tar.gz")
        self.assertNotEqual(status, 0, said)
        self.assertIn("Highway cannot be downloaded from file:///nonexistent.tar.gz", said)
        other = self.folder / "other.tar.gz"
        other.write_text("another archive")
        status, said = self.configure("-DGFPQ_FETCH_HIGHWAY=ON", *NO_HIGHWAY, f"-DGFPQ_HIGHWAY_URL=file://{other}")
        self.assertNotEqual(status, 0, said)
        self.assertIn("is not Highway 1.0.3: its SHA-256 is", said)

    def test_too_old(self):
        (self.folder / "hwy").mkdir()
        (self.folder / "hwy/highway.h").write_text("#define HWY_MAJOR 0\n#define HWY_MINOR 15\n")
        status, said = self.configure(f"-DGFPQ_HIGHWAY_INCLUDE_DIR={self.folder}")
        self.assertNotEqual(status, 0, said)
        self.assertIn(f"Highway 0.15 in {self.folder} is too old: 0.17 or later is needed", said)
        self.assertIn("-DGFPQ_SCALAR=ON", said)

    def test_scalar_on_demand(self):
        status, said = self.configure("-DGFPQ_SCALAR=ON", *NO_HIGHWAY)
        self.assertEqual(status, 0, said)
        self.assertIn("without SIMD", said)


if __name__ == "__main__":
    unittest.main()
