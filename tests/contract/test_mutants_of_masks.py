"""A test of the contract: masks with one mistake each, and the check that has to see it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention import FixedMask, InputMask
from foveola.attention.algebra import Operator, Pointwise, Shared
from foveola.contract import MASK, check
from foveola.contract.subject import MaskSubject, structured
from foveola.pixels.representation import Batches


class Free(InputMask):
    """Without a mistake: a logit a position."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(height, width))

    def weights(self) -> Float[Tensor, "h w"]:
        return torch.sigmoid(self.logits)

    def penalty(self, weights: Tensor) -> Float[Tensor, ""]:
        return 0.1 * weights.mean()


class FromImages(Free):
    """Without a mistake: it starts from the mean image."""

    mean: Tensor

    def __init__(self, mean: Tensor) -> None:
        super().__init__(*mean.shape)
        self.register_buffer("mean", mean)

    @classmethod
    def from_images(cls, images: Batches, **options: Any) -> InputMask:
        batches = [images] if isinstance(images, Tensor) else list(images)
        return cls(torch.cat(batches).mean((0, 1)))

    def weights(self) -> Float[Tensor, "h w"]:
        return torch.sigmoid(self.logits + self.mean)


class NotANumber(Free):
    def weights(self) -> Float[Tensor, "h w"]:
        return torch.sigmoid(self.logits) * torch.tensor([torch.nan] + [1.0] * 9)


class Overflowing(Free):
    def weights(self) -> Float[Tensor, "h w"]:
        scores = (200 * self.logits).exp()
        return scores / (1 + scores)


class Unbounded(Free):
    def weights(self) -> Float[Tensor, "h w"]:
        return self.logits + 0.5


class SwappedAxes(Free):
    def weights(self) -> Float[Tensor, "h w"]:
        return torch.sigmoid(self.logits.T.reshape(self.logits.shape))


class SwappedImages(FromImages):
    @classmethod
    def from_images(cls, images: Batches, **options: Any) -> InputMask:
        mask = super().from_images(images)
        mask.mean = mask.mean.T.reshape(mask.mean.shape)  # type: ignore[assignment, operator]
        return mask


class TurnedMap(Free):
    def map(self) -> Float[Tensor, "w h"]:
        return self.weights().detach().T.clone()


class DeadParameter(Free):
    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.unused = nn.Parameter(torch.zeros(3))


class FrozenOtherwise(Free):
    def frozen(self) -> FixedMask:
        return FixedMask((self.map() > 0.5).float())


class FrozenStillLearning(Free):
    def frozen(self) -> FixedMask:
        return FixedMask(self.logits)


class FrozenTooLittle(Free):
    def frozen(self) -> Any:
        return self


class GivesItselfAway(Free):
    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.register_buffer("values", torch.full((height, width), 0.25))

    @torch.no_grad()
    def map(self) -> Float[Tensor, "h w"]:
        return self.values  # type: ignore[return-value]

    def weights(self) -> Float[Tensor, "h w"]:
        return self.values + 0 * self.logits  # type: ignore[operator]


class ShownIsNotUsed(Free):
    def forward(self, features: Tensor, *context: Any) -> Tensor:
        super().forward(features)
        return Shared(self.weights().square()).apply(features)


class UsedIsNotShown(Free):
    def fuse(self, features: Tensor, attended: Tensor) -> Tensor:
        return attended + 0.5 * features


class MixedSamples(Free):
    def forward(self, features: Tensor, *context: Any) -> Tensor:
        return super().forward(features - features.mean(0, keepdim=True))


class OnePerImage(Free):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pointwise(torch.sigmoid(self.logits + features.mean(1, keepdim=True)))


class KeptMap(Free):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        operator = super().operator(features)
        self.last = operator.received()
        return operator


class Drifting(Free):
    """It remembers how often it was used."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.uses: list[float] = [0.0]

    def weights(self) -> Float[Tensor, "h w"]:
        self.uses[0] += 0.1
        return torch.sigmoid(self.logits + self.uses[0])


class StateLost(Free):
    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.shift = torch.randn(()).item()

    def weights(self) -> Float[Tensor, "h w"]:
        return torch.sigmoid(self.logits + self.shift)


class Uncopyable(Free):
    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.squash: Any = lambda scores: torch.sigmoid(scores)


class OwnPrecision(Free):
    def fuse(self, features: Tensor, attended: Tensor) -> Tensor:
        return attended.float()


class PenaltyOfEveryPixel(Free):
    def penalty(self, weights: Tensor) -> Tensor:  # type: ignore[override]
        return 0.1 * weights


class PenaltyOfNothing(Free):
    def penalty(self, weights: Tensor) -> Float[Tensor, ""]:
        return (weights / (weights - weights)).mean()


class LastBatchOnly(FromImages):
    @classmethod
    def from_images(cls, images: Batches, **options: Any) -> InputMask:
        *_, last = [images] if isinstance(images, Tensor) else images
        return cls(last.mean((0, 1)))


class AnySize(Free):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        size = features.shape[-2:]
        return Shared(functional.interpolate(self.weights()[None, None], size, mode="bilinear")[0, 0])


class WrongMatrix(Free):
    """It applies another operator than it says."""

    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Doubled(self.weights())


class Doubled(Shared):
    def apply(self, values: Tensor) -> Tensor:
        return 2 * super().apply(values)


SOUND = (Free, FromImages)
MUTANTS: dict[type[InputMask], tuple[str, str]] = {
    NotANumber: ("gives_one_weight_a_position", "the map is not finite"),
    Overflowing: ("keeps_its_weights_in_range", "not finite"),
    Unbounded: ("keeps_its_weights_in_range", "not within 0 and 1"),
    SwappedAxes: ("knows_height_from_width", "rows and columns"),
    SwappedImages: ("learns_from_each_position_of_the_images", "mistaken in mean"),
    TurnedMap: ("gives_one_weight_a_position", r"images of \(12, 10\) have a map of \(10, 12\)"),
    DeadParameter: ("learns_with_every_parameter", "never a gradient for unused"),
    FrozenOtherwise: ("freezes_to_the_map_of_the_moment", "not equal"),
    FrozenStillLearning: ("freezes_to_the_map_of_the_moment", "not equal"),
    FrozenTooLittle: ("freezes_to_the_map_of_the_moment", "frozen it is a FrozenTooLittle"),
    GivesItselfAway: ("gives_its_map_away", "not equal"),
    ShownIsNotUsed: ("shows_the_map_that_it_uses", "not equal"),
    UsedIsNotShown: ("shows_the_map_that_it_uses", "not equal"),
    MixedSamples: ("keeps_samples_apart", "not close"),
    OnePerImage: ("is_the_operator_it_is_said_to_be", "said to be 'shared', and is a Pointwise"),
    KeptMap: ("leaves_nothing_behind", "leaves something on KeptMap"),
    Drifting: ("answers_alike_twice", "not equal"),
    StateLost: ("goes_through_its_state", "not equal"),
    Uncopyable: ("can_be_copied", "cannot be copied"),
    OwnPrecision: ("agrees_in_other_formats", "torch.float64 in, torch.float32 out"),
    PenaltyOfEveryPixel: ("learns_with_a_network_behind", r"a penalty of shape \(12, 10\)"),
    PenaltyOfNothing: ("learns_with_a_network_behind", "the penalty is not finite"),
    LastBatchOnly: ("is_the_same_from_batches", "not close"),
    AnySize: ("refuses_images_of_another_size", r"images of \(10, 12\) are taken"),
    WrongMatrix: ("gives_one_weight_a_position", "not equal"),
}


def subject(mask: type[InputMask]) -> MaskSubject:
    return MaskSubject.of(mask.from_images, structured(7, 3, 12, 10))


@pytest.mark.parametrize("mask", SOUND)
def test_what_has_no_mistake_passes(mask: type[InputMask]) -> None:
    check(mask)
    check(mask.from_images(structured(7, 3, 12, 10)))


@pytest.mark.parametrize("mask", MUTANTS)
def test_every_mistake_is_seen_by_the_check_that_looks_for_it(mask: type[InputMask]) -> None:
    name, message = MUTANTS[mask]
    with pytest.raises(AssertionError, match=message):
        MASK[name](subject(mask))
    with pytest.raises(AssertionError, match=f"what is not so of class {mask.__name__}: "):
        check(mask)


def test_every_check_of_masks_has_a_mistake_to_see() -> None:
    seen_in_layers = {"applies_what_it_says"}
    assert set(MASK) == {name for name, _ in MUTANTS.values()} | seen_in_layers
