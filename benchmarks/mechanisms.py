"""What each mechanism costs inside ResNet-18 and ResNet-50 at 224 px: parameters, GMAC, step time, peak memory.

Ours by the name of the arm, with its default settings; those of timm and MONAI, put at the same places, by theirs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import timm.layers
import torch
from monai.networks.blocks import SABlock, SpatialAttentionBlock
from record import peak_mib, record
from timm.layers import cbam
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from foveola.attention import ARMS, insert
from foveola.models import BackboneSettings, ImageShape, arm_network

SIZE, CLASSES = 224, 3
Step = Callable[[], None]


class MonaiSelfAttention(nn.Module):
    """MONAI's ``SABlock``, which takes a sequence, with a residual connection, on a feature map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = SABlock(hidden_size=channels, num_heads=8)

    def forward(self, features: Tensor) -> Tensor:
        """Returns the features with attention added."""
        tokens = features.flatten(2).transpose(1, 2)
        return features + self.block(tokens).transpose(1, 2).reshape(features.shape)


def spatial_half(channels: int) -> nn.Module:
    return cbam.SpatialAttn()


OTHERS: dict[str, tuple[str, Callable[[int], nn.Module]]] = {
    "timm CBAM": ("blocks", cbam.CbamModule),
    "timm CBAM, spatial half": ("blocks", spatial_half),
    "timm SE": ("blocks", timm.layers.SEModule),
    "timm ECA": ("blocks", timm.layers.EcaModule),
    "timm coordinate attention": ("blocks", timm.layers.coord_attn.CoordAttn),
    "timm non-local": ("layer3,layer4", timm.layers.non_local_attn.NonLocalAttn),
    "MONAI SABlock": ("layer3,layer4", MonaiSelfAttention),
    "MONAI SpatialAttentionBlock": ("layer3,layer4", lambda channels: SpatialAttentionBlock(2, channels)),
}
"""Where the mechanisms of others are put, and what builds them."""


def ours() -> list[str]:
    """Returns the arms with attention inside a backbone that a comparison chooses."""
    return [name for name, arm in ARMS.items() if arm.backbone is None and not arm.solve and (arm.layer or arm.network)]


def build(name: str, backbone: str) -> nn.Module:
    torch.manual_seed(0)
    arm = ARMS[name if name in ARMS else "plain"]
    values = {"at": "layer3,layer4"} if name == "nonlocal" else {}  # as those that it stands beside
    settings, shape = (
        BackboneSettings(name=backbone, pretrained=False),
        ImageShape(channels=3, size=SIZE, classes=CLASSES),
    )
    network = arm_network(arm, arm.configure(values), settings, shape)
    if name in OTHERS:
        at, layer = OTHERS[name]
        insert(network, lambda channels, size: layer(channels), torch.zeros(1, 3, SIZE, SIZE), at=at)
    return network


def make_step(network: nn.Module, batch: int, device: str) -> Step:
    network = network.to(device=device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    images = torch.randn(batch, 3, SIZE, SIZE).to(device=device, memory_format=torch.channels_last)
    labels = (torch.arange(batch) % CLASSES).to(device)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def measure_alone(name: str, backbone: str, batch: int, device: str) -> dict[str, float]:
    """Returns what needs a process of its own: parameters, GMAC of one image, peak memory of training in MiB."""
    network = build(name, backbone)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, 3, SIZE, SIZE))
    step = make_step(network, batch, device)
    for _ in range(3):
        step()
    peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else peak_mib()
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "gmac": counter.get_total_flops() / 2e9,
        "peak_mib": peak,
    }


def ratio(name: str, plain: Step, backbone: str, batch: int, device: str, rounds: int) -> tuple[float, float]:
    """Returns the median ratio to plain steps taken in turns, and that of the fastest two; processor time on a CPU."""
    step = plain if name == "plain" else make_step(build(name, backbone), batch, device)
    clock = time.perf_counter if device == "cuda" else time.process_time  # others may be at work on the processor
    seconds: list[list[float]] = [[], []]
    for _ in range(rounds + 2):
        for times, run in zip(seconds, (plain, step), strict=True):
            started = clock()
            run()
            times.append(clock() - started)
    before, after = (np.array(times[2:]) for times in seconds)  # the first rounds warm up
    return float(np.median(after / before)), float(after.min() / before.min())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--backbones", nargs="*", default=["resnet18", "resnet50"])
    parser.add_argument("--alone", nargs=2, metavar=("NAME", "BACKBONE"), help="for this script's own use")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if arguments.alone:
        print(json.dumps(measure_alone(*arguments.alone, arguments.batch, device)))
        return
    rows = []
    for backbone in arguments.backbones:
        plain = make_step(build("plain", backbone), arguments.batch, device)
        for name in ["plain", *ours(), *OTHERS]:
            command = [sys.executable, __file__, "--batch", str(arguments.batch), "--alone", name, backbone]
            alone = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            median, fastest = ratio(name, plain, backbone, arguments.batch, device, arguments.rounds)
            rows.append({"backbone": backbone, "mechanism": name, **alone, "step": median, "step_fastest": fastest})
    note = f"One training step over a plain one, {SIZE} px, batch {arguments.batch}, and what each mechanism costs"
    record(f"mechanisms_{device}", pd.DataFrame(rows), note)


if __name__ == "__main__":
    main()
