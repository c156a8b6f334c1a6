from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import timm
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention import ARMS
from foveola.foundation.errors import FoveolaError
from foveola.models.zoo.small_cnn import small_cnn
from foveola.training.contrastive import ContrastiveTerm, supervised_contrastive
from foveola.training.module import AttentionTraining

if TYPE_CHECKING:
    from conftest import Case


class StopError(Exception):
    """Stands for whatever ends a process."""


def stop_at_9(_: str, done: int, __: int) -> None:
    if done == 9:
        raise StopError


def drawn(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed))


def slow(projections: Tensor, labels: list[int], temperature: float) -> float:
    """The formula of the docstring, one pair after the other, in double precision."""
    z = [row / math.sqrt(float(row @ row)) for row in projections.double().numpy()]
    terms = []
    for i, label in enumerate(labels):
        positives = [p for p in range(len(labels)) if p != i and labels[p] == label]
        if not positives:
            continue
        below = sum(math.exp(float(z[i] @ z[a]) / temperature) for a in range(len(labels)) if a != i)
        terms.append(
            -sum(math.log(math.exp(float(z[i] @ z[p]) / temperature) / below) for p in positives) / len(positives)
        )
    return sum(terms) / len(terms) if terms else 0.0


@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=9), temperature=st.sampled_from([0.07, 0.1, 0.5, 2.0]))
@settings(max_examples=60, deadline=None)
def test_the_loss_is_the_formula(labels: list[int], temperature: float) -> None:
    projections = drawn(len(labels)).requires_grad_()
    loss = supervised_contrastive(projections, torch.tensor(labels), temperature)
    assert loss.item() == pytest.approx(slow(projections.detach(), labels, temperature), rel=1e-4, abs=1e-5)
    (gradient,) = torch.autograd.grad(loss, projections)
    assert gradient.isfinite().all()


def test_rows_without_a_positive_are_left_out_and_still_stand_below() -> None:
    projections, labels = drawn(7), torch.tensor([0, 1, 0, 2, 0, 3, 4])
    loss = supervised_contrastive(projections, labels, 0.1)
    assert loss.item() == pytest.approx(slow(projections, labels.tolist(), 0.1), rel=1e-5)
    alone = supervised_contrastive(projections[[0, 2, 4]], labels[[0, 2, 4]], 0.1)
    assert loss > alone + 0.1
    for count in (7, 1):
        lonely = drawn(count).requires_grad_()
        loss = supervised_contrastive(lonely, torch.arange(count), 0.1)
        assert loss.item() == 0
        (gradient,) = torch.autograd.grad(loss, lonely)
        assert (gradient == 0).all()


def test_it_does_not_depend_on_order_nor_length_and_falls_when_classes_part() -> None:
    projections, labels = drawn(8), torch.tensor([0, 1, 0, 2, 1, 2, 0, 1])
    loss, order = supervised_contrastive(projections, labels, 0.2), torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    torch.testing.assert_close(supervised_contrastive(projections[order], labels[order], 0.2), loss)
    torch.testing.assert_close(supervised_contrastive(projections * torch.rand(8, 1), labels, 0.2), loss)
    parted = projections + 4 * functional.one_hot(labels, 5)
    assert supervised_contrastive(parted, labels, 0.2) < loss - 1


def test_it_is_right_in_double_and_under_autocast() -> None:
    projections, labels = drawn(6).double().requires_grad_(), torch.tensor([0, 1, 0, 1, 1, 2])
    assert torch.autograd.gradcheck(lambda z: supervised_contrastive(z, labels, 0.3), projections)
    expected = supervised_contrastive(projections.detach().float(), labels, 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = supervised_contrastive(projections.detach().float(), labels, 0.1)
    torch.testing.assert_close(mixed, expected, rtol=0, atol=0)
    half = supervised_contrastive(projections.detach().bfloat16(), labels, 0.1)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("build", "classifier", "features"),
    [
        (lambda: small_cnn(channels=3, classes=4, width=2), "classify", 8),
        (lambda: timm.create_model("resnet18", num_classes=4), "fc", 512),
        (lambda: timm.create_model("mobilenetv3_small_050", num_classes=4), "classifier", 1024),
        (lambda: torchvision.models.squeezenet1_1(num_classes=4), "classifier.1", 512),
    ],
    ids=["small-cnn", "resnet18", "mobilenet", "squeezenet"],
)
def test_the_classifier_is_found(build: Callable[[], nn.Module], classifier: str, features: int) -> None:
    network = build().train()
    term = ContrastiveTerm(network, torch.zeros(1, 3, 48, 40), 0.5, 0.1)
    assert term.classifier == classifier
    assert network.training
    assert [tuple(p.shape) for p in term.parameters()] == [(512, features), (512,), (128, 512), (128,)]
    if (known := getattr(network, "get_classifier", None)) is not None:
        assert network.get_submodule(classifier) is known()
    with term.listening(network) as seen:
        network(torch.rand(5, 3, 48, 40))
    assert seen[0].shape[:2] == (5, features)
    assert term(seen, torch.tensor([0, 1, 0, 2, 1])).item() > 0
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in network.modules())


def test_a_network_without_a_classifier() -> None:
    with pytest.raises(FoveolaError, match="ends in a linear layer or a convolution, got a Flatten without"):
        ContrastiveTerm(nn.Flatten(), torch.zeros(1, 3, 12, 10), 0.5, 0.1)


def test_every_arm_that_is_trained_takes_it() -> None:
    for arm in (arm for arm in ARMS.values() if arm.trains):
        default, given = arm.configure({}), arm.configure({"contrastive": 0.5, "temperature": 0.2})
        assert (default.contrastive, default.temperature) == (0, 0.1)
        assert (given.contrastive, given.temperature) == (0.5, 0.2)
    for values in ({"contrastive": -1}, {"temperature": 0}):
        with pytest.raises(FoveolaError, match=f"the settings of arm 'plain'.{next(iter(values))}"):
            ARMS["plain"].configure(values)


def test_the_loss_of_a_step_is_the_sum(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    model, settings = case.model("l1"), ARMS["l1"].configure({"contrastive": 0.7, "temperature": 0.3})
    contrast = ContrastiveTerm(model.network, torch.zeros(1, 1, 12, 10), 0.7, 0.3)
    module = AttentionTraining(model, case.scaling, case.settings, settings, 1, contrast).eval()
    logged: dict[str, Tensor] = {}
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: value}))
    monkeypatch.setattr(module, "log_dict", lambda values, **_: logged.update(values))
    images, labels = case.rows(0, 25).__getitems__([3, 1, 4, 10, 5, 9, 2])
    loss = module.training_step((images, labels), 0)
    network = model.network
    assert isinstance(network, nn.Sequential)
    assert model.attention is not None
    features = network[:-1]((images / 255 - 0.5) / 0.25 * model.attention.map())
    cross_entropy = functional.cross_entropy(network[-1](features), labels)
    expected = 0.7 * slow(contrast.projector(features).detach(), labels.tolist(), 0.3)
    assert logged["contrastive"].item() == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(loss, cross_entropy + logged["penalty"] + logged["contrastive"])


@pytest.mark.parametrize("arm", ["plain", "global"])
def test_it_trains_and_goes_on_exactly(case: Case, arm: str, tmp_path: Path) -> None:
    without = case.train(arm, tmp_path / "without")
    whole = case.train(arm, tmp_path / "whole", contrastive=0.5)
    assert whole.state_dict().keys() == without.state_dict().keys()
    head = "network.classify.weight"
    assert not torch.equal(whole.state_dict()[head], without.state_dict()[head])
    with pytest.raises(StopError):
        case.train(arm, tmp_path / "cut", contrastive=0.5, progress=stop_at_9)
    resumed = case.train(arm, tmp_path / "cut", contrastive=0.5)
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name
    history = (tmp_path / "whole" / "history.csv").read_bytes()
    assert (tmp_path / "cut" / "history.csv").read_bytes() == history
    values = pd.read_csv(tmp_path / "whole" / "history.csv")["contrastive"]
    assert values.notna().all()
    assert values.iloc[-1] < values.iloc[0]
    assert "contrastive" not in pd.read_csv(tmp_path / "without" / "history.csv")


def test_the_projector_starts_from_the_seed_alone_and_learns(case: Case, tmp_path: Path) -> None:
    case.train("plain", tmp_path, contrastive=0.5)
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    learned = {name: value for name, value in state.items() if name.startswith("contrast.")}
    assert sorted(learned) == [f"contrast.projector.{layer}.{kind}" for layer in (0, 2) for kind in ("bias", "weight")]
    torch.manual_seed(1)  # the seed of the fit
    moved = (learned["contrast.projector.0.weight"] - nn.Linear(16, 512).weight).abs()
    assert 0 < moved.max() < 0.05


def test_what_is_random_besides_stays_as_it_was(case: Case, tmp_path: Path) -> None:
    states = []
    for coefficient in (0.0, 0.5):
        torch.manual_seed(4)
        case.train("plain", tmp_path / str(coefficient), contrastive=coefficient)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)
