from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from foveola.data import load_cohort
from foveola.foundation.errors import FoveolaError

medmnist = pytest.importorskip("medmnist")


def saved(root: Path, name: str, side: int, channels: tuple[int, ...] = ()) -> None:
    rng = np.random.default_rng(8)
    made = {}
    for split, count in (("train", 7), ("val", 3), ("test", 5)):
        made[f"{split}_images"] = rng.integers(0, 256, (count, side, side, *channels), dtype=np.uint8)
        made[f"{split}_labels"] = (np.arange(count) % 2)[:, None].astype(np.uint8)
    np.savez(root / name, **made)


def no_network(*_: object, **__: object) -> None:
    raise AssertionError("nothing is to be downloaded")


def test_a_file_at_the_root_is_read_with_its_split_and_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(medmnist.PneumoniaMNIST, "download", no_network)
    saved(tmp_path, "pneumoniamnist.npz", 28)
    cohort = load_cohort(f"medmnist:pneumoniamnist,root={tmp_path}")
    assert cohort.name == "pneumoniamnist"
    assert cohort.classes == ("normal", "pneumonia")
    assert cohort.table["split"].value_counts().to_dict() == {"train": 7, "test": 5, "val": 3}
    assert cohort.images.read(0).shape == (28, 28)


def test_a_larger_size_is_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(medmnist.BloodMNIST, "download", no_network)
    saved(tmp_path, "bloodmnist_64.npz", 64, (3,))
    cohort = load_cohort(f"medmnist:bloodmnist,root={tmp_path},size=64")
    assert cohort.classes == ("basophil", "eosinophil")
    assert cohort.images.header(14) == (64, 64, 3)


def test_a_download_lands_whole_at_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(medmnist.BreastMNIST, "download", lambda self: saved(Path(self.root), "breastmnist.npz", 28))
    root = tmp_path / "new" / "root"
    assert len(load_cohort(f"medmnist:breastmnist,root={root}")) == 15
    assert [path.name for path in root.iterdir()] == ["breastmnist.npz"]


def test_a_failed_download_leaves_nothing_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: medmnist.dataset.MedMNIST) -> None:
        (Path(self.root) / "pneumoniamnist.npz").write_bytes(b"half")
        raise RuntimeError("Automatic download failed!")

    monkeypatch.setattr(medmnist.PneumoniaMNIST, "download", fail)
    with pytest.raises(FoveolaError) as caught:
        load_cohort(f"medmnist:pneumoniamnist,root={tmp_path}")
    assert str(caught.value) == (
        f"expected the file pneumoniamnist.npz, got a download that failed, in {tmp_path}; "
        "put pneumoniamnist.npz there by hand, or pass --data npz:FILE with a copy from elsewhere"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("medmnist", "expected a known data set, got ''"),
        ("medmnist:pneumonia", "did you mean 'pneumoniamnist'"),
        ("medmnist:organmnist3d", "did you mean 'organ[acs]mnist'"),
        ("medmnist:chestmnist", "expected one label an image, got a multi-label, binary-class task"),
        ("medmnist:octmnist,size=32", "expected 28, 64, 128 or 224, got '32'"),
        ("medmnist:octmnist,size=big", "expected a whole number from 28 to 224, got 'big'"),
        ("medmnist:octmnist,sise=28", "did you mean 'size'"),
    ],
)
def test_what_cannot_be_asked_for(data: str, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        load_cohort(data)


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "medmnist", None)
    with pytest.raises(FoveolaError, match=r'run `pip install "foveola\[medmnist\]"`'):
        load_cohort("medmnist:pneumoniamnist")
