"""One fit: nothing of the test images leaks into it, and arms differ in their attention alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch

from foveola.attention import ARMS
from foveola.comparison import compare, load_data
from foveola.foundation.errors import FoveolaError
from foveola.protocol import PlannedFit, RunConfiguration, run_fit
from foveola.protocol.run import fit
from foveola.training import fitting

Configure = Callable[..., RunConfiguration]
Arrays = dict[str, np.ndarray]
DrawScans = Callable[..., Arrays]

FILES = ("map-before.npy", "map.npy", "model.safetensors")


def fitted(configuration: RunConfiguration, folder: Path) -> dict[str, bytes]:
    """Fits the arm ``global`` and returns what it learned."""
    configuration, data, _ = load_data(configuration)
    run_fit(PlannedFit("global", 0, 0), configuration, data, folder)
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("representation", ["exact", "compressed"])
def test_test_and_validation_images_never_change_what_is_learned(
    representation: str, configure: Configure, draw_scans: DrawScans, tmp_path: Path
) -> None:
    drawn, other = draw_scans(), draw_scans({"train": 25, "val": 9, "test": 17}, seed=1)

    def learned(name: str, arrays: Arrays) -> dict[str, bytes]:
        np.savez(tmp_path / f"{name}.npz", **arrays)  # type: ignore[arg-type]
        options = {"data": str(tmp_path / f"{name}.npz"), "global.representation": representation, "global.dim": 4}
        return fitted(configure(["global"], options), tmp_path / name)

    reference = learned("reference", drawn)
    inverted = {**drawn, "test_images": 255 - drawn["test_images"], "val_images": 255 - drawn["val_images"]}
    assert learned("changed", inverted) == reference
    assert learned("more", {**other, **{name: drawn[name] for name in ("train_images", "train_labels")}}) == reference
    without = {name: array for name, array in drawn.items() if not name.startswith("val")}
    assert learned("fewer", {**without, "test_images": drawn["test_images"][:4], "test_labels": np.arange(4) % 3}) == (
        reference
    )
    assert learned("finer", {**drawn, "test_images": drawn["test_images"] / 255}) == reference
    one = drawn["train_images"].copy()
    one[12] = one[12, ::-1]
    changed = learned("one", {**drawn, "train_images": one})
    assert all(changed[name] != reference[name] for name in FILES)


@pytest.mark.parametrize("representation", ["exact", "compressed"])
def test_test_images_may_be_added_between_the_others(
    representation: str, configure: Configure, draw_scans: DrawScans, tmp_path: Path
) -> None:
    drawn = draw_scans({"train": 23, "test": 9})
    images = np.concatenate([drawn["train_images"], drawn["test_images"]])
    labels = np.concatenate([drawn["train_labels"], drawn["test_labels"]])
    roles = np.array(["train"] * 23 + ["test"] * 9)
    more = draw_scans({"x": 5}, seed=7)

    def learned(name: str, places: list[int]) -> dict[str, bytes]:
        np.savez(
            tmp_path / f"{name}.npz",
            images=np.insert(images, places, more["x_images"][: len(places)], axis=0),
            labels=np.insert(labels, places, more["x_labels"][: len(places)]),
        )
        samples = [f"image-{place:05d}" for place in range(len(roles) + len(places))]
        splits = pd.DataFrame({"sample": samples, "role": np.insert(roles, places, "test")})
        splits.to_csv(tmp_path / f"{name}.csv", index=False)
        options = {"data": str(tmp_path / f"{name}.npz"), "split_file": str(tmp_path / f"{name}.csv")}
        options |= {"global.representation": representation, "global.dim": "4"}
        return fitted(configure(["global"], options), tmp_path / name)

    assert learned("reference", []) == learned("more", [0, 3, 3, 20, 32])


def test_arms_differ_in_nothing_but_their_attention(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, dict[str, Any]] = {}

    def recorded(model: Any, training: Any, validation: Any, **options: Any) -> None:
        loader = training.loader(options["settings"].batch_size, options["seed"])
        batches = []
        for epoch in (0, 1):
            loader.batch_sampler.set_epoch(epoch)
            batches += [(images.numpy().tobytes(), labels.tolist()) for images, labels in loader]
        weights = {name: value.clone() for name, value in model.network.state_dict().items()}
        noise = torch.rand(3).tolist()
        seen[options["folder"].name] = {
            "batches": batches,
            "weights": weights,
            "validation": validation.rows.tolist(),
            "noise": noise,
            **{name: options[name] for name in ("scaling", "settings", "seed")},
        }

    monkeypatch.setattr(fitting, "train", recorded)
    monkeypatch.setattr(fit, "_test", lambda *_: None)
    arms = [name for name, arm in ARMS.items() if arm.backbone is None and arm.trains]
    configuration, data, _ = load_data(configure(arms))
    before = torch.get_rng_state()
    for arm in arms:
        run_fit(PlannedFit(arm, 0, 3), configuration, data, tmp_path / arm)
    assert torch.equal(torch.get_rng_state(), before), "the caller's random numbers were used up"
    assert list(seen) == arms
    plain = seen.pop("plain")
    assert len(plain["batches"]) == 2 * 4
    assert plain["batches"][:4] != plain["batches"][4:]
    for arm, facts in seen.items():
        for name in ("batches", "validation", "scaling", "settings", "seed"):
            assert facts[name] == plain[name], (arm, name)
        has_map = ARMS[arm].operator not in ("none", "channels")
        assert (tmp_path / arm / "map-before.npy").is_file() == has_map, arm
        kernels = [value for value in facts["weights"].values() if value.ndim == 4]
        for name, value in plain["weights"].items():  # attention inside renames the layers around it
            if ARMS[arm].mask is not None:
                assert torch.equal(facts["weights"][name], value), (arm, name)
            elif value.ndim == 4:
                assert any(torch.equal(kernel, value) for kernel in kernels), (arm, name)
    run_fit(PlannedFit("plain", 0, 4), configuration, data, tmp_path / "plain")
    assert seen["plain"]["batches"] != plain["batches"]
    kernel = next(iter(plain["weights"]))
    assert not torch.equal(seen["plain"]["weights"][kernel], plain["weights"][kernel])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"training.device": "cuda"},
            "a device that this machine has, got 'cuda', in --device; give --device auto or cpu",
        ),
        ({"training.device": "mps"}, "a device that this machine has, got 'mps'"),
        ({"backbone.name": "resnt18"}, r"known backbone, got 'resnt18', in --backbone; did you mean 'resnet18'"),
        ({"backbone.name": "resnet18"}, "pretrained weights of 'resnet18'.*pass --weights FILE.*or --no-pretrained"),
        ({"backbone.weights": "none.pth"}, r"a file of weights, got no such file, in none\.pth"),
        ({"backbone.name": "vgg16", "preprocessing.image_size": 8, "backbone.pretrained": False}, "in --image-size"),
    ],
)
def test_what_no_fit_can_start_with_is_known_before_anything_is_written(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    create = timm.create_model

    def offline(*names: Any, pretrained: bool = False, **settings: Any) -> Any:
        if pretrained:
            raise OSError("no route to host")
        return create(*names, **settings)

    monkeypatch.setattr("timm.create_model", offline)
    for device in ("cuda", "backends.mps"):
        monkeypatch.setattr(f"torch.{device}.is_available", lambda: False)
    with pytest.raises(FoveolaError, match=message):
        compare(configure(["plain"], options), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arm", ["plain", "global"])
def test_a_training_that_diverges_is_no_finished_fit(configure: Configure, tmp_path: Path, arm: str) -> None:
    with pytest.raises(FoveolaError, match=r"NaN.*the training diverged.*smaller --lr"):
        compare(configure([arm], {"training.lr": 1e30}), tmp_path / "run")
    assert not list((tmp_path / "run").rglob("done"))
