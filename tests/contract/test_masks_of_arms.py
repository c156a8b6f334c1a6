"""What every arm's mask has to keep to; a new arm is tested here without being named."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foveola.attention import ARMS, Attended, FixedMask, GlobalAttention, InputMask, L1Mask, attach
from foveola.foundation.errors import FoveolaError

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name, arm in ARMS.items() if arm.mask is not None},
    "global, compressed": ("global", {"representation": "compressed", "dim": 5, "hidden": 6}),
    "global, deep": ("global", {"hidden": 6, "hidden_layers": 3, "dense": True, "kernel": 5, "last_kernel": 3}),
    "coarse-mask, one row": ("coarse-mask", {"grid": 1}),
}
every_mask = pytest.mark.parametrize("case", CASES)


def draw(count: int, channels: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(count, channels, 12, 10, generator=torch.Generator().manual_seed(seed))


def build(case: str, *, channels: int = 3, seed: int = 1, moved: float = 0.0) -> InputMask:
    """The mask of a case, its parameters moved away from where they start."""
    name, values = CASES[case]
    arm = ARMS[name]
    assert arm.mask is not None
    torch.manual_seed(seed)
    mask = arm.mask(draw(7, channels), arm.configure(values))
    with torch.no_grad():
        for parameter in mask.parameters():
            parameter.add_(moved * torch.randn_like(parameter))
    return mask


def classifier(channels: int = 3) -> nn.Module:
    torch.manual_seed(9)
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 10 * 8, 2))


@every_mask
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 5])
def test_images_keep_their_shape_and_the_map_is_one_weight_a_pixel(case: str, channels: int, count: int) -> None:
    mask = build(case, channels=channels, moved=1.0).eval()
    images = draw(count, channels, seed=3)
    assert mask.map().shape == (12, 10)
    torch.testing.assert_close(mask(images), images * mask.map(), rtol=0, atol=0)


@every_mask
@pytest.mark.parametrize("training", [True, False])
def test_weights_stay_within_0_and_1_wherever_the_parameters_are(case: str, training: bool) -> None:
    mask = build(case, moved=5.0).train(training)
    weights, shown = mask.weights(), mask.map()
    assert shown.std() > 0.05 or case == "coarse-mask, one row"
    if isinstance(mask, L1Mask):
        assert torch.equal(weights, mask.values)
    else:
        for values in (weights, shown):
            assert 0 <= values.min() <= values.max() <= 1


@every_mask
@pytest.mark.parametrize("training", [True, False])
def test_the_map_that_comes_out_is_the_one_that_was_used(case: str, training: bool) -> None:
    model = attach(nn.Identity(), build(case, moved=1.0)).train(training)
    images = draw(5, seed=3)
    output, maps = model(images, return_maps=True)
    assert list(maps) == ["input"]
    assert torch.equal(output, images * maps["input"])


@every_mask
def test_the_map_is_a_copy_without_gradients(case: str) -> None:
    mask = build(case, moved=1.0).eval()
    shown = mask.map()
    expected = shown.clone()
    assert not shown.requires_grad
    shown.zero_()
    assert torch.equal(mask.map(), expected)
    assert torch.equal(mask.weights(), expected)


@every_mask
def test_every_parameter_learns_from_the_loss_and_from_the_penalty(case: str) -> None:
    mask = build(case)
    model = attach(classifier(), mask)
    logits, maps = model(draw(5, seed=3), return_maps=True)
    penalty = model.penalty(maps)
    assert penalty.shape == ()
    assert penalty.item() > 0
    for loss in (nn.functional.cross_entropy(logits, torch.arange(5) % 2), penalty):
        model.zero_grad()
        torch.autograd.backward(loss, retain_graph=True)
        for name, parameter in mask.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            learns = parameter.grad != 0
            assert learns.any() if isinstance(mask, GlobalAttention) else learns.float().mean() > 0.6, name


@every_mask
def test_the_penalty_pulls_the_map_down(case: str) -> None:
    mask = build(case)
    before = mask.map().abs().mean()
    optimizer = torch.optim.SGD(mask.parameters(), lr=0.1)
    torch.autograd.backward(mask.penalty(mask.weights()))
    optimizer.step()
    assert mask.map().abs().mean() < before


@every_mask
def test_a_frozen_mask_is_the_map_and_nothing_else(case: str) -> None:
    mask = build(case, moved=1.0)
    expected = mask.map()
    frozen = mask.frozen()
    assert type(frozen) is FixedMask
    assert list(frozen.state_dict()) == ["values"]
    assert not list(frozen.parameters())
    with torch.no_grad():
        for parameter in mask.parameters():
            parameter.fill_(0.3)
    images = draw(5, seed=3)
    for training in (True, False):
        frozen.train(training)
        assert torch.equal(frozen.map(), expected)
        assert torch.equal(frozen(images), images * expected)
        assert frozen.penalty(frozen.weights()).item() == 0
    assert torch.equal(frozen.frozen().map(), expected)


@every_mask
def test_freezing_does_not_depend_on_the_mode_nor_on_the_noise(case: str) -> None:
    mask = build(case, moved=1.0)
    assert torch.equal(mask.train().frozen().map(), mask.eval().frozen().map())


@every_mask
def test_a_fixed_mask_goes_through_its_state(case: str) -> None:
    frozen = build(case, moved=1.0).frozen()
    other = FixedMask(torch.zeros(12, 10))
    other.load_state_dict(frozen.state_dict())
    assert torch.equal(other.map(), frozen.map())


@every_mask
def test_a_learned_mask_goes_through_its_state(case: str) -> None:
    mask, other = build(case, moved=1.0), build(case, seed=5, moved=1.0)
    assert not torch.equal(other.map(), mask.map())
    other.load_state_dict(mask.state_dict())
    assert torch.equal(other.map(), mask.map())
    assert torch.equal(copy.deepcopy(mask).map(), mask.map())


@every_mask
@pytest.mark.parametrize("size", [(10, 12), (12, 11), (1, 10), (24, 20)])
def test_images_of_another_size_are_refused(case: str, size: tuple[int, int]) -> None:
    mask = build(case)
    message = f"expected images of the size of the map, 12 x 10, got {size[0]} x {size[1]}, in the images; resize"
    for model in (mask, mask.frozen(), attach(classifier(), mask)):
        with pytest.raises(FoveolaError, match=message):
            model(torch.rand(2, 3, *size))


@every_mask
def test_half_precision_and_channels_last_agree(case: str) -> None:
    mask = build(case, moved=0.05).eval()
    images = draw(5, seed=3)
    expected = mask(images).detach()
    last = mask(images.to(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, expected)
    converted = copy.deepcopy(mask).to(memory_format=torch.channels_last)
    torch.testing.assert_close(converted(images), expected, rtol=0, atol=1e-4)
    for model in (mask, copy.deepcopy(mask).to(torch.bfloat16)):
        half = model(images.to(torch.bfloat16))
        assert half.dtype == torch.bfloat16
        torch.testing.assert_close(half.float(), expected, rtol=0.05, atol=0.05)


@every_mask
def test_samples_do_not_mix(case: str) -> None:
    model = attach(classifier(), build(case, moved=1.0)).eval()
    images = draw(5, seed=3).requires_grad_()
    together = model(images)
    alone = torch.cat([model(images[index : index + 1]) for index in range(5)])
    torch.testing.assert_close(together, alone)
    (gradient,) = torch.autograd.grad(together[2].sum(), images)
    assert gradient[2].abs().sum() > 0
    assert gradient[[0, 1, 3, 4]].abs().sum() == 0


def belongings(model: nn.Module) -> dict[str, Any]:
    """All that hangs on the modules: attributes, parameters with their versions, buffers, hooks."""

    def described(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: described(inner) for key, inner in value.items()}
        return (id(value), value._version) if isinstance(value, Tensor) else repr(value)

    return {name: described(vars(module)) for name, module in model.named_modules()}


@every_mask
@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_left_on_the_modules(case: str, training: bool) -> None:
    model = Attended(classifier(), build(case)).train(training)
    before = belongings(model)
    logits, maps = model(draw(5, seed=3), return_maps=True)
    (logits.sum() + model.penalty(maps)).item()
    model.attention.map()  # type: ignore[union-attr]
    assert belongings(model) == before
    for module in model.modules():
        for hooks in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
            assert not getattr(module, hooks)


@every_mask
def test_batches_make_the_mask_that_one_tensor_makes(case: str) -> None:
    name, values = CASES[case]
    arm = ARMS[name]
    assert arm.mask is not None
    torch.manual_seed(1)
    from_batches = arm.mask(torch.split(draw(7), 2), arm.configure(values))
    torch.testing.assert_close(from_batches.map(), build(case).map())
    assert isinstance(from_batches.facts(), dict)


def test_without_attention_it_is_the_network_alone() -> None:
    plain = ARMS["plain"]
    assert (plain.mask, plain.layer, plain.network, plain.backbone) == (None, None, None, None)
    network, images = classifier(), draw(5)
    logits, maps = Attended(network, None)(images, return_maps=True)
    assert maps == {}
    assert torch.equal(logits, network(images))
