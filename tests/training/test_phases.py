"""The phases of training."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveola.training.phases import Phase, phase_at, phases


@given(st.data())
def test_every_epoch_belongs_to_one_phase(data: st.DataObject) -> None:
    epochs = data.draw(st.integers(1, 40))
    cutoff = data.draw(st.integers(1, epochs))
    parts = phases(epochs, cutoff)
    for epoch in range(epochs):
        (own,) = (part for part in parts if part.start <= epoch < part.stop)
        assert phase_at(epoch, parts) == own
        assert own.learns_map is (epoch < cutoff)
    assert (parts[0].start, parts[-1].stop) == (0, epochs)
    assert all(part.start < part.stop for part in parts)


def test_the_cut_off_epoch_of_the_paper_is_the_border() -> None:
    assert phases(250, 60) == (
        Phase("joint", 0, 60, learns_map=True),
        Phase("fixed", 60, 250, learns_map=False),
    )


def test_a_phase_is_data() -> None:
    (phase,) = phases(3, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        phase.stop = 4  # type: ignore[misc]
