"""What pyramid pixel context costs: alone, against CBAM's spatial half, and in a ResNet, over a plain step."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import timm
import torch
from record import record
from timm.layers.cbam import SpatialAttn
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention import ARMS, insert
from foveola.attention.algebra import Pointwise
from foveola.attention.inside.ppcr import PyramidPixelContext

SIZE, CLASSES = 224, 3
FEATURES = [(64, 56), (256, 56), (128, 28), (1024, 14), (2048, 7)]
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class UpwardMeans(PyramidPixelContext):
    """The same gate with the other way to the contexts: the finest level as a mean over a view, then means of pairs."""

    def contexts(self, features: Tensor) -> Tensor:
        """Returns the seven means."""
        batch, _, height, width = features.shape
        finest = features.view(batch, 4, -1, height, width).mean(2)
        pairs = finest.view(batch, 2, 2, height, width).mean(2)
        return torch.cat([pairs.mean(1, keepdim=True), pairs, finest], 1)


class BareGate(nn.Module):
    """What any gate costs that multiplies the features and learns: it depends on one number alone."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """Returns features times gates."""
        return Pointwise(torch.sigmoid(features.detach()[:, :1] + self.bias)).apply(features)


def moved(module: nn.Module) -> nn.Module:
    """Returns the module with parameters away from zero, so that no product is one by zero."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.1)
    return module.to(DEVICE)


def seconds(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, np.ndarray]:
    """Returns how long each step took in every round but the first, all steps once a round.

    On a processor it is the time of the processor, with one thread, so that neighbours on the machine count for little.
    """
    clock = time.perf_counter if DEVICE == "cuda" else time.process_time
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            started = clock()
            step()
            if DEVICE == "cuda":
                torch.cuda.synchronize()
            times[name].append(clock() - started)
    return {name: np.array(values[1:]) for name, values in times.items()}


def pass_through(module: nn.Module, features: Tensor, gradient: Tensor, training: bool) -> Callable[[], None]:
    def step() -> None:
        module.train(training)
        features.grad = None
        with torch.set_grad_enabled(training):
            output = module(features)
        if training:
            output.backward(gradient)

    return step


def alone(batch: int, rounds: int) -> pd.DataFrame:
    rows = []
    for channels, side in FEATURES:
        for layout, memory_format in LAYOUTS.items():
            features, gradient = (
                torch.randn(batch, channels, side, side, device=DEVICE).contiguous(memory_format=memory_format)
                for _ in range(2)
            )
            features.requires_grad_()
            size = (side, side)
            modules = {
                "CBAM's spatial half": SpatialAttn(),
                "ppcr": PyramidPixelContext(channels),
                "ppcr, means upward": UpwardMeans(channels),
                "ppcr, paper-like": PyramidPixelContext(channels, (1, 2, 4), "pixel-batch", "pixel", size=size),
                "bare gate": BareGate(),
            }
            for training in (True, False):
                steps = {name: pass_through(moved(m), features, gradient, training) for name, m in modules.items()}
                times = seconds(steps, rounds)
                cbam = times["CBAM's spatial half"]
                rows += [
                    {
                        "pass": "training" if training else "evaluation",
                        "features": f"{channels} x {side} x {side}",
                        "layout": layout,
                        "module": name,
                        "ms": 1e3 * float(own.min()),
                        "ratio": float(np.median(own / cbam)),
                        "ratio_of_fastest": float(own.min() / cbam.min()),
                    }
                    for name, own in times.items()
                ]
    return pd.DataFrame(rows)


def training_step(name: str, kind: str, batch: int) -> Callable[[], None]:
    torch.manual_seed(0)
    network, arm = timm.create_model(name, num_classes=CLASSES), ARMS["ppcr"]
    blank = torch.zeros(1, 3, SIZE, SIZE)
    others = {"CBAM's spatial half": SpatialAttn, "bare gate": BareGate}
    if kind in others:
        insert(network, lambda channels, size: others[kind](), blank)
    elif kind != "plain":
        arm.adapt(network, blank, arm.configure({"preset": "paper-like"} if kind == "ppcr, paper-like" else {}))
    network.to(DEVICE).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    images = torch.randn(batch, 3, SIZE, SIZE).to(device=DEVICE, memory_format=torch.channels_last)
    labels = (torch.arange(batch) % CLASSES).to(DEVICE)

    def step() -> None:
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(network(images), labels))
        optimizer.step()

    return step


def inside(batch: int, rounds: int) -> pd.DataFrame:
    rows = []
    kinds = ("plain", "bare gate", "ppcr", "ppcr, paper-like", "CBAM's spatial half")
    for name in ("resnet18", "resnet50"):
        times = seconds({kind: training_step(name, kind, batch) for kind in kinds}, rounds)
        plain = times["plain"]
        rows += [
            {
                "backbone": name,
                "step": kind,
                "s": float(own.min()),
                "ratio": float(np.median(own / plain)),
                "ratio_of_fastest": float(own.min() / plain.min()),
            }
            for kind, own in times.items()
        ]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    note = f"Forward and backward (training) or forward (evaluation) over timm's CBAM, batch {arguments.batch}"
    record(f"ppcr_module_{DEVICE}", alone(arguments.batch, arguments.rounds), note)
    note = f"One training step with it in every block over a plain one, {SIZE} px, batch {arguments.batch}"
    record(f"ppcr_step_{DEVICE}", inside(arguments.batch, arguments.rounds), note)


if __name__ == "__main__":
    main()
