"""DenseUNet against its table, and against the table's layers written slowly."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foveola.models.zoo.dense_unet import DenseUNet

SMALL: dict[str, Any] = {"growth": 6, "blocks": (2, 3, 4, 1)}


def network(channels: int = 3, classes: int = 2, seed: int = 1, **sizes: Any) -> DenseUNet:
    """A small one whose batch norms are as after some training, and whose logits are not all alike."""
    torch.manual_seed(seed)
    made = DenseUNet(channels, classes, **(SMALL | sizes)).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, std=0.2)
            nn.init.uniform_(module.weight, 0.8, 1.5)
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
    return made


def counts(growth: int, blocks: tuple[int, ...], channels: int, classes: int) -> dict[str, int]:
    """Counts the parameters of the table's lines."""

    def convolution(inputs: int, outputs: int, kernel: int) -> int:
        return inputs * outputs * kernel**2 + 2 * outputs  # of the norm

    stem = 2 * growth
    encoder, width, widths = 0, stem, [stem]
    for number, layers in enumerate(blocks):
        for _ in range(layers):
            encoder += convolution(width, 4 * growth, 1) + convolution(4 * growth, growth, 3)
            width += growth
        last = number == len(blocks) - 1
        widths += [] if last else [width]
        encoder += convolution(width, widths[-1] if last else width // 2, 1)
        width //= 2
    decoder = sum(convolution(coarse, fine, 3) for coarse, fine in pairwise(widths[::-1]))
    finest = 4 * growth // 3
    decoder += convolution(stem, stem, 3) + convolution(stem, finest, 3) + finest * classes + classes
    first = sum(9 * inputs * stem + stem for inputs in (channels, stem, stem))
    return {"encoder": encoder, "decoder": decoder, "stem": first}


def counted(made: DenseUNet) -> dict[str, int]:
    found = {"encoder": 0, "decoder": 0, "stem": 0}
    for name, parameter in made.named_parameters():
        part = "stem" if name.startswith("stem") else "decoder" if name.startswith(("up", "classify")) else "encoder"
        found[part] += parameter.numel()
    return found


def test_has_as_many_parameters_as_tabled() -> None:
    with torch.device("meta"):
        found = counted(DenseUNet(channels=3, classes=2))
    assert {part: round(count / 1e6, 2) for part, count in found.items()} == {
        "encoder": 30.95,
        "decoder": 17.73,
        "stem": 0.17,
    }
    assert sum(found.values()) == 48_840_258
    assert found == counts(48, (6, 12, 36, 24), 3, 2)


@pytest.mark.parametrize(("growth", "blocks"), [(8, (2, 3, 4, 3)), (5, (1, 2, 2, 1)), (1, (1, 1, 1, 1))])
def test_smaller_ones_follow_the_same_rule(growth: int, blocks: tuple[int, int, int, int]) -> None:
    assert counted(DenseUNet(1, 3, growth, blocks)) == counts(growth, blocks, 1, 3)


def test_features_have_the_channels_and_strides_of_the_table() -> None:
    expected = {
        "stem": (96, 2),
        "pool": (96, 4),
        "block1": (384, 4),
        "transition1": (192, 8),
        "block2": (768, 8),
        "transition2": (384, 16),
        "block3": (2112, 16),
        "transition3": (1056, 32),
        "block4": (2208, 32),
        "bottom": (2112, 32),
        "up1": (768, 16),
        "up2": (384, 8),
        "up3": (96, 4),
        "up4": (96, 2),
        "up5": (64, 1),
        "classify": (2, 1),
    }
    found = {}
    with torch.device("meta"):
        made = DenseUNet(channels=3, classes=2)
        for name in expected:
            made.get_submodule(name).register_forward_hook(
                lambda module, inputs, output, name=name: found.__setitem__(name, output.shape)
            )
        made(torch.zeros(2, 3, 256, 192))
    assert {name: (shape[1], 256 // shape[2]) for name, shape in found.items()} == expected
    assert all(256 // shape[2] == 192 // shape[3] for shape in found.values())


def tensorflow_padding(side: int) -> tuple[int, int]:
    """Returns what SAME puts before and behind, for a window of 3 and a step of 2."""
    missing = max((-(-side // 2) - 1) * 2 + 3 - side, 0)
    return missing // 2, missing - missing // 2


def pooled(features: np.ndarray, reduce: Any) -> np.ndarray:
    """Pools windows of 3 with a step of 2 by TensorFlow's SAME, whose padding takes no part."""
    *_, height, width = features.shape
    (top, _), (left, _) = tensorflow_padding(height), tensorflow_padding(width)
    rows = []
    for y in range(-(-height // 2)):
        row = []
        for x in range(-(-width // 2)):
            window = features[..., max(2 * y - top, 0) : 2 * y - top + 3, max(2 * x - left, 0) : 2 * x - left + 3]
            row.append(reduce(window, axis=(2, 3)))
        rows.append(np.stack(row, axis=-1))
    return np.stack(rows, axis=-2)


def test_strided_layers_look_where_tensorflow_looks() -> None:
    made = network()
    features = torch.randn(2, 12, 8, 6)
    expected = pooled(features.numpy(), np.max)
    np.testing.assert_array_equal(made.pool(features).numpy(), expected)
    mean = made.transition1.get_submodule("pool")(features).numpy()
    np.testing.assert_allclose(mean, pooled(features.numpy(), np.mean), rtol=1e-5, atol=1e-6)
    images, convolution = torch.randn(2, 3, 8, 6), made.stem[1]
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.bias is not None
    nn.init.normal_(convolution.bias)
    (top, bottom), (left, right) = tensorflow_padding(8), tensorflow_padding(6)
    assert (top, bottom, left, right) == (0, 1, 0, 1)
    windows = functional.pad(images, (left, right, top, bottom)).unfold(2, 3, 2).unfold(3, 3, 2)
    with torch.no_grad():
        convolved = torch.einsum("bcijyx,kcyx->bkij", windows, convolution.weight) + convolution.bias.view(-1, 1, 1)
        torch.testing.assert_close(made.stem[:2](images), convolved, rtol=1e-4, atol=1e-5)


def forward(made: DenseUNet, images: Tensor) -> Tensor:
    """The layers of the table one after the other, with nothing but functions."""
    state = made.state_dict()

    def convolved(values: Tensor, name: str) -> Tensor:
        weight = state[f"{name}.0.weight"]
        values = functional.conv2d(values, weight, padding=weight.shape[-1] // 2)
        mean, variance, scale, shift = (
            state[f"{name}.1.{part}"].view(-1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return ((values - mean) / (variance + 1e-5).sqrt() * scale + shift).clamp(min=0)

    def dense(values: Tensor, name: str, layers: int) -> Tensor:
        for layer in range(layers):
            new = convolved(convolved(values, f"{name}.{layer}.squeeze"), f"{name}.{layer}.grow")
            values = torch.cat([values, new], dim=1)
        return values

    def doubled(values: Tensor) -> Tensor:
        for axis in (2, 3):  # positions of the ends agree, and what is between lies on lines
            at = torch.linspace(0, values.shape[axis] - 1, 2 * values.shape[axis])
            low = at.floor().long().clamp(max=max(values.shape[axis] - 2, 0))
            high = (low + 1).clamp(max=values.shape[axis] - 1)
            share = (at - low).view(-1, 1) if axis == 2 else at - low
            values = values.index_select(axis, low) * (1 - share) + values.index_select(axis, high) * share
        return values

    def halved(values: Tensor, reduce: Any) -> Tensor:
        return torch.from_numpy(pooled(values.numpy(), reduce))

    first, second, third = (state[f"stem.{index}.weight"] for index in (1, 3, 5))
    values = functional.conv2d(functional.pad(images, (0, 1, 0, 1)), first, stride=2).clamp(min=0)
    for weight in (second, third):
        values = functional.conv2d(values, weight, padding=1).clamp(min=0)
    skips, values = [values], halved(values, np.max)
    for block, layers in enumerate(SMALL["blocks"], start=1):
        values = dense(values, f"block{block}", layers)
        if block < 4:
            skips.append(values)
            values = halved(convolved(values, f"transition{block}.squeeze"), np.mean)
    values = convolved(values, "bottom")
    for stage in (1, 2, 3, 4):
        values = convolved(doubled(values) + skips.pop(), f"up{stage}.convolve")
    return functional.conv2d(convolved(doubled(values), "up5"), state["classify.weight"], state["classify.bias"])


def test_computes_the_layers_of_the_table() -> None:
    made, images = network(), torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        got, expected = made(images), forward(made, images)
    assert expected.std() > 0.05
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


def test_weights_are_drawn_as_tensorflow_draws_them() -> None:
    torch.manual_seed(2)
    made = DenseUNet(channels=3, classes=2, growth=24, blocks=(1, 1, 1, 1))
    weight = made.stem.get_submodule("3").weight
    assert isinstance(weight, Tensor)
    bound = (6 / (9 * 48 + 9 * 48)) ** 0.5
    assert bound * 0.999 < weight.abs().max() <= bound
    assert all(
        not module.bias.any() for module in made.stem if isinstance(module, nn.Conv2d) and module.bias is not None
    )


@pytest.mark.parametrize("size", [(50, 70), (5, 7), (64, 32)])
@pytest.mark.parametrize("channels", [1, 3])
def test_takes_images_of_any_size(size: tuple[int, int], channels: int) -> None:
    with torch.no_grad():
        assert network(channels, classes=3)(torch.rand(2, channels, *size)).shape == (2, 3, *size)


def test_every_parameter_learns() -> None:
    made = network().train()
    made(torch.rand(2, 3, 64, 96)).square().mean().backward()
    assert [name for name, parameter in made.named_parameters() if parameter.grad is None] == []


def test_the_memory_format_changes_nothing() -> None:
    made, images = network(), torch.rand(2, 3, 50, 70)
    with torch.no_grad():
        expected = made(images)
        last = made.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # of the exporter, about its own code
def test_exports_to_onnx(tmp_path: Path) -> None:
    made, file, images = network(blocks=(1, 1, 1, 1)), tmp_path / "network.onnx", torch.rand(2, 3, 50, 70)
    torch.onnx.export(made, (images,), file, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(file)
    with torch.no_grad():
        expected = made(images)
    (got,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-3, atol=1e-5)
