"""What a network with attention keeps to besides: it classifies, and gives its maps with the logits."""

from __future__ import annotations

from foveola.attention import Attended
from foveola.contract.inside import TYPES
from foveola.contract.subject import CLASSES, Subject, require, require_same


def classifies(subject: Subject) -> None:
    """Each image gets one finite logit a class."""
    logits = subject.built()(subject.inputs)
    require(logits.shape == (len(subject.inputs), CLASSES), f"logits of shape {tuple(logits.shape)}")
    require(logits.isfinite().all(), "logits that are not finite")


def gives_its_maps(subject: Subject) -> None:
    """Asked for maps or not, the output is the same; a map has one finite number a position for each image."""
    model = Attended(subject.built(), None)
    output, maps = model(subject.inputs, return_maps=True)
    require_same(model(subject.inputs), output, exact=True)
    require(bool(maps) == (subject.operator in TYPES), f"'{subject.operator}' with {len(maps)} maps")
    for name, received in maps.items():
        require(received.ndim in (2, 3), f"the map of {name} has shape {tuple(received.shape)}")
        require(received.ndim == 2 or len(received) == len(subject.inputs), f"{len(received)} maps of {name}")
        require(received.isfinite().all(), f"the map of {name} is not finite")
