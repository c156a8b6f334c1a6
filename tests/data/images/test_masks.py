"""Mask files: values map to classes exactly, and whatever is no such file is one clear sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveola.data.images.masks import FileMasks, parse_classes
from foveola.foundation.errors import FoveolaError

BINARY = np.random.default_rng(1).random((12, 10)) > 0.7
RGB = np.zeros((12, 10, 3), np.uint8)
RGB[2:5, 3:] = (255, 0, 16)
RGB[7, :4] = (0, 200, 0)


def saved(path: Path, array: np.ndarray, **options: Any) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def masks_of(*paths: Path, codes: str = "") -> FileMasks:
    known = parse_classes(codes, "--data")[1] if codes else {}
    return FileMasks((paths,), tuple(f"o{i}" for i in range(len(paths))), known)


def palette(values: np.ndarray, colours: list[tuple[int, int, int]]) -> Image.Image:
    image = Image.frombytes("P", values.shape[::-1], values.astype(np.uint8).tobytes())
    image.putpalette([part for colour in colours for part in colour])
    return image


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
@pytest.mark.parametrize("high", [1, 255, True])
def test_two_classes_are_background_and_the_other_value(tmp_path: Path, high: int, suffix: str) -> None:
    array = BINARY if high is True else (BINARY * high).astype(np.uint8)
    masks = masks_of(saved(tmp_path / f"m.{suffix}", array))
    assert masks.header(0) == (10, 12)
    read = masks.read(0)
    assert read.dtype == np.uint8
    assert np.array_equal(read, BINARY.astype(np.uint8))


def test_a_mask_without_foreground_is_as_good(tmp_path: Path) -> None:
    assert masks_of(saved(tmp_path / "m.png", np.zeros((5, 7), np.uint8))).read(0).tolist() == [[0] * 7] * 5
    assert masks_of(saved(tmp_path / "f.png", np.full((5, 7), 255, np.uint8))).read(0).min() == 1


def test_classes_by_value(tmp_path: Path) -> None:
    values = np.random.default_rng(2).choice([0, 7, 128, 255], (12, 10)).astype(np.uint8)
    path = saved(tmp_path / "m.png", values)
    read = masks_of(path, codes="255:background+0:cup+128:disc+7:cup").read(0)
    for value, number in ((255, 0), (0, 1), (128, 2), (7, 1)):
        assert (read[values == value] == number).all()


def test_classes_by_colour(tmp_path: Path) -> None:
    codes = "#000000:background+255-0-16:vein+#00c800:artery"
    read = masks_of(saved(tmp_path / "m.png", RGB), codes=codes).read(0)
    expected = np.zeros((12, 10), np.uint8)
    expected[2:5, 3:] = 1
    expected[7, :4] = 2
    assert np.array_equal(read, expected)
    grey = masks_of(saved(tmp_path / "g.png", (BINARY * 255).astype(np.uint8)), codes="#000000:a+#ffffff:b")
    assert np.array_equal(grey.read(0), BINARY)


def test_a_palette_cannot_turn_a_mask_inside_out(tmp_path: Path) -> None:
    """Black may be colour number 1; who looks at the file sees no difference."""
    turned, plain, voc = tmp_path / "turned.png", tmp_path / "plain.png", tmp_path / "voc.png"
    palette(~BINARY, [(255, 255, 255), (0, 0, 0)]).save(turned)
    palette(BINARY, [(0, 0, 0), (255, 255, 255)]).save(plain)
    palette(BINARY, [(0, 0, 0), (128, 0, 0)]).save(voc)
    for path in (turned, plain, voc):
        with Image.open(path) as image:
            assert image.mode == "P"
        assert np.array_equal(masks_of(path).read(0), BINARY)
    by_colour = masks_of(voc, codes="0-0-0:background+128-0-0:vessel")
    assert np.array_equal(by_colour.read(0), BINARY)
    palette(BINARY, [(9, 0, 0), (128, 0, 0)]).save(voc)
    with pytest.raises(FoveolaError, match=r"mode P \(palette\), in .*voc\.png; name the classes by colour"):
        masks_of(voc).read(0)


def test_an_orientation_tag_is_obeyed_as_for_images(tmp_path: Path) -> None:
    turned = Image.fromarray(BINARY.astype(np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "m.png", exif=exif)
    masks = masks_of(tmp_path / "m.png")
    assert masks.header(0) == (12, 10)
    assert np.array_equal(masks.read(0), np.rot90(BINARY, -1))


def test_unknown_values_are_counted(tmp_path: Path) -> None:
    values = np.zeros((12, 10), np.uint8)
    values[0, :4], values[1, :7], values[2, 0], values[3, :2] = 1, 255, 9, 77
    path = saved(tmp_path / "m.png", values)
    with pytest.raises(FoveolaError) as caught:
        masks_of(path).read(0)
    assert (
        "expected the values 0 and one of 1 and 255, got 255 in 7 pixels, 1 in 4 pixels, 77 in 2 pixels and 1 more"
        in str(caught.value)
    )
    with pytest.raises(FoveolaError, match="expected the values 0, 1, 9, got 255 in 7 pixels, 77 in 2 pixels, in"):
        masks_of(path, codes="0:a+1:b+9:c").read(0)
    for only in (2, 128, 254):
        with pytest.raises(FoveolaError, match=f"got {only} in 40 pixels"):
            masks_of(saved(tmp_path / "n.png", np.repeat([[0], [only]], 20, 0).astype(np.uint8).repeat(2, 1))).read(0)
    with pytest.raises(FoveolaError, match="expected the colours #000000, #00c800, got #ff0010 in 21 pixels"):
        masks_of(saved(tmp_path / "c.png", RGB), codes="#000000:a+#00c800:b").read(0)


@pytest.mark.parametrize(
    ("name", "array", "options", "message"),
    [
        ("m.jpg", (BINARY * 255).astype(np.uint8), {"quality": 100}, "without loss .* got JPEG, .* save the mask anew"),
        ("m.webp", (BINARY * 255).astype(np.uint8), {"lossless": True}, "without loss .* got WebP"),
        ("m.tif", (BINARY * 255).astype(np.uint8), {"compression": "jpeg"}, "without loss .* got JPEG in a TIFF"),
        ("m.png", BINARY.astype(np.uint16), {}, r"1-bit or 8-bit values, got mode I;16 \(16-bit grey\)"),
        ("m.tif", BINARY.astype(np.float32), {}, r"got mode F \(floating-point grey\)"),
        ("m.png", RGB, {}, r"got mode RGB \(8-bit RGB\), in .*; name the classes by colour, such as classes=#000000"),
        ("m.png", np.dstack([RGB, RGB[..., :1]]), {}, r"got mode RGBA \(RGB with alpha\)"),
    ],
)
def test_what_is_no_mask_of_values(
    tmp_path: Path, name: str, array: np.ndarray, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(FoveolaError, match=message):
        masks_of(saved(tmp_path / name, array, **options)).read(0)


def test_sixteen_bits_are_no_colours_either(tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match=r"8-bit colours, got mode I;16 \(16-bit grey\)"):
        masks_of(saved(tmp_path / "m.png", BINARY.astype(np.uint16)), codes="#000000:a+#ffffff:b").read(0)


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.png", np.random.default_rng(0).choice([0, 255], (90, 80)).astype(np.uint8))
    with pytest.raises(FoveolaError, match=r"no such file, in .*absent\.png"):
        masks_of(tmp_path / "absent.png").read(0)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(FoveolaError, match=r"damaged or unreadable data .* in .*m\.png"):
        masks_of(path).read(0)
    path.write_bytes(b"")
    with pytest.raises(FoveolaError, match="an empty file"):
        masks_of(path).header(0)


def test_observers_are_read_one_by_one_and_digested_together(tmp_path: Path) -> None:
    first = saved(tmp_path / "a.png", BINARY)
    second = saved(tmp_path / "b.png", ~BINARY)
    both = masks_of(first, second)
    assert both.observers == ("o0", "o1")
    assert np.array_equal(both.read(0, 1), 1 - both.read(0, 0))
    assert (both.where(0), both.where(0, 1)) == (str(first), str(second))
    digests = {both.digest(0), masks_of(second, first).digest(0), masks_of(first).digest(0)}
    digests.add(masks_of(first, second, codes="0:a+1:b").digest(0))
    digests.add(masks_of(first, second, codes="1:a+0:b").digest(0))
    assert len(digests) == 5
    assert masks_of(first, second).digest(0) == both.digest(0)
    saved(second, BINARY)
    assert both.digest(0) not in digests
    with pytest.raises(ValueError, match="one mask an observer"):
        FileMasks(((first,),), ("x", "y"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0:background", "expected 2 to 255 classes, got 1"),
        ("0:a+256:b", "got '256:b', in here"),
        ("0:a+vessel", "got 'vessel'"),
        ("0:a+1:", "got '1:'"),
        ("0:a+1-2:b", "got '1-2:b'"),
        ("0:a+-1:b", "got '-1:b'"),
        ("0:a+#12345:b", "got '#12345:b'"),
        ("0:a+1-2-300:b", "got '1-2-300:b'"),
        ("0:a+0:b", "expected every value once, got '0' twice"),
        ("#000000:a+0-0-0:b", "got '0-0-0' twice"),
        ("0:a+#ff0000:b", "expected values or colours, got both"),
    ],
)
def test_classes_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        parse_classes(text, "here")


def test_the_masks_of_chase_are_what_they_look_like(real_data: Path) -> None:
    path = real_data / "chase-db1" / "Image_11L_1stHO.png"
    with Image.open(path) as image:
        assert image.mode == "1"
        expected = np.asarray(image).astype(np.uint8)
    read = masks_of(path).read(0)
    assert read.shape == (960, 999)
    assert np.array_equal(read, expected)
    assert 0.05 < read.mean() < 0.08
