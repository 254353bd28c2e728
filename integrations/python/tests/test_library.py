"""Finding a library, its errors and messages, device memory by way of a stand-in for the GPU library."""

import ctypes
import os
import shutil
import sys
import tempfile
import threading
import types
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from support import FOLDER, PROJECT, run_python

import gfpq
from gfpq import errors, library

FAKE_GPU = os.environ.get("GFPQ_FAKE_GPU", "")


class ErrorsTest(unittest.TestCase):
    def test_each_code_has_its_exception(self):
        header = (PROJECT / "include" / "gfpq.hpp").read_text()
        for name, kind in (
            ("GENERIC", gfpq.GenericError),
            ("BAD_FORMAT", gfpq.BadFormatError),
            ("BAD_PARAMETERS", gfpq.BadParametersError),
            ("OUT_OF_MEMORY", gfpq.OutOfMemoryError),
            ("SHORT_BUFFER", gfpq.ShortBufferError),
            ("NOT_SUPPORT", gfpq.NotSupportedError),
        ):
            code = int(header.split(f"#define GFPQ_ERR_{name} ((int)")[1].split(")")[0], 16)
            error = errors.error_of(code - (1 << 32), "text")
            self.assertIs(type(error), kind)
            self.assertEqual((str(error), error.status), ("text", code - (1 << 32)))
            self.assertIsInstance(error, gfpq.GfpqError)
        self.assertIs(type(errors.error_of(-5)), gfpq.GenericError)
        self.assertIn("0xFFFFFFFB", str(errors.error_of(-5)))

    def test_the_text_is_the_librarys_message(self):
        with self.assertRaisesRegex(gfpq.BadParametersError, r"^\[ERR\]\[.*\]\[\d+\] Empty pointer$") as caught:
            library.cpu().quantize(0, 3, False, 8, None)
        self.assertEqual(caught.exception.status & 0xFFFFFFFF, 0xFFFF0006)

    def test_each_thread_gets_its_own_message(self):
        wrong = []

        def fail(bits):
            for _ in range(2000):
                try:
                    gfpq.quantize_(data, bits)
                except gfpq.BadFormatError as error:
                    if f"[{bits}]" not in str(error):
                        wrong.append(str(error))

        data = np.ones(2, "f4")
        threads = [threading.Thread(target=fail, args=(bits,)) for bits in (100, 200, 300)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        self.assertEqual(wrong, [])

    def test_nothing_is_printed_for_an_exception(self):
        script = "import gfpq, numpy\ntry: gfpq.quantize_(numpy.ones(2), 9)\nexcept gfpq.BadFormatError: pass"
        result = run_python("-c", script)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_messages_of_others_are_logged(self):
        script = (
            "import ctypes, gfpq; path = gfpq.info().path\n"
            "ctypes.CDLL(path).HI_GFPQ_QuantAndDeQuant_PY(None, 3, 8, None)"
        )
        result = run_python("-c", script)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("Empty pointer", result.stderr)

    def test_a_library_with_less(self):
        """The vendor's lacks GFPQ_SetMessageSink; this one all but one function."""
        function = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4)(lambda *_: 0xFFFF0006 - (1 << 32))
        handle = types.SimpleNamespace(HI_GFPQ_QuantAndDeQuant_PY=function)
        with mock.patch.object(library.ctypes, "CDLL", return_value=handle):
            bare = library.Library("bare.so")
        with self.assertRaisesRegex(gfpq.BadParametersError, "the library returned 0xFFFF0006"):
            bare.quantize(1, 1, False, 8, None)
        for missing in (lambda: bare.quantize(1, 1, True, 8, None), bare.info,
                        lambda: bare.quantize_gpu(1, 1, False, 8, None, 0)):  # fmt: skip
            with self.assertRaisesRegex(gfpq.NotSupportedError, "bare.so has no function"):
                missing()

    def test_no_gpu_in_the_cpu_library(self):
        data = np.ones(3, "f4")
        with self.assertRaises(gfpq.NotSupportedError):
            library.Library(gfpq.info().path).quantize_gpu(data.ctypes.data, 3, False, 8, None, 0)


class FindingTest(unittest.TestCase):
    def test_info(self):
        info = gfpq.info()
        version = (PROJECT / "CMakeLists.txt").read_text().split("project(gfpq VERSION ")[1].split()[0]
        self.assertEqual(info.version, version)
        self.assertEqual(info.so_version, int(version.split(".")[0]))
        self.assertTrue(Path(info.path).exists())

    def test_the_environment_chooses(self):
        with tempfile.TemporaryDirectory() as folder:
            chosen = shutil.copy(gfpq.info().path, Path(folder) / "chosen.so")
            result = run_python("-m", "gfpq", "info", GFPQ_LIBRARY=str(chosen))
            self.assertIn(str(chosen), result.stdout)

    def test_a_wrong_choice_is_an_error(self):
        for choice, reason in (("/nowhere/libgfpq.so", "/nowhere/libgfpq.so"), ("libm.so.6", "HI_GFPQ")):
            result = run_python("-m", "gfpq", "info", GFPQ_LIBRARY=choice)
            self.assertEqual(result.returncode, 2)
            self.assertIn(reason, result.stderr)
            self.assertNotIn("Traceback", result.stderr)

    def test_the_library_beside_the_package_comes_before_the_build(self):
        with tempfile.TemporaryDirectory() as folder:
            package = shutil.copytree(FOLDER / "gfpq", Path(folder) / "gfpq", ignore=shutil.ignore_patterns("lib"))
            (package / "lib").mkdir()
            shutil.copy(gfpq.info().path, package / "lib" / "libgfpq.so.1")
            result = run_python("-m", "gfpq", "info", GFPQ_LIBRARY="", PYTHONPATH=folder)
            self.assertIn(str(package / "lib" / "libgfpq.so.1"), result.stdout, result.stderr)
            # It does not stand in for a wrong choice.
            result = run_python("-m", "gfpq", "info", GFPQ_LIBRARY="/nowhere/libgfpq.so", PYTHONPATH=folder)
            self.assertEqual(result.returncode, 2)


class CudaArray:
    """What CuPy and others show of an array; here it lies in host memory."""

    def __init__(self, array: np.ndarray, **changes: object) -> None:
        self.array = array
        self.__cuda_array_interface__ = {
            "shape": array.shape, "typestr": array.dtype.str, "data": (array.ctypes.data, False), "version": 3,
            "strides": array.strides, **changes,
        }  # fmt: skip


class StandInTest(unittest.TestCase):
    """The GPU library's stand-in works on host memory: this checks addresses, counts, types and streams."""

    def setUp(self):
        if not FAKE_GPU:
            self.skipTest("GFPQ_FAKE_GPU names no stand-in for the GPU library (ctest sets it)")
        self.before = library._loaded.pop("gfpq_gpu", None)
        library._loaded["gfpq_gpu"] = library.Library(FAKE_GPU)
        self.last_stream = ctypes.CDLL(FAKE_GPU).fake_gpu_last_stream
        self.last_stream.restype = ctypes.c_void_p

    def tearDown(self):
        del library._loaded["gfpq_gpu"]
        if self.before is not None:
            library._loaded["gfpq_gpu"] = self.before

    def test_cuda_array_interface(self):
        for dtype in ("f4", "f8"):
            data = np.arange(10, dtype=dtype)
            expected, param = gfpq.quantize(data), gfpq.Param()
            self.assertEqual(gfpq.quantize_(CudaArray(data), param=param).array.tolist(), expected.tolist())
            self.assertEqual(param.delta, -77)

    def test_streams(self):
        data = np.arange(10, dtype="f4")
        for array, asked, used in (
            (CudaArray(data), None, None),
            (CudaArray(data, stream=1), None, 1),
            (CudaArray(data, stream=4711), None, 4711),
            (CudaArray(data, stream=4711), 4712, 4712),
        ):
            gfpq.quantize_(array, stream=asked)
            self.assertEqual(self.last_stream(), used)

    def test_refused(self):
        data = np.arange(10, dtype="f4")
        for array, error, reason in (
            (CudaArray(data, data=(data.ctypes.data, True)), ValueError, "read-only"),
            (CudaArray(data, strides=(8,)), ValueError, "contiguous"),
            (CudaArray(data, typestr="<f2"), TypeError, "float32"),
            (CudaArray(data, mask=1), ValueError, "mask"),
        ):
            with self.assertRaisesRegex(error, reason):
                gfpq.quantize_(array)
        np.testing.assert_array_equal(data, np.arange(10))


class Exporter:
    """An array of a kind that this package does not know, as DLPack shows it."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def __dlpack__(self, **arguments: object) -> object:
        return self.array.__dlpack__(**arguments)


class DlpackTest(unittest.TestCase):
    def test_in_place(self):
        for dtype in ("f4", "f8"):
            data = np.arange(20, dtype=dtype)[5:15].reshape(2, 5).T
            expected, exporter = gfpq.quantize(data), Exporter(data)
            self.assertIs(gfpq.quantize_(exporter), exporter)
            np.testing.assert_array_equal(data, expected)

    def test_refused(self):
        for data, error, reason in (
            (np.ones(3, "f2"), TypeError, "float16"),
            (np.ones(3, "i8"), TypeError, "64"),
            (np.ones(6, "f4")[::2], ValueError, "contiguous"),
        ):
            with self.assertRaisesRegex(error, reason):
                gfpq.quantize_(Exporter(data))

    def test_read_only_arrays_stay_as_they_are(self):
        data = np.arange(10, dtype="f4")
        data.flags.writeable = False
        with self.assertRaisesRegex((ValueError, TypeError, BufferError), "read-?only|writeable"):
            gfpq.quantize_(Exporter(data))
        np.testing.assert_array_equal(data, np.arange(10))

    def test_the_array_outlives_its_capsule(self):
        data = np.arange(1000, dtype="f4")
        param = gfpq.Param()
        for _ in range(100):
            gfpq.quantize_(Exporter(data), param=param)
        np.testing.assert_array_equal(data, gfpq.quantize(np.arange(1000, dtype="f4")))


if __name__ == "__main__":
    unittest.main()
