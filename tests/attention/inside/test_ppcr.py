from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers.norm_act import freeze_batch_norm_2d
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention import ARMS, recording
from foveola.attention.algebra import Pointwise
from foveola.attention.inside.ppcr import PyramidPixelContext
from foveola.foundation.errors import FoveolaError

CHANNELS, SIZE = 8, (6, 5)
CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "uneven": {"levels": (1, 3, 5), "open_gate": True},
    "finest first": {"levels": (4, 1)},
    "per pixel": {"integration": "pixel", "open_gate": True},
    "pixel-batch": {"norm": "pixel-batch"},
    "paper-like": {"norm": "pixel-batch", "integration": "pixel"},
    "spatial": {"norm": "spatial"},
    "spatial, per pixel": {"norm": "spatial", "integration": "pixel"},
    "context-layer": {"norm": "context-layer"},
    "none": {"norm": "none"},
    "none, open, per pixel": {"norm": "none", "integration": "pixel", "open_gate": True},
}
every_case = pytest.mark.parametrize("case", CASES)


def draw(count: int, channels: int = CHANNELS, size: tuple[int, int] = SIZE, seed: int = 0) -> Tensor:
    drawn = torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(seed))
    return 2 * drawn + torch.arange(channels).view(-1, 1, 1)


def build(case: str = "default", *, moved: bool = True, **options: Any) -> PyramidPixelContext:
    """A gate that has seen some features; its parameters are moved away from where they start."""
    gate = PyramidPixelContext(CHANNELS, size=SIZE, **{**CASES[case], **options})
    with torch.no_grad():
        for index, parameter in enumerate(gate.parameters() if moved else ()):
            generator = torch.Generator().manual_seed(index)
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))
        gate(draw(3, seed=1))
    return gate.eval()


def gates_of(gate: PyramidPixelContext, features: Tensor) -> Tensor:
    return gate.operator(features).weights


def slow_contexts(image: np.ndarray, levels: tuple[int, ...]) -> np.ndarray:
    channels, height, width = image.shape
    found = []
    for level in levels:
        for group in range(level):
            start, stop = int(np.floor(group * channels / level)), int(np.ceil((group + 1) * channels / level))
            found.append(sum(image[channel] for channel in range(start, stop)) / (stop - start))
    return np.stack(found).reshape(len(found), height, width)


def slow_gates(gate: PyramidPixelContext, features: Tensor) -> np.ndarray:
    """The formulas of the docstring position by position, from the module's numbers in double precision."""
    state = {name: value.double().numpy() for name, value in gate.state_dict().items()}
    t = np.stack([slow_contexts(image, gate.levels) for image in features.double().numpy()])
    count, contexts, height, width = t.shape
    over, fixed = gate.norm_over, not gate.training
    gates = np.zeros((count, 1, height, width))
    for n, h, w in np.ndindex(count, height, width):
        logit = float(state["bias"][0]) if "bias" in state else 0.0
        for k in range(contexts):
            index, values = k, np.zeros(2)
            if over == "context-batch":
                values = t[:, k]
            elif over == "pixel-batch":
                index, values = h * width + w, t[:, :, h, w]
            elif over == "spatial":
                values = t[n, k]
            elif over == "context-layer":
                values = t[n, :, h, w]
            mean, variance = values.mean(), ((values - values.mean()) ** 2).mean()
            if fixed and over.endswith("-batch"):
                mean, variance = state["norm.running_mean"][index], state["norm.running_var"][index]
            v = t[n, k, h, w]
            if over != "none":
                v = (v - mean) / np.sqrt(variance + 1e-5) * state["norm.weight"][index] + state["norm.bias"][index]
            own = (h, w) if gate.integration == "pixel" else (0, 0)
            logit += state["weight"][(k, *own)] * v
        gates[n, 0, h, w] = 1 / (1 + np.exp(-logit))
    return gates


@every_case
@pytest.mark.parametrize("training", [True, False])
def test_gates_are_the_formula(case: str, training: bool) -> None:
    gate, features = build(case).train(training), draw(4, seed=2)
    expected = slow_gates(gate, features)
    assert expected.std() > 0.01
    with recording() as emitted:
        output = gate(features)
    ((module, operator),) = emitted
    assert module is gate
    assert isinstance(operator, Pointwise)
    np.testing.assert_allclose(operator.weights.detach().numpy(), expected, rtol=0, atol=2e-5)
    torch.testing.assert_close(output, features * operator.weights, rtol=0, atol=0)


@every_case
def test_running_statistics_are_those_of_what_was_seen(case: str) -> None:
    gate = PyramidPixelContext(CHANNELS, size=SIZE, **CASES[case])
    features = draw(4, seed=2)
    gate(features)
    t = np.stack([slow_contexts(image, gate.levels) for image in features.double().numpy()])
    axes = {"context-batch": (0, 2, 3), "pixel-batch": (0, 1)}.get(gate.norm_over)
    if axes is None:
        assert not [name for name in gate.state_dict() if "running" in name]
        return
    state = gate.state_dict()
    np.testing.assert_allclose(state["norm.running_mean"], 0.1 * t.mean(axes).ravel(), rtol=1e-4)
    np.testing.assert_allclose(state["norm.running_var"], 0.9 + 0.1 * t.var(axes, ddof=1).ravel(), rtol=1e-4)


@given(channels=st.integers(1, 40), data=st.data())
@settings(max_examples=40, deadline=None)
def test_contexts_are_adaptive_means(channels: int, data: st.DataObject) -> None:
    level = data.draw(st.integers(1, channels))
    levels = (level,) if level == 1 else (1, level)
    gate, features = PyramidPixelContext(channels, levels), draw(2, channels, seed=channels)
    contexts = gate.contexts(features)
    assert contexts.shape == (2, sum(levels), *SIZE)
    torch.testing.assert_close(contexts[:, 0], features.mean(1), rtol=1e-4, atol=1e-4)
    rows = features.permute(0, 2, 3, 1).flatten(0, 2)
    expected = functional.adaptive_avg_pool1d(rows, level).reshape(2, *SIZE, level).permute(0, 3, 1, 2)
    torch.testing.assert_close(contexts[:, -level:], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", sorted(CASES.keys() - {"uneven"}))  # whose groups overlap
def test_permuting_channels_inside_a_finest_group_changes_nothing(case: str) -> None:
    gate, features = build(case), draw(3, seed=2)
    inside, across = [1, 0, 3, 2, 5, 4, 7, 6], [0, 1, 4, 3, 2, 5, 6, 7]
    torch.testing.assert_close(gates_of(gate, features[:, inside]), gates_of(gate, features))
    assert not torch.allclose(gates_of(gate, features[:, across]), gates_of(gate, features), atol=1e-3)


@every_case
def test_a_gate_depends_on_its_own_position_alone_unless_spatial(case: str) -> None:
    gate, features = build(case), draw(2, seed=2).requires_grad_()
    (gradient,) = torch.autograd.grad(gates_of(gate, features)[1, 0, 4, 2], features)
    assert gradient[1, :, 4, 2].abs().min() > 0
    gradient[1, :, 4, 2] = 0
    assert (gradient[1].abs().max() > 1e-5) == (gate.norm_over == "spatial")
    assert gradient[0].abs().max() == 0


def test_the_layer_norm_over_contexts_is_degenerate() -> None:
    gate, features = build("context-layer", moved=False), draw(3, seed=2)
    normalised = gate._normalised(gate.contexts(features))
    torch.testing.assert_close(normalised[:, 0], torch.zeros(3, *SIZE), rtol=0, atol=1e-4)
    again = gate._normalised(gate.contexts(7 * features))  # how strong the activation is gets lost
    torch.testing.assert_close(again, normalised, rtol=0, atol=1e-3)


@every_case
@pytest.mark.parametrize("training", [True, False])
def test_gates_start_alike_everywhere(case: str, training: bool) -> None:
    gate, features = build(case, moved=False).train(training), draw(3, seed=2)
    start = 0.7310586 if CASES[case].get("open_gate") else 0.5
    torch.testing.assert_close(gate(features), start * features)
    for name, parameter in gate.named_parameters():
        assert (parameter == (0 if name in ("weight", "norm.bias") else 1)).all()


@every_case
@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_right(case: str, training: bool) -> None:
    gate = build(case).double().train(training)
    features = draw(2, size=SIZE, seed=2).double().requires_grad_()
    assert torch.autograd.gradcheck(gate, features, fast_mode=True)
    gate(features).square().sum().backward()
    for name, parameter in gate.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 1e-6, name


@every_case
@pytest.mark.parametrize("training", [True, False])
def test_half_precision_and_channels_last_agree(case: str, training: bool) -> None:
    features = draw(4, seed=2)
    expected = build(case).train(training)(features)
    last = build(case).train(training)(features.to(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-5)
    half = build(case).train(training)(features.bfloat16())
    cast = build(case).bfloat16().train(training)(features.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = build(case).train(training)(features)
    assert (half.dtype, cast.dtype) == (torch.bfloat16, torch.bfloat16)
    for output in (half, cast, mixed):
        torch.testing.assert_close(output.float(), expected, rtol=0.1, atol=0.1)


@every_case
def test_nothing_but_what_is_learned_is_kept(case: str) -> None:
    gate, features = build(case), draw(3, seed=2)
    other = build(case, moved=False)
    assert not torch.allclose(other(features), gate(features))
    other.load_state_dict(gate.state_dict())
    torch.testing.assert_close(other(features), gate(features), rtol=0, atol=0)
    assert "groups" not in gate.state_dict()
    for copied in (copy.deepcopy(gate), pickle.loads(pickle.dumps(gate))):
        torch.testing.assert_close(copied(features), gate(features), rtol=0, atol=0)


def test_level_weights_are_what_one_deviation_moves() -> None:
    gate = build()
    moved = np.abs(gate.weight.detach().numpy().ravel() * gate.norm.weight.detach().numpy())  # type: ignore[operator]
    expected = [moved[0], moved[1] + moved[2], moved[3:].sum()]
    np.testing.assert_allclose(gate.level_weights(), expected, rtol=1e-6)
    for case in CASES:
        other = build(case)
        assert other.level_weights().shape == (len(other.levels),)
        assert other.level_weights().min() > 0
    literal = build("paper-like")
    gamma = literal.norm.weight.detach().numpy().reshape(SIZE)  # type: ignore[operator]
    moved = np.abs(literal.weight.detach().numpy() * gamma).mean((1, 2))
    np.testing.assert_allclose(literal.level_weights()[2], moved[3:].sum(), rtol=1e-6)


def test_the_preset_fills_in_what_is_not_said() -> None:
    arm = ARMS["ppcr"]
    assert (arm.operator, arm.configure({}).weight_decay) == ("pointwise", 0)
    literal = arm.configure({"preset": "paper-like"}).model_dump()
    assert (literal["norm"], literal["integration"], literal["levels"]) == ("pixel-batch", "pixel", (1, 2, 4))
    mixed = arm.configure({"preset": "paper-like", "integration": "shared"})
    assert mixed.model_dump() == {**literal, "integration": "shared"}
    for values in (literal, mixed.model_dump(mode="json")):
        assert arm.configure(values).model_dump() == arm.configure(values | {"preset": "paper-like"}).model_dump()
    for values in ({"preset": "papery"}, {"norm": "batch"}, {"levels": "many"}, {"integration": "all"}):
        with pytest.raises(FoveolaError, match=f"in the settings of arm 'ppcr'.{next(iter(values))}"):
            arm.configure(values)
    with pytest.raises(FoveolaError, match="did you mean 'levels'"):
        arm.configure({"level": [1]})


@pytest.mark.parametrize("levels", [(), (0, 1), (2, 2), (-1,)])
def test_levels_that_make_no_pyramid(levels: tuple[int, ...]) -> None:
    with pytest.raises(FoveolaError, match=r"distinct positive numbers, got .*, in the levels of PPCR"):
        PyramidPixelContext(CHANNELS, levels)


def test_too_few_channels() -> None:
    with pytest.raises(FoveolaError, match=r"at least 4 channels for the levels 1, 2, 4, got 3, .*; give smaller"):
        PyramidPixelContext(3)
    assert PyramidPixelContext(4)(draw(2, 4)).shape == (2, 4, *SIZE)


@pytest.mark.parametrize("options", [{"norm": "pixel-batch"}, {"integration": "pixel"}])
def test_tied_without_a_size(options: dict[str, Any]) -> None:
    with pytest.raises(FoveolaError, match="the height and the width of the features, got none"):
        PyramidPixelContext(CHANNELS, **options)


def test_too_little_to_normalise_over() -> None:
    one_pixel = draw(1, size=(1, 1))
    for norm, features in (("context-batch", one_pixel), ("spatial", one_pixel), ("spatial", draw(3, size=(1, 1)))):
        with pytest.raises(FoveolaError, match=f"more than one value to normalise over by '{norm}', got one"):
            PyramidPixelContext(CHANNELS, norm=norm)(features)  # type: ignore[arg-type]
    single = PyramidPixelContext(CHANNELS, (1,), "pixel-batch", size=SIZE)
    with pytest.raises(FoveolaError, match="give larger images or batches, or another norm"):
        single(draw(1))
    assert single.eval()(draw(1)).shape == (1, CHANNELS, *SIZE)
    assert build("paper-like").train()(draw(1)).isfinite().all()  # seven contexts are enough
    assert PyramidPixelContext(CHANNELS).eval()(one_pixel).isfinite().all()


@every_case
def test_norms_that_are_synchronised_or_frozen_do_the_same(case: str) -> None:
    gate, features = build(case), draw(3, seed=2)
    expected = gate(features)
    for convert in (nn.SyncBatchNorm.convert_sync_batchnorm, freeze_batch_norm_2d):
        converted = convert(copy.deepcopy(gate)).eval()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(converted(features), expected)
        torch.testing.assert_close(converted.level_weights(), gate.level_weights())
