"""Self-attention and its map against the written-out matrix: time, and memory beside inputs and outputs, by grid."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import pandas as pd
import torch
from record import peak_mib, record

from foveola.attention.algebra import SelfAttention

CHANNELS, DEPTH, IMAGES = 64, 8, 2
WAYS = ("apply", "received", "matrix")


def run(way: str, side: int, device: str) -> dict[str, float]:
    """Returns seconds and peak memory in MiB of one way, in a process of its own."""
    torch.manual_seed(0)
    queries, keys = (torch.randn(IMAGES, 1, DEPTH, side, side, device=device) for _ in range(2))
    values = torch.randn(IMAGES, CHANNELS, side, side, device=device)
    operator = SelfAttention(queries, keys, DEPTH**-0.5)
    small = SelfAttention(queries[..., :4, :4], keys[..., :4, :4], DEPTH**-0.5)
    small.apply(values[..., :4, :4])  # whatever is loaded on first use
    before = peak_mib()
    started = time.perf_counter()
    if way == "apply":
        operator.apply(values)
    elif way == "received":
        operator.received()
    else:
        _ = operator.dense() @ values.flatten(2).transpose(1, 2)[:, None]
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    used = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else 0.0
    grown = peak_mib() - before
    return {"ms": 1000 * seconds, "peak_mib": used or grown}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="*", default=[16, 32, 64, 96])
    parser.add_argument("--alone", nargs=2, metavar=("WAY", "SIDE"), help="for this script's own use")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if arguments.alone:
        way, side = arguments.alone
        print(json.dumps(run(way, int(side), device)))
        return
    rows = []
    for side in arguments.sides:
        for way in WAYS:
            command = [sys.executable, __file__, "--alone", way, str(side)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            rows.append({"grid": f"{side} x {side}", "way": way, **found})
    note = f"Self-attention of {IMAGES} images, {CHANNELS} channels, depth {DEPTH}"
    record(f"self_attention_{device}", pd.DataFrame(rows), note)


if __name__ == "__main__":
    main()
