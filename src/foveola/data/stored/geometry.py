"""Where an image lies in the stored square, and the way there and back, for images, masks and maps alike."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from foveola.data.stored.preprocessing import DEFAULT_SIZE, Preprocessing, check_crop

MOST_CHANNELS = 4
"""As many does OpenCV average at a time."""


@dataclass(frozen=True)
class Frame:
    """The rectangle of an image that is kept, and the rectangle of the stored square that it fills.

    Both rectangles cover the same, corner to corner, so that a position is found in either by proportion.

    Attributes:
        height: Of the image as it was taken.
        width: Of the image as it was taken.
        seen: The rows and the columns of the image that are kept; the rest is cropped away.
        mirrored: Whether left and right change places on the way.
        size: Side of the stored square.
        inside: The rows and the columns of the square that the image fills; the rest is padding.

    Example:
        >>> frame = frame_of(12, 10, Preprocessing(image_size=24, fit="pad", crop=(0, 0, 10, 5)), "L")
        >>> frame.inside
        (slice(6, 18, None), slice(0, 24, None))
        >>> frame.to_stored(np.ones((12, 10), np.uint8)).mean()
        np.float64(0.5)
    """

    height: int
    width: int
    seen: tuple[slice, slice]
    mirrored: bool
    size: int
    inside: tuple[slice, slice]

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Returns what is kept of an image as it was taken, mirrored if that is asked for."""
        kept = image[self.seen]
        return np.ascontiguousarray(kept[:, ::-1] if self.mirrored else kept)

    def fitted(self, kept: np.ndarray, *, nearest: bool = False, padding: int = 0) -> np.ndarray:
        """Lays what ``cut`` returned into the square; see ``to_stored``."""
        (top, bottom), (left, right) = ((side.start, side.stop) for side in self.inside)
        values = resampled(kept, bottom - top, right - left, nearest=nearest)
        if values.shape[:2] == (self.size, self.size):
            return values
        square = np.full((self.size, self.size, *values.shape[2:]), padding, values.dtype)
        square[self.inside] = values
        return square

    def to_stored(self, image: np.ndarray, nearest: bool = False, *, padding: int = 0) -> np.ndarray:
        """Brings an image as it was taken, or its mask, into the square.

        Args:
            image: ``height x width``, or ``height x width x channels``.
            nearest: Whether every stored pixel is one of the original ones, as it has to be for a mask. Otherwise
                pixels are averaged over areas along an axis that shrinks and interpolated linearly along one that
                grows.
            padding: What stands beside the image.

        Returns:
            ``size x size`` or ``size x size x channels``, of the same type.
        """
        return self.fitted(self.cut(image), nearest=nearest, padding=padding)

    def to_original(self, values: np.ndarray, nearest: bool = False) -> np.ndarray:
        """Brings values at the positions of the square back onto the image as it was taken.

        Args:
            values: ``h x w``, or ``h x w x channels``: the stored pixels, or any other grid that covers the square.
                From a grid of another size the way leads over the stored pixels where there is padding.
            nearest: As for ``to_stored``.

        Returns:
            ``height x width`` or ``height x width x channels``, 0 where the image was cropped away; no other value is
            beyond those that were given.
        """
        whole = np.zeros((self.height, self.width, *values.shape[2:]), values.dtype)
        whole[self.seen] = self.to_seen(values, nearest=nearest)
        return whole

    def to_seen(self, values: np.ndarray, *, nearest: bool = False) -> np.ndarray:
        """Returns the part of ``to_original`` that is ``seen``, without the zeros around it."""
        part = values
        if self.inside != _whole(self.size, self.size):
            part = resampled(values, self.size, self.size, nearest=nearest)[self.inside]
        (top, bottom), (left, right) = ((side.start, side.stop) for side in self.seen)
        back = resampled(part, bottom - top, right - left, nearest=nearest)
        if not nearest:
            back = back.clip(values.min(), values.max())
        return back[:, ::-1] if self.mirrored else back

    def stored_spacing(self, spacing: tuple[float, float]) -> tuple[float, float]:
        """Returns height and width of a stored pixel, from those of a pixel of the image as it was taken.

        Example:
            >>> frame_of(12, 10, Preprocessing(image_size=8), "").stored_spacing((0.5, 0.25))
            (0.75, 0.3125)
        """
        down, across = (
            step * _length(seen) / _length(inside)
            for step, seen, inside in zip(spacing, self.seen, self.inside, strict=True)
        )
        return down, across


def frame_of(height: int, width: int, settings: Preprocessing, laterality: str, *, where: str = "an image") -> Frame:
    """Returns the frame of an image.

    Args:
        height: Of the image as it was taken.
        width: Of the image as it was taken.
        settings: What is done to it; see ``Preprocessing``.
        laterality: Its side; ``R`` is mirrored if the settings say so.
        where: The path or name of the image, for the error message.

    Raises:
        FoveolaError: If the crop reaches beyond the image.
    """
    check_crop(width, height, settings, where)
    left, top, right, bottom = settings.crop or (0, 0, width, height)
    size = settings.image_size or DEFAULT_SIZE
    inside = _whole(size, size)
    if settings.fit == "pad":
        longer = max(bottom - top, right - left)
        inside = _middle(size, bottom - top, longer), _middle(size, right - left, longer)
    seen = slice(top, bottom), slice(left, right)
    return Frame(height, width, seen, settings.flip and laterality == "R", size, inside)


def prepare(
    image: np.ndarray, laterality: str, settings: Preprocessing, channels: int, *, where: str = "an image"
) -> np.ndarray:
    """Crops, mirrors, resizes and recolours one image.

    Resizing averages over areas along an axis that shrinks and interpolates linearly along one that grows. Colour
    becomes grey by the luma of ITU-R BT.601; grey becomes colour by copying.

    Args:
        image: ``height x width`` or ``height x width x 3`` (RGB), ``uint8`` or ``float32`` in 0..1.
        laterality: ``R`` is mirrored if the settings say so.
        settings: What to do; see ``Preprocessing``.
        channels: 1 or 3.
        where: The path or name of the image, for the error message.

    Returns:
        ``channels x size x size`` of the same type and range.

    Raises:
        FoveolaError: If the crop reaches beyond the image.

    Example:
        >>> prepare(np.zeros((12, 10), np.uint8), "", Preprocessing(image_size=8), channels=3).shape
        (3, 8, 8)
    """
    frame = frame_of(image.shape[0], image.shape[1], settings, laterality, where=where)
    image = frame.cut(image)
    if image.ndim == 3 and channels == 1:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    image = frame.fitted(image)
    if image.dtype != np.uint8:
        image = image.clip(0, 1)
    if image.ndim == 3:
        return np.ascontiguousarray(image.transpose(2, 0, 1))
    return np.repeat(image[None], channels, axis=0)


def resampled(values: np.ndarray, height: int, width: int, *, nearest: bool = False) -> np.ndarray:
    """Returns values at another number of positions that cover the same rectangle, corner to corner.

    The nearest value is that of the pixel in which the centre of the new one lies; where the centre lies on an edge
    between two pixels, it is that of the later one.

    Args:
        values: ``h x w``, or ``h x w x channels``; ``uint8`` or floats, and of any type where ``nearest``.
        height: Of the result.
        width: Of the result.
        nearest: Whether every value of the result is one that was there. Otherwise values are averaged over areas along
            an axis that shrinks and interpolated linearly along one that grows, between the centres of pixels, beyond
            which the outermost values go on.

    Returns:
        ``height x width`` or ``height x width x channels``, of the same type. Floats may go beyond those that were
        there by a rounding error, as the weights of an average may sum to a little more than 1.

    Example:
        >>> resampled(np.array([[0, 10, 20, 30, 40]], np.uint8), 2, 3, nearest=True).tolist()
        [[0, 20, 40], [0, 20, 40]]
    """
    if nearest:
        rows, columns = (
            (2 * np.arange(count) + 1) * length // (2 * count)
            for count, length in zip((height, width), values.shape[:2], strict=True)
        )
        return np.ascontiguousarray(values[rows[:, None], columns])
    if values.ndim == 3 and values.shape[2] > MOST_CHANNELS:
        return np.stack([resampled(channel, height, width) for channel in np.moveaxis(values, 2, 0)], axis=2)
    shrunk = (min(values.shape[1], width), min(values.shape[0], height))
    made = cv2.resize(np.ascontiguousarray(values), shrunk, interpolation=cv2.INTER_AREA)
    made = cv2.resize(made, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(made).reshape(height, width, *values.shape[2:])  # OpenCV drops a single channel


def _whole(height: int, width: int) -> tuple[slice, slice]:
    return slice(0, height), slice(0, width)


def _middle(size: int, length: int, longer: int) -> slice:
    """Returns the middle of the square that a side takes, at the scale at which the longer one fills it."""
    taken = max(1, (2 * size * length + longer) // (2 * longer))
    start = (size - taken) // 2
    return slice(start, start + taken)


def _length(side: slice) -> int:
    return int(side.stop - side.start)
