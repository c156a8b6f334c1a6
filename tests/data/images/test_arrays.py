from __future__ import annotations

import numpy as np
import pytest

from foveola.data.images.arrays import ArrayImages, JoinedImages
from foveola.foundation.errors import FoveolaError

GREY = np.random.default_rng(2).integers(0, 256, (7, 12, 10), dtype=np.uint8)
COLOUR = np.random.default_rng(3).random((5, 9, 11, 3))


def test_images_come_out_as_they_are() -> None:
    grey, single, colour = (
        ArrayImages(GREY, "grey"),
        ArrayImages(GREY[..., None], "single"),
        ArrayImages(COLOUR, "colour"),
    )
    for index in range(7):
        np.testing.assert_array_equal(grey.read(index), GREY[index])
        np.testing.assert_array_equal(single.read(index), GREY[index])
    assert colour.read(4).dtype == np.float32
    np.testing.assert_array_equal(colour.read(4), COLOUR[4].astype(np.float32))
    assert [images.header(0) for images in (grey, single, colour)] == [(10, 12, 1), (10, 12, 1), (11, 9, 3)]
    assert [len(images) for images in (grey, single, colour)] == [7, 7, 5]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.001, -0.001, 255.0])
def test_bad_values_name_the_array_and_the_first_bad_image(value: float) -> None:
    array = COLOUR.copy()
    array[3, 8, 10, 2] = array[4, 0, 0, 0] = value
    with pytest.raises(FoveolaError) as caught:
        ArrayImages(array, "scans of x.npz")
    assert "in image 3 (the first of 2), in scans of x.npz" in str(caught.value)


@pytest.mark.parametrize("shape", [(7, 12), (7, 12, 10, 2), (7, 3, 12, 10), (7, 12, 10, 4), (7, 6, 5, 3, 1), (7, 0, 5)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(FoveolaError, match=" x ".join(map(str, shape))):
        ArrayImages(np.zeros(shape, np.uint8), "scans")


@pytest.mark.parametrize("kind", [np.uint16, np.int64, np.bool_, np.complex64, "U3"])
def test_other_types_are_refused(kind: type | str) -> None:
    with pytest.raises(FoveolaError, match=r"expected uint8, or floats in 0\.\.1"):
        ArrayImages(np.zeros((7, 12, 10), kind), "scans")


def test_the_digest_is_that_of_values_type_and_shape() -> None:
    images = ArrayImages(np.stack([GREY[0], GREY[1], GREY[0]]), "scans")
    assert images.digest(0) == images.digest(2) != images.digest(1)
    turned = ArrayImages(GREY[:1].reshape(1, 10, 12), "turned")
    assert turned.digest(0) != images.digest(0)
    strided = ArrayImages(np.asfortranarray(GREY), "strided")
    assert strided.digest(0) == images.digest(0)


def test_joined_arrays_are_read_one_after_the_other() -> None:
    parts = (ArrayImages(GREY, "train"), ArrayImages(GREY[:0], "val"), ArrayImages(COLOUR, "test"))
    joined = JoinedImages(parts)
    assert len(joined) == 12
    assert [joined.where(index) for index in (0, 6, 7, 11)] == ["train[0]", "train[6]", "test[0]", "test[4]"]
    np.testing.assert_array_equal(joined.read(6), GREY[6])
    np.testing.assert_array_equal(joined.read(11), COLOUR[4].astype(np.float32))
    assert joined.header(7) == (11, 9, 3)
    assert joined.digest(7) == parts[2].digest(0)
    for outside in (12, -1):
        with pytest.raises(IndexError):
            joined.read(outside)
