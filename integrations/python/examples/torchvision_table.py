"""What becomes of torchvision's networks: a row each, as a table in Markdown.

    python torchvision_table.py [--output table.md] [NAME ...]

Quantized inputs are those of layers, Concat, Eltwise, pooling and so on, that `gfpq.torch.prepare` puts a quantizer in
front of; the others stay in float. The difference is the largest between the float outputs before and after folding
BatchNorm, as a part of the largest output. The cosines are between the outputs of the float network and those of the
network as it is deployed (`Export.twin`), calibrated on these and other pictures, so that no range is too narrow. The
last column has the cosine with 8 bit calibrated on these pictures alone: where it is much better, the other pictures
need so much wider ranges that numbers of these lie below the 8 octaves that 8 bit hold, and become zero.

The networks have random weights, and BatchNorm has the statistics of the pictures, scikit-learn's two photographs: what
is measured is the way through the network, not a classifier. Some such networks magnify any small error from layer to
layer. The column "noise" says how much: it has the cosine in float with noise of 0.1 % in the pictures.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision
from sklearn.datasets import load_sample_images
from torch import Tensor, nn

import gfpq.torch as gq
from gfpq.widths import DEFAULT_BITS, WIDTHS

SIZE = 64  # of the pictures, in pixels
NOISE = 1e-3
SIZES = {"vit_b_16": 224, "inception_v3": 299, "r3d_18": 48}  # where a network takes no smaller ones, or takes too long
NAMES = (
    "alexnet", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "densenet121", "squeezenet1_1",
    "googlenet", "inception_v3", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet1_0",
    "shufflenet_v2_x1_0", "efficientnet_b0", "efficientnet_v2_s", "regnet_x_400mf", "regnet_y_400mf", "convnext_tiny",
    "vit_b_16", "swin_t", "fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "r3d_18",
)  # fmt: skip
OUTSIDE = {"fcn_resnet50": "segmentation", "deeplabv3_mobilenet_v3_large": "segmentation",
           "lraspp_mobilenet_v3_large": "segmentation", "r3d_18": "video"}  # fmt: skip


@dataclass
class Row:
    """What one network gave. `cosines` by bit width."""

    name: str
    quantized: int
    unquantized: int
    folded: int
    unfolded: int
    difference: float
    noise: float
    cosines: dict[int, float]
    alone: float


def network(name: str, batches: list[Tensor]) -> nn.Module:
    """The network with random weights, and BatchNorm's statistics, scale and shift as if it had been trained."""
    torch.manual_seed(0)
    module = getattr(torchvision.models, OUTSIDE[name]) if name in OUTSIDE else torchvision.models
    arguments: dict[str, Any] = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    if OUTSIDE.get(name) == "segmentation":
        arguments["weights_backbone"] = None
    model: nn.Module = getattr(module, name)(weights=None, **arguments)
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear) and not layer.weight.any():  # a head that starts with zeros
                layer.weight.normal_(0, 0.02)
        for norm in norms:
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(0, 0.2)
            norm.momentum = None  # the mean over the batches
            norm.reset_running_stats()
        for batch in batches:
            model.train()(batch)
    return model.eval()


def pictures(name: str, count: int, seed: int) -> list[Tensor]:
    """Batches [2, 3, size, size] of crops of photographs; for videos [2, 3, 4, size, size], the crop moving."""
    size = SIZES.get(name, SIZE)
    photographs = [torch.tensor(image.copy()).permute(2, 0, 1).float() / 255 for image in load_sample_images().images]
    generator = torch.Generator().manual_seed(seed)
    moves = range(0, 16, 4) if OUTSIDE.get(name) == "video" else (0,)
    batches = []
    for _ in range(count):
        crops = []
        for photograph in photographs:
            room = [length - size - moves[-1] for length in photograph.shape[1:]]
            top, left = (int(torch.randint(places, (), generator=generator)) for places in room)
            frames = [photograph[:, top : top + size, left + move : left + move + size] for move in moves]
            crops.append(torch.stack(frames, 1) if len(moves) > 1 else frames[0])
        batches.append((torch.stack(crops) - 0.45) / 0.225)
    return batches


@torch.no_grad()
def output(model: nn.Module, batches: list[Tensor]) -> Tensor:
    """All that the network returns for the batches, in one row."""
    results = [model(batch) for batch in batches]
    return torch.cat([(result["out"] if isinstance(result, dict) else result).flatten() for result in results])


def cosine(a: Tensor, b: Tensor) -> float:
    return nn.functional.cosine_similarity(a.double(), b.double(), dim=0).item()


def deployed(model: nn.Module, batches: list[Tensor]) -> nn.Module:
    """A prepared network as it is deployed, with the ranges of these batches."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*no data")  # of the auxiliary heads
        gq.calibrate(model, batches)
        return gq.export(model).twin


def row(name: str) -> Row:
    """Quantizes a network for each bit width. Raises whatever goes wrong."""
    calibration, test = pictures(name, 4, seed=1), pictures(name, 2, seed=2)
    model = network(name, calibration)
    expected = output(model, test)
    if not (expected.isfinite().all() and expected.any()):
        raise ValueError("the float network's output is all zero, or not finite: there is nothing to compare with")

    folded = copy.deepcopy(model)
    report = gq.fold_batchnorm(folded, test[0])
    difference = ((output(folded, test) - expected).abs().max() / expected.abs().max()).item()

    noisy = [batch * (1 + NOISE * torch.randn_like(batch)) for batch in test]
    noise = cosine(output(model, noisy), expected)
    cosines = {}
    for bits in WIDTHS:
        quantized = copy.deepcopy(model)
        preparation = gq.prepare(quantized, bits, example_inputs=test[0])
        cosines[bits] = cosine(output(deployed(quantized, calibration + test), test), expected)
        if bits == DEFAULT_BITS:
            alone = cosine(output(deployed(quantized, test), test), expected)
    inputs = sum(placed.tensor == "data" for placed in preparation)
    unquantized = len(preparation.report.names("not quantized"))
    return Row(name, inputs, unquantized, len(report.folded), len(report.unfolded), difference, noise, cosines, alone)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {', '.join(NAMES)}")
    options = parser.parse_args()
    lines = [
        "| network | inputs quantized | in float | BatchNorms folded | not folded | difference | noise |"
        + "".join(f" {bits} bit |" for bits in WIDTHS)
        + f" {DEFAULT_BITS} bit, ranges of these alone |",
        "|---|" + "---:|" * (7 + len(WIDTHS)),
    ]
    failed = []
    print("\n".join(lines), flush=True)
    for name in options.names or NAMES:
        start = time.monotonic()
        try:
            found = row(name)
            lines.append(
                f"| {name} | {found.quantized} | {found.unquantized} | {found.folded} | {found.unfolded} | "
                f"{found.difference:.1e} | {found.noise:.6f} |"
                + "".join(f" {similarity:.6f} |" for similarity in (*found.cosines.values(), found.alone))
            )
        except Exception as error:
            traceback.print_exc()
            failed.append(name)
            lines.append(f"| {name} | {type(error).__name__}: {' '.join(str(error).split())[:200]} |")
        print(lines[-1], flush=True)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    print(f"{len(lines) - 2 - len(failed)} of {len(lines) - 2} networks; PyTorch {torch.__version__}, "
          f"torchvision {torchvision.__version__}")  # fmt: skip
    if options.output:
        options.output.write_text("\n".join(lines) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
