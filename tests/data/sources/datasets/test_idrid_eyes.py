from __future__ import annotations

from foveola.data.sources.datasets.idrid_eyes import RIGHT_EYES


def test_the_numbers_are_those_of_the_paper() -> None:
    train, test = RIGHT_EYES["train"], RIGHT_EYES["test"]
    assert (len(train), min(train), max(train), sum(train)) == (204, 0, 412, 42214)
    assert (len(test), min(test), max(test), sum(test)) == (47, 1, 102, 2296)
    assert {0, 6, 8, 398, 402, 403, 412} <= train  # both sides of the page break of the list
    assert not {1, 7, 10, 399, 401, 404, 410} & train
