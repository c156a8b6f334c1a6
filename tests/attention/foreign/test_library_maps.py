"""Maps of models that others made, and of mechanisms in a user's own model."""

from __future__ import annotations

import pickle
import re
from typing import Any

import forked
import pytest
import timm
import torch
from timm.layers.non_local_attn import NonLocalAttn
from torch import Tensor, nn

import foveola
from foveola.attention import WithMaps, attach, record_attention
from foveola.attention.inside.sge import SpatialGroupEnhance
from foveola.foundation.errors import FoveolaError
from foveola.models.zoo.small_cnn import small_cnn

IMAGES = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def resnet(attention: Any, seed: int = 1, **options: Any) -> nn.Module:
    torch.manual_seed(seed)
    block = {"attn_layer": attention, "attn_kwargs": options} if options else {"attn_layer": attention}
    network: nn.Module = timm.create_model("resnet18", num_classes=5, block_args=block)
    return network.eval()


def own_model() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), SpatialGroupEnhance(8, groups=4), nn.Flatten(), nn.LazyLinear(5))


def hooks(model: nn.Module) -> list[Any]:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [hook for module in model.modules() for kind in kinds for hook in getattr(module, kind).values()]


@torch.no_grad()
def recorded(model: nn.Module, images: Tensor = IMAGES) -> dict[str, Tensor]:
    with record_attention(model) as maps:
        model(images)
    return maps


def test_they_stand_beside_attach() -> None:
    assert foveola.record_attention is record_attention
    assert foveola.WithMaps is WithMaps


def test_mechanisms_of_ours_are_read_wherever_they_stand() -> None:
    model = own_model()
    model(IMAGES)
    output, expected = attach(model)(IMAGES, return_maps=True)
    maps = recorded(model)
    assert list(maps) == ["1"]
    assert torch.equal(maps["1"], expected["1"])
    assert torch.equal(model(IMAGES), output)


def test_ours_inside_anothers_blocks_bear_the_name_of_the_block() -> None:
    maps = recorded(resnet(SpatialGroupEnhance))
    assert list(maps)[:2] == ["layer1.0", "layer1.1"]
    assert maps["layer2.1"].shape == (2, 8, 12)


def test_a_layer_of_ours_that_is_made_of_anothers_is_read_once() -> None:
    from foveola.attention.inside.cbam import Cbam

    assert list(recorded(resnet(Cbam))) == [f"layer{stage}.{block}" for stage in range(1, 5) for block in (0, 1)]


def test_the_maps_are_those_of_the_latest_pass() -> None:
    model = resnet("cbam")
    first, second = recorded(model, IMAGES), recorded(model, -IMAGES)
    with torch.no_grad(), record_attention(model) as maps:
        model(IMAGES)
        assert all(torch.equal(maps[name], first[name]) for name in first)
        model(-IMAGES)
    assert list(maps) == list(second)
    assert all(torch.equal(maps[name], second[name]) for name in second)


def test_a_part_of_a_model_can_be_called_and_other_models_do_not_matter() -> None:
    model, other = resnet("cbam"), resnet(SpatialGroupEnhance)
    expected = recorded(model)
    with torch.no_grad(), record_attention(model) as maps:
        other(IMAGES)
        model.forward_features(IMAGES)  # type: ignore[operator]
    assert list(maps) == list(expected)
    assert all(torch.equal(maps[name], expected[name]) for name in expected)


def test_a_mechanism_that_is_used_twice_has_two_maps() -> None:
    gate = SpatialGroupEnhance(8)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), gate, nn.ReLU(), gate)
    assert list(recorded(model)) == ["1", "1#2"]


@pytest.mark.parametrize("attention", ["cbam", SpatialGroupEnhance, NonLocalAttn])
def test_nothing_stays_on_the_model(attention: Any) -> None:
    model = resnet(attention)
    before = {name: dict(vars(module)) for name, module in model.named_modules()}
    expected = model(IMAGES)
    with record_attention(model):
        assert torch.equal(model(IMAGES), expected)
        assert hooks(model)
    assert not hooks(model)
    assert {name: dict(vars(module)) for name, module in model.named_modules()}.keys() == before.keys()
    for name, module in model.named_modules():
        assert vars(module).keys() == before[name].keys()


def test_nothing_stays_after_an_error() -> None:
    model = resnet("cbam")
    with pytest.raises(RuntimeError), record_attention(model):
        model(torch.rand(2, 7, 64, 96))
    assert not hooks(model)
    assert len(recorded(model)) == 8


def test_gradients_flow_into_a_map() -> None:
    model = resnet("cbam")
    with record_attention(model) as maps:
        model(IMAGES)
    torch.autograd.backward(maps["layer1.0.se.spatial"].sum())
    assert model.get_parameter("conv1.weight").grad is not None


@pytest.mark.parametrize("model", [timm.create_model("resnet18"), resnet("se"), small_cnn(channels=3, classes=2)])
@pytest.mark.parametrize("use", [WithMaps, lambda model: record_attention(model).__enter__()])
def test_a_model_without_known_attention_is_refused(model: nn.Module, use: Any) -> None:
    message = f"expected a model with attention over positions that is known, got a {type(model).__name__} without"
    with pytest.raises(FoveolaError, match=re.escape(message)):
        use(model)
    assert not hooks(model)


def test_with_maps_shares_the_weights_and_leaves_the_model_alone() -> None:
    model = resnet("cbam")
    with_maps = WithMaps(model)
    assert not hooks(model)
    assert {id(parameter) for parameter in model.parameters()} == {id(p) for p in with_maps.parameters()}
    assert {id(buffer) for buffer in model.buffers()} == {id(buffer) for buffer in with_maps.buffers()}
    output, maps = with_maps(IMAGES)
    expected = recorded(model)
    assert torch.equal(output, model(IMAGES))
    assert list(maps) == list(expected)
    assert all(torch.equal(maps[name], expected[name]) for name in expected)
    assert not with_maps.training
    assert WithMaps(model.train()).training


def test_with_maps_goes_through_a_pickle() -> None:
    with_maps = WithMaps(resnet("cbam"))
    _, expected = with_maps(IMAGES)
    _, maps = pickle.loads(pickle.dumps(with_maps))(IMAGES)
    assert all(torch.equal(maps[name], expected[name]) for name in expected)
    assert len(maps) == 8


EXPORTED = """
import sys, numpy, onnxruntime, timm, torch
from torch import nn
from foveola.attention import WithMaps, record_attention
from foveola.attention.inside.global_context import GlobalContext
from foveola.attention.inside.non_local import NonLocal
from foveola.attention.inside.sge import SpatialGroupEnhance
from timm.layers import NonLocalAttn

class Several(nn.Module):
    def __init__(self):
        super().__init__()
        self.theirs = nn.Sequential(nn.Conv2d(3, 16, 3, stride=4), timm.layers.create_attn("cbam", 16))
        self.ours = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=4), SpatialGroupEnhance(16), NonLocal(16), NonLocalAttn(16), GlobalContext(16)
        )
        self.coord = timm.layers.create_attn("coord", 16)
    def forward(self, images):
        return self.coord(self.theirs(images) + self.ours(images))

torch.manual_seed(0)
model = Several().eval()
for parameter in model.parameters():
    parameter.requires_grad_(False)
    if not parameter.any():
        parameter += 0.3 * torch.randn_like(parameter)
images = torch.randn(2, 3, 64, 48)
with record_attention(model) as expected:
    output = model(images)
assert len(expected) == 6, list(expected)
with_maps = WithMaps(model)

def agree(result, maps):
    torch.testing.assert_close(result, output, rtol=0, atol=1e-5)
    assert list(maps) == list(expected), list(maps)
    for name, values in expected.items():
        torch.testing.assert_close(maps[name], values, rtol=0, atol=1e-5)

torch.manual_seed(3)
agree(*torch.compile(with_maps, fullgraph=True, backend="aot_eager")(images))
agree(*torch.export.export(with_maps, (images,)).module()(images))
names = ["logits", *expected]
torch.onnx.export(with_maps, (images,), sys.argv[1], dynamo=True, output_names=names, verbose=False)
session = onnxruntime.InferenceSession(sys.argv[1])
results = session.run(names, {session.get_inputs()[0].name: images.numpy()})
agree(torch.from_numpy(results[0]), dict(zip(expected, map(torch.from_numpy, results[1:]))))

compiled = torch.compile(model, backend="aot_eager")
compiled(images)
with record_attention(compiled) as maps:
    result = compiled(images)
agree(result, maps)
try:
    with record_attention(torch.export.export(model, (images,)).module()):
        raise AssertionError("an exported model was taken")
except Exception as error:
    assert "take the model before that" in str(error), error
print("agrees")
"""


def test_compiled_and_exported_models_give_the_same_maps(tmp_path: Any) -> None:
    run = forked.script(EXPORTED, str(tmp_path / "model.onnx"))
    assert run.stdout.endswith("agrees\n"), run.stderr
