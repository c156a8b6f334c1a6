"""One training step with global attention over one plain step: ResNet-18, 224 px, batch 32, K = 128."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch
from record import record
from torch import Tensor
from torch.nn import functional

from foveola.attention import Attended, GlobalAttention
from foveola.models import BackboneSettings, ImageShape, build_backbone
from foveola.pixels import PixelRepresentation, compressed_representation, exact_representation

SIZE, BATCH, CLASSES, HIDDEN, DIM = 224, 32, 3, 128, 64


class GeneratedImages:
    """Smooth random images with some noise, made anew on every pass, so that any number of them fits the memory."""

    def __init__(self, count: int, batch: int = 50) -> None:
        self.count, self.batch = count, batch
        generator = torch.Generator().manual_seed(0)
        coarse = torch.randn(100, 3, 14, 14, generator=generator)
        self.patterns = functional.interpolate(coarse, (SIZE, SIZE), mode="bilinear").flatten(1)

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(1)
        for _ in range(0, self.count, self.batch):
            mixed = torch.randn(self.batch, 100, generator=generator) @ self.patterns / 10
            yield mixed.unflatten(1, (3, SIZE, SIZE))


def make_step(representation: PixelRepresentation | None, device: str) -> Callable[[], None]:
    torch.manual_seed(0)
    settings = BackboneSettings(name="resnet18", pretrained=False)
    backbone = build_backbone(settings, ImageShape(channels=3, size=SIZE, classes=CLASSES))
    attention = None
    if representation is not None:
        attention = GlobalAttention.from_images(torch.empty(0), representation=representation, hidden=HIDDEN)
    model = Attended(backbone, attention).to(device=device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    images = torch.randn(BATCH, 3, SIZE, SIZE).to(device=device, memory_format=torch.channels_last)
    labels = (torch.arange(BATCH) % CLASSES).to(device)

    def step() -> None:
        optimizer.zero_grad()
        logits, maps = model(images, return_maps=True)
        (functional.cross_entropy(logits, labels) + model.penalty(maps)).backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--counts", type=int, nargs="*", default=[400, 4_000, 40_000])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    arguments = parser.parse_args()
    steps = {"plain": make_step(None, device)}
    for count in arguments.counts:
        representation = compressed_representation(GeneratedImages(count), DIM, power_passes=0)
        steps[f"global, compressed, N = {count}"] = make_step(representation, device)
    steps["global, exact, N = 400"] = make_step(exact_representation(GeneratedImages(400)), device)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(arguments.rounds + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)
    plain = np.array(seconds["plain"][1:])  # the first round warms up
    rows = [
        {
            "step": name,
            "median_s": float(np.median(times[1:])),
            "ratio": float(np.median(np.array(times[1:]) / plain)),
            "ratio_of_fastest": float(min(times[1:]) / plain.min()),
        }
        for name, times in seconds.items()
    ]
    note = f"One training step, ResNet-18, {SIZE} px, batch {BATCH}, K = {HIDDEN}, d = {DIM}, over a plain one"
    record(f"step_time_{device}", pd.DataFrame(rows), note)


if __name__ == "__main__":
    main()
