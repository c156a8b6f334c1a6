"""Joint attention, fused against its matrix written out: time and memory of a step forward and back, by grid."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

import pandas as pd
import torch
from record import peak_mib, record
from torch import Tensor

from foveola.attention import JointAttention

CHANNELS, IMAGES = 64, 1
WAYS = ("fused", "written out")


def block_of(device: str) -> JointAttention:
    """Returns the default block, away from its start, where attention would add nothing."""
    torch.manual_seed(0)
    return JointAttention(CHANNELS, residual_start=1.0).to(device).eval()


def features_of(side: int, device: str) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(IMAGES, CHANNELS, side, side, generator=generator).to(device).requires_grad_()


def forward(block: JointAttention, features: Tensor, way: str) -> Tensor:
    """Returns what the block makes of features in one of the ways."""
    if way == "fused":
        return block(features)
    values = block.value_map(features)
    attended = block.operator(features).dense() @ values.flatten(2).transpose(1, 2)[:, None]
    return block.fuse(features, attended[:, 0].transpose(1, 2).reshape(values.shape))


def step(block: JointAttention, features: Tensor, way: str, device: str) -> float:
    """Returns the seconds of one step forward and back."""
    started = time.perf_counter()
    forward(block, features, way).square().mean().backward()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def run(way: str, side: int, repeats: int, device: str) -> dict[str, float]:
    """Returns the median milliseconds and the peak memory in MiB of one way, in a process of its own."""
    block = block_of(device)
    step(block, features_of(4, device), way, device)  # whatever is loaded on first use
    features, before = features_of(side, device), peak_mib()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / 2**20
    seconds = [step(block, features, way, device) for _ in range(repeats)]
    peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else peak_mib()
    return {"ms": 1000 * statistics.median(seconds), "peak_mib": peak - before}


def largest_difference(side: int, device: str) -> float:
    """Returns by how much the outputs of both ways differ at most, relative to the largest."""
    block, features = block_of(device), features_of(side, device)
    with torch.no_grad():
        fused, dense = (forward(block, features, way) for way in WAYS)
    return float((fused - dense).abs().max() / dense.abs().max())


def alone(*arguments: str) -> dict[str, float]:
    """Returns what this script prints in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="*", default=[16, 32, 64, 128])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--alone", nargs=2, metavar=("WAY", "SIDE"), help="for this script's own use")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if arguments.alone:
        way, side = arguments.alone[0], int(arguments.alone[1])
        compared = way == "difference"
        found = {way: largest_difference(side, device)} if compared else run(way, side, arguments.repeats, device)
        print(json.dumps(found))
        return
    rows = []
    for side in arguments.sides:
        difference = alone("--alone", "difference", str(side))["difference"]
        fused, dense = (alone("--repeats", str(arguments.repeats), "--alone", way, str(side)) for way in WAYS)
        rows.append(
            {
                "grid": f"{side} x {side}",
                "fused_ms": fused["ms"],
                "written_out_ms": dense["ms"],
                "times_faster": dense["ms"] / fused["ms"],
                "fused_mib": fused["peak_mib"],
                "written_out_mib": dense["peak_mib"],
                "largest_difference": difference,
            }
        )
    note = f"Joint attention of {IMAGES} image, {CHANNELS} channels, forward and back, beside inputs and parameters"
    record(f"joint_attention_{device}", pd.DataFrame(rows), note)


if __name__ == "__main__":
    main()
