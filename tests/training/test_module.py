"""One step, and the border of two phases, against Algorithm 1 written out."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention import ARMS, Attended, Cbam, GlobalAttention, insert
from foveola.models.zoo.small_cnn import small_cnn
from foveola.training import NormalisedBatches, TrainingSettings
from foveola.training.module import AttentionTraining

if TYPE_CHECKING:
    from conftest import Case, Epoch

ROWS = 25


def algorithm_1(
    case: Case,
    network: nn.Module,
    mask: GlobalAttention,
    *,
    seed: int,
    lrs: tuple[float, float],
    decays: tuple[float, float],
    penalty: float,
    cosine: bool,
) -> Tensor:
    """Trains both in place as the paper writes it, with one optimiser for each, and returns the last map.

    Source: Xu et al. 2020, arXiv:2007.15897, definition 3, eq. 1 and algorithm 1.
    """
    epochs, cutoff, size = case.settings.epochs, case.settings.cutoff_epoch, case.settings.batch_size
    images = torch.from_numpy((case.pixels[:ROWS].astype(np.float32) / 255 - 0.5) / 0.25)
    labels = torch.from_numpy(case.labels[:ROWS])
    representation = images.reshape(1, ROWS, 12, 10)
    first, last = mask.network.first, mask.network.last

    def attention() -> Tensor:
        hidden = functional.conv2d(representation, first.weight, first.bias, padding=1).relu()
        return functional.conv2d(hidden, last.weight, last.bias).sigmoid()[0, 0]

    of_network = torch.optim.Adam(network.parameters(), lr=lrs[0], weight_decay=decays[0])
    of_mask = torch.optim.Adam(mask.parameters(), lr=lrs[1], weight_decay=decays[1])
    fixed = torch.empty(0)
    for epoch in range(epochs):
        share = 0.5 * (1 + math.cos(math.pi * epoch / epochs)) if cosine else 1.0
        of_network.param_groups[0]["lr"], of_mask.param_groups[0]["lr"] = share * lrs[0], share * lrs[1]
        if epoch == cutoff:
            fixed = attention().detach()
        order = np.random.default_rng([seed, epoch]).permutation(ROWS)
        for start in range(0, ROWS - 1, size):
            chosen = order[start:] if ROWS - start - size == 1 else order[start : start + size]
            weights = attention() if epoch < cutoff else fixed
            logits = network(images[chosen] * weights)
            loss = -logits.log_softmax(1)[range(len(chosen)), labels[chosen]].mean()
            if epoch < cutoff:
                loss = loss + penalty * weights.sum() / 120
            of_network.zero_grad()
            of_mask.zero_grad()
            loss.backward()
            of_network.step()
            if epoch < cutoff:
                of_mask.step()
    return fixed


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_trains_as_algorithm_1_does(case: Case, schedule: str, tmp_path: Path) -> None:
    case.settings = case.settings.model_copy(update={"schedule": schedule, "weight_decay": 0.01})
    options: dict[str, Any] = {"representation": "exact", "penalty": 0.3, "lr": 0.004, "weight_decay": 0.02}
    expected = case.model("global", **options)
    assert isinstance(expected.attention, GlobalAttention)
    values = algorithm_1(
        case,
        expected.network,
        expected.attention,
        seed=1,
        lrs=(1e-3, 0.004),
        decays=(0.01, 0.02),
        penalty=0.3,
        cosine=schedule == "cosine",
    )
    before = case.model("global", **options).attention
    assert before is not None
    assert (before.map() - values).abs().max() > 0.01  # it learned something
    got = case.train("global", tmp_path, **options)
    assert got.attention is not None
    torch.testing.assert_close(got.attention.map(), values, rtol=0, atol=1e-5)
    own, others = got.network.state_dict(), expected.network.state_dict()
    for name, value in others.items():
        torch.testing.assert_close(own[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_the_map_learns_until_the_cut_off_and_then_stands(case: Case, epochs: list[Epoch], tmp_path: Path) -> None:
    last = case.train("global", tmp_path).attention
    assert last is not None
    maps = [epoch.map for epoch in epochs if epoch.map is not None]
    assert len(maps) == 5
    for epoch in (0, 1, 2):  # the maps at the start of epochs 0, 1, 2 and at the border differ
        assert not torch.equal(maps[epoch], maps[epoch + 1])
    assert torch.equal(maps[3], maps[4])
    assert torch.equal(maps[3], last.map())


def test_the_optimiser_goes_on_over_the_border(case: Case, epochs: list[Epoch], tmp_path: Path) -> None:
    case.train("global", tmp_path)
    parameters = len(list(case.model("global").network.parameters()))
    border = epochs[3]
    assert len(border.momenta) == parameters
    assert len(border.momenta_before) == parameters + 4  # two layers of the pixel CNN leave
    for before, after in zip(border.momenta_before, border.momenta, strict=False):
        assert torch.equal(before, after)
        assert before.abs().max() > 0
    assert [len(epoch.lrs) for epoch in epochs] == [2, 2, 2, 1, 1]
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["optimizer_states"][0]["state"]
    assert {entry["step"].item() for entry in state.values()} == {20.0}


def test_l1_learns_to_the_end(case: Case, epochs: list[Epoch], tmp_path: Path) -> None:
    last = case.train("l1", tmp_path).attention
    assert last is not None
    maps = [*(epoch.map for epoch in epochs if epoch.map is not None), last.map()]
    assert len(maps) == 6
    assert all(not torch.equal(before, after) for before, after in pairwise(maps))
    assert [len(epoch.lrs) for epoch in epochs] == [2] * 5


def test_plain_has_no_map_and_one_group(case: Case, epochs: list[Epoch], tmp_path: Path) -> None:
    assert case.train("plain", tmp_path).attention is None
    assert [(epoch.map, len(epoch.lrs)) for epoch in epochs] == [(None, 1)] * 5


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [("cosine", [1, 0.9045085, 0.6545085, 0.3454915, 0.0954915]), ("constant", [1] * 5)],
)
def test_the_schedule_holds_for_both_groups(
    case: Case, epochs: list[Epoch], schedule: str, shares: list[float], tmp_path: Path
) -> None:
    case.settings = case.settings.model_copy(update={"schedule": schedule})
    case.train("l1", tmp_path, lr=0.02)
    for epoch, share in zip(epochs, shares, strict=True):
        assert epoch.lrs == pytest.approx([share * 1e-3, share * 0.02], rel=1e-6)


def groups(case: Case, arm: str, **options: Any) -> list[dict[str, float]]:
    settings = TrainingSettings(lr=0.003, weight_decay=0.05)
    arm_settings = ARMS[arm].configure(dict(options))
    model = case.model(arm, **options)
    optimizer = AttentionTraining(model, case.scaling, settings, arm_settings, 1).configure_optimizers()
    owners = [model.network, model.attention]
    for group, owner in zip(optimizer.param_groups, owners, strict=False):
        assert owner is not None
        assert [id(p) for p in group["params"]] == [id(p) for p in owner.parameters()]
    return [{key: group[key] for key in ("lr", "weight_decay")} for group in optimizer.param_groups]


def test_each_group_has_its_own_rate_and_decay(case: Case) -> None:
    network = {"lr": 0.003, "weight_decay": 0.05}
    assert groups(case, "plain") == [network]
    assert groups(case, "global", hidden=5) == [network, network]
    assert groups(case, "global", hidden=5, lr=0.2) == [network, {"lr": 0.2, "weight_decay": 0.05}]
    assert groups(case, "free-mask") == [network, {"lr": 0.05, "weight_decay": 0.0}]
    assert groups(case, "l1", weight_decay=0.5) == [network, {"lr": 0.003, "weight_decay": 0.5}]


def test_the_first_step_of_adam_is_as_long_as_the_learning_rate(case: Case, tmp_path: Path) -> None:
    """Which shows that each group's own rate is the one that is used."""
    case.settings = TrainingSettings(epochs=1, lr=0.002, weight_decay=0, batch_size=ROWS, device="cpu")
    before, after = case.model("l1", penalty=3.0, lr=0.07), case.train("l1", tmp_path, penalty=3.0, lr=0.07)
    assert after.attention is not None
    steps = (1 - after.attention.map()).abs()
    assert steps.max().item() == pytest.approx(0.07, rel=1e-3)
    head = "classify.weight"
    moved = (before.network.state_dict()[head] - after.network.state_dict()[head]).abs()
    assert moved.max().item() == pytest.approx(0.002, rel=1e-3)


def test_the_loss_is_cross_entropy_plus_penalty(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    model = case.model("l1", penalty=0.25)
    assert model.attention is not None
    values = torch.linspace(-1, 2, 120).view(12, 10)
    model.attention.load_state_dict({"values": values})
    module = AttentionTraining(model, case.scaling, case.settings, ARMS["l1"].configure({}), 1).eval()
    logged: dict[str, Tensor] = {}
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: value}))
    monkeypatch.setattr(module, "log_dict", lambda values, **_: logged.update(values))
    images, labels = case.rows(0, ROWS).__getitems__([3, 1, 4, 10, 5, 9, 2])
    loss = module.training_step((images, labels), 0)
    logits = model.network((images / 255 - 0.5) / 0.25 * values)
    expected = functional.cross_entropy(logits, labels)
    torch.testing.assert_close(logged["train_loss"], expected)
    torch.testing.assert_close(logged["penalty"], 0.25 * values.abs().mean())
    torch.testing.assert_close(loss, expected + 0.25 * values.abs().mean())
    assert logged["train_accuracy"] == (logits.argmax(1) == labels).float().mean()


def test_attention_inside_a_backbone_is_trained_as_the_backbone_where_the_arm_is_a_mask(case: Case) -> None:
    torch.manual_seed(0)
    network = small_cnn(channels=1, classes=3, width=4)
    insert(network, lambda channels, size: Cbam(channels), torch.zeros(1, 1, 12, 10))
    arm = ARMS["free-mask"]
    mask = arm.mask(NormalisedBatches(case.pixels, np.arange(5), case.scaling), arm.configure({}))  # type: ignore[misc]
    module = AttentionTraining(Attended(network, mask), case.scaling, case.settings, arm.configure({}), seed=0)
    groups = module.configure_optimizers().param_groups
    assert [len(group["params"]) for group in groups] == [len(list(network.parameters())), 1]
    module.model.freeze()
    assert [len(group["params"]) for group in module.configure_optimizers().param_groups] == [len(groups[0]["params"])]
