"""The trunk: features of some levels and a global vector from one pass."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional

from foveola.attention.networks.query_trunk import Trunk, give_up_classifier
from foveola.foundation.errors import FoveolaError
from foveola.models.zoo.small_cnn import small_cnn
from foveola.models.zoo.vgg_att import vgg_att

IMAGE = torch.zeros(1, 3, 24, 20)


def small(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return small_cnn(3, 5, width=4)


def in_a_row(network: nn.Sequential) -> nn.Sequential:
    """The layers of all blocks, one behind the other."""
    return nn.Sequential(
        *(layer for child in network for layer in (child if isinstance(child, nn.Sequential) else [child]))
    )


def test_features_and_g_are_those_of_the_backbone() -> None:
    whole, images = in_a_row(small().eval()), torch.rand(2, 3, 24, 20)
    trunk = Trunk(small(), IMAGE, levels=2, dim=7).eval()
    features, g = trunk(images)
    assert list(features) == ["block2.2", "block3.2"]
    assert trunk.shapes == {"block2.2": (8, 12, 10), "block3.2": (16, 6, 5)}
    assert torch.equal(features["block2.2"], whole[:7](images))
    assert torch.equal(features["block3.2"], whole[:11](images))
    (_, layer), pooled = trunk.fc1.children(), whole[:14](images)
    assert isinstance(layer, nn.Linear)
    assert g.shape == (2, 7)
    torch.testing.assert_close(g, functional.linear(pooled, layer.weight, layer.bias))


def test_weights_of_the_backbone_stay() -> None:
    backbone = timm.create_model("resnet10t", num_classes=3)
    before = [value.clone() for name, value in backbone.named_parameters() if not name.startswith("fc")]
    trunk = Trunk(backbone, torch.zeros(1, 3, 64, 48), levels="layer3, layer3.0.conv1")
    after = list(trunk.backbone.parameters())
    assert len(before) == len(after)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    features, _ = trunk(torch.rand(2, 3, 64, 48))
    assert list(features) == ["layer3", "layer3.0.conv1"], "one inside the other"


def test_g_has_512_dimensions_at_most_unless_more_are_asked_for() -> None:
    def wide() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 600, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(600, 5))

    assert Trunk(wide(), IMAGE).dim == 512
    assert Trunk(wide(), IMAGE, dim=550).dim == 550
    assert Trunk(small(), IMAGE).dim == 16


def test_a_backbone_keeps_its_own_global_layer() -> None:
    with torch.device("meta"):
        backbone, image = vgg_att(3, 5, 32), torch.zeros(1, 3, 32, 32)
        trunk = Trunk(backbone, image, levels=3)
        assert isinstance(trunk.fc1, nn.Identity)
        assert trunk.dim == 512
        with pytest.raises(FoveolaError, match="512, which the backbone's own FC-1 has, got 20, in the arm's setting"):
            Trunk(vgg_att(3, 5, 32), image, dim=20)


@pytest.mark.parametrize("conv_dropout", [True, False])
def test_dropout_between_convolutions_is_a_switch(conv_dropout: bool) -> None:
    with torch.device("meta"):
        trunk = Trunk(vgg_att(3, 5, 32), torch.zeros(1, 3, 32, 32), levels=3, conv_dropout=conv_dropout)
    shares = [module.p for module in trunk.modules() if isinstance(module, nn.Dropout)]
    between = [0.3, *[0.4] * 9] if conv_dropout else [0.0] * 10
    assert shares == [*between, 0.5], "one in front of FC-1 stays"


def test_features_are_pooled_where_it_is_asked_for() -> None:
    images = torch.rand(2, 3, 24, 20)
    before, after = (Trunk(small(), IMAGE, levels=3, dim=7, pooled=pooled).eval() for pooled in (False, True))
    assert after.shapes == {"block1.2": (4, 12, 10), "block2.2": (8, 6, 5), "block3.2": (16, 3, 2)}
    whole, (features, _) = in_a_row(small().eval()), after(images)
    assert torch.equal(features["block1.2"], whole[:4](images)), "what stands behind the pool"
    assert features["block3.2"].shape == (2, 16, 3, 2)
    assert before(images)[0]["block1.2"].shape == (2, 4, 24, 20)


def test_gradients_are_averaged_over_their_uses() -> None:
    images = torch.rand(2, 3, 24, 20)
    totals = []
    for averages in (False, True):
        torch.manual_seed(3)
        trunk = Trunk(small(), IMAGE, levels=2, dim=7, average_gradients=averages).eval()
        features, g = trunk(images)
        loss = features["block3.2"].square().sum() + g.square().sum()
        layer = trunk.backbone.get_submodule("block3.0")
        assert isinstance(layer, nn.Conv2d)
        totals.append(torch.autograd.grad(loss, [trunk.fc1[1].bias, layer.weight]))  # type: ignore[index]
        (alone,) = torch.autograd.grad(trunk(images)[0]["block3.2"].square().sum(), [layer.weight])
        (through,) = torch.autograd.grad(trunk(images)[1].square().sum(), [layer.weight])
        torch.testing.assert_close(alone + through, totals[-1][1])
        totals[-1] = (*totals[-1], alone, through)
    summed, averaged = totals
    torch.testing.assert_close(averaged[0], summed[0] / 2)  # g is used at two levels
    torch.testing.assert_close(averaged[2], summed[2] / 2)  # features go into attention
    torch.testing.assert_close(averaged[3], summed[3] / 4)  # and on to g


@pytest.mark.parametrize(
    "build",
    [
        lambda: small_cnn(3, 5, width=4),
        lambda: torchvision.models.squeezenet1_1(weights=None, num_classes=5),
        lambda: timm.create_model("mobilenetv3_small_050", num_classes=5),
    ],
)
def test_a_classifier_is_given_up(build: object) -> None:
    backbone: nn.Module = build()  # type: ignore[operator]
    give_up_classifier(backbone)
    pooled = backbone.eval()(torch.rand(2, 3, 64, 64))
    assert pooled.ndim == 2
    assert pooled.shape[1] > 5


def test_images_too_small_for_a_level_are_named() -> None:
    message = "large enough for attention at every level, got features of 1 x 1 at 'block3.2', in --image-size; choose"
    with pytest.raises(FoveolaError, match=message):
        Trunk(small(), torch.zeros(1, 3, 10, 10), levels=3, pooled=True)


def test_a_backbone_that_pools_nothing_is_named() -> None:
    backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3))
    with pytest.raises(FoveolaError, match=r"that pools its features, got features of shape \(1, 4, 22, 18\)"):
        Trunk(backbone, IMAGE, levels=1)
