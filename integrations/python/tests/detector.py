"""A detector built as YOLOv5 is, and the pieces of its training loop, written for the tests: small, and with no data.

Blocks of convolution, BatchNorm and activation; a list of layers that each name whose outputs they take; three heads
that replace the items of the list they are given, and that return something else in training than in evaluation.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn


class Conv(nn.Module):
    default_act = nn.SiLU()  # one module for all blocks

    def __init__(self, ins: int, outs: int, size: int = 1, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(ins, outs, size, stride, size // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outs)
        self.act = self.default_act if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))

    def forward_fuse(self, x: Tensor) -> Tensor:
        return self.act(self.conv(x))


class Bottleneck(nn.Module):
    def __init__(self, ins: int, outs: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(ins, outs), Conv(outs, outs, 3)
        self.add = shortcut and ins == outs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.cv2(self.cv1(x)) if self.add else self.cv2(self.cv1(x))


class C3(nn.Module):
    def __init__(self, ins: int, outs: int, count: int = 1, shortcut: bool = True) -> None:
        super().__init__()
        hidden = outs // 2
        self.cv1, self.cv2, self.cv3 = Conv(ins, hidden), Conv(ins, hidden), Conv(2 * hidden, outs)
        self.m = nn.Sequential(*(Bottleneck(hidden, hidden, shortcut) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


class SPPF(nn.Module):
    def __init__(self, ins: int, outs: int, size: int = 5) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(ins, ins // 2), Conv(ins // 2 * 4, outs)
        self.m = nn.MaxPool2d(size, 1, size // 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.cv1(x)
        once = self.m(x)
        twice = self.m(once)
        return self.cv2(torch.cat((x, once, twice, self.m(twice)), 1))


class Concat(nn.Module):
    def forward(self, x: list[Tensor]) -> Tensor:
        return torch.cat(x, 1)


class Detect(nn.Module):
    """Returns, in training, each head's [batch, anchors, rows, columns, outputs]; else those and all of them in one."""

    stride = torch.empty(0)

    def __init__(self, classes: int, anchors: tuple[tuple[float, ...], ...], ins: tuple[int, ...]) -> None:
        super().__init__()
        self.outputs, self.count = classes + 5, len(anchors[0]) // 2
        self.grid = [torch.empty(0) for _ in anchors]
        self.register_buffer("anchors", torch.tensor(anchors).view(len(anchors), -1, 2))
        self.m = nn.ModuleList(nn.Conv2d(channels, self.outputs * self.count, 1) for channels in ins)

    def forward(self, x: list[Tensor]) -> Any:
        found = []
        for i, head in enumerate(self.m):
            x[i] = head(x[i])
            batch, _, rows, columns = x[i].shape
            x[i] = x[i].view(batch, self.count, self.outputs, rows, columns).permute(0, 1, 3, 4, 2).contiguous()
            if not self.training:
                if self.grid[i].shape[2:4] != x[i].shape[2:4]:
                    y, s = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
                    self.grid[i] = torch.stack((s, y), 2).expand(1, self.count, rows, columns, 2) - 0.5
                xy, wh, rest = x[i].sigmoid().split((2, 2, self.outputs - 4), 4)
                xy = (xy * 2 + self.grid[i]) * self.stride[i]
                wh = (wh * 2) ** 2 * (self.anchors[i] * self.stride[i]).view(1, self.count, 1, 1, 2)
                found.append(torch.cat((xy, wh, rest), 4).view(batch, -1, self.outputs))
        return x if self.training else (torch.cat(found, 1), x)


class Detector(nn.Module):
    LAYERS = (  # whose outputs, the layer
        (-1, lambda: Conv(3, 8, 5, 2)),
        (-1, lambda: Conv(8, 16, 3, 2)),
        (-1, lambda: C3(16, 16)),
        (-1, lambda: Conv(16, 32, 3, 2)),
        (-1, lambda: C3(32, 32)),
        (-1, lambda: SPPF(32, 32)),
        (-1, lambda: Conv(32, 16)),
        (-1, lambda: nn.Upsample(scale_factor=2, mode="nearest")),
        ((-1, 2), lambda: Concat()),
        (-1, lambda: C3(32, 16, shortcut=False)),
        (-1, lambda: Conv(16, 16, 3, 2)),
        ((-1, 6), lambda: Concat()),
        (-1, lambda: C3(32, 32, shortcut=False)),
        ((9, 12), lambda: Detect(2, ((1.0, 1.5, 2.0, 3.0), (3.0, 2.0, 4.0, 5.0)), (16, 32))),
    )

    def __init__(self) -> None:
        super().__init__()
        layers = []
        for i, (sources, make) in enumerate(self.LAYERS):
            layer = make()
            layer.i, layer.f = i, sources
            layers.append(layer)
        self.model = nn.Sequential(*layers)
        self.save = {2, 6, 9, 12}
        self.model[-1].stride = torch.tensor([64 / y.shape[-2] for y in self(torch.zeros(1, 3, 64, 64))])
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps, module.momentum = 1e-3, 0.03

    def forward(self, x: Any) -> Any:
        kept: list[Any] = []
        for layer in self.model:
            if layer.f != -1:
                x = kept[layer.f] if isinstance(layer.f, int) else [x if j == -1 else kept[j] for j in layer.f]
            x = layer(x)
            kept.append(x if layer.i in self.save else None)
        return x

    def fuse(self) -> Detector:
        """BatchNorm into the convolution before it, as the model does by itself for inference."""
        for module in self.model.modules():
            if isinstance(module, Conv) and hasattr(module, "bn"):
                module.conv = fused(module.conv, module.bn)
                del module.bn
                module.forward = module.forward_fuse
        return self

    def _apply(self, change: Any) -> Detector:
        super()._apply(change)
        self.model[-1].stride = change(self.model[-1].stride)
        self.model[-1].grid = list(map(change, self.model[-1].grid))
        return self


def fused(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    result = nn.Conv2d(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, groups=conv.groups
    ).requires_grad_(False)  # fmt: skip
    scale = norm.weight / torch.sqrt(norm.eps + norm.running_var)
    result.weight.copy_((torch.diag(scale) @ conv.weight.clone().flatten(1)).view(result.weight.shape))
    result.bias.copy_(norm.bias - norm.running_mean * scale)
    return result


class Average:
    """The exponential moving average of a model: of each entry of its state that is of floating point."""

    def __init__(self, model: nn.Module, decay: float = 0.99, tau: float = 20) -> None:
        self.model = copy.deepcopy(model).eval()
        self.updates, self.decay, self.tau = 0, decay, tau
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)

    def update(self, model: nn.Module) -> None:
        self.updates += 1
        decay = self.decay * (1 - math.exp(-self.updates / self.tau))
        state = model.state_dict()
        for key, value in self.model.state_dict().items():
            if value.dtype.is_floating_point:
                value *= decay
                value += (1 - decay) * state[key].detach()


def groups_by_name(model: nn.Module) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """YOLOv5's parameter groups today: biases, BatchNorm's weights, all others."""
    biases, norms, others = [], [], []
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            is_norm = name == "weight" and isinstance(module, nn.BatchNorm2d)
            (biases if name == "bias" else norms if is_norm else others).append(parameter)
    return biases, norms, others


def groups_by_attribute(model: nn.Module) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Those of YOLOv5 6.1 and before."""
    biases, norms, others = [], [], []
    for module in model.modules():
        if hasattr(module, "bias") and isinstance(module.bias, nn.Parameter):
            biases.append(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            norms.append(module.weight)
        elif hasattr(module, "weight") and isinstance(module.weight, nn.Parameter):
            others.append(module.weight)
    return biases, norms, others


def optimizer_of(model: nn.Module, groups: Any = groups_by_name) -> torch.optim.Optimizer:
    biases, norms, others = groups(model)
    optimizer = torch.optim.SGD(biases, lr=0.01, momentum=0.9, nesterov=True)
    optimizer.add_param_group({"params": others, "weight_decay": 5e-4})
    optimizer.add_param_group({"params": norms})
    return optimizer


def images(count: int, seed: int) -> list[Tensor]:
    """Batches of two images, each of another brightness."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(2, 3, 64, 64, generator=generator) * (1 + i % 3) / 3 for i in range(count)]


def loss_of(heads: list[Tensor]) -> Tensor:
    """Stands in for the detection loss: pulls every output towards a pattern."""
    return sum(
        nn.functional.binary_cross_entropy_with_logits(head, (torch.arange(head.shape[-1]) % 2).expand_as(head).float())
        for head in heads
    )


def train(
    model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[Tensor], average: Average | None = None
) -> list[float]:
    """An epoch. Returns the losses."""
    model.train()
    losses = []
    optimizer.zero_grad()
    for batch in batches:
        loss = loss_of(model(batch))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=10.0)
        optimizer.step()
        optimizer.zero_grad()
        if average is not None:
            average.update(model)
        losses.append(loss.item())
    return losses
