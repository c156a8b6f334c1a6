"""Arms by name, and what they can be told."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foveola.attention import (
    ARMS,
    Arm,
    ArmSettings,
    GlobalAttention,
    L1Mask,
    LayerSettings,
    SigmoidMask,
    StochasticGates,
)
from foveola.attention.hosts.placement import Followed
from foveola.foundation.errors import FoveolaError
from foveola.models.zoo.small_cnn import small_cnn

MASKS = {
    "l1": L1Mask,
    "l1-fair": L1Mask,
    "free-mask": SigmoidMask,
    "coarse-mask": SigmoidMask,
    "stochastic-gates": StochasticGates,
    "global": GlobalAttention,
}


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_is_found_under_its_own_name_and_says_what_it_is(name: str) -> None:
    arm = ARMS[name]
    assert arm.name == name
    assert arm.summary
    assert arm.configure({}) == arm.settings()


@pytest.mark.parametrize("name", MASKS)
def test_arms_make_their_masks(name: str) -> None:
    arm = ARMS[name]
    assert arm.mask is not None
    assert type(arm.mask(torch.rand(7, 3, 12, 10), arm.configure({}))) is MASKS[name]


def test_an_unknown_arm_is_answered_with_the_nearest() -> None:
    with pytest.raises(FoveolaError, match="expected a known arm, got 'globl', in --arm; did you mean 'global'"):
        ARMS["globl"]


def test_values_take_the_place_of_defaults() -> None:
    settings = ARMS["global"].configure({"hidden": "32", "penalty": 0.1})
    assert settings.model_dump() == ARMS["global"].settings().model_dump() | {"hidden": 32, "penalty": 0.1}


def test_the_published_l1_arm_learns_as_the_backbone_and_to_the_end_and_the_fair_one_by_itself() -> None:
    published: Any = ARMS["l1"].configure({})
    fair: Any = ARMS["l1-fair"].configure({})
    assert (published.lr, published.weight_decay, published.freezes) == (None, None, False)
    assert fair.lr is not None
    assert (fair.weight_decay, fair.freezes) == (0, True)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("global", {"hiden": 3}, "got 'hiden', in the settings of arm 'global'; did you mean 'hidden'"),
        ("global", {"kernel": 4}, "expected an odd kernel, .* got 4, in the settings of arm 'global'.kernel"),
        ("global", {"last_kernel": 2}, "expected an odd kernel, .* got 2, .*last_kernel"),
        ("global", {"hidden_layers": 0}, "got 0, in the settings of arm 'global'.hidden_layers"),
        ("global", {"dim": 0}, "greater than or equal to 1, got 0, .*dim"),
        ("global", {"pixel_memory": 0}, "greater than 0, got 0, .*pixel_memory"),
        ("global", {"representation": "exat"}, "'auto', 'exact' or 'compressed', got 'exat'"),
        ("coarse-mask", {"grid": 0}, "got 0, .*grid"),
        ("stochastic-gates", {"sigma": 0}, "got 0, .*sigma"),
        ("l1", {"penalty": -1}, "got -1, .*penalty"),
        ("l1-fair", {"lr": "fast"}, "got 'fast', .*lr"),
        ("plain", {"penalty": 1}, "expected a known key, got 'penalty'"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(name: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        ARMS[name].configure(values)


def doubled(channels: int, size: tuple[int, int], settings: Any) -> nn.Module:
    return nn.Identity()


def masked(images: Any, settings: Any) -> Any:
    return L1Mask(12, 10)


def solved(network: nn.Module, images: Any, labels: Any, groups: Any, settings: Any, seed: int) -> nn.Module:
    return network


class Reversed(nn.Module):
    """Another network of a backbone."""

    def __init__(self, backbone: nn.Module, image: Tensor, settings: Any) -> None:
        super().__init__()
        self.backbone, self.size = backbone, tuple(image.shape)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.backbone(images).flip(1)
        return logits


@pytest.mark.parametrize(("at", "places"), [("auto", 3), ("stages", 3), ("block2", 1)])
def test_a_layer_goes_where_the_settings_say(at: str, places: int) -> None:
    made: list[tuple[int, tuple[int, int]]] = []

    def layer(channels: int, size: tuple[int, int], settings: Any) -> nn.Module:
        made.append((channels, size))
        assert settings.at == at
        return nn.Identity()

    arm = Arm("own", "a layer", LayerSettings, "pointwise", layer=layer)
    backbone = small_cnn(3, 2)
    assert arm.adapt(backbone, torch.zeros(1, 3, 24, 16), arm.configure({"at": at})) is backbone
    expected = [(16, (12, 8)), (32, (6, 4)), (64, (3, 2))]
    assert made == (expected if places == 3 else expected[1:2])
    assert sum(isinstance(module, Followed) for module in backbone.modules()) == places


def test_another_network_is_made_of_the_backbone() -> None:
    arm = Arm("own", "a network", ArmSettings, "none", network=Reversed)
    backbone = small_cnn(3, 2).eval()
    network = arm.adapt(backbone, torch.zeros(1, 3, 24, 16), arm.configure({}))
    assert isinstance(network, Reversed)
    assert network.size == (1, 3, 24, 16)
    images = torch.rand(5, 3, 24, 16)
    assert torch.equal(network(images), backbone(images).flip(1))


def test_an_arm_without_either_leaves_the_backbone_as_it_is() -> None:
    backbone = small_cnn(3, 2)
    before = str(backbone)
    assert ARMS["plain"].adapt(backbone, torch.zeros(1, 3, 24, 16), ARMS["plain"].configure({})) is backbone
    assert str(backbone) == before


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layer": doubled, "network": Reversed}, "arm 'own' has more than one of mask, layer and network"),
        ({"layer": doubled, "solve": solved}, "arm 'own' has attention, which learns by gradients, and is solved"),
        ({"mask": masked, "solve": solved}, "arm 'own' has attention, which learns by gradients, and is solved"),
        ({"layer": doubled, "settings": ArmSettings}, "arm 'own', which has a layer, are no LayerSettings"),
    ],
)
def test_an_arm_that_cannot_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Arm(**{"name": "own", "summary": "", "settings": LayerSettings, "operator": "pointwise", **values})


def test_an_operator_that_is_not_in_the_table_is_refused() -> None:
    """Where types are not checked as they are here."""
    made = SimpleNamespace(
        name="own", mask=None, layer=None, network=None, solve=None, settings=ArmSettings, operator="pointwse"
    )
    with pytest.raises(ValueError, match="the operator of arm 'own' is 'pointwse', none of "):
        Arm.__post_init__(made)  # type: ignore[arg-type]


def test_a_name_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ARMS, "_members", dict(ARMS._members))
    arm = Arm("own", "the first", ArmSettings, "none")
    assert ARMS.add(arm) is arm
    assert ARMS["own"] is arm
    with pytest.raises(ValueError, match="arm 'own' is registered twice"):
        ARMS.add(arm)


def test_an_arm_with_a_label_is_that_arm_under_another_name() -> None:
    again = ARMS["cbam@coarse"]
    assert again == replace(ARMS["cbam"], name="cbam@coarse")
    assert "cbam@coarse" in ARMS
    assert "cbam@coarse" not in list(ARMS)
    for name in ("cbam@", "@coarse", "camb@coarse"):
        assert name not in ARMS
        with pytest.raises(FoveolaError, match="known arm"):
            ARMS[name]


def test_arms_with_a_layer_a_mask_or_nothing_segment() -> None:
    assert all(ARMS[name].segments for name in ("plain", "cbam", "l1", "global"))
    assert not any(ARMS[name].segments for name in ("learn-to-pay", "attention-gate", "resattnet92", "majority"))
    assert not Arm("person", "a reader", ArmSettings, "none", human=True).segments
