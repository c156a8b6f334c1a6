"""Joint attention against its formulas; fused against written out; and what it is where one half is left out."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from foveola.attention import ARMS, JointAttention, Mechanism, PointwiseAttention, SelfAttentionBlock, recording
from foveola.attention.algebra import Sum
from foveola.attention.blocks.affinities import AffinityKind
from foveola.attention.blocks.gate_functions import GateName
from foveola.attention.blocks.joint import Joining, JointSettings
from foveola.attention.blocks.residual import ResidualBlock
from foveola.contract import LAYER
from foveola.contract.subject import Subject
from foveola.foundation.errors import FoveolaError

CHANNELS, HEIGHT, WIDTH = 16, 5, 4
WAYS: list[dict[str, Any]] = [
    *({"variant": variant} for variant in get_args(Joining)),
    {"variant": "sequential", "order": "self-first"},
    {"coefficients": "balanced", "alpha": 3.0, "beta": 1.0},
    {"coefficients": "fixed", "alpha": 0.3, "beta": 0.6},
]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way.values())))
PARTS: list[tuple[GateName, AffinityKind, int]] = [
    ("conv", "nonlocal", 1),
    ("cbam", "danet", 1),
    ("ppcr", "crisscross", 1),
    ("gate", "nonlocal", 2),
    ("scse", "danet", 3),
]


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def moved(block: ResidualBlock, dtype: torch.dtype = torch.float64) -> Any:
    """A block away from its start, in evaluation mode; what has one name and shape gets the same in every block."""
    for name, parameter in block.named_parameters():
        generator = torch.Generator().manual_seed(sum(name.encode()))
        with torch.no_grad():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return block.to(dtype).eval()


def joint(dtype: torch.dtype = torch.float64, **settings: Any) -> Any:
    torch.manual_seed(0)
    return moved(JointAttention(CHANNELS, **settings), dtype)


def used(block: Mechanism, features: Tensor) -> tuple[Tensor, Any]:
    """What comes out of a block, and the operator that it said it would apply."""
    with recording() as emitted:
        output = block(features)
    return output, emitted[0][1]


def sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-values))


def slow(block: Any, way: dict[str, Any], image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """y and the sums of the columns of A for one image, from the formulas, with one-layer gates and non-local S."""
    state = {name: tensor.numpy().reshape(tensor.shape[:2]) for name, tensor in block.state_dict().items()}
    x = image.reshape(CHANNELS, -1).T
    values = x @ state["value.weight"].T

    def gate(features: np.ndarray) -> np.ndarray:
        return np.asarray(sigmoid(features @ state["point.score.weight"][0] + state["point.score.bias"]))

    def softmax(features: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        queries = features @ state["pairs.query.weight"].T + state["pairs.query.bias"]
        scores = queries @ (features @ state["pairs.key.weight"].T).T / np.sqrt(CHANNELS // 8)
        shares = np.exp(scores) * (1 if weights is None else weights)
        return np.asarray(shares / shares.sum(1, keepdims=True))

    variant, a, pairs = way.get("variant", "additive"), gate(x), softmax(x)
    attended = None
    if variant == "concat":
        attended = np.concatenate([np.diag(a) @ values, pairs @ values], axis=1)
        matrix = (np.diag(a) + pairs) / 2
    elif variant == "row":
        matrix = np.diag(a) @ pairs
    elif variant == "key":
        matrix = softmax(x, a)
    elif variant == "mix":
        local = sigmoid(x @ state["share.weight"][0])
        matrix = np.diag(local) @ np.diag(a) + (np.eye(len(x)) - np.diag(local)) @ pairs
    elif variant == "sequential":
        first = way.get("order") == "self-first"
        matrix = np.diag(gate(pairs @ values)) @ pairs if first else softmax(a[:, None] * x) @ np.diag(a)
    else:
        alpha, beta = way.get("alpha", 0), way.get("beta", 0)
        if "weights" in state:
            alpha, beta = state["weights"]
        if way.get("coefficients") == "balanced":
            alpha, beta = np.exp(alpha) / (np.exp(alpha) + np.exp(beta)), np.exp(beta) / (np.exp(alpha) + np.exp(beta))
        matrix = alpha * np.diag(a) + beta * pairs
    attended = matrix @ values if attended is None else attended
    output = x + state["gamma"] * (attended @ state["output.weight"].T + state["output.bias"])
    return output.T.reshape(image.shape), matrix.sum(0).reshape(image.shape[1:])


@every_way
def test_it_is_its_formula(way: dict[str, Any]) -> None:
    block, features = joint(point="scse", **way), drawn(2, CHANNELS, HEIGHT, WIDTH)
    output, operator = used(block, features)
    for image in range(2):
        expected, received = slow(block, way, features[image].numpy())
        np.testing.assert_allclose(output[image].detach().numpy(), expected, atol=1e-10)
        np.testing.assert_allclose(operator.received()[image].detach().numpy(), received, atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize(("point", "kind", "stride"), PARTS)
@every_way
def test_fused_it_is_what_it_is_written_out(
    way: dict[str, Any], point: GateName, kind: AffinityKind, stride: int, dtype: torch.dtype, tolerance: float
) -> None:
    block = joint(dtype, point=point, kind=kind, stride=stride, **way)
    features = drawn(2, CHANNELS, HEIGHT, WIDTH, dtype=dtype)
    output, operator = used(block, features)
    values, dense = block.value_map(features), operator.dense()
    grouped = values.reshape(2, dense.shape[1], -1, HEIGHT * WIDTH)
    attended = torch.einsum("bhij,bhcj->bhci", dense, grouped).reshape(values.shape)
    torch.testing.assert_close(output, block.fuse(features, attended), atol=tolerance, rtol=0)
    sums = dense.sum(2).mean(1).reshape(2, HEIGHT, WIDTH)
    torch.testing.assert_close(operator.received(), sums, atol=max(tolerance, 1e-6), rtol=0, check_dtype=False)


@pytest.mark.parametrize(("point", "kind", "stride"), PARTS)
def test_without_self_attention_it_is_the_pointwise_block_exactly(
    point: GateName, kind: AffinityKind, stride: int
) -> None:
    block = joint(point=point, kind=kind, stride=stride, coefficients="fixed", alpha=1.0, beta=0.0)
    alone = PointwiseAttention(CHANNELS, point).double().eval()
    missing, unexpected = alone.load_state_dict(block.state_dict(), strict=False)
    assert missing == []
    assert all(name.startswith("pairs.") for name in unexpected)
    features = drawn(2, CHANNELS, HEIGHT, WIDTH)
    assert torch.equal(block(features), alone(features))


@pytest.mark.parametrize(("point", "kind", "stride"), PARTS)
def test_without_a_gate_it_is_the_self_attention_block_exactly(
    point: GateName, kind: AffinityKind, stride: int
) -> None:
    block = joint(point=point, kind=kind, stride=stride, coefficients="fixed", alpha=0.0, beta=1.0)
    alone = SelfAttentionBlock(CHANNELS, kind, stride).double().eval()
    missing, unexpected = alone.load_state_dict(block.state_dict(), strict=False)
    assert missing == []
    assert all(name.startswith("point.") for name in unexpected)
    features = drawn(2, CHANNELS, HEIGHT, WIDTH)
    assert torch.equal(block(features), alone(features))


def test_what_is_added_to_self_attention_is_diagonal() -> None:
    _, operator = used(joint(), drawn(2, CHANNELS, HEIGHT, WIDTH))
    assert isinstance(operator, Sum)
    (alpha, gate), (beta, pairs) = operator.terms
    rest = operator.dense() - beta * pairs.dense()
    torch.testing.assert_close(rest, torch.diag_embed(alpha * gate.dense().diagonal(dim1=2, dim2=3)))
    torch.testing.assert_close(pairs.dense().sum(3), torch.ones_like(rest[..., 0]))


@pytest.mark.parametrize("kind", ["nonlocal", "crisscross"])
def test_rows_of_the_key_gate_sum_to_1_and_a_gate_that_is_shut_everywhere_gives_numbers(kind: AffinityKind) -> None:
    block = joint(variant="key", point="scse", kind=kind)
    features = drawn(2, CHANNELS, HEIGHT, WIDTH)
    _, operator = used(block, features)
    torch.testing.assert_close(operator.dense().sum(3), torch.ones(2, 1, 20, dtype=torch.float64))
    nn.init.constant_(block.point.score.bias, -1e9)
    output, _ = used(block, features)
    assert output.isfinite().all()


@every_way
@pytest.mark.parametrize("training", [True, False])
def test_at_the_start_it_is_the_identity(way: dict[str, Any], training: bool) -> None:
    block, features = JointAttention(CHANNELS, **way).train(training), drawn(2, CHANNELS, 5, 4, dtype=torch.float32)
    assert torch.equal(block(features), features)
    assert not torch.equal(JointAttention(CHANNELS, residual_start=0.1, **way)(features), features)


@every_way
def test_without_residual_it_is_the_projection_alone(way: dict[str, Any]) -> None:
    block, bare = joint(**way), JointAttention(CHANNELS, residual=False, **way).double().eval()
    missing, unexpected = bare.load_state_dict(block.state_dict(), strict=False)
    assert (missing, unexpected) == ([], ["gamma"])
    features = drawn(2, CHANNELS, HEIGHT, WIDTH)
    torch.testing.assert_close(features + block.gamma * bare(features), block(features))


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the largest number of elements of any tensor that an operation makes, forward or backward."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        output = function(*args, **(kwargs or {}))
        self.elements = max([self.elements, *(leaf.numel() for leaf in tree_leaves(output) if torch.is_tensor(leaf))])
        return output


@pytest.mark.parametrize(("kind", "side"), [("nonlocal", 48), ("crisscross", 48)])
@every_way
def test_no_tensor_grows_with_the_square_of_the_positions(way: dict[str, Any], kind: AffinityKind, side: int) -> None:
    block = joint(torch.float32, kind=kind, **way)
    features = drawn(1, CHANNELS, side, side, dtype=torch.float32).requires_grad_()
    with Largest() as largest:  # type: ignore[no-untyped-call]
        block(features).sum().backward()
    widest = max(2 * CHANNELS, 2 * side)
    assert largest.elements <= 2 * side**2 * widest < side**4 / 10


@pytest.mark.parametrize(
    "way",
    [
        *({"variant": f"J{number}"} for number in range(1, 8)),
        {"coefficients": "balanced"},
        {"order": "self-first", "variant": "J6"},
        {"kind": "crisscross"},
        {"point": "gate"},
        {"residual": False},
    ],
    ids=lambda way: "-".join(map(str, way.values())),
)
@pytest.mark.parametrize("check", ["learns_with_every_parameter", "agrees_in_other_formats", "keeps_samples_apart"])
def test_every_way_keeps_what_layers_keep(way: dict[str, Any], check: str) -> None:
    arm = ARMS["joint"]
    layer, settings = arm.layer, arm.configure(way)
    assert layer is not None
    subject = Subject(lambda: layer(CHANNELS, (6, 5), settings), drawn(2, CHANNELS, 6, 5, dtype=torch.float32), "sum")
    assert LAYER[check](subject) is None


def test_a_number_is_another_name_of_a_variant() -> None:
    names = [ARMS["joint"].configure({"variant": f"J{number}"}).variant for number in range(1, 8)]  # type: ignore[attr-defined]
    assert names == [*get_args(Joining), "scale"]
    with pytest.raises(FoveolaError, match="J8"):
        ARMS["joint"].configure({"variant": "J8"})


def test_by_scale_it_attends_where_features_are_coarse_and_gates_where_they_are_fine() -> None:
    arm = ARMS["joint"]
    layer, settings = arm.layer, arm.configure({"variant": "scale", "coarse": 20})
    assert layer is not None
    assert isinstance(layer(CHANNELS, (5, 4), settings), SelfAttentionBlock)
    assert isinstance(layer(CHANNELS, (5, 5), settings), PointwiseAttention)


def test_balanced_coefficients_sum_to_1_and_start_in_their_ratio() -> None:
    with torch.no_grad():
        alpha, beta = JointAttention(CHANNELS, coefficients="balanced", alpha=3.0, beta=1.0).coefficients()
    assert [float(alpha), float(beta)] == pytest.approx([0.75, 0.25])
    with pytest.raises(FoveolaError, match="above 0 where they are balanced"):
        ARMS["joint"].configure({"coefficients": "balanced", "alpha": 0})


def test_coefficients_that_would_change_nothing_are_refused() -> None:
    with pytest.raises(FoveolaError, match="no coefficients"):
        ARMS["joint"].configure({"variant": "J2", "alpha": 0})


def test_fixed_coefficients_stay() -> None:
    settings = ARMS["joint"].configure({"coefficients": "fixed", "alpha": 0})
    assert isinstance(settings, JointSettings)
    block = JointAttention(CHANNELS, coefficients="fixed", alpha=settings.alpha, beta=settings.beta)
    assert block.coefficients() == (0, 0.5)
    assert "weights" not in dict(block.named_parameters())
