"""The features of a backbone that does not learn."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from foveola.pixels.representation import Batches, checked_batches

BATCH = 32
"""Images at a time. Every batch is filled up, so that the numbers of an image do not depend on its neighbours."""


class FrozenFeatures(nn.Module):
    """A backbone whose weights get no gradient and which stays in evaluation mode, whatever is asked of it.

    Args:
        backbone: Without its classifier.
        side: Of the images that it takes, in pixels; others are resized to it bilinearly.

    Example:
        >>> features = FrozenFeatures(nn.Sequential(nn.BatchNorm2d(3), nn.Flatten()), side=8).train()
        >>> features(torch.rand(2, 3, 6, 6)).shape, features.backbone.training
        (torch.Size([2, 192]), False)
    """

    def __init__(self, backbone: nn.Module, side: int) -> None:
        super().__init__()
        self.backbone, self.side = backbone.eval().requires_grad_(False), side

    def extra_repr(self) -> str:
        """Says which side."""
        return f"side={self.side}"

    def train(self, mode: bool = True) -> FrozenFeatures:
        """Changes the mode of nothing but itself."""
        self.training = mode
        return self

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, b * d]:
        """Returns the features of the images, ``b x d`` of a backbone that pools."""
        if images.shape[-2:] != (self.side, self.side):
            images = functional.interpolate(images, (self.side, self.side), mode="bilinear")
        features: Tensor = self.backbone(images)
        return features


@torch.inference_mode()
def remembered_features(network: FrozenFeatures, images: Batches) -> np.ndarray:
    """Returns the features ``n x d`` of all images, each computed once in this process.

    They are known by all that they depend on: the weights and the layers of the backbone, and the image as the backbone
    sees it. Those of one backbone are kept, until another one is asked for.

    Raises:
        FoveolaError: For what are no images; see `checked_batches`.
    """
    known = _memory(_digest(network))
    keys: list[bytes] = []
    for batch in checked_batches(images):
        names = [hashlib.blake2b(image.numpy().tobytes(), digest_size=16).digest() for image in batch.contiguous()]
        keys += names
        new = np.array([index for index, name in enumerate(names) if name not in known], dtype=int)
        for start in range(0, len(new), BATCH):
            chosen = new[start : start + BATCH]
            filled = batch[torch.from_numpy(np.resize(chosen, BATCH))].contiguous(memory_format=torch.channels_last)
            for index, features in zip(chosen, network(filled).numpy(), strict=False):
                known[names[index]] = features.copy()
    return np.stack([known[key] for key in keys])


@lru_cache(maxsize=1)
def _memory(network: bytes) -> dict[bytes, np.ndarray]:
    return {}


def _digest(network: nn.Module) -> bytes:
    digest = hashlib.blake2b(repr(network).encode(), digest_size=16)
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.digest()
