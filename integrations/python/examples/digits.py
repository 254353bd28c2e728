"""The guide's workflow on scikit-learn's digits: float network, post-training quantization, fine-tuning, export.

    python examples/digits.py [--output FOLDER] [--quick] [--device cuda]

Prints a table of accuracies for a small CNN with BatchNorm, and for a hard case: the same network with its weights
spread so widely that 8 bit cannot hold them. Plots accuracy by epoch and the layers' similarity to the float network.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import torch
from torch import Tensor, nn

import gfpq.torch as gq

BATCH = 64


@dataclass
class Digits:
    """Images [count, 1, 8, 8] between 0 and 1, labels [count]. Half of the 1797 are for testing."""

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor


@dataclass
class Outcome:
    """Accuracies in percent of the test images."""

    float_: float
    post_training_8: float
    tuned_8: float
    post_training_16: float
    epochs: dict[str, list[float]] = field(default_factory=dict)
    before: gq.Comparison = field(default_factory=gq.Comparison)
    after: gq.Comparison = field(default_factory=gq.Comparison)


def load(device: str = "cpu") -> Digits:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images, labels, test_size=0.5, random_state=0, stratify=labels)
    return from_arrays(*split, device=device)


def from_arrays(train_x: Any, test_x: Any, train_y: Any, test_y: Any, device: str = "cpu") -> Digits:
    """Images of 64 numbers between 0 and 16, and their labels."""
    def images(part: Any) -> Tensor:
        return torch.tensor(part, dtype=torch.float32).view(-1, 1, 8, 8).to(device) / 16

    def labels(part: Any) -> Tensor:
        return torch.tensor(part, dtype=torch.int64).to(device)

    return Digits(images(train_x), labels(train_y), images(test_x), labels(test_y))


def network() -> nn.Module:
    return nn.Sequential(OrderedDict(
        conv1=nn.Conv2d(1, 16, 3, padding=1, bias=False), norm1=nn.BatchNorm2d(16), relu1=nn.ReLU(),
        conv2=nn.Conv2d(16, 32, 3, padding=1, bias=False), norm2=nn.BatchNorm2d(32), relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        conv3=nn.Conv2d(32, 32, 3, padding=1, bias=False), norm3=nn.BatchNorm2d(32), relu3=nn.ReLU(),
        pool3=nn.AvgPool2d(2),
        flatten=nn.Flatten(), classes=nn.Linear(128, 10),
    ))


def accuracy(model: nn.Module, digits: Digits) -> float:
    model.eval()
    with torch.no_grad():
        return (model(digits.test_x).argmax(1) == digits.test_y).double().mean().item() * 100


def deployed_accuracy(model: nn.Module, digits: Digits) -> float:
    """Of the network that is deployed: BatchNorm folded, the folded weights quantized."""
    return gq.evaluate(model, lambda twin: accuracy(twin, digits))


def train(
    model: nn.Module, digits: Digits, epochs: int, optimizer: torch.optim.Optimizer,
    measure: Callable[[nn.Module, Digits], float] = accuracy,
) -> list[float]:
    """Trains with a rate that falls to zero as a cosine. Returns the accuracy after each epoch."""
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    accuracies = []
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(digits.train_x)).split(BATCH):
            loss = nn.functional.cross_entropy(model(digits.train_x[batch]), digits.train_y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        accuracies.append(measure(model, digits))
    return accuracies


def spread(model: nn.Sequential, octaves: int) -> nn.Sequential:
    """The same function with the weights of one convolution spread over `octaves` octaves more: the hard case.

    BatchNorm is folded. Then output channel i of the first convolution is scaled by a power of two, and the second
    convolution's weights for it by the inverse; ReLU in between lets positive factors through. In float that changes
    nothing. In 8 bit, which spans 8 octaves, the small weights become zero.
    """
    model = copy.deepcopy(model).eval()
    gq.fold_batchnorm(model)
    first, second = model.conv1, model.conv2
    exponents = torch.linspace(-octaves / 2, octaves / 2, first.out_channels).round()
    exponents = exponents[torch.randperm(len(exponents))]
    with torch.no_grad():
        factors = (2.0**exponents).to(first.weight.device)
        first.weight *= factors.view(-1, 1, 1, 1)
        first.bias *= factors
        second.weight /= factors.view(1, -1, 1, 1)
    return model


def quantized(model: nn.Module, bits: int, digits: Digits) -> nn.Module:
    """Post-training quantization: a prepared copy, calibrated with the training images."""
    model = copy.deepcopy(model)
    gq.prepare(model, bits, example_inputs=digits.train_x[:8])
    gq.calibrate(model, [digits.train_x])
    return model


def study(model: nn.Module, digits: Digits, epochs: int, rate: float) -> tuple[Outcome, nn.Module]:
    """Quantizes a trained float network, fine-tunes it, and tells how it fares."""
    tuned = quantized(model, 8, digits)
    batches = [digits.test_x]
    outcome = Outcome(
        float_=accuracy(model, digits),
        post_training_8=deployed_accuracy(tuned, digits),
        tuned_8=0.0,
        post_training_16=deployed_accuracy(quantized(model, 16, digits), digits),
        before=gq.compare_layers(model, tuned, batches),
    )
    optimizer = torch.optim.Adam(tuned.parameters(), lr=rate)
    outcome.epochs["fine-tuning, 8 bit"] = train(tuned, digits, epochs, optimizer, deployed_accuracy)
    outcome.tuned_8 = outcome.epochs["fine-tuning, 8 bit"][-1]
    outcome.after = gq.compare_layers(model, tuned, batches)
    return outcome, tuned


def plot(outcomes: dict[str, Outcome], file: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.4 * len(outcomes)), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(outcomes), 3, squeeze=False)
    for (name, outcome), (curve, before, after) in zip(outcomes.items(), rows):
        for label, accuracies in outcome.epochs.items():
            curve.plot(range(1, len(accuracies) + 1), accuracies, marker=".", label=label)
        curve.axhline(outcome.float_, color="black", linewidth=1, label="float")
        curve.axhline(outcome.post_training_8, color="C3", linestyle=":", label="post-training, 8 bit")
        curve.set(title=f"{name}: accuracy", xlabel="epoch", ylabel="% of test images")
        curve.legend()
        outcome.before.plot(axes=before)
        before.set_title("post-training, 8 bit")
        outcome.after.plot(axes=after)
        after.set_title("fine-tuned, 8 bit")
    figure.savefig(file)


def print_table(outcomes: dict[str, Outcome]) -> None:
    print(f"{'accuracy in %':14}{'float':>8}{'8 bit':>8}{'8 bit, fine-tuned':>20}{'16 bit':>8}")
    for name, outcome in outcomes.items():
        print(f"{name:14}{outcome.float_:8.2f}{outcome.post_training_8:8.2f}{outcome.tuned_8:20.2f}"
              f"{outcome.post_training_16:8.2f}")


def run(digits: Digits, quick: bool = False) -> tuple[dict[str, Outcome], nn.Module]:
    """Trains and quantizes, where the images are. Returns the outcomes by name, and the fine-tuned network."""
    torch.manual_seed(1)
    model = network().to(digits.train_x.device)
    float_epochs = train(model, digits, 8 if quick else 20, torch.optim.Adam(model.parameters(), lr=3e-3))
    usual, tuned = study(model, digits, 3 if quick else 10, rate=3e-4)
    usual.epochs = {"training, float": float_epochs, **usual.epochs}
    hard, _ = study(spread(model, octaves=10), digits, 8 if quick else 20, rate=3e-3)
    return {"digits": usual, "hard case": hard}, tuned


def main() -> None:
    parser = argparse.ArgumentParser(description="GFPQ on scikit-learn's digits")
    parser.add_argument("--output", type=Path, default=Path("digits"), help="folder for what is exported and plotted")
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    parser.add_argument("--device", default="cpu", help="where PyTorch works, such as cuda")
    options = parser.parse_args()
    start = time.monotonic()
    outcomes, tuned = run(load(options.device), options.quick)

    print_table(outcomes)
    hard = outcomes["hard case"]
    lost = hard.float_ - hard.post_training_8
    if lost > 0:
        print(f"Fine-tuning recovers {(hard.tuned_8 - hard.post_training_8) / lost:.0%} of what the hard case lost.")
    print(f"\nHard case, layers after post-training quantization:\n{hard.before}\n")
    gq.export(tuned, options.output)
    plot(outcomes, options.output / "digits.png")
    print(f"{options.output}: model.pt, parameters.json, nnie.json, digits.png ({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    sys.exit(main())
