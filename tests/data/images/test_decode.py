from __future__ import annotations

import hashlib
import io
import os
import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from foveola.data.images.decode import FileImages
from foveola.foundation.errors import FoveolaError

ORIENTATION = 274
COLOUR = np.random.default_rng(1).integers(0, 256, (12, 10, 3), dtype=np.uint8)
GREY = COLOUR[:, :, 0]


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def values_or_message(images: FileImages) -> np.ndarray | str:
    try:
        return images.read(0)
    except FoveolaError as error:
        return str(error)


def sixteen_bit_rgb(name: str) -> bytes:
    """A 2 x 3 image with 16 bits a channel, which Pillow can read but not write."""
    values = np.arange(18, dtype=np.uint16).reshape(2, 3, 3) * 3000
    if name == "ppm":
        return b"P6 3 2 65535\n" + values.astype(">u2").tobytes()
    return bytes(cv2.imencode(".png", values)[1].tobytes())


REFUSED = {
    "deep.png": (Image.fromarray(GREY.astype(np.uint16) * 257), "16-bit grey"),
    "deep.tif": (Image.fromarray(GREY.astype(np.uint16) * 257), "16-bit grey"),
    "press.jpg": (Image.fromarray(COLOUR).convert("CMYK"), "CMYK"),
    "palette.png": (Image.fromarray(COLOUR).quantize(16), "palette"),
    "clear-grey.png": (Image.fromarray(GREY).convert("LA"), "grey with alpha"),
    "clear.png": (Image.fromarray(COLOUR).convert("RGBA"), "RGB with alpha"),
    "bit.png": (Image.fromarray(GREY).convert("1"), "1-bit"),
    "float.tif": (Image.fromarray(GREY.astype(np.float32) / 255), "floating-point"),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM"])
@pytest.mark.parametrize("values", [GREY, COLOUR], ids=["grey", "colour"])
def test_lossless_files_give_back_their_values(tmp_path: Path, kind: str, values: np.ndarray) -> None:
    path = tmp_path / f"picture.{kind.lower()}"
    path.write_bytes(encoded(Image.fromarray(values), kind))
    images = FileImages((path,))
    np.testing.assert_array_equal(images.read(0), values)
    assert images.read(0).dtype == np.uint8
    assert images.header(0) == (10, 12, 1 if values.ndim == 2 else 3)


@pytest.mark.parametrize("name", REFUSED)
def test_strict_refuses_and_names_file_mode_and_remedy(tmp_path: Path, name: str) -> None:
    picture, words = REFUSED[name]
    picture.save(tmp_path / name)
    images = FileImages((tmp_path / name,))
    for ask in (images.read, images.header):
        with pytest.raises(FoveolaError) as caught:
            ask(0)
        message = str(caught.value)
        assert str(tmp_path / name) in message
        assert f"mode {picture.mode}" in message or "mode I;16" in message
        assert words in message
        assert message.endswith("convert the file, or pass --set preprocessing.modes=convert")


@pytest.mark.parametrize("name", REFUSED)
def test_convert_takes_what_strict_refuses(tmp_path: Path, name: str) -> None:
    picture, _ = REFUSED[name]
    picture.save(tmp_path / name)
    images = replace(FileImages((tmp_path / name,)), modes="convert")
    values = images.read(0)
    width, height, channels = images.header(0)
    assert values.shape == ((height, width) if channels == 1 else (height, width, 3))
    assert (width, height) == (10, 12)
    assert values.dtype == (np.float32 if name in ("deep.png", "deep.tif", "float.tif") else np.uint8)


def test_sixteen_bits_are_scaled_by_their_greatest_value(tmp_path: Path) -> None:
    values = np.array([[0, 1, 300], [65534, 65535, 4096]], np.uint16)
    paths = tuple(tmp_path / name for name in ("a.png", "b.tif", "c.pgm"))
    Image.fromarray(values).save(paths[0])
    Image.fromarray(values).save(paths[1])
    paths[2].write_bytes(b"P5 3 2 65535\n" + values.astype(">u2").tobytes())
    images = FileImages(paths, modes="convert")
    for index in range(3):
        np.testing.assert_array_equal(images.read(index), (values / 65535).astype(np.float32))
        assert images.header(index) == (3, 2, 1)


@pytest.mark.parametrize("name", ["png", "ppm"])
def test_sixteen_bit_colour_is_not_passed_off_as_eight(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"deep.{name}"
    path.write_bytes(sixteen_bit_rgb(name))
    with pytest.raises(FoveolaError, match="16-bit RGB"):
        FileImages((path,)).read(0)
    converted = FileImages((path,), modes="convert").read(0)
    assert converted.shape == (2, 3, 3)
    assert abs(int(converted.max()) - 17 * 3000 / 257) <= 1


def test_what_is_transparent_is_laid_over_black(tmp_path: Path) -> None:
    alpha = np.full((12, 10), 128, np.uint8)
    alpha[0] = 0
    alpha[1] = 255
    Image.fromarray(np.dstack([COLOUR, alpha])).save(tmp_path / "colour.png")
    Image.fromarray(np.dstack([GREY, alpha])).save(tmp_path / "grey.png")
    images = FileImages((tmp_path / "colour.png", tmp_path / "grey.png"), modes="convert")
    for index, opaque in enumerate((COLOUR, GREY)):
        weight = (alpha if opaque.ndim == 2 else alpha[:, :, None]) / 255
        assert np.abs(images.read(index) - opaque * weight).max() <= 1
        assert (images.read(index)[0] == 0).all()
        np.testing.assert_array_equal(images.read(index)[1], opaque[1])


def test_a_transparent_colour_counts_as_alpha(tmp_path: Path) -> None:
    Image.fromarray(np.array([[7, 9, 7]], np.uint8)).save(tmp_path / "key.png", transparency=9)
    with pytest.raises(FoveolaError, match="grey with alpha"):
        FileImages((tmp_path / "key.png",)).read(0)
    assert FileImages((tmp_path / "key.png",), modes="convert").read(0).tolist() == [[7, 0, 7]]


def test_a_palette_becomes_grey_only_if_all_its_colours_are(tmp_path: Path) -> None:
    indices = Image.fromarray(np.array([[0, 1, 2], [2, 1, 0]], np.uint8))
    for name, colours in (
        ("grey.png", [9, 9, 9, 50, 50, 50, 200, 200, 200]),
        ("red.png", [9, 9, 9, 200, 0, 0, 1, 1, 1]),
    ):
        picture = indices.copy()
        picture.putpalette(colours)
        picture.save(tmp_path / name)
    images = FileImages((tmp_path / "grey.png", tmp_path / "red.png"), modes="convert")
    assert images.read(0).tolist() == [[9, 50, 200], [200, 50, 9]]
    assert images.read(1)[0].tolist() == [[9, 9, 9], [200, 0, 0], [1, 1, 1]]
    assert [images.header(index)[2] for index in (0, 1)] == [1, 3]


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    bits = GREY > 100
    Image.fromarray(bits).save(tmp_path / "bit.png")
    np.testing.assert_array_equal(FileImages((tmp_path / "bit.png",), modes="convert").read(0), bits * np.uint8(255))


def test_floating_point_values_out_of_range_are_refused(tmp_path: Path) -> None:
    for value in (1.5, -0.1, np.nan):
        Image.fromarray(np.array([[0.5, value]], np.float32)).save(tmp_path / "float.tif")
        with pytest.raises(FoveolaError, match=r"expected values in 0\.\.1, got values beyond it or NaN"):
            FileImages((tmp_path / "float.tif",), modes="convert").read(0)


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", "png"), ("TIFF", "tif"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_a_camera_s_orientation_is_obeyed(tmp_path: Path, kind: str, suffix: str) -> None:
    left_dark = np.zeros((16, 32), np.uint8)
    left_dark[:, 16:] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned clockwise: what is left comes to the top
    (tmp_path / f"p.{suffix}").write_bytes(
        encoded(Image.fromarray(left_dark).convert("RGB"), kind, exif=exif.tobytes())
    )
    images = FileImages((tmp_path / f"p.{suffix}",))
    values = images.read(0)
    assert images.header(0) == (16, 32, 3)
    assert values.shape == (32, 16, 3)
    assert values[:14].mean() < 10
    assert values[18:].mean() > 245


def test_missing_empty_and_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not an image")
    images = FileImages(tuple(tmp_path / name for name in ("absent.png", "empty.png", "text.png")))
    for index, words in enumerate(("no such file", "an empty file", "no known image format")):
        for ask in (images.read, images.header):
            with pytest.raises(FoveolaError, match=words) as caught:
                ask(index)
            assert str(images.paths[index]) in str(caught.value)
    with pytest.raises(FoveolaError, match="no such file"):
        images.digest(0)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # before Pillow gives up a TIFF
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "JPEG", "WEBP"])
def test_a_truncated_file_is_refused_unless_every_pixel_is_there(tmp_path: Path, kind: str) -> None:
    whole = encoded(Image.fromarray(COLOUR), kind)
    path = tmp_path / "cut.png"
    path.write_bytes(whole)
    images = FileImages((path,))
    values = images.read(0)
    read = 0
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        found = values_or_message(images)
        if isinstance(found, str):
            assert str(path) in found
        else:
            np.testing.assert_array_equal(found, values)
            read += 1
    assert read <= 4


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(["PNG", "TIFF", "BMP", "PPM", "JPEG", "WEBP"]))
def test_damage_gives_an_image_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    content = bytearray(encoded(Image.fromarray(COLOUR), kind))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=5)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata
        found = values_or_message(FileImages((path,), modes="convert"))
    assert "damaged.png" in found if isinstance(found, str) else found.ndim in (2, 3)


def test_pillow_must_not_fill_up_truncated_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(FoveolaError, match="LOAD_TRUNCATED_IMAGES"):
        FileImages((tmp_path / "a.png",)).read(0)


def test_a_file_of_several_pages_is_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(FoveolaError, match="expected one image in a file, got 2 of them"):
        FileImages((tmp_path / "stack.tif",)).read(0)


def test_a_header_is_read_without_decoding(tmp_path: Path) -> None:
    whole = encoded(Image.fromarray(COLOUR), "PNG")
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    assert FileImages((tmp_path / "cut.png",)).header(0) == (10, 12, 3)


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    paths = tuple(tmp_path / name for name in ("a.png", "b.png", "c.png"))
    for path, values in zip(paths, (GREY, GREY, 255 - GREY), strict=True):
        Image.fromarray(values).save(path)
    images = FileImages(paths)
    assert images.digest(0) == hashlib.blake2b(paths[0].read_bytes(), digest_size=16).hexdigest()
    assert images.digest(0) == images.digest(1) != images.digest(2)


def test_file_images_travel_to_other_processes(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    images = pickle.loads(pickle.dumps(FileImages((tmp_path / "a.png",))))
    assert len(images) == 1
    assert images.where(0) == os.fspath(tmp_path / "a.png")
    np.testing.assert_array_equal(images.read(0), GREY)
