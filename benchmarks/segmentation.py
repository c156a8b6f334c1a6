"""Attention in decoders against MONAI's and smp's blocks: step time and memory in DenseUNet and a small U-Net, Dice.

Without options it measures steps; with ``--dice DIR``, the folder of CHASE_DB1, it trains every arm there instead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from record import peak_mib, record
from torch import nn

from foveola import load_plugin
from foveola.attention import ARMS, attach
from foveola.execution import LocalProcesses
from foveola.models import BackboneSettings, ImageShape, arm_network
from foveola.tasks.losses import SegmentationLoss

load_plugin(Path(__file__).parent / "rivals.py")  # so that worker processes know its arms too
RIVALS = ("pointwise", "pointwise@gate", "monai-gate", "scse", "self", "monai-self", "joint")
SETTINGS: dict[str, dict[str, Any]] = {"pointwise@gate": {"point": "gate"}}


def network(arm: str, backbone: str, size: int) -> nn.Module:
    """Returns the network of an arm, the same weights for all but those of attention."""
    torch.manual_seed(0)
    shape = ImageShape(channels=3, size=size, classes=2, per_pixel=True)
    chosen = BackboneSettings(name=backbone, pretrained=False)
    made = arm_network(ARMS[arm], ARMS[arm].configure(SETTINGS.get(arm, {})), chosen, shape)
    return attach(made).to(memory_format=torch.channels_last).train()


class Step:
    """One training step."""

    def __init__(self, arm: str, backbone: str, size: int, batch: int, device: str) -> None:
        self.model = network(arm, backbone, size).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)
        self.loss = SegmentationLoss("dice-ce", 2)
        images = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))
        self.images = images.to(device, memory_format=torch.channels_last)
        self.masks = (images[:, 0] > 1).long().to(device)

    def __call__(self) -> float:
        """Takes one step and returns its seconds."""
        started = time.perf_counter()
        self.optimizer.zero_grad()
        self.loss(self.model(self.images), self.masks).backward()
        self.optimizer.step()
        if self.images.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started


def peak_of(arm: str, backbone: str, size: int, batch: int) -> float:
    """Returns the peak memory of two steps in a process of their own, in MiB."""
    command = [sys.executable, __file__, "--alone", arm, backbone, str(size), str(batch)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def measure(backbone: str, arms: tuple[str, ...], size: int, batch: int, rounds: int) -> pd.DataFrame:
    """Returns a row an arm: parameters, step time over plain, and peak memory; steps are taken in turns."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    steps = {arm: Step(arm, backbone, size, batch, device) for arm in ("plain", *arms)}
    seconds: dict[str, list[float]] = {arm: [] for arm in steps}
    for number in range(rounds + 1):
        for arm, step in steps.items():
            took = step()
            if number:  # the first round warms up
                seconds[arm].append(took)
    plain = np.array(seconds["plain"])
    rows = []
    for arm, step in steps.items():
        ratios = np.array(seconds[arm]) / plain
        rows.append(
            {
                "network": backbone,
                "arm": arm,
                "size": size,
                "batch": batch,
                "parameters": sum(parameter.numel() for parameter in step.model.parameters()),
                "step_s": float(np.median(seconds[arm])),
                "over_plain": float(np.median(ratios)),
                "of_fastest": float(min(seconds[arm]) / plain.min()),
                "peak_mib": peak_of(arm, backbone, size, batch),
            }
        )
    return pd.DataFrame(rows)


def dice(folder: Path, epochs: int, workers: int) -> pd.DataFrame:
    """Returns mean Dice of every arm on the last eight photographs, after training on the first twenty."""
    from foveola.comparison import compare
    from foveola.protocol import read_configuration

    options = {
        "data": f"chase:{folder}",
        "arms": {arm: SETTINGS.get(arm, {}) for arm in ("plain", *RIVALS)},
        "backbone.name": "small-unet",
        "backbone.width": 8,
        "protocol": "holdout",
        "seeds": 2,
        "preprocessing.crop": (0, 0, 998, 960),
        "preprocessing.image_size": 499,
        "preprocessing.masks": "majority",
        "segmentation.patch": 96,
        "segmentation.patches": 2,
        "segmentation.views": 8,
        "segmentation.grid": "stored",
        "training.epochs": epochs,
        "training.batch_size": 4,
        "training.lr": 0.003,
        "training.augmentation": {
            "flip": True,
            "turn": True,
            "contrast": 0.3,
            "brightness": 0.1,
            "zoom": 0,
            "rotate_degrees": 0,
        },
    }
    with tempfile.TemporaryDirectory() as scratch:
        result = compare(
            read_configuration(options=options), Path(scratch) / "run", executor=LocalProcesses(workers, threads=1)
        )
    return result.summary[["fits", "dice", "dice_sd", "boundary_dice", "false_islands"]].reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dice", type=Path, help="the folder of CHASE_DB1")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--alone", nargs=4, help="for this script's own use")
    arguments = parser.parse_args()
    if arguments.alone:
        arm, backbone, size, batch = arguments.alone
        step, before = Step(arm, backbone, int(size), int(batch), "cpu"), peak_mib()
        step(), step()
        print(json.dumps(peak_mib() - before))
        return
    if arguments.dice:
        note = f"Dice on CHASE_DB1 at half size, small U-Net, {arguments.epochs} epochs, two seeds"
        record("segmentation_rivals_dice", dice(arguments.dice, arguments.epochs, arguments.workers), note)
        return
    torch.set_num_threads(1)
    table = pd.concat(
        [
            measure("denseunet", ("pointwise", "self", "joint"), 256, 1, arguments.rounds),
            measure("small-unet", RIVALS, 96, 8, arguments.rounds),
        ]
    )
    note = "One training step, one thread, over a plain one; attention at the places of its arm, `at=auto`"
    record(f"segmentation_step_{'cuda' if torch.cuda.is_available() else 'cpu'}", table, note)


if __name__ == "__main__":
    main()
