"""A network with trained weights: MTCNN of the package facenet-pytorch finds faces in scikit-image's pictures.

    pip install --no-deps facenet-pytorch && pip install scikit-image requests tqdm
    python mtcnn.py [--output mtcnn.png]

Its three networks are quantized together: one picture is recorded, others calibrate, and float, 8 bit and 16 bit detect
in pictures that were used for neither. Prints how the detections differ from those in float, and, to compare, how those
in float with noise of one grey level in the pictures do. Draws all side by side.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from torch import nn

import gfpq.torch as gq

Picture = NDArray[np.uint8]


@dataclass
class Faces:
    """What was detected in a picture: boxes [n, 4] (left, top, right, bottom), probabilities [n], points [n, 5, 2]."""

    boxes: NDArray[Any]
    probabilities: NDArray[Any]
    points: NDArray[Any]


@dataclass
class Difference:
    """How detections differ from those in float: faces lost and added, and, over those found by both, the smallest
    overlap (intersection over union) and the largest distance of a point, in pixels and as a part of the face's width.
    """

    lost: int
    added: int
    overlap: float
    distance: float
    relative: float


def faces_of_lfw(first: int, rows: int, columns: int, scale: int = 3) -> Picture:
    """Faces of "Labeled faces in the wild", 25 x 25 pixels each, enlarged and side by side in one picture."""
    faces = data.lfw_subset()[first : first + rows * columns]
    large = np.kron(faces, np.ones((scale, scale))).reshape(rows, columns, *[25 * scale] * 2)
    picture = large.transpose(0, 2, 1, 3).reshape(rows * 25 * scale, columns * 25 * scale)
    return np.repeat((picture * 255).astype(np.uint8)[..., None], 3, axis=2)


def pictures() -> dict[str, Picture]:
    """Those that are shown."""
    camera = np.repeat(data.camera()[..., None], 3, axis=2)
    return {"astronaut": data.astronaut(), "faces in the wild": faces_of_lfw(0, 4, 5), "cameraman": camera}


def calibration() -> list[Picture]:
    """Other faces, and pictures without any."""
    return [faces_of_lfw(first, 4, 5) for first in (20, 40, 60, 80)] + [data.coffee(), data.chelsea(), data.rocket()]


def detect(model: Any, picture: Picture) -> Faces:
    boxes, probabilities, points = model.detect(Image.fromarray(picture), landmarks=True)
    if boxes is None:
        return Faces(np.empty((0, 4)), np.empty(0), np.empty((0, 5, 2)))
    return Faces(np.asarray(boxes, "f8"), np.asarray(probabilities, "f8"), np.asarray(points, "f8"))


def quantized(model: nn.Module, bits: int) -> nn.Module:
    """The network as it is deployed: calibrated, with quantized weights and data."""
    prepared = copy.deepcopy(model)
    gq.prepare(prepared, bits, example_inputs=Image.fromarray(faces_of_lfw(20, 2, 3)))
    gq.calibrate(prepared, calibration(), input_of=Image.fromarray)
    return gq.export(prepared).twin


def overlaps(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Intersection over union of each box of `a` with each of `b`: [len(a), len(b)]."""
    a, b = a[:, None], b[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.clip(sides, 0, None).prod(-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(-1) for boxes in (a, b)]
    return shared / (areas[0] + areas[1] - shared)


def compare(floating: Faces, other: Faces) -> Difference:
    """A face is found by both where the boxes overlap by more than a half."""
    table = overlaps(floating.boxes, other.boxes)
    pairs = [(i, int(row.argmax())) for i, row in enumerate(table) if row.size and row.max() > 0.5]
    distances = [np.linalg.norm(floating.points[i] - other.points[j], axis=1).max() for i, j in pairs]
    widths = [floating.boxes[i, 2] - floating.boxes[i, 0] for i, _ in pairs]
    return Difference(
        lost=len(floating.boxes) - len(pairs),
        added=len(other.boxes) - len({j for _, j in pairs}),
        overlap=float(min((table[pair] for pair in pairs), default=1.0)),
        distance=float(max(distances, default=0.0)),
        relative=float(max((distance / width for distance, width in zip(distances, widths)), default=0.0)),
    )


def draw(found: dict[str, dict[str, Faces]], file: Path) -> None:
    """A row a picture, a column a network."""
    found = {network: faces for network, faces in found.items() if network != "noise"}
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    shown = pictures()
    figure = Figure(figsize=(4 * len(found), 3.7 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(shown), len(found), squeeze=False)
    for row, (name, picture) in zip(grid, shown.items()):
        for axes, (network, faces) in zip(row, found.items()):
            axes.imshow(picture)
            for left, top, right, bottom in faces[name].boxes:
                axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, color="lime"))
            axes.plot(*faces[name].points.reshape(-1, 2).T, ".", color="red", markersize=3)
            axes.set_title(f"{name}, {network}: {len(faces[name].boxes)}")
            axes.set(xlim=(0, picture.shape[1]), ylim=(picture.shape[0], 0))
            axes.set_axis_off()
    figure.savefig(file)


def run() -> tuple[dict[str, dict[str, Faces]], dict[tuple[str, str], Difference]]:
    """Detects with each network. Returns what was found by network and picture, and how 8 and 16 bit differ."""
    model = MTCNN(keep_all=True, device="cpu").eval()
    networks = {"float": model, "8 bit": quantized(model, 8), "16 bit": quantized(model, 16)}
    found = {
        network: {name: detect(module, picture) for name, picture in pictures().items()}
        for network, module in networks.items()
    }
    found["noise"] = {name: detect(model, noisy(picture)) for name, picture in pictures().items()}
    differences = {
        (network, name): compare(found["float"][name], found[network][name])
        for network in found if network != "float" for name in pictures()
    }  # fmt: skip
    return found, differences


def noisy(picture: Picture) -> Picture:
    """With noise of one grey level."""
    noise = np.random.default_rng(0).normal(size=picture.shape)
    return np.clip((picture + noise).round(), 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("mtcnn.png"), help="the picture to write")
    options = parser.parse_args()
    start = time.monotonic()
    found, differences = run()
    print(f"{'':7}{'picture':18}{'faces':>6}{'lost':>6}{'added':>6}{'overlap':>9}{'points off by':>15}")
    for network, faces in found.items():
        for name, detected in faces.items():
            line = f"{network:7}{name:18}{len(detected.boxes):6}"
            if (network, name) in differences:
                difference = differences[network, name]
                line += f"{difference.lost:6}{difference.added:6}{difference.overlap:9.3f}"
                line += f"{difference.distance:8.2f} px{difference.relative:6.1%}"
            print(line)
    draw(found, options.output)
    print(f"{options.output} ({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    sys.exit(main())
