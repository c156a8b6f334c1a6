"""The pixel representation of an image set, and the CNN that classifies its pixels."""

from foveola.pixels.choice import pixel_representation
from foveola.pixels.compressed import compressed_representation
from foveola.pixels.exact import exact_representation
from foveola.pixels.network import PixelCNN
from foveola.pixels.representation import PixelRepresentation

__all__ = [
    "PixelCNN",
    "PixelRepresentation",
    "compressed_representation",
    "exact_representation",
    "pixel_representation",
]
