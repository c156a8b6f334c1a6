"""The phases of training as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs in which the same parts are trained.

    Attributes:
        name: For logs and pictures.
        start: Its first epoch, counted from 0.
        stop: The epoch after its last.
        learns_map: Whether attention is trained too; otherwise its map is fixed.
    """

    name: str
    start: int
    stop: int
    learns_map: bool


def phases(epochs: int, cutoff_epoch: int) -> tuple[Phase, ...]:
    """Returns the two phases of Algorithm 1: network and map together, then the network alone.

    Source: Xu et al. 2020, arXiv:2007.15897, algorithm 1; the cut-off epoch E is the border.

    Example:
        >>> [(phase.name, phase.start, phase.stop) for phase in phases(250, 60)]
        [('joint', 0, 60), ('fixed', 60, 250)]
        >>> [phase.name for phase in phases(8, 8)]
        ['joint']
    """
    joint = Phase("joint", 0, cutoff_epoch, learns_map=True)
    fixed = Phase("fixed", cutoff_epoch, epochs, learns_map=False)
    return (joint, fixed) if cutoff_epoch < epochs else (joint,)


def phase_at(epoch: int, of: tuple[Phase, ...]) -> Phase:
    """Returns the phase that an epoch belongs to."""
    return next(phase for phase in of if phase.start <= epoch < phase.stop)
