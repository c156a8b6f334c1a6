"""Pyramid pixel context inside networks: where it is put, at which sizes it works, and what exporters make of it."""

from __future__ import annotations

import copy
from typing import Any

import forked
import numpy as np
import onnxruntime
import pytest
import timm
import torch
from torch import Tensor, nn

from foveola.attention import ARMS, attach, insert
from foveola.attention.inside.ppcr import PyramidPixelContext, resize_contexts
from foveola.foundation.errors import FoveolaError

CHANNELS, SIZE = 8, (6, 5)
TIED: dict[str, dict[str, Any]] = {
    "per pixel": {"integration": "pixel", "open_gate": True},
    "pixel-batch": {"norm": "pixel-batch"},
    "paper-like": {"norm": "pixel-batch", "integration": "pixel"},
}
FREE: dict[str, dict[str, Any]] = {
    "default": {},
    "uneven": {"levels": (1, 3, 5), "open_gate": True},
    "spatial": {"norm": "spatial"},
    "context-layer": {"norm": "context-layer"},
    "none": {"norm": "none"},
}
CASES = {**TIED, **FREE}


def draw(count: int, size: tuple[int, int] = SIZE, seed: int = 0) -> Tensor:
    return 2 * torch.randn(count, CHANNELS, *size, generator=torch.Generator().manual_seed(seed)) + 1


def build(case: str) -> PyramidPixelContext:
    """A gate away from where it starts, that has seen some features."""
    gate = PyramidPixelContext(CHANNELS, size=SIZE, **CASES[case])
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
        gate(draw(3, seed=1))
    return gate.eval()


EXPORTS = """
import torch
from foveola.attention import attach
from foveola.attention.inside.ppcr import PyramidPixelContext

features = torch.randn(4, 8, 6, 5, generator=torch.Generator().manual_seed(0))
torch.manual_seed(0)
for options in ({options}):
    gate = PyramidPixelContext(8, size=(6, 5), **options)
    for parameter in gate.parameters():
        torch.nn.init.normal_(parameter)
    model = attach(torch.nn.Sequential(gate, torch.nn.Conv2d(8, 3, 1))).eval()
    expected, maps = model(features, return_maps=True)
    program = torch.export.export(model, (features,), {{"return_maps": True}}).module()
    for again in (program, torch.compile(model, backend="aot_eager", fullgraph=True)):
        output, found = again(features, return_maps=True)
        torch.testing.assert_close(output, expected)
        assert list(found) == ["0"]
        assert maps["0"].std() > 0.01
        torch.testing.assert_close(found["0"], maps["0"])
    print("agrees")
"""


def test_export_and_compile_agree() -> None:
    """In a process without checks of types at run time, which cannot be traced through."""
    exported = ("paper-like", "uneven", "spatial")  # the contract of arms has the default
    script = EXPORTS.format(options=", ".join(repr(CASES[case]) for case in exported))
    run = forked.script(script)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["agrees"] * 3


@pytest.mark.filterwarnings("ignore")
def test_onnx_agrees() -> None:
    gate, features = build("paper-like"), draw(4, seed=2)
    program = torch.onnx.export(gate, (features,), dynamo=True, verbose=False)
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    (output,) = session.run(None, {session.get_inputs()[0].name: features.numpy()})
    np.testing.assert_allclose(output, gate(features).detach().numpy(), rtol=0, atol=1e-5)


def slow_bilinear(grid: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear with the corners of the pixels aligned, one pixel after the other."""
    result = np.zeros(size)
    for h, w in np.ndindex(*size):
        y = np.clip((h + 0.5) * grid.shape[0] / size[0] - 0.5, 0, grid.shape[0] - 1)
        x = np.clip((w + 0.5) * grid.shape[1] / size[1] - 0.5, 0, grid.shape[1] - 1)
        for row in {int(np.floor(y)), int(np.ceil(y))}:
            for column in {int(np.floor(x)), int(np.ceil(x))}:
                result[h, w] += (1 - abs(y - row)) * (1 - abs(x - column)) * grid[row, column]
    return result


@pytest.mark.parametrize("case", TIED)
def test_resizing_is_bilinear_and_works_at_the_new_size(case: str) -> None:
    gate, new = build(case), (9, 4)
    before = {name: value.clone().numpy() for name, value in gate.state_dict().items()}
    identities = [id(parameter) for parameter in gate.parameters()]
    gate.resize(*new)
    assert [id(parameter) for parameter in gate.parameters()] == identities
    for name, value in gate.state_dict().items():
        tied = name == "weight" if gate.norm_over != "pixel-batch" else name.startswith("norm.") and value.ndim > 0
        if tied or (name == "weight" and gate.integration == "pixel"):
            grids = before[name].reshape(-1, *SIZE)
            expected = np.stack([slow_bilinear(grid, new) for grid in grids]).reshape(value.shape)
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(value, before[name])
    assert gate(draw(3, new)).shape == (3, CHANNELS, *new)
    assert gate.train()(draw(3, new)).isfinite().all()
    with pytest.raises(FoveolaError, match="tied to, 9 x 4, got 6 x 5, in the images"):
        gate(draw(3))


@pytest.mark.parametrize("case", FREE)
def test_what_is_not_tied_takes_any_size(case: str) -> None:
    gate = build(case)
    before = copy.deepcopy(gate.state_dict())
    gate.resize(9, 4)
    assert all(torch.equal(value, before[name]) for name, value in gate.state_dict().items())
    assert gate(draw(3, size=(7, 11))).shape == (3, CHANNELS, 7, 11)


@pytest.mark.parametrize("case", TIED)
@pytest.mark.parametrize("size", [(5, 6), (6, 6), (1, 5), (12, 10)])
def test_what_is_tied_refuses_another_size(case: str, size: tuple[int, int]) -> None:
    with pytest.raises(FoveolaError, match=f"tied to, 6 x 5, got {size[0]} x {size[1]}, in the images; resize them"):
        build(case)(draw(3, size=size))


def test_a_network_is_resized_at_once() -> None:
    network = timm.create_model("resnet18", num_classes=3)
    arm = ARMS["ppcr"]
    arm.adapt(network, torch.zeros(1, 3, 64, 48), arm.configure({"preset": "paper-like"}))
    network.get_submodule("layer3").eval()
    training = {name: module.training for name, module in network.named_modules()}
    with pytest.raises(FoveolaError, match="tied to"):
        network(torch.rand(2, 3, 96, 80))
    resize_contexts(network, torch.zeros(1, 3, 96, 80))
    assert {name: module.training for name, module in network.named_modules()} == training
    sizes = [module.size for module in network.modules() if isinstance(module, PyramidPixelContext)]
    assert sizes == [(24, 20)] * 2 + [(12, 10)] * 2 + [(6, 5)] * 2 + [(3, 3)] * 2
    assert network(torch.rand(2, 3, 96, 80)).shape == (2, 3)
    assert not any(module._forward_pre_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("backbone", "preset", "expected"),
    [
        ("resnet18", "default", 168),
        ("resnet50", "default", 336),
        ("resnet18", "paper-like", 74_970),
        ("resnet50", "paper-like", 124_803),
    ],
)
def test_parameters_are_as_many_as_computed(backbone: str, preset: str, expected: int) -> None:
    network = timm.create_model(backbone, num_classes=3)
    before = sum(parameter.numel() for parameter in network.parameters())
    arm = ARMS["ppcr"]
    arm.adapt(network, torch.zeros(1, 3, 224, 224), arm.configure({"preset": preset}))
    assert sum(parameter.numel() for parameter in network.parameters()) - before == expected


def test_timm_builds_it_into_every_block() -> None:
    network = timm.create_model("resnet18", num_classes=3, block_args={"attn_layer": PyramidPixelContext})
    assert sum(isinstance(module, PyramidPixelContext) for module in network.modules()) == 8
    _, maps = attach(network)(torch.rand(2, 3, 64, 48), return_maps=True)
    assert {place: tuple(values.shape) for place, values in maps.items()} == {
        f"layer{stage}.{block}": (2, *size)
        for stage, size in ((1, (16, 12)), (2, (8, 6)), (3, (4, 3)), (4, (2, 2)))
        for block in (0, 1)
    }


def test_placed_after_stages() -> None:
    network = timm.create_model("mobilenetv3_small_050", num_classes=3)
    arm = ARMS["ppcr"]
    network = arm.adapt(network, torch.zeros(1, 3, 64, 48), arm.configure({"norm": "spatial", "at": "stages"}))
    _, maps = attach(network.eval())(torch.rand(2, 3, 64, 48), return_maps=True)
    assert len(maps) >= 4
    assert all((values == 0.5).all() for values in maps.values())


def test_one_group_too_many_is_refused_where_it_is_put() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(3 * 4 * 3, 2))
    with pytest.raises(FoveolaError, match="at least 4 channels"):
        insert(network, lambda channels, size: PyramidPixelContext(channels), torch.zeros(1, 1, 6, 5), at="0")
