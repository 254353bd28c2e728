"""apply.sh, on small trees with no more of Caffe in them than it looks at."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
ADDED = ("include/caffe/layers/quant_layer.hpp", "src/caffe/layers/quant_layer.cpp", "src/caffe/layers/quant_layer.cu",
         "src/caffe/test/test_quant_layer.cpp")

MAKEFILE = """\
LIB_BUILD_DIR := build/lib
DYNAMIC_NAME := $(LIB_BUILD_DIR)/libcaffe.so
STATIC_NAME := $(LIB_BUILD_DIR)/libcaffe.a
LIBRARIES += glog gflags protobuf boost_system boost_filesystem m
LDFLAGS += $(foreach librarydir,$(LIBRARY_DIRS),-L$(librarydir)) $(foreach library,$(LIBRARIES),-l$(library))

all: lib

lib: $(STATIC_NAME) $(DYNAMIC_NAME)

$(LIB_BUILD_DIR):
\tmkdir -p $@
$(DYNAMIC_NAME): | $(LIB_BUILD_DIR)
\techo "-I$(INCLUDE_DIRS) $(LDFLAGS)" >$@
$(STATIC_NAME): | $(LIB_BUILD_DIR)
\ttouch $@
"""
PROTO = """\
syntax = "proto2";
package caffe;

message BlobProto {
  repeated float data = 5;
}

message LayerParameter {
  optional string name = 1;
  optional PReLUParameter prelu_param = 131;
}

message PReLUParameter {
  optional bool channel_shared = 2 [default = false];
}
"""
DEPENDENCIES = """\
set(Caffe_LINKER_LIBS "")
include(cmake/Cuda.cmake)
"""


class ApplyTest(unittest.TestCase):
    def setUp(self):
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory())) / "caffe with a space"
        files = {
            "Makefile": MAKEFILE,
            "cmake/Dependencies.cmake": DEPENDENCIES,
            "src/caffe/proto/caffe.proto": PROTO,
            "include/caffe/layer.hpp": "",
            "include/caffe/layers/relu_layer.hpp": "",
            "src/caffe/layers/relu_layer.cpp": "",
            "src/caffe/test/test_neuron_layer.cpp": "",
        }
        for name, text in files.items():
            self.write(name, text)
        self.make_package(self.root / "GFPQLibs")
        self.original = self.tree()

    def write(self, name, text):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def make_package(self, folder, libraries="lib"):
        (folder / "include").mkdir(parents=True)
        (folder / "include" / "gfpq.hpp").touch()
        (folder / libraries).mkdir(parents=True)
        (folder / libraries / "libgfpq.so.1").touch()
        (folder / libraries / "libgfpq.so").symlink_to("libgfpq.so.1")

    def tree(self):
        return {str(file.relative_to(self.root)): (file.read_bytes(), file.stat().st_mtime_ns)
                for file in self.root.rglob("*") if file.is_file()}

    def apply(self, *arguments, root=None):
        command = [str(FOLDER / "apply.sh"), str(root or self.root), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def applied(self, *arguments):
        result = self.apply(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def refused(self, *arguments, root=None):
        """Its message. The tree must be what it was, to the time of each file."""
        before = self.tree()
        result = self.apply(*arguments, root=root)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertEqual(self.tree(), before)
        return result.stderr

    def read(self, name):
        return (self.root / name).read_text()

    def without_mark(self, name):
        text, mark, _ = self.read(name).rpartition("// gfpq: ")
        self.assertTrue(mark)
        return text

    def make(self, *arguments):
        subprocess.run(["make", "-s", "-C", self.root, *arguments], check=True, capture_output=True)
        return self.read("build/lib/libcaffe.so")

    def test_apply_and_undo(self):
        said = self.applied()
        for file in ADDED:
            self.assertEqual(self.without_mark(file), (FOLDER / file).read_text())
            self.assertIn(f"added     {file}", said)
        for file in ("Makefile", "cmake/Dependencies.cmake", "src/caffe/proto/caffe.proto"):
            self.assertIn(f"changed   {file}", said)
        self.assertIn("No libgfpq_gpu.so there", said)
        message = self.read("src/caffe/proto/caffe.proto").split("message LayerParameter {")[1].split("\n}")[0]
        self.assertIn("optional QuantParameter quant_param = 8016;", message)

        undone = self.applied("--undo")
        for file in ADDED:
            self.assertIn(f"removed   {file}", undone)
        self.assertEqual({name: content for name, (content, _) in self.tree().items()},
                         {name: content for name, (content, _) in self.original.items()})
        self.assertIn("nothing to do", self.applied("--undo"))

    def test_again_changes_nothing(self):
        self.applied()
        first = self.tree()
        self.assertIn("nothing to do", self.applied())
        self.assertEqual(self.tree(), first)

    @unittest.skipUnless(shutil.which("protoc"), "protoc is not installed (Debian: protobuf-compiler)")
    def test_the_proto_compiles(self):
        self.applied()
        prototxt = "prelu_param { } quant_param { quant_bits: 8 quant_en: 1 }"
        folder = self.root / "src/caffe/proto"
        encoded = subprocess.run(["protoc", "--encode=caffe.LayerParameter", "caffe.proto"], cwd=folder, check=True,
                                 input=prototxt.encode(), capture_output=True).stdout
        self.assertIn(bytes([0x82, 0xF5, 0x03, 4, 0x08, 8, 0x10, 1]), encoded)  # field 8016, two varints

    @unittest.skipUnless(shutil.which("make"), "make is not installed")
    def test_the_makefile_links(self):
        self.applied()
        line = self.make("CPU_ONLY=1")
        self.assertIn("GFPQLibs/include", line)
        self.assertIn("-LGFPQLibs/lib", line)
        self.assertIn("-lgfpq\n", line)
        self.assertTrue((self.root / "build/lib/libgfpq.so").is_symlink())
        self.assertTrue((self.root / "build/lib/libgfpq.so.1").exists())
        shutil.rmtree(self.root / "build")
        self.assertIn("-lgfpq_gpu\n", self.make())

    def test_cmake_links(self):
        self.applied()
        self.write("cmake/Cuda.cmake", "")
        self.write("CMakeLists.txt", """\
            cmake_minimum_required(VERSION 3.13)
            project(Caffe NONE)
            set(CMAKE_FIND_LIBRARY_PREFIXES lib)
            set(CMAKE_FIND_LIBRARY_SUFFIXES .so)
            include(cmake/Dependencies.cmake)
            get_directory_property(includes INCLUDE_DIRECTORIES)
            message(STATUS "${Caffe_LINKER_LIBS} ${includes}")
            """)
        for cuda, name in ((0, "gfpq"), (1, "gfpq_gpu")):
            (self.root / f"GFPQLibs/lib/lib{name}.so").touch()
            command = ["cmake", "-S", self.root, "-B", self.root / f"build_{name}", f"-DHAVE_CUDA={cuda}"]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(f"PUBLIC;{self.root}/GFPQLibs/lib/lib{name}.so {self.root}/GFPQLibs/include\n", result.stdout)

    def test_a_package_elsewhere(self):
        package = self.root.parent / "opt"
        self.make_package(package, "lib/x86_64-linux-gnu")
        shutil.rmtree(self.root / "GFPQLibs")
        self.assertIn("GFPQLibs/include/gfpq.hpp is missing", self.refused())
        self.applied("--gfpq", package)
        self.assertIn(f"GFPQ_LIB := {package}/lib/x86_64-linux-gnu\n", self.read("Makefile"))
        self.assertIn(f'HINTS "{package}/include"', self.read("cmake/Dependencies.cmake"))
        self.assertIn("neither libgfpq.so nor", self.refused("--gfpq", self.without_library()))

    def without_library(self):
        folder = self.root.parent / "no library"
        (folder / "include").mkdir(parents=True)
        (folder / "include" / "gfpq.hpp").touch()
        return folder

    def test_not_caffe(self):
        self.assertIn("is not a Caffe source tree: it has no Makefile", self.refused(root=self.root / "src"))
        self.assertEqual(self.apply("--nonsense").returncode, 2)

    def test_an_anchor_is_missing(self):
        for name, text, gone, said in (
            ("Makefile", MAKEFILE, "LIBRARIES += glog gflags protobuf", "Makefile: no line, or several, like"),
            ("Makefile", MAKEFILE, "lib: $(STATIC_NAME)", "Makefile: no line, or several, like"),
            ("src/caffe/proto/caffe.proto", PROTO, "message LayerParameter {", "caffe.proto: no line, or several,"),
            ("cmake/Dependencies.cmake", DEPENDENCIES, "Cuda.cmake)\n", "its last line has no end"),
        ):
            with self.subTest(gone):
                self.assertIn(gone, text)
                self.write(name, text.replace(gone, ""))
                self.assertIn(said, self.refused())
                self.write(name, text)

    def test_what_others_have_put_there(self):
        proto = "src/caffe/proto/caffe.proto"
        self.write(proto, PROTO.replace("= 131;", "= 8016;"))
        self.assertIn("prelu_param = 8016", self.refused())
        self.write(proto, PROTO + "message QuantParameter {\n}\n")
        self.assertIn("message QuantParameter", self.refused())
        self.write(proto, PROTO)
        self.write(ADDED[1], "// a layer of someone else's\n")
        self.assertIn("is not of this project", self.refused())
        self.assertIn("is not of this project", self.refused("--undo"))

    def test_an_older_version_is_replaced(self):
        self.applied()
        text = "// older\n"
        sum_ = subprocess.run(["cksum"], input=text, capture_output=True, text=True, check=True).stdout
        self.write(ADDED[1], f"{text}// gfpq: {sum_}")
        said = self.applied()
        self.assertIn(f"renewed   {ADDED[1]}", said)
        self.assertNotIn("kept", said)
        self.assertEqual(self.without_mark(ADDED[1]), (FOLDER / ADDED[1]).read_text())

    def test_half_of_a_mark(self):
        self.applied()
        self.write("Makefile", self.read("Makefile").replace("# <<< gfpq\n", "", 1))
        self.assertIn("without '<<< gfpq'", self.refused("--undo"))

    def test_changes_by_hand_are_kept(self):
        self.applied()
        mine = "// mine\n" + self.read(ADDED[1])
        self.write(ADDED[1], mine)
        self.assertIn(f"kept      {ADDED[1]}.bak", self.applied())
        self.assertEqual(self.read(ADDED[1] + ".bak"), mine)
        self.assertEqual(self.without_mark(ADDED[1]), (FOLDER / ADDED[1]).read_text())
        # And what was added elsewhere in the tree meanwhile.
        self.write("Makefile", self.read("Makefile") + "# mine\n")
        self.applied("--undo")
        self.assertEqual(self.read("Makefile"), MAKEFILE + "# mine\n")


if __name__ == "__main__":
    unittest.main()
