"""The supervised contrastive term: images of one class are to lie together in what the classifier sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention.hosts.probing import outputs_of
from foveola.foundation.errors import FoveolaError

HIDDEN, PROJECTED = 512, 128


def supervised_contrastive(projections: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Returns how far images of one class lie from each other, relative to all others of the batch.

    With z the projections scaled to length 1 and P(i) the other images with the label of image i, it is the mean over
    those i for which P(i) is not empty of

        - 1 / |P(i)|  sum_{p in P(i)}  log( exp(z_i . z_p / t) / sum_{a != i} exp(z_i . z_a / t) )

    and 0 where no image has another of its class. An image without one of its class still stands in the others' sums.

    Source: Khosla et al. 2020, arXiv:2004.11362, eq. 2 (``out``), with the mean over images in place of the sum, so
    that the term does not grow with the batch.

    Args:
        projections: ``B x D``, computed with in single precision at least.
        labels: ``B``.
        temperature: The t of the formula.

    Example:
        >>> projections = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> for labels in ([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 3]):
        ...     print(f"{supervised_contrastive(projections, torch.tensor(labels), 0.1):.3f}")
        0.000
        10.000
        0.000
    """
    with torch.autocast(projections.device.type, enabled=False):
        unit = functional.normalize(projections.to(torch.promote_types(projections.dtype, torch.float32)), dim=1)
        own = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        scores = (unit @ unit.T / temperature).masked_fill(own, torch.finfo(unit.dtype).min)
        surprise = scores.logsumexp(1, keepdim=True) - scores
        positive = (labels[:, None] == labels) & ~own
        counts = positive.sum(1)
        means = surprise.masked_fill(~positive, 0).sum(1) / counts.clamp(min=1)
        return means.sum() / (counts > 0).sum().clamp(min=1)


class ContrastiveTerm(nn.Module):
    """Adds the supervised contrastive term to the loss of a network while it trains; no part of the network.

    The features are what goes into the classifier, which is the last linear layer or convolution that the network
    uses, averaged over positions where there are some. Of several
    classifiers side by side it is the last. An MLP projects them to 128 numbers by way of 512.

    Args:
        network: It takes images and returns logits.
        image: ``1 x C x H x W``, of the size to come.
        weight: The coefficient.
        temperature: Of the softmax.

    Raises:
        FoveolaError: If the network has neither.

    Example:
        >>> from foveola.models.zoo.small_cnn import small_cnn
        >>> network = small_cnn(channels=1, classes=3)
        >>> term = ContrastiveTerm(network, torch.zeros(1, 1, 12, 10), weight=0.5, temperature=0.1)
        >>> with term.listening(network) as features:
        ...     logits = network(torch.rand(7, 1, 12, 10))
        >>> term.classifier, features[0].shape, term(features, torch.arange(7) % 3).ndim
        ('classify', torch.Size([7, 64]), 0)
    """

    def __init__(self, network: nn.Module, image: Tensor, weight: float, temperature: float) -> None:
        super().__init__()
        layers = {
            name: module.in_features if isinstance(module, nn.Linear) else module.in_channels
            for name, module in network.named_modules()
            if isinstance(module, nn.Linear | nn.Conv2d)
        }
        used = list(outputs_of(network, list(layers), image))
        if not used:
            raise FoveolaError(
                "a network that ends in a linear layer or a convolution",
                f"a {type(network).__name__} without",
                "the arm's setting `contrastive`",
                "set it to 0",
            )
        self.classifier, self.weight, self.temperature = used[-1], weight, temperature
        self.projector = nn.Sequential(
            nn.Linear(layers[self.classifier], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, PROJECTED)
        )

    @contextmanager
    def listening(self, network: nn.Module) -> Iterator[list[Tensor]]:
        """Yields a list that takes up what goes into the classifier while the block runs."""
        features: list[Tensor] = []
        classifier = network.get_submodule(self.classifier)
        handle = classifier.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
        try:
            yield features
        finally:
            handle.remove()

    def forward(self, features: list[Tensor], labels: Tensor) -> Tensor:
        """Returns the coefficient times the term for what `listening` took up last.

        Args:
            features: The last of them is ``B x F`` or ``B x F x H x W``.
            labels: ``B``.
        """
        seen = features[-1]
        pooled = seen.mean((2, 3)) if seen.ndim == 4 else seen
        return self.weight * supervised_contrastive(self.projector(pooled), labels, self.temperature)
