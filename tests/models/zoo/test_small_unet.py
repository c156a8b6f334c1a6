"""The small U-Net."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foveola.foundation.errors import FoveolaError
from foveola.foundation.settings import validated
from foveola.models import BackboneSettings, ImageShape, build_backbone
from foveola.models.zoo.small_unet import SmallUNet


def network(width: int = 4) -> SmallUNet:
    """A narrow one whose batch norms are as after some training."""
    torch.manual_seed(1)
    made = SmallUNet(channels=3, classes=2, width=width).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.1, 0.5)
    return made


@pytest.mark.parametrize(("channels", "classes", "width"), [(3, 2, 16), (1, 4, 6)])
def test_has_the_layers_that_it_says(channels: int, classes: int, width: int) -> None:
    def level(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + 9 * outputs * outputs + 4 * outputs

    widths = [width, 2 * width, 4 * width, 8 * width]
    down = sum(level(*pair) for pair in zip([channels, *widths], widths, strict=False))
    up = sum(level(fine + coarse, fine) for fine, coarse in pairwise(widths))
    found = sum(parameter.numel() for parameter in SmallUNet(channels, classes, width).parameters())
    assert found == down + up + classes * (width + 1)
    if width == 16:
        assert 450_000 < found < 550_000


def test_computes_a_u() -> None:
    made, images = network(), torch.randn(2, 3, 16, 24)
    state = made.state_dict()

    def level(values: Tensor, name: str) -> Tensor:
        for index in (0, 3):
            values = functional.conv2d(values, state[f"{name}.{index}.weight"], padding=1)
            mean, variance = (state[f"{name}.{index + 1}.running_{part}"].view(-1, 1, 1) for part in ("mean", "var"))
            values = ((values - mean) / (variance + 1e-5).sqrt()).relu()
        return values

    skips, values = [], images
    for number in (1, 2, 3):
        values = level(values, f"level{number}")
        skips.append(values)
        values = values.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
    values = level(values, "level4")
    for number in (1, 2, 3):
        enlarged = values.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        values = level(torch.cat([enlarged, skips.pop()], dim=1), f"up{number}.convolve")
    expected = functional.conv2d(values, state["classify.weight"], state["classify.bias"])
    assert expected.std() > 0.1
    with torch.no_grad():
        torch.testing.assert_close(made(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(50, 70), (5, 7), (1, 9)])
def test_takes_images_of_any_size(size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert network()(torch.rand(2, 3, *size)).shape == (2, 2, *size)


def test_learns_where_a_square_is() -> None:
    torch.manual_seed(0)
    images, masks = torch.randn(6, 1, 36, 28), torch.zeros(6, 36, 28, dtype=torch.long)
    for index in range(6):
        masks[index, 4 + 3 * index : 16 + 3 * index, 5 + index : 17 + index] = 1
    images[:, 0] += 1.5 * masks
    made = SmallUNet(channels=1, classes=2, width=4)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.02)
    for _ in range(25):
        optimizer.zero_grad()
        functional.cross_entropy(made(images), masks).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    found = made(images).argmax(1)
    assert 2 * (found & masks).sum() / (found.sum() + masks.sum()) > 0.9


def test_the_memory_format_changes_nothing() -> None:
    made, images = network(), torch.rand(2, 3, 50, 70)
    with torch.no_grad():
        expected = made(images)
        last = made.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # of the exporter, about its own code
def test_exports_to_onnx_for_all_sizes_at_once(tmp_path: Path) -> None:
    made, file, free = network(), tmp_path / "network.onnx", torch.export.Dim.DYNAMIC
    example = torch.rand(2, 3, 50, 70)
    torch.onnx.export(made, (example,), file, dynamo=True, verbose=False, dynamic_shapes=({0: free, 2: free, 3: free},))
    session = onnxruntime.InferenceSession(file)
    for shape in ((3, 3, 33, 91), (2, 3, 64, 96)):
        images = torch.rand(shape)
        with torch.no_grad():
            expected = made(images)
        (got,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        np.testing.assert_allclose(got, expected.numpy(), rtol=1e-3, atol=1e-5)


def test_the_width_scales_every_level_and_is_of_this_network_alone() -> None:
    shape = ImageShape(channels=3, size=32, classes=2, per_pixel=True)
    narrow = build_backbone(BackboneSettings(name="small-unet", width=8), shape)
    usual = build_backbone(BackboneSettings(name="small-unet"), shape)
    channels = [
        [module.out_channels for module in network.modules() if isinstance(module, nn.Conv2d)][:-1]
        for network in (narrow, usual)
    ]
    assert channels[1] == [2 * width for width in channels[0]]
    with pytest.raises(FoveolaError, match="small-unet alone"):
        validated(BackboneSettings, {"name": "denseunet", "width": 8}, "backbone")
