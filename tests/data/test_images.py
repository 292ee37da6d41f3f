"""Pictures: what decodes, what is refused and why, and the geometry of crops."""

from __future__ import annotations

import hashlib
import io
import os
import random
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from dsel.core.composing import mosaic, tile_sides
from dsel.data import images, pixel_modes
from dsel.data.images import (
    MAX_PIXELS,
    MOST_ASPECT,
    checksum,
    crop,
    decode,
    encode,
    noting,
    orientation_of,
    proxy_shape,
    thumbnail,
    to_proxy,
)
from dsel.errors import UnreadableImage
from dsel.types import Box, Frame, Pixels

REFUSED = {
    ".DS_Store": "not an image in a format",
    "._photo.jpg": "not an image in a format",
    "Thumbs.db": "not an image in a format",
    "bomb_error_20000x20000.png": "20000 x 20000 px is more than the 100 megapixels",
    "bomb_header_only_60000x60000.png": "60000 x 60000 px is more than the 100 megapixels",
    "bytes_flipped.jpg": "is damaged: ",
    "heic_ftyp_only.heic": "HEIC",
    "html_error_page.jpg": "is a web page (HTML), not an image",
    "looks_like.jpg": "is a folder, not an image",
    "text_named.jpg": "is text, not an image",
    "truncated_half.jpg": "is cut off: ",
    "truncated_header_100b.jpg": "damaged or cut off JPEG",
    "vector.svg": "SVG",
    "zero_byte.jpg": "is empty (0 bytes)",
}
DECODED = {
    "UPPER_CASE.JPEG", "all_black.jpg", "all_white.png", "animated_3_frames.gif",
    "animated_3_frames.webp", "bilevel_mode_1.png", "cmyk_own.jpg", "duplicate_a.jpg",
    "duplicate_b_same_bytes.jpg", "exif_orientation_3.jpg", "exif_orientation_5.jpg",
    "exif_orientation_6.jpg", "exif_orientation_8.jpg", "exif_orientation_9_invalid.jpg",
    "float32_with_nan.tiff", "fully_transparent.png", "gray16.png", "gray_mode_L.png",
    "jpeg_content_named.png", "near_duplicate_q30.jpg", "no_extension", "one_pixel.jpg",
    "one_pixel.png", "palette_alpha.png", "photo.bmp", "png_content_named.jpg", "progressive.jpg",
    "rgba_colour_under_transparency.png", "tall_3x6000.png", "tiny_7x5.png", "trailing_garbage.jpg",
    "webp_content_named.jpg", "wide_8000x4.jpg",
}  # fmt: skip


@pytest.fixture(scope="session")
def odd(test_data: Path) -> Path:
    return test_data / "odd" / "files"


def scene(width: int = 24, height: int = 16) -> Pixels:
    """A picture whose corners all differ: red grows to the right, green downwards."""
    rows, columns = np.mgrid[:height, :width]
    red, green = columns * 255 // max(width - 1, 1), rows * 255 // max(height - 1, 1)
    return np.stack([red, green, np.full_like(red, 40)], axis=-1).astype(np.uint8)


def noise(width: int, height: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def png_header(width: int, height: int) -> bytes:
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size)


# --- decode: the odd files ---------------------------------------------------------------------


def test_decode__every_odd_file_is_decoded_or_refused_with_a_reason(odd: Path) -> None:
    for path in sorted(odd.iterdir()):
        if path.name in DECODED:
            pixels = decode(path)
            assert pixels.dtype == np.uint8, path.name
            assert pixels.ndim == 3, path.name
            assert pixels.shape[2] == 3, path.name
            assert pixels.flags.c_contiguous, path.name
            assert pixels.flags.writeable, path.name
        else:  # any file, also one that is not listed above, has at least a clear reason
            with pytest.raises(UnreadableImage) as caught:
                decode(path)
            reason = str(caught.value)
            assert reason.strip(), path.name
            assert "\n" not in reason, path.name
            assert REFUSED.get(path.name, "") in reason


def test_decode__content_counts_not_the_name(odd: Path) -> None:
    right = decode(odd / "no_extension")
    for name in ("UPPER_CASE.JPEG", "jpeg_content_named.png", "exif_orientation_9_invalid.jpg"):
        assert np.array_equal(decode(odd / name), right)
    for name in ("png_content_named.jpg", "webp_content_named.jpg", "progressive.jpg",
                 "near_duplicate_q30.jpg", "cmyk_own.jpg"):  # fmt: skip
        assert np.abs(decode(odd / name).astype(int) - right).mean() < 15, name  # others: 60


@pytest.mark.parametrize(
    ("number", "turn"),
    [
        (3, Image.Transpose.ROTATE_180),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_270),
        (8, Image.Transpose.ROTATE_90),
    ],
)
def test_decode__odd_orientation(odd: Path, number: int, turn: Image.Transpose) -> None:
    with Image.open(odd / "no_extension") as stored:
        upright = np.array(stored.transpose(turn))
    found = decode(odd / f"exif_orientation_{number}.jpg")
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).mean() < 1


def test_decode__odd_looks(odd: Path) -> None:
    with Image.open(odd / "gray16.png") as image:
        deep = np.array(image)
    assert np.abs(decode(odd / "gray16.png") - deep[:, :, None] / 257).max() <= 0.5
    assert (decode(odd / "gray16.png") == 255).mean() < 0.05
    assert decode(odd / "float32_with_nan.tiff").std() > 40
    assert decode(odd / "rgba_colour_under_transparency.png")[0, 0].tolist() == [255, 255, 255]
    assert (decode(odd / "fully_transparent.png") == 255).all()
    assert set(np.unique(decode(odd / "bilevel_mode_1.png"))) == {0, 255}
    gif, webp = decode(odd / "animated_3_frames.gif"), decode(odd / "animated_3_frames.webp")
    with Image.open(odd / "animated_3_frames.gif") as image:
        first = np.array(image.convert("RGB"))
        image.seek(1)
        second = np.array(image.convert("RGB"))
    assert np.array_equal(gif, first)
    assert not np.array_equal(gif, second)
    assert np.abs(webp.astype(int) - gif).mean() < 15


# --- decode: drawn files -----------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_decode__orientation(number: int, file_format: str) -> None:
    as_stored = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: lambda a: np.rot90(a, -1),
    }  # fmt: skip
    upright = scene()
    exif = Image.Exif()
    exif[0x0112] = number
    stored = Image.fromarray(np.ascontiguousarray(as_stored[number](upright)))
    options = {} if file_format == "TIFF" else {"quality": 98}
    if file_format == "WEBP":
        options = {"lossless": True}
    found = decode(saved(stored, file_format, exif=exif, **options))
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).mean() < 4
    assert orientation_of(saved(stored, file_format, exif=exif, **options)) == number


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_decode__invalid_orientation_is_ignored(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    raw = saved(Image.fromarray(scene()), "PNG", exif=exif)
    assert np.array_equal(decode(raw), scene())
    assert orientation_of(raw) == 1


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"rubbish" * 9])
def test_decode__broken_exif_is_ignored(exif: bytes) -> None:
    raw = saved(Image.fromarray(scene()), "PNG")
    ended = raw[:-12] + chunk(b"eXIf", exif) + raw[-12:]
    assert np.array_equal(decode(ended), scene())
    assert orientation_of(ended) == orientation_of(raw) == 1
    assert decode(saved(Image.fromarray(scene()), "JPEG", exif=exif)).shape == scene().shape


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "PPM"])
def test_decode__sixteen_bit_gray_is_scaled(file_format: str) -> None:
    deep = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    found = decode(saved(Image.fromarray(deep), file_format))
    assert found[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "PPM"])
@pytest.mark.parametrize(
    ("white", "shown"), [(255, 204), (1023, 51), (4095, 13), (4096, 1), (16_383, 1)]
)
def test_decode__samples_of_fewer_bits_are_scaled_by_their_range(
    file_format: str, white: int, shown: int
) -> None:
    """204 of 255, of 1023 (50.85) and of 4095 (12.7); above 4095, of 65535 (0.79)."""
    deep = np.array([[0, 204, white]], np.uint16)
    with noting() as notes:
        found = decode(saved(Image.fromarray(deep), file_format))[0, :, 0].tolist()
    narrow = white < 4096
    assert found == [0, shown, 255 if narrow else round(white / 257)]
    depth = {255: 8, 1023: 10, 4095: 12}.get(white)
    line = f"{depth}-bit data in files of 16 bits: it is scaled by {white}, not 65535"
    assert notes == ([line] if narrow else [])


def test_decode__a_dark_image_of_16_bits_stays_dark() -> None:
    """Above 4095, or 8 bits widened to 16; one that does not reach its range is not stretched."""
    rng = np.random.default_rng(0)
    for deep in (
        rng.integers(0, 6000, (40, 40)),
        257 * rng.integers(0, 15, (40, 40)),
        256 * rng.integers(0, 15, (40, 40)),
        np.zeros((40, 40)),
    ):
        with noting() as notes:
            found = decode(saved(Image.fromarray(deep.astype(np.uint16)), "PNG"))
        assert np.abs(found[..., 0] - deep / 257).max() <= 0.5
        assert notes == []
    half = decode(saved(Image.fromarray(np.array([[0, 2000]], np.uint16)), "PNG"))
    assert half[0, :, 0].tolist() == [0, round(2000 / 4095 * 255)]


def test_decode__bits_of_one_image_do_not_depend_on_its_strips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deep = np.zeros((50, 30), np.uint16)
    deep[-1, -1] = 4095
    raw = saved(Image.fromarray(deep), "PNG")
    whole = decode(raw)
    monkeypatch.setattr(pixel_modes, "STRIP_PX", 64)
    assert np.array_equal(decode(raw), whole)
    assert whole[-1, -1].tolist() == [255] * 3


def png_of(samples: np.ndarray, colour_type: int) -> bytes:
    """A PNG of 16 bits per sample, (height, width, channels)."""
    height, width = samples.shape[:2]
    rows = [b"\0" + row.astype(">u2").tobytes() for row in samples]
    size = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    parts = chunk(b"IHDR", size), chunk(b"IDAT", zlib.compress(b"".join(rows))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff_of(samples: np.ndarray, order: str, packed: bool = False) -> bytes:
    """A TIFF of 16-bit RGB in an order of bytes, < or >; packed: with Deflate, by libtiff."""
    height, width = samples.shape[:2]
    content = samples.astype(order + "u2").tobytes()
    content = zlib.compress(content) if packed else content
    data = 8 + 2 + 9 * 12 + 4
    tags = [
        (256, 1, width), (257, 1, height), (258, 3, data + len(content)),
        (259, 1, 8 if packed else 1), (262, 1, 2), (273, 1, data), (277, 1, 3),
        (278, 1, height), (279, 1, len(content)),
    ]  # fmt: skip
    entries = [
        struct.pack(order + "HHII", tag, 3 if tag == 258 else 4, count, value)
        for tag, count, value in tags
    ]
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", 8, len(tags))
    return start + b"".join(entries) + bytes(4) + content + struct.pack(order + "3H", 16, 16, 16)


DEEP_RGB = np.array([[[0, 1023, 4095], [2048, 17, 300]]], np.uint16)


@pytest.mark.parametrize(
    "raw",
    [
        png_of(DEEP_RGB, 2),
        *(tiff_of(DEEP_RGB, order, packed) for order in "<>" for packed in (False, True)),
    ],
    ids=["png", "little", "little packed", "big", "big packed"],
)
def test_decode__colour_of_12_bits_in_16(raw: bytes) -> None:
    with noting() as notes:
        found = decode(raw)
    assert found[0].tolist() == np.rint(DEEP_RGB[0] / 4095 * 255).astype(int).tolist()
    assert notes == ["12-bit data in files of 16 bits: it is scaled by 4095, not 65535"]
    bright = DEEP_RGB.copy()
    bright[0, 0, 0] = 4096
    assert decode(png_of(bright, 2))[0, 0].tolist() == [16, 3, 15]  # the upper bytes, as ever


@pytest.mark.parametrize(
    ("samples", "shown"),
    [
        ([[2570, 0, 65535], [30_000, 65_535, 0]], [[10, 0, 255], [255, 255, 255]]),
        ([[0, 1023, 4095], [2048, 17, 300]], [[0, 64, 255], [255, 255, 255]]),
    ],
)
def test_decode__colour_key_of_16_bit_colour_is_transparent(
    samples: list[list[int]], shown: list[list[int]]
) -> None:
    key = chunk(b"tRNS", struct.pack(">3H", *samples[1]))
    raw = png_of(np.array([samples], np.uint16), 2)
    assert decode(raw[:33] + key + raw[33:])[0].tolist() == shown


def test_decode__colour_of_12_bits_with_alpha() -> None:
    alpha = np.array([[[65535], [0]]], np.uint16)
    for opaque in (65535, 4095):
        raw = png_of(np.concatenate([DEEP_RGB, alpha // 65535 * opaque], axis=2), 6)
        assert decode(raw)[0].tolist() == [[0, 64, 255], [255, 255, 255]]
    gray = np.concatenate([DEEP_RGB[..., 2:], alpha], axis=2)
    assert decode(png_of(gray, 4))[0].tolist() == [[255] * 3, [255] * 3]
    dark = np.array([[[0, 65535], [512, 65535], [1023, 65535]]], np.uint16)
    assert decode(png_of(dark, 4))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("key", [0, 30_000])
def test_decode__colour_key_of_16_bit_gray_is_transparent(key: int) -> None:
    deep = np.array([[key, 257, 51_400, 65_535]], np.uint16)
    found = decode(saved(Image.fromarray(deep), "PNG", transparency=key))
    assert found[0, :, 0].tolist() == [255, 1, 200, 255]


def test_decode__big_endian_sixteen_bits() -> None:
    deep = Image.frombytes("I;16B", (2, 1), b"\x00\x00\xff\xff")
    assert decode(saved(deep, "TIFF"))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([0.0, np.nan, 10.0], [0, 0, 255]),
        ([0.0, np.inf, 10.0], [0, 255, 255]),
        ([np.nan] * 3, [0, 0, 0]),
        ([7.0] * 3, [0, 0, 0]),
    ],
)
def test_decode__float(values: list[float], expected: list[int]) -> None:
    raw = saved(Image.fromarray(np.array([values], np.float32)), "TIFF")
    assert decode(raw)[0, :, 2].tolist() == expected


def test_decode__integer32() -> None:
    raw = saved(Image.fromarray(np.array([[-100, 0, 100]], np.int32)), "TIFF")
    assert decode(raw)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_decode__transparency_shows_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((0, 0), (0, 0, 0, 255))
    raw = saved(image.convert(mode) if mode != "PA" else image.quantize(), "PNG")
    found = decode(raw)
    assert found[0, 0].tolist() == [0, 0, 0]
    assert found[1, 1].tolist() == [255, 255, 255]


def test_decode__half_transparent_is_blended() -> None:
    raw = saved(Image.new("RGBA", (2, 2), (0, 0, 0, 128)), "PNG")
    assert decode(raw)[0, 0].tolist() == [127, 127, 127]


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_decode__colour_key_is_transparent(mode: str) -> None:
    image = Image.new(mode, (2, 2), 0)
    raw = saved(image, "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert (decode(raw) == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LAB", "I", "F"])
def test_decode__modes(mode: str) -> None:
    image = Image.fromarray(scene())
    if mode == "LAB":
        image = Image.merge("LAB", [image.getchannel(0)] * 3)
    assert decode(saved(image.convert(mode), "TIFF")).shape == scene().shape


def test_decode__cmyk_jpeg_keeps_its_colours() -> None:
    red = Image.new("RGB", (16, 16), (250, 10, 10))
    found = decode(saved(red.convert("CMYK"), "JPEG", quality=98))
    assert np.abs(found.astype(int) - [250, 10, 10]).max() < 8


def test_decode__first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    for file_format in ("GIF", "WEBP", "PNG", "TIFF"):
        options = {"lossless": True} if file_format == "WEBP" else {}
        raw = saved(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
        assert decode(raw)[0, 0].tolist() == [255, 0, 0], file_format


# --- decode: what is refused -------------------------------------------------------------------


def never(*_: object) -> None:
    raise AssertionError("pixels were decoded")


def bomb(file_format: str, side: int) -> bytes:
    """A file that claims side x side pixels."""
    if file_format == "PNG":
        return png_header(side, side) + chunk(b"IDAT", zlib.compress(b"\0" * 999))
    if file_format == "BMP":
        return b"BM" + struct.pack("<IIIIiiHHIIiiII", 99, 0, 54, 40, side, side, 1, 24, *[0] * 6)
    if file_format == "GIF":
        return b"GIF89a" + struct.pack("<HHBBB", side, side, 0, 0, 0) + b"," + struct.pack(
            "<HHHHB", 0, 0, side, side, 0) + b"\x08\x01\0\0;"  # fmt: skip
    if file_format == "PPM":
        return f"P6 {side} {side} 255\n".encode()
    tags = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (279, 99)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "GIF", "PPM", "TIFF"])
@pytest.mark.parametrize("side", [10_001, 12_000, 20_000, 60_000])
def test_decode__a_bomb_is_refused_by_its_header(
    file_format: str, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", never)
    raw = bomb(file_format, side)
    tracemalloc.start()
    with pytest.raises(
        UnreadableImage, match=f"^{side} x {side} px is more than the 100 megapixels"
    ):
        decode(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("side", [10_100, 20_000, 60_000])
def test_decode__a_gif_whose_frame_is_larger_than_its_screen(side: int) -> None:
    header = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0)
    frame = b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x08\x01\0\0;"
    with pytest.raises(UnreadableImage) as caught:
        decode(header + frame)
    size = f"{side} x {side} px" if side < 13_000 else f"{side * side:,} px"
    assert str(caught.value) == f"{size} is more than the 100 megapixels that dsel decodes"


def test_decode__a_lower_limit() -> None:
    raw = saved(Image.fromarray(noise(50, 40)), "PNG")
    assert decode(raw, 2000).shape == (40, 50, 3)
    with pytest.raises(UnreadableImage) as caught:
        decode(raw, 1000)
    assert str(caught.value) == (
        "50 x 40 px is more than the limit of 0.001 megapixels (--max-megapixels)"
    )


def test_decode__libtiff_writes_nothing_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    raw = bytearray(saved(Image.fromarray(noise(64, 64)), "TIFF", compression="tiff_lzw"))
    middle = len(raw) // 2
    raw[middle : middle + 64] = b"\xff" * 64
    for damaged in (bytes(raw), bytes(raw[:middle])):
        with suppress(UnreadableImage):
            decode(damaged)
    assert capfd.readouterr() == ("", "")


def test_decode__a_bomb_names_its_size() -> None:
    with pytest.raises(UnreadableImage) as caught:
        decode(bomb("PNG", 20_000))
    assert str(caught.value) == (
        "20000 x 20000 px is more than the 100 megapixels that dsel decodes"
    )


def test_decode__below_the_limit_pillow_does_not_warn() -> None:
    side = 9_700  # 94 megapixels: Pillow warns above 89
    assert Image.MAX_IMAGE_PIXELS is not None
    assert Image.MAX_IMAGE_PIXELS < side * side < MAX_PIXELS
    with pytest.raises(UnreadableImage, match=r"cut off|damaged"):
        decode(bomb("PNG", side))


def test_decode__text_that_unpacks_to_much_is_refused() -> None:
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 50_000_000, 9))
    picture = saved(Image.fromarray(scene()), "PNG")
    with pytest.raises(UnreadableImage, match="damaged"):
        decode(picture[:33] + text + picture[33:])


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_decode__truncated_anywhere(file_format: str) -> None:
    raw = saved(Image.fromarray(noise(20, 14)), file_format)
    for end in range(0, len(raw) // 2, 7):
        with pytest.raises(UnreadableImage) as caught:
            decode(raw[:end])
        assert str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "ICO"])
def test_decode__damaged_bytes_raise_nothing_else(file_format: str) -> None:
    raw = saved(Image.fromarray(noise(20, 14)), file_format)
    rng = random.Random(0)
    for _ in range(150):
        hurt = bytearray(raw)
        for _ in range(rng.randint(1, 6)):
            hurt[rng.randrange(len(hurt))] = rng.randrange(256)
        with suppress(UnreadableImage):
            assert decode(bytes(hurt)).shape[2] == 3


def test_decode__a_missing_file_and_a_pipe(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="No such file"):
        decode(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableImage, match="pipe"):
        decode(tmp_path / "pipe.png")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "an EPS or PostScript drawing"),
        (b"\xc5\xd0\xd3\xc6\x20\0\0\0", "an EPS drawing"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"SIMPLE  =                    T / conforms".ljust(80) + b"BITPIX  = 16", "a FITS image"),
        (b'/* XPM */\nstatic char *x[] = {"1 1 1 1"};', "an XPM image"),
        (b"static char * picture_xpm[] = {", "an XPM image"),
        (b"#define a_width 8\n#define a_height 1\nstatic char a_bits[] = {1};", "an XBM image"),
    ],
)
def test_decode__other_kinds_of_images_are_named(raw: bytes, kind: str) -> None:
    with pytest.raises(UnreadableImage) as caught:
        decode(raw)
    assert str(caught.value) == f"is {kind}, which dsel does not read: save it as PNG or JPEG"


@pytest.mark.parametrize(
    "raw", [b"#define SIZE 8\nint main() {}", b"static char buffer[9];", b"hi"]
)
def test_decode__program_code_is_text(raw: bytes) -> None:
    with pytest.raises(UnreadableImage, match="is text, not an image"):
        decode(raw)


def test_decode__leaves_the_warnings_of_others_alone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        raw = saved(Image.fromarray(scene()), "PNG")
        with ThreadPoolExecutor(4) as pool:
            assert all(np.array_equal(p, scene()) for p in pool.map(decode, [raw] * 40))
        with pytest.raises(UserWarning, match="mine"):
            warnings.warn("mine", stacklevel=1)


# --- geometry ----------------------------------------------------------------------------------

sides = st.integers(1, 60)


fits = st.sampled_from(["whole", "crop", "squash"])
steps = st.sampled_from([0, 1, 4, 8])


@given(sides, sides, st.integers(1, 5), fits, steps)
@settings(max_examples=100, deadline=None)
def test_to_proxy__is_the_crop_of_its_view(
    width: int, height: int, times: int, fit: str, step_px: int
) -> None:
    pixels, side = noise(width, height), 8 * times
    proxy = to_proxy(pixels, side, fit, step_px)
    frame = proxy.frame
    shape = frame.proxy_width, frame.proxy_height
    expected = proxy_shape(width, height, side, step_px) if fit == "whole" else (side, side)
    assert shape == expected
    assert proxy.pixels.shape == (*shape[::-1], 3)
    assert (frame.source_width, frame.source_height) == (width, height)
    whole = frame.to_source(Box(0, 0, *shape))
    for found, seen in zip(
        (whole.x, whole.y, whole.width, whole.height),
        (frame.view.x, frame.view.y, frame.view.width, frame.view.height),
        strict=True,
    ):
        assert found == pytest.approx(seen)
    assert np.array_equal(crop(pixels, frame.view, *shape), proxy.pixels)


@given(sides, sides, fits, steps, st.data())
@settings(max_examples=100, deadline=None)
def test_frame__round_trip(
    width: int, height: int, fit: str, step_px: int, data: st.DataObject
) -> None:
    frame = to_proxy(noise(width, height), 32, fit, step_px).frame
    x, y, w, h = (data.draw(st.floats(0, 16)) for _ in range(4))
    back = frame.to_proxy(frame.to_source(Box(x, y, w, h)))
    assert (back.x, back.y, back.width, back.height) == pytest.approx((x, y, w, h), abs=1e-9)


def test_to_proxy__whole_by_hand() -> None:
    """A picture of 4:3 is nearest to 704 x 512, of the lengths 512, 576, 640, 704, ..."""
    frame = to_proxy(noise(640, 480), 512, "whole", 64).frame
    assert (frame.proxy_width, frame.proxy_height) == (704, 512)
    seen = 640 * 512 / 704
    assert frame.view == Box(0, (480 - seen) / 2, 640, seen)
    long = to_proxy(noise(30, 100), 512, "whole", 64).frame
    assert long == Frame(30, 100, Box(0, 20, 30, 60), 512, 1024)


def test_to_proxy__whole_keeps_a_picture_that_has_a_shape() -> None:
    for width, height in ((32, 32), (48, 32), (32, 64), (34, 32)):
        pixels = noise(width, height)
        proxy = to_proxy(pixels, 32, "whole", 2)
        assert np.array_equal(proxy.pixels, pixels)
        assert proxy.frame.view == Box(0, 0, width, height)


@given(sides, sides)
@settings(max_examples=40, deadline=None)
def test_to_proxy__whole_is_the_crop_for_a_prior_of_squares(width: int, height: int) -> None:
    pixels = noise(width, height)
    whole, cropped = (to_proxy(pixels, 16, fit, 0) for fit in ("whole", "crop"))
    assert whole.frame == cropped.frame
    assert np.array_equal(whole.pixels, cropped.pixels)


lengths = st.integers(1, 6000)
resolutions = st.tuples(st.sampled_from([1, 2, 8, 16, 32, 64]), st.integers(1, 40))


def bucket_step(resolution_px: int, step_px: int) -> int:
    """The smallest multiple of the prior's step that is a sixteenth of the side or more."""
    return next(n for n in range(step_px, resolution_px + 1, step_px) if 16 * n >= resolution_px)


@given(lengths, lengths, resolutions)
@settings(max_examples=300, deadline=None)
def test_proxy_shape__is_the_nearest_that_the_prior_can_see(
    width: int, height: int, resolution: tuple[int, int]
) -> None:
    step_px, times = resolution
    resolution_px = step_px * times
    shape = proxy_shape(width, height, resolution_px, step_px)
    assert min(shape) == resolution_px
    assert all(side % step_px == 0 for side in shape)
    assert (shape[0] > shape[1]) <= (width > height)
    assert (shape[0] < shape[1]) <= (width < height)
    step = bucket_step(resolution_px, step_px)
    known = range(resolution_px, 2 * resolution_px + 1, step)
    assert max(shape) in known
    ideal = Fraction(resolution_px * max(width, height), min(width, height))
    assert abs(max(shape) - ideal) == min(abs(length - ideal) for length in known)


@given(lengths, lengths, resolutions)
@settings(max_examples=100, deadline=None)
def test_proxy_shape__a_turned_picture_has_the_turned_shape(
    width: int, height: int, resolution: tuple[int, int]
) -> None:
    step_px, times = resolution
    shape = proxy_shape(width, height, step_px * times, step_px)
    assert proxy_shape(height, width, step_px * times, step_px) == shape[::-1]
    assert proxy_shape(width, width, step_px * times, step_px) == (step_px * times,) * 2
    assert proxy_shape(width, height, step_px * times, 0) == (step_px * times,) * 2


@given(lengths, lengths, resolutions)
@settings(max_examples=200, deadline=None)
def test_to_proxy__whole_shows_the_middle_without_distortion_and_all_but_a_rim(
    width: int, height: int, resolution: tuple[int, int]
) -> None:
    step_px, times = resolution
    resolution_px = step_px * times
    shape = proxy_shape(width, height, resolution_px, step_px)
    view = seen_in(width, height, shape)
    assert view.width / view.height == pytest.approx(shape[0] / shape[1])
    assert view.width == width or view.height == height
    assert view.x >= 0 <= view.y
    assert (view.x + view.width / 2, view.y + view.height / 2) == (width / 2, height / 2)
    if max(width, height) <= MOST_ASPECT * min(width, height):
        step = bucket_step(resolution_px, step_px)
        room = 1 if resolution_px % step == 0 else 2  # the last step may not end at 2:1
        least = 1 / (1 + room * Fraction(step, 2 * resolution_px))
        assert view.width * view.height / (width * height) >= float(least) - 1e-9


def seen_in(width: int, height: int, shape: tuple[int, int]) -> Box:
    """The view of a picture at some shape, by the definition: covered, and cut evenly."""
    scale = max(Fraction(shape[0], width), Fraction(shape[1], height))
    seen = [Fraction(side) / scale for side in shape]
    return Box(
        float((width - seen[0]) / 2), float((height - seen[1]) / 2), float(seen[0]), float(seen[1])
    )


@given(sides, sides, st.sampled_from([2, 4, 8, 16]))
@settings(max_examples=60, deadline=None)
def test_to_proxy__view_by_the_definition(width: int, height: int, step_px: int) -> None:
    view = to_proxy(noise(width, height), 16, "whole", step_px).frame.view
    expected = seen_in(width, height, proxy_shape(width, height, 16, step_px))
    assert (view.x, view.y) == pytest.approx((expected.x, expected.y), abs=1e-9)
    assert (view.width, view.height) == pytest.approx((expected.width, expected.height))


@given(st.integers(60, 200), st.integers(60, 200), st.data())
@settings(max_examples=40, deadline=None)
def test_to_proxy__a_patch_has_the_same_pixels_in_proxy_and_source(
    width: int, height: int, data: st.DataObject
) -> None:
    """A box on the proxy, cut from it, looks like the same box cut from the source."""
    pixels = scene(width, height)  # smooth, so that resampling twice changes little
    proxy = to_proxy(pixels, 64, "whole", 16)
    across, down = proxy.frame.proxy_width - 32, proxy.frame.proxy_height - 32
    box = Box(data.draw(st.integers(0, across)), data.draw(st.integers(0, down)), 32, 32)
    source_box = proxy.frame.to_source(box)
    assert source_box.x >= -1e-9 <= source_box.y
    assert source_box.x + source_box.width <= width + 1e-9
    assert source_box.y + source_box.height <= height + 1e-9
    assert source_box.width == pytest.approx(source_box.height)
    from_source = crop(pixels, source_box, 32, 32).astype(int)
    assert np.abs(crop(proxy.pixels, box, 32, 32) - from_source).max() <= 6


@given(st.integers(1, 30), st.integers(1, 30), st.data())
@settings(max_examples=60, deadline=None)
def test_crop__whole_pixels_are_exact(width: int, height: int, data: st.DataObject) -> None:
    pixels = noise(width, height)
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    assert np.array_equal(crop(pixels, Box(x, y, w, h), w, h), pixels[y : y + h, x : x + w])


def test_crop__a_large_image_channel_by_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(90, 70)
    boxes = Box(0, 0, 90, 70), Box(3.5, 7.25, 41, 60)
    whole = [crop(pixels, box, 11, 9) for box in boxes]
    monkeypatch.setattr(images, "CHANNEL_WISE_PX", 100)
    for box, expected in zip(boxes, whole, strict=True):
        found = crop(pixels, box, 11, 9)
        assert np.array_equal(found, expected)
        assert found.flags.c_contiguous


def test_checksum__is_of_size_and_pixels() -> None:
    pixels = noise(6, 4)
    name = checksum(pixels)
    content = b"6 x 4\n" + pixels.tobytes()
    assert name == hashlib.sha256(content).hexdigest()[:32]
    assert checksum(pixels[:, ::-1][:, ::-1]) == name  # the order in memory does not count
    assert checksum(pixels.reshape(6, 4, 3)) != name
    changed = pixels.copy()
    changed[3, 5, 2] ^= 1
    assert checksum(changed) != name
    same = [decode(saved(Image.fromarray(pixels), kind)) for kind in ("PNG", "BMP", "TIFF")]
    assert {checksum(one) for one in same} == {name}


def test_crop__fractions_count() -> None:
    pixels = np.repeat(np.repeat(scene(40, 8)[:, :, :], 1, 0), 1, 1)
    left, right = (crop(pixels, Box(x, 0, 8, 8), 8, 8)[:, :, 0].mean() for x in (10.0, 10.5))
    assert right - left == pytest.approx(0.5 * 255 / 39, abs=0.6)


def test_crop__is_clamped_to_the_picture() -> None:
    pixels = scene()
    assert np.array_equal(crop(pixels, Box(-5, -5, 99, 99), 24, 16), pixels)
    assert np.array_equal(crop(pixels, Box(1e-13, 0, 24, 16 + 1e-12), 24, 16), pixels)
    with pytest.raises(ValueError, match="outside"):
        crop(pixels, Box(24, 0, 4, 4), 4, 4)


def test_to_proxy__crop_takes_the_centre() -> None:
    pixels = noise(20, 10)
    assert np.array_equal(to_proxy(pixels, 10, "crop", 2).pixels, pixels[:, 5:15])
    assert to_proxy(noise(21, 10), 10, "crop", 2).frame.view == Box(5.5, 0, 10, 10)


def test_to_proxy__squash_shows_all() -> None:
    frame = to_proxy(noise(20, 10), 16, "squash", 8).frame
    assert frame == Frame(20, 10, Box(0, 0, 20, 10), 16, 16)


@given(st.integers(1, 500), st.integers(1, 8))
def test_tile_sides__add_up(image_px: int, factor: int) -> None:
    found = tile_sides(image_px, factor)
    assert sum(found) == image_px
    assert len(found) == factor
    assert max(found) - min(found) <= 1


@given(st.integers(9, 64), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_mosaic__places_tiles_row_by_row(image_px: int, factor: int) -> None:
    lengths = tile_sides(image_px, factor)
    tiles = [
        np.full((lengths[row], lengths[column], 3), row * factor + column, np.uint8)
        for row in range(factor)
        for column in range(factor)
    ]
    whole = mosaic(tiles, factor)
    assert whole.shape == (image_px, image_px, 3)
    assert whole[0, 0, 0] == 0
    assert whole[0, -1, 0] == factor - 1
    assert whole[-1, -1, 0] == factor * factor - 1


def test_mosaic__needs_all_tiles() -> None:
    with pytest.raises(ValueError, match="4 tiles"):
        mosaic([scene()] * 3, 2)


# --- drawings and files ------------------------------------------------------------------------


def test_thumbnail__keeps_the_shape_and_never_grows() -> None:
    assert thumbnail(scene(60, 30), 20).shape == (10, 20, 3)
    assert np.array_equal(thumbnail(scene(8, 6), 20), scene(8, 6))
    assert thumbnail(noise(3, 600), 20).shape == (20, 1, 3)


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp"])
def test_encode__same_bytes_and_no_metadata(file_format: str) -> None:
    raw = encode(scene(), file_format)
    assert raw == encode(scene(), file_format)
    assert np.abs(decode(raw).astype(int) - scene()).mean() < (1 if file_format == "png" else 6)
    with Image.open(io.BytesIO(raw)) as image:
        assert image.format == file_format.upper()
        assert not image.getexif()
        assert "icc_profile" not in image.info


def test_encode__png_is_exact() -> None:
    assert np.array_equal(decode(encode(noise(9, 7), "png")), noise(9, 7))
