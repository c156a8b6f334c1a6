"""What is read of other libraries' modules is what they use: outputs are made again from the maps that come out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch
from timm.layers.attention import Attention
from timm.layers.create_attn import create_attn
from torch import Tensor, nn

from foveola.attention import record_attention
from foveola.attention.foreign.library_attention import READERS, Reader, reader_of
from foveola.foundation.errors import FoveolaError

FEATURES = torch.randn(2, 32, 12, 10, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def read(module: nn.Module, *inputs: Tensor, **options: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the output of a module in evaluation mode, and its only map."""
    with record_attention(module.eval()) as maps:
        output = module(*inputs, **options)
    (only,) = maps.values()
    return output, only


def theirs(name: str, **options: Any) -> Any:
    torch.manual_seed(1)
    module: nn.Module = create_attn(name, 32, **options)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


@pytest.mark.parametrize("name", ["cbam", "lcbam"])
def test_the_spatial_half_of_cbam(name: str) -> None:
    module = theirs(name)
    output, shown = read(module, FEATURES)
    assert shown.std() > 0
    torch.testing.assert_close(output, module.channel(FEATURES) * shown[:, None])


def test_gather_excite_over_neighbourhoods() -> None:
    output, shown = read(theirs("ge", extent=4, use_mlp=False), FEATURES)
    torch.testing.assert_close((output / FEATURES).mean(1), shown, atol=1e-4, rtol=1e-4)


def test_gather_excite_over_the_whole_image_weighs_channels_alone() -> None:
    module = nn.Sequential(theirs("ge", extent=0, use_mlp=False))
    with record_attention(module) as maps:
        module(FEATURES)
    assert maps == {}


def test_coordinate_attention() -> None:
    output, shown = read(theirs("coord"), FEATURES)
    torch.testing.assert_close((output / FEATURES).mean(1), shown, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["gc", "gca"])
def test_global_context(name: str) -> None:
    module = theirs(name)
    output, shown = read(module, FEATURES)
    torch.testing.assert_close(shown.sum((1, 2)), torch.ones(2))
    context = (FEATURES * shown[:, None]).sum((2, 3), keepdim=True)
    expected = FEATURES * module.mlp_scale(context).sigmoid() if name == "gc" else FEATURES + module.mlp_add(context)
    torch.testing.assert_close(output, expected, atol=1e-4, rtol=1e-4)


def test_global_context_without_attention_is_not_read() -> None:
    with pytest.raises(FoveolaError, match="attention over positions"), record_attention(theirs("gc", use_attn=False)):
        pass


def test_non_local() -> None:
    module = theirs("nl")
    _, shown = read(module, FEATURES)
    queries, keys = (layer(FEATURES).flatten(2).detach().numpy() for layer in (module.t, module.p))
    for image in range(2):
        received = np.zeros(120)
        for query in queries[image].T:
            scores = np.exp(query @ keys[image] * 32**-0.5)
            received += scores / scores.sum()
        np.testing.assert_allclose(shown[image].ravel(), received, rtol=1e-4)


@pytest.mark.parametrize("fused", [True, False])
def test_a_vision_transformer_shows_how_much_each_patch_is_used(fused: bool) -> None:
    torch.manual_seed(1)
    model: Any = timm.create_model(
        "vit_tiny_patch16_224", img_size=(48, 80), depth=2, embed_dim=24, num_heads=3, num_classes=5
    ).eval()
    attention = model.blocks[1].attn
    attention.fused_attn = fused
    given: list[Tensor] = []
    handle = attention.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    with torch.no_grad(), record_attention(model) as maps:
        model(torch.randn(2, 3, 48, 80))
    handle.remove()
    assert {name: tuple(map.shape) for name, map in maps.items()} == {
        "blocks.0.attn": (2, 3, 5),
        "blocks.1.attn": (2, 3, 5),
    }
    queries, keys, _ = attention.qkv(given[0]).reshape(2, 16, 3, 3, 8).permute(2, 0, 3, 1, 4).detach().numpy()
    for image in range(2):
        received = np.zeros(16)
        for head in range(3):
            for query in queries[image, head]:
                scores = np.exp(keys[image, head] @ query / np.sqrt(8))
                received += scores / scores.sum() / 3
        np.testing.assert_allclose(maps["blocks.1.attn"][image].ravel(), received[1:], rtol=1e-4)


def test_tokens_that_lie_nowhere_stay_in_a_row() -> None:
    _, shown = read(Attention(24, num_heads=3), torch.randn(2, 7, 24))
    assert shown.shape == (2, 1, 7)
    torch.testing.assert_close(shown.sum((1, 2)), torch.full((2,), 7.0))


def test_monais_attention_gate() -> None:
    networks = pytest.importorskip("monai.networks.nets.attentionunet")
    torch.manual_seed(1)
    gate = networks.AttentionBlock(spatial_dims=2, f_int=4, f_g=6, f_l=32)
    output, shown = read(gate, g=torch.randn(2, 6, 12, 10), x=FEATURES)
    torch.testing.assert_close(output, FEATURES * shown[:, None])


def test_monais_attention_unet_has_a_map_for_every_gate() -> None:
    networks = pytest.importorskip("monai.networks.nets.attentionunet")
    model = networks.AttentionUnet(2, 1, 3, channels=(4, 6, 8), strides=(2, 2))
    with record_attention(model) as maps:
        model(torch.randn(2, 1, 24, 16))
    assert sorted(tuple(map.shape) for map in maps.values()) == [(2, 12, 8), (2, 24, 16)]


def test_volumes_are_refused() -> None:
    networks = pytest.importorskip("monai.networks.nets.attentionunet")
    model = networks.AttentionUnet(3, 1, 3, channels=(4, 6), strides=(2,))
    with (
        pytest.raises(FoveolaError, match="expected features of two dimensions in space, got 3"),
        record_attention(model),
    ):
        model(torch.randn(1, 1, 8, 12, 10))


@pytest.mark.parametrize("options", [{}, {"use_combined_linear": True}, {"use_flash_attention": True}])
def test_monais_spatial_attention(options: dict[str, bool]) -> None:
    blocks = pytest.importorskip("monai.networks.blocks.spatialattention")
    torch.manual_seed(1)
    block = blocks.SpatialAttentionBlock(2, 32, num_head_channels=8, norm_num_groups=4, **options)
    _, shown = read(block, FEATURES)
    tokens = block.norm(FEATURES).flatten(2).mT
    if options.get("use_combined_linear"):
        queries, keys, _ = block.attn.qkv(tokens).chunk(3, dim=2)
    else:
        queries, keys = block.attn.to_q(tokens), block.attn.to_k(tokens)
    queries, keys = (each.reshape(2, 120, 4, 8).transpose(1, 2) for each in (queries, keys))
    matrix = (queries @ keys.mT / 8**0.5).softmax(-1)
    torch.testing.assert_close(shown, matrix.sum(2).mean(1).reshape(2, 12, 10))


def test_monais_self_attention_alone_stays_in_a_row_and_a_causal_one_is_refused() -> None:
    blocks = pytest.importorskip("monai.networks.blocks.selfattention")
    _, shown = read(blocks.SABlock(24, num_heads=3), torch.randn(2, 7, 24))
    assert shown.shape == (2, 1, 7)
    with pytest.raises(FoveolaError, match="a causal mask or relative positions"):
        read(blocks.SABlock(24, num_heads=3, causal=True, sequence_length=7), torch.randn(2, 7, 24))


def test_the_mask_of_a_residual_attention_block() -> None:
    library = pytest.importorskip("pytorchcv.models.resattnet")
    torch.manual_seed(1)
    block = library.AttBlock(32, 32, hourglass_depth=1, att_scales=[1, 1, 1]).eval()
    seen: list[Tensor] = []
    handle = block.final_block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    features = torch.randn(2, 32, 12, 10)
    _, shown = read(block, features)
    handle.remove()
    _, trunk = block.hg(block.init_blocks(features))
    torch.testing.assert_close((seen[0] / trunk - 1).mean(1), shown, atol=1e-3, rtol=1e-3)


def test_a_class_is_known_by_what_it_derives_from() -> None:
    class Mine(Attention):
        pass

    assert reader_of(Mine(24, num_heads=3)) is READERS["timm.layers.attention.Attention"]
    assert reader_of(nn.Conv2d(3, 8, 3)) is None


@pytest.mark.parametrize("name", READERS)
def test_every_reader_names_parts_of_its_class(name: str) -> None:
    module, _, kind = name.rpartition(".")
    known = getattr(pytest.importorskip(module), kind, None)
    if known is None:
        pytest.skip(f"this version has no {name}")
    assert isinstance(READERS[name], Reader)
    assert issubclass(known, nn.Module)
