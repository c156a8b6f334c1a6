"""The pixel CNN: the binary classifier that tells important pixels from unimportant ones."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveola.pixels.representation import PixelRepresentation


class PixelCNN(nn.Module):
    """Maps the pixel representation to one logit a pixel.

    ``kernel x kernel`` convolution D -> K, ReLU, (``hidden_layers`` - 1) more of K -> K, and a ``last_kernel``
    convolution K -> 1; stride 1, zero padding that keeps the size, biases, no batch norm. A sigmoid follows outside.
    With an exact representation and the defaults it holds K (9 N C + 1) + (K + 1) parameters.

    Source: Xu et al. 2020, arXiv:2007.15897, section 3.2 and figure 3; ReLU and biases are read from the parameter
    formula. The variants that the paper tried (kernel 5 and 7, two to four hidden layers, last kernel 3 and 5, dense
    connections) are options. Dense connections are read as: each layer after the first sees the outputs of all hidden
    layers before it.

    Weights of the first layer are drawn as for a fan-in of ``kernel**2 * rows`` and divided by the representation's
    scale, so that the initial map has the same distribution for an exact and a compressed representation.

    Args:
        representation: What to classify; kept as a buffer that is not part of the state dict.
        hidden: K, the channels of each hidden layer.
        kernel: Odd side of the hidden layers' kernels, in pixels.
        hidden_layers: How many hidden layers.
        last_kernel: Odd side of the last kernel, in pixels.
        dense: Whether layers are densely connected.

    Example:
        >>> from foveola.pixels import exact_representation
        >>> network = PixelCNN(exact_representation(torch.rand(7, 3, 12, 10)), hidden=4)
        >>> network().shape, sum(p.numel() for p in network.parameters()) == 4 * (9 * 7 * 3 + 1) + (4 + 1)
        (torch.Size([12, 10]), True)
    """

    features: Tensor

    def __init__(
        self,
        representation: PixelRepresentation,
        *,
        hidden: int = 128,
        kernel: int = 3,
        hidden_layers: int = 1,
        last_kernel: int = 1,
        dense: bool = False,
    ) -> None:
        super().__init__()
        if kernel % 2 == 0 or last_kernel % 2 == 0:
            raise ValueError(f"kernels must be odd to keep the size, got kernel={kernel} and last_kernel={last_kernel}")
        self.dense = dense
        self.facts = representation.facts()
        features = representation.features[None].contiguous(memory_format=torch.channels_last)  # faster on a CPU
        self.register_buffer("features", features, persistent=False)
        self.first = nn.Conv2d(representation.dim, hidden, kernel, padding=kernel // 2)
        self.hidden = nn.ModuleList(
            nn.Conv2d(hidden * (depth if dense else 1), hidden, kernel, padding=kernel // 2)
            for depth in range(1, hidden_layers)
        )
        self.last = nn.Conv2d(hidden * (hidden_layers if dense else 1), 1, last_kernel, padding=last_kernel // 2)
        if representation.kind == "compressed":
            self._draw_first_layer(kernel**2 * representation.rows, representation.scale)

    @torch.no_grad()
    def _draw_first_layer(self, fan_in: int, scale: float) -> None:
        """Draws what PyTorch's default draws for ``fan_in`` inputs, as seen through an orthonormal projection.

        A convolution starts with weights uniform in +-1 / sqrt(fan_in), variance 1 / (3 fan_in). Orthonormal columns
        keep the variance, and sums over thousands of rows are nearly normal.
        """
        self.first.weight.normal_(std=1 / math.sqrt(3 * fan_in) / scale)
        if self.first.bias is not None:
            self.first.bias.uniform_(-1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def forward(self) -> Float[Tensor, "h w"]:
        """Returns the logits of all pixels, ``H x W``."""
        outputs = [torch.relu(self.first(self.features))]
        for layer in self.hidden:
            outputs.append(torch.relu(layer(torch.cat(outputs, dim=1) if self.dense else outputs[-1])))
        logits: Tensor = self.last(torch.cat(outputs, dim=1) if self.dense else outputs[-1])
        return logits[0, 0]
