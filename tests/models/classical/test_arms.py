"""What every arm that is solved keeps to; a new one is tested here without being named."""

from __future__ import annotations

import copy
import logging
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from foveola.attention import ARMS, ArmSettings, Attended
from foveola.data.stored.preprocessing import Preprocessing, Scaling
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, FittedModel, ModelDescription, arm_backbone

Predict = Callable[[nn.Module], np.ndarray]
Solve = Callable[..., nn.Module]

SOLVED = [name for name, arm in ARMS.items() if arm.solve is not None]
LEARNING = [name for name in SOLVED if name != "majority"]
every_arm = pytest.mark.parametrize("name", SOLVED)


def fitted(name: str, network: nn.Module) -> FittedModel:
    values = {"untrained": True} if name == "linear-probe" else {}
    arm = ARMS[name]
    settings = arm.configure(values)
    description = ModelDescription(
        arm=name,
        arm_settings=settings.model_dump(mode="json"),
        fold=0,
        seed=0,
        epoch=0,
        classes=("a", "b", "c"),
        channels=3,
        backbone=arm_backbone(arm, settings, BackboneSettings(name="small-cnn")),
        preprocessing=Preprocessing(image_size=10),
        scaling=Scaling(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25)),
        attention={},
    )
    return FittedModel(Attended(network, None).eval(), description)


def test_there_are_some() -> None:
    assert set(SOLVED) >= {"majority", "logistic-regression", "svm", "linear-probe"}
    assert all(ARMS[name].operator == "none" for name in SOLVED)


@every_arm
def test_its_numbers_are_the_same_again(name: str, solve: Solve) -> None:
    first, second = solve(name).state_dict(), solve(name).state_dict()
    assert all(torch.equal(value, second[key]) for key, value in first.items())


@every_arm
def test_what_is_saved_is_loaded(name: str, solve: Solve, tmp_path: Path) -> None:
    model = fitted(name, solve(name))
    model.save(tmp_path)
    again = FittedModel.load(tmp_path)
    pixels = np.random.default_rng(6).integers(0, 256, (7, 3, 10, 10), dtype=np.uint8)
    assert np.array_equal(again.probabilities(pixels), model.probabilities(pixels))
    assert again.places == {}


@every_arm
def test_it_can_be_copied(name: str, solve: Solve, probabilities: Predict) -> None:
    network = solve(name)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert np.array_equal(probabilities(twin), probabilities(network))
        assert np.array_equal(probabilities(twin.train()), probabilities(network))


class SideBySide(nn.Module):
    """All in one, because most of the time of an export is not the network's."""

    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(images) for network in self.networks])


def test_exported_they_are_the_same(solve: Solve, case: Any, tmp_path: Path) -> None:
    networks = SideBySide([solve(name) for name in SOLVED]).eval()
    with torch.no_grad():
        expected = networks(case.unseen)
    assert expected.shape == (len(SOLVED), 13, 3)
    program = torch.export.export(networks, (case.unseen,))
    torch.testing.assert_close(program.module()(case.unseen), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own use of torch
        torch.onnx.export(program, (), tmp_path / "model.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {session.get_inputs()[0].name: case.unseen.numpy()})
    torch.testing.assert_close(torch.from_numpy(output), expected, rtol=1e-4, atol=1e-5)


@every_arm
def test_a_class_without_training_images_has_no_probability(
    name: str, solve: Solve, case: Any, probabilities: Predict
) -> None:
    found = probabilities(solve(name, labels=np.where(case.labels == 1, 2, case.labels)))
    assert (found[:, 1] == 0).all()
    assert np.allclose(found.sum(1), 1, atol=1e-6)


@every_arm
def test_one_class_alone_is_certain(name: str, solve: Solve, case: Any, probabilities: Predict) -> None:
    assert np.array_equal(probabilities(solve(name, labels=np.full_like(case.labels, 2)))[:, 2], np.ones(13))


@pytest.mark.parametrize("name", LEARNING)
def test_a_class_of_one_group_is_missing_in_an_inner_fold(
    name: str, solve: Solve, case: Any, probabilities: Predict
) -> None:
    labels = np.where(np.arange(len(case.labels)) == 40, 0, case.labels % 2 + 1)
    found = probabilities(solve(name, labels=labels))
    assert np.isfinite(found).all()
    assert 0 < found[:, 0].max() < 0.5


@pytest.mark.parametrize("name", LEARNING)
def test_without_an_inner_split_nothing_is_chosen_and_that_is_said(
    name: str, solve: Solve, case: Any, probabilities: Predict, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        network = solve(name, groups=np.array([f"class {label}" for label in case.labels]))
    assert "too few groups for an inner search: C = 1 " in caplog.text
    assert np.isfinite(probabilities(network)).all()


@pytest.mark.parametrize("name", [name for name in LEARNING if ARMS[name].backbone])
def test_it_tells_the_classes_apart(name: str, solve: Solve, case: Any) -> None:
    """Also with the other criterion."""
    for criterion in ("log-loss", "auc"):
        network = solve(name, criterion=criterion)
        with torch.no_grad():
            assert (network(case.images).argmax(1).numpy() == case.labels).mean() > 0.7


@every_arm
@pytest.mark.parametrize(
    ("key", "value"), [("lr", 0.1), ("weight_decay", 0.0), ("contrastive", 0.5), ("temperature", 0.2)]
)
def test_settings_of_gradient_training_are_refused(name: str, key: str, value: float) -> None:
    with pytest.raises(
        FoveolaError, match=f"because nothing is trained by gradients, got {value}, in .*'{name}'.{key}"
    ):
        ARMS[name].configure({key: value})
    assert ARMS[name].configure({key: ArmSettings.model_fields[key].default}) == ARMS[name].configure({})


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"c": 0}, r"greater than 0, got 0, in .*\.c"),
        ({"c": []}, "at least 1 item"),
        ({"c": "fast"}, "got 'fast'"),
        ({"c": [1.0, float("inf")]}, "finite number"),
        ({"inner_folds": 1}, r"greater than or equal to 2, got 1, in .*inner_folds"),
        ({"criterion": "accuracy"}, "'log-loss' or 'auc', got 'accuracy'"),
        ({"cc": 1}, "known key, got 'cc'"),
    ],
)
def test_what_cannot_be_is_refused(name: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        ARMS[name].configure(values)


def test_weights_of_another_network_are_refused(solve: Solve, tmp_path: Path) -> None:
    """Also where the number of support vectors is free, and that of their pixels is not."""
    fitted("svm", solve("svm")).save(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    for name, value in (("support", torch.zeros(5, 299)), ("coefficients", torch.zeros(5)), ("gamma", None)):
        key = f"network.machine.{name}"
        changed = {other: each for other, each in state.items() if other != key}
        save_file(changed if value is None else {**changed, key: value}, tmp_path / "model.safetensors")
        with pytest.raises(FoveolaError, match=r"the weights that model.json describes, got those of another network"):
            FittedModel.load(tmp_path)
