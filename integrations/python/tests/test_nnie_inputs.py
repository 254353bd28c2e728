"""What the mapper is told of the network's input, held against the ranges and the size that the network has."""

import tempfile
import unittest
import unittest.mock
import warnings
from pathlib import Path

import numpy as np
from support import needs_protobuf, needs_torch, protobuf, torch

from gfpq.errors import LibraryNotFoundError
from gfpq.files import FileError

if protobuf is not None and torch is not None:
    from test_nnie_export import exported
    from torch import nn

    from gfpq.nnie import Options, pictures, proto
    from gfpq.nnie.mapper import Normalization

MEAN, SCALE = (123.7, 116.3, 103.5), 1 / 57.4


@needs_protobuf
@needs_torch
class InputsTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)

    def notes(self, x, **options):
        """The notes and warnings of an export on the network's input."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            deployed = exported(nn.Sequential(nn.Conv2d(x.shape[1], 4, 3)).eval(), x, Options(**options)).deployed
        texts = [str(warning.message) for warning in caught]
        return [remark for remark in deployed.remarks if "clip" in remark and any(remark in text for text in texts)]

    @staticmethod
    def normalized():
        pixels = torch.randint(0, 256, (4, 3, 16, 16)).float()
        return (pixels - torch.tensor(MEAN).view(1, 3, 1, 1)) * SCALE

    def test_a_normalization_that_leaves_the_range_or_does_not_fill_it_is_warned_of(self):
        wrong = [{}, {"mean": (0.485, 0.456, 0.406), "scale": 1 / 0.225}, {"mean": MEAN, "scale": 57.4},
                 {"mean": -127.5, "scale": SCALE}, {"scale": SCALE}, {"mean": MEAN, "scale": SCALE / 57.4}]  # fmt: skip
        for options in wrong:
            with self.subTest(options):
                (note,) = self.notes(self.normalized(), order="RGB", **options)
                self.assertRegex(note, "0 to 255.*2\\.[56]")

    def test_the_one_that_the_network_was_calibrated_with_is_not(self):
        self.assertEqual(self.notes(self.normalized(), order="RGB", mean=MEAN, scale=SCALE), [])

    def test_a_model_that_normalizes_by_itself_is_not_to_be_normalized_again(self):
        class Normalizing(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(3, 4, 3)
                self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))

            def forward(self, x):
                return self.conv((x - self.mean) * SCALE)

        pixels = torch.randint(0, 256, (4, 3, 16, 16)).float()
        for options, count in (({}, 0), ({"mean": MEAN, "scale": SCALE}, 1)):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                exported(Normalizing().eval(), pixels, Options(order="RGB", **options))
            self.assertEqual(sum("before conv" in str(w.message) for w in caught), count)

    def test_means_and_scales_are_finite_and_the_scale_positive(self):
        for options in ({"mean": float("nan")}, {"mean": (0, float("inf"), 0)}, {"scale": 0}, {"scale": -1 / 57},
                        {"scale": float("nan")}, {"scale": float("inf")}):  # fmt: skip
            with self.subTest(options), self.assertRaisesRegex(ValueError, "mean|scale"):
                self.notes(self.normalized(), order="RGB", **options)

    def test_pictures_are_written_by_either_library(self):
        grey = np.random.default_rng(0).integers(0, 256, (5, 7), "u1")
        norm = Normalization()
        for missing in ("PIL", "cv2"):
            with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.dict("sys.modules", {missing: None}):
                try:
                    content = pictures.png_of(grey)
                except LibraryNotFoundError:
                    self.skipTest("takes both")
                file = Path(folder, "grey.png")
                file.write_bytes(content)
                np.testing.assert_array_equal(pictures.load(file, (1, 1, 5, 7), norm)[0], grey)
        with unittest.mock.patch.dict("sys.modules", {"PIL": None, "cv2": None}):
            self.assertRaisesRegex(LibraryNotFoundError, "python3-pil", pictures.png_of, grey)

    def test_a_mean_picture_has_the_networks_size(self):
        x = self.normalized()
        with tempfile.TemporaryDirectory() as folder:
            file, deployed = Path(folder, "mean.binaryproto"), Path(folder, "deployed")
            for content, words in (
                (None, "No such file"), (b"no proto", "no mean picture"), (b"", "0x0x0"),
                (proto.blob_of(np.ones((1, 3, 20, 20))).SerializeToString(), "of 3x20x20, .*takes 3x16x16: crop it"),
                (proto.blob_of(np.full((1, 3, 16, 16), np.nan)).SerializeToString(), "NaN"),
            ):  # fmt: skip
                if content is not None:
                    file.write_bytes(content)
                with self.subTest(words), self.assertRaisesRegex(FileError, words):
                    self.notes(x, order="RGB", mean=file)
            for old_shape in (False, True):
                blob = proto.blob_of(np.tile(np.float32(MEAN).reshape(1, 3, 1, 1), (1, 1, 16, 16)))
                if old_shape:  # as Caffe's compute_image_mean writes it
                    blob.ClearField("shape")
                    blob.num, blob.channels, blob.height, blob.width = 1, 3, 16, 16
                file.write_bytes(blob.SerializeToString())
                for scale, norm_type in ((None, 1), (SCALE, 4)):
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # what is subtracted only leaves the range
                        options = Options(str(file), scale, "RGB")
                        exported(nn.Sequential(nn.Conv2d(3, 4, 3)).eval(), x, options, deployed)
                    text = (deployed / "mapper.cfg").read_text()
                    for line in (f"[norm_type] {norm_type}", "[mean_file] ./mean.binaryproto"):
                        self.assertIn(f"\n{line}\n", text)
                    np.testing.assert_array_equal(proto.array_of(
                        proto.BlobProto.FromString((deployed / "mean.binaryproto").read_bytes())), proto.array_of(blob))
                self.assertEqual(self.notes(x, order="RGB", mean=file, scale=SCALE), [])

    def test_tensors_have_the_networks_shape_and_are_finite(self):
        x = torch.randn(2, 4, 16, 16)
        for wrong in (torch.randn(3, 3, 16, 16), torch.randn(3, 4, 8, 8), x * float("nan"), x / 0, x[0], x[:0]):
            with self.subTest(tuple(wrong.shape)), self.assertRaisesRegex(ValueError, "tensors"):
                self.notes(x, tensors=wrong)

    def test_tensors_outside_the_range_are_warned_of(self):
        x = torch.randn(2, 4, 16, 16)
        for factor in (1e4, 1e-4):
            self.assertEqual(len(self.notes(x, tensors=x * factor)), 1)
        self.assertEqual(self.notes(x, tensors=x), [])

    def test_pictures_have_the_networks_size(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "picture.npy")
            for shape, fits in (((7, 9), False), ((9, 7, 3), False), ((16, 16, 3), True)):
                np.save(file, np.zeros(shape, "u1"))
                options = {"order": "RGB", "mean": MEAN, "scale": SCALE, "pictures": [file]}
                if fits:
                    self.assertEqual(self.notes(self.normalized(), **options), [])
                else:
                    with self.assertRaisesRegex(FileError, "network takes 16x16x3"):
                        self.notes(self.normalized(), **options)


if __name__ == "__main__":
    unittest.main()
