"""Building the compressed pixel representation of generated 96 px images: images per second, and peak memory."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import pandas as pd
import torch
from record import record
from torch import Tensor

from foveola.pixels import compressed_representation

SIZE, BATCH, DIM = 96, 64, 64


class GeneratedImages:
    """Random mixtures of fixed patterns with noise, made anew on every pass."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.patterns = torch.randn(100, 3 * SIZE * SIZE, generator=torch.Generator().manual_seed(0))

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(1)
        for start in range(0, self.count, BATCH):
            size = min(BATCH, self.count - start)
            mixed = torch.randn(size, 100, generator=generator) @ self.patterns
            yield mixed.reshape(size, 3, SIZE, SIZE)


def measure(count: int) -> dict[str, float]:
    images = GeneratedImages(count)
    started = time.perf_counter()
    for _ in images:
        pass
    generating = time.perf_counter() - started
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    compressed_representation(images, DIM)
    seconds = time.perf_counter() - started - 3 * generating  # it goes through the images three times
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "images": count,
        "seconds": seconds,
        "images_per_s": count / seconds,
        "peak_mib": after / 1024,
        "added_mib": (after - before) / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="*", default=[400, 4_000, 40_000])
    parser.add_argument("--one", type=int, help="measure this count in this process and print it")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    rows = []
    for count in arguments.counts:  # a process each: the peak of memory belongs to the process
        command = [sys.executable, __file__, "--one", str(count)]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    note = f"Compressed pixel representation, {SIZE} px, 3 channels, d = {DIM}, one power pass; generation subtracted"
    record("build_representation", pd.DataFrame(rows), note)


if __name__ == "__main__":
    main()
