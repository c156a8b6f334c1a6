"""The pointwise block against its formula, and with the signal of a decoder."""

from __future__ import annotations

import numpy as np
import timm
import torch
from torch import Tensor, nn

from foveola.attention import ARMS, PointwiseAttention, attach, recording
from foveola.attention.hosts.placement import Place

CHANNELS, HEIGHT, WIDTH = 6, 5, 4


def moved() -> PointwiseAttention:
    torch.manual_seed(0)
    return PointwiseAttention(CHANNELS, residual_start=0.7, dtype=torch.float64).eval()


def test_every_position_is_weighed_by_itself_and_added() -> None:
    block, features = moved(), torch.randn(2, CHANNELS, HEIGHT, WIDTH).double()
    with recording() as emitted:
        output = block(features).detach().numpy()
    gates = emitted[0][1].received().detach().numpy()
    state = {name: tensor.numpy() for name, tensor in block.state_dict().items()}
    value, project = (state[f"{name}.weight"][:, :, 0, 0] for name in ("value", "output"))
    for image, row, column in np.ndindex(2, HEIGHT, WIDTH):
        here = features[image, :, row, column].numpy()
        change = project @ (gates[image, row, column] * (value @ here)) + state["output.bias"]
        np.testing.assert_allclose(output[image, :, row, column], here + 0.7 * change, atol=1e-10)


def test_a_position_depends_on_itself_alone() -> None:
    block, features = moved(), torch.randn(2, CHANNELS, HEIGHT, WIDTH).double()
    changed = features.clone()
    changed[:, :, 2, 1] += 1
    differs = (block(features) != block(changed)).any(1)
    assert differs[:, 2, 1].all()
    assert differs.sum() == 2


class Decoder(nn.Module):
    """One place where features meet the coarser ones of a decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_places = {"auto": ("place",)}
        self.fine = nn.Conv2d(1, CHANNELS, 3, padding=1)
        self.coarse = nn.Conv2d(1, 9, 3, stride=2, padding=1)
        self.place = Place()

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.place(self.fine(images), self.coarse(images))
        return features


def test_in_a_decoder_the_coarser_features_gate_the_finer_ones() -> None:
    torch.manual_seed(0)
    arm, image = ARMS["pointwise"], torch.rand(1, 1, 12, 10)
    network = arm.adapt(Decoder(), image, arm.configure({"point": "gate"}))
    block = network.get_submodule("place.attention")
    assert isinstance(block, PointwiseAttention)
    assert block.point.get_submodule("of_signal").weight.shape == (3, 9, 1, 1)
    _, before = attach(network)(image, return_maps=True)
    with torch.no_grad():
        next(network.get_submodule("coarse").parameters()).add_(1)
    _, after = attach(network)(image, return_maps=True)
    assert not torch.equal(after["place"], before["place"])


def test_where_images_are_classified_it_goes_behind_stages() -> None:
    image = torch.rand(1, 3, 64, 48)
    for name in ("pointwise", "self", "joint"):
        arm = ARMS[name]
        network = arm.adapt(timm.create_model("resnet18", num_classes=3), image, arm.configure({}))
        found = [place for place, part in network.named_modules() if place.endswith(".attention")]
        assert found == [f"layer{number}.attention" for number in range(1, 5)]
