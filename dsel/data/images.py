"""Images as arrays: decode, crop, resize and encode."""

from __future__ import annotations

import ctypes
import hashlib
import io
import re
import stat
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, _imaging

from dsel.data.file_kinds import reason_for
from dsel.data.pixel_modes import stored_samples, to_rgb
from dsel.data.sample_depth import FULL, white_of
from dsel.errors import UnreadableImage
from dsel.types import Box, Frame, Pixels, Proxy

MAX_PIXELS: Final = 100_000_000
MAX_FILE_BYTES: Final = 1 << 30
CHANNEL_WISE_PX: Final = 16_000_000
"""Larger images are resized one channel at a time: Pillow stores RGB in four bytes a pixel."""

MOST_ASPECT: Final = 2.0
"""The largest aspect ratio of proxies; of longer images they show the centre."""
STEPS: Final = 16
"""A proxy's longer side grows in steps of this fraction of the shorter one, or larger ones."""

FileFormat = Literal["png", "jpeg", "webp"]

# Formats whose header has the size, and whose decoders run no other program (EPS would).
_FORMATS: Final = (
    "JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO", "QOI", "SGI",
)  # fmt: skip

# What Pillow's decoders raise on hostile bytes: most of Python's tree, as fuzzing them shows.
_PILLOW_ERRORS: Final = (
    OSError, SyntaxError, ValueError, TypeError, AttributeError, AssertionError, LookupError,
    ArithmeticError, EOFError, MemoryError, RuntimeError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip

_NOTES: ContextVar[list[str]] = ContextVar("notes of decoded images")

_ORIENTATION: Final = 0x0112
_ORIENTED: Final = (b"Exif", b"EXIF", b"eXIf", b"exif", b"Orientation")
"""Bytes of a file that states an EXIF orientation, unless it is a TIFF file."""

UPRIGHT: Final[Mapping[int, Callable[[NDArray[Any]], NDArray[Any]]]] = MappingProxyType({
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
})  # fmt: skip
"""Turns stored pixels (height, width, ...) upright, by EXIF orientation; 1 is upright."""


def decode(data: bytes | Path, most_px: int = MAX_PIXELS) -> Pixels:
    """Decode the first frame of an image file, upright, as contiguous (height, width, 3).

    The size is checked before any pixel is decoded; most_px: the largest number of pixels. EXIF
    orientation is applied, an invalid one ignored. Transparent parts show white. 16-bit samples are
    scaled to 8 bits, by the bits that the image uses (see `dsel.data.sample_depth`, and `noting`);
    float and 32-bit images are scaled from their finite minimum and maximum to 0 and 255, and NaN
    becomes 0. Colour profiles are not applied. Raises `UnreadableImage`, with the reason, and
    nothing else.

    Memory, measured: the file, what Pillow needs for its mode, 1 to 4 bytes a pixel (twice that for
    colour of 16 bits that is nearly black), and the result's 3. Decoders that work on whole images
    need more: 10 bytes a pixel in all for AVIF, 16 for WebP, 19 for JPEG 2000.
    """
    raw = data if isinstance(data, bytes) else _file_bytes(data)
    if not raw:
        raise UnreadableImage("is empty (0 bytes)")
    _mute_pillow()
    _mute_libtiff()
    pixels, orientation = _stored_pixels(raw, most_px)
    turn = UPRIGHT.get(orientation)
    return np.ascontiguousarray(turn(pixels) if turn else pixels)


@contextmanager
def noting() -> Iterator[list[str]]:
    """Collect what `decode` has to say about the images that it decodes inside, in this thread."""
    notes: list[str] = []
    token = _NOTES.set(notes)
    try:
        yield notes
    finally:
        _NOTES.reset(token)


def checksum(pixels: Pixels) -> str:
    """Return a name of an image's content: 32 hex digits of the SHA-256 of its size and pixels.

    It is of the decoded pixels, not of a file's bytes: arrays and rendered scenes have no file, a
    cut depends on the pixels alone, and a copy in another lossless format is the same image.
    """
    digest = hashlib.sha256(f"{pixels.shape[1]} x {pixels.shape[0]}\n".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()[:32]


def _stored_pixels(raw: bytes, most_px: int) -> tuple[Pixels, int]:
    """Return the pixels as they are stored, and their EXIF orientation."""
    image = _opened(raw, most_px)
    _check_size(image, most_px)
    stored = stored_samples(image)
    with _unreadable_if_broken(most_px):
        image.load()
        _check_size(image, most_px)  # an ICO file may contain a larger image than it states
        pixels, depth = to_rgb(image, stored, lambda: _opened(raw, most_px))
    if depth < FULL and stored.depth == 0:
        _NOTES.get([]).append(
            f"{depth}-bit data in files of 16 bits: it is scaled by {white_of(depth)}, not 65535"
        )
    return pixels, _orientation(image)


def orientation_of(data: bytes | Path) -> int:
    """Return the EXIF orientation, 1 to 8, in which a file that `decode` reads is stored.

    1 is upright, and what is returned where EXIF is missing or broken.
    """
    raw = data if isinstance(data, bytes) else _file_bytes(data)
    # Asking Pillow may decode the whole image, and few files state an orientation.
    if not raw.startswith((b"II", b"MM")) and not any(mark in raw for mark in _ORIENTED):
        return 1
    _mute_pillow()
    with _unreadable_if_broken(MAX_PIXELS):
        value = _orientation(_opened(raw, MAX_PIXELS))
    return value if value in UPRIGHT else 1


def _file_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableImage("is a folder, not an image")
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            raise UnreadableImage("is a pipe or a device, not an image")
        if status.st_size > MAX_FILE_BYTES:
            raise UnreadableImage(
                f"has {status.st_size / 2**30:.1f} GiB; dsel reads image files of at most 1 GiB"
            )
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImage(f"cannot be opened: {error.strerror or error}") from error


def _mute_pillow() -> None:
    """Ignore Pillow's warnings: an unusable image is reported with its reason.

    The filter stays, because `warnings.catch_warnings` would reset the filters of other threads.
    """
    quiet = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
    if quiet not in warnings.filters:
        warnings.filterwarnings("ignore", module=r"PIL\.")


@cache
def _mute_libtiff() -> None:
    """Keep libtiff from writing to the terminal: a damaged file is reported with its reason.

    Pillow has no switch for it, so libtiff's own is called. Where Pillow contains libtiff without
    its names, as on Windows, nothing can be done.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            getattr(library, name)(None)


def _opened(raw: bytes, most_px: int) -> ImageFile.ImageFile:
    """Read the header alone.

    `Image.open` is not used because it refuses large images without reporting their size, at a
    limit that is global to the process.
    """
    Image.init()
    for name in _FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is not None and accept is not None and accept(raw[:16]) is True:
            try:
                return factory(io.BytesIO(raw), "")
            except Image.DecompressionBombError as error:
                raise _too_large(error, most_px) from error
            except _PILLOW_ERRORS as error:
                raise UnreadableImage(f"is a damaged or cut off {name} file") from error
    raise UnreadableImage(reason_for(raw, ", ".join(_FORMATS)))


def _check_size(image: Image.Image, most_px: int) -> None:
    if image.width < 1 or image.height < 1:
        raise UnreadableImage(f"{image.width} x {image.height} px: has no pixels")
    if image.width * image.height > most_px:
        raise UnreadableImage(
            f"{image.width} x {image.height} px is more than the {_limit_in_words(most_px)}"
        )


def _too_large(error: Image.DecompressionBombError, most_px: int) -> UnreadableImage:
    """Return the reason for a frame whose size only Pillow saw: a GIF's may exceed its header's."""
    found = re.search(r"\d+", str(error))
    count = f"{int(found[0]):,} px" if found else "its size"
    return UnreadableImage(f"{count} is more than the {_limit_in_words(most_px)}")


def _limit_in_words(most_px: int) -> str:
    if most_px == MAX_PIXELS:
        return f"{MAX_PIXELS // 1_000_000} megapixels that dsel decodes"
    plural = "" if most_px == 1_000_000 else "s"
    return f"limit of {most_px / 1e6:g} megapixel{plural} (--max-megapixels)"


@contextmanager
def _unreadable_if_broken(most_px: int) -> Iterator[None]:
    try:
        yield
    except Image.DecompressionBombError as error:
        raise _too_large(error, most_px) from error
    except _PILLOW_ERRORS as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        state = "is cut off" if "truncat" in text.lower() else "is damaged"
        raise UnreadableImage(f"{state}: {text}") from error


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1 (upright) where it is missing or EXIF is broken."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except _PILLOW_ERRORS:
        return 1
    return value if isinstance(value, int) else 1


def to_proxy(
    pixels: Pixels, resolution_px: int, fit: Literal["whole", "crop", "squash"], step_px: int
) -> Proxy:
    """Return the proxy of an image for a prior whose sides are multiples of `step_px`.

    "whole" keeps the aspect ratio, except for a thin rim (see `proxy_shape`); "crop" takes the
    centre square; "squash" resizes the whole image to a square. A `step_px` of 0 means that the
    prior sees squares only, and "whole" then takes the centre square too.
    """
    height, width = pixels.shape[:2]
    shape = resolution_px, resolution_px
    if fit == "whole":
        shape = proxy_shape(width, height, resolution_px, step_px)
    view = Box(0, 0, width, height) if fit == "squash" else _centre(width, height, *shape)
    return Proxy(crop(pixels, view, *shape), Frame(width, height, view, *shape))


def proxy_shape(width: int, height: int, resolution_px: int, step_px: int) -> tuple[int, int]:
    """Return the width and height of an image's proxy, as close to its aspect as steps allow.

    The shorter side is `resolution_px`, a multiple of `step_px`. The longer side exceeds it by
    whole steps, up to `MOST_ASPECT` times its length; a step is the smallest multiple of `step_px`
    that is at least `resolution_px / STEPS`, so that a dataset has few shapes. A `step_px` of 0
    gives squares.
    """
    if not step_px:
        return resolution_px, resolution_px
    step = -(-resolution_px // (STEPS * step_px)) * step_px
    short, beyond = min(width, height), abs(width - height)
    # The nearest whole number to the ideal one, resolution_px * beyond / short / step.
    steps = (2 * resolution_px * beyond + step * short) // (2 * step * short)
    longer = resolution_px + step * min(steps, int((MOST_ASPECT - 1) * resolution_px) // step)
    return (longer, resolution_px) if width > height else (resolution_px, longer)


def _centre(width: int, height: int, across: int, down: int) -> Box:
    """Return the largest centred box with the aspect across : down."""
    if width * down > height * across:
        seen = height * across / down
        return Box((width - seen) / 2, 0, seen, height)
    seen = width * down / across
    return Box(0, (height - seen) / 2, width, seen)


def crop(pixels: Pixels, box: Box, width_px: int, height_px: int) -> Pixels:
    """Crop a box, clamped to the image, and resample it to a size with antialiasing.

    Raises `ValueError` for a box outside of the image.
    """
    height, width = pixels.shape[:2]
    left, top = max(box.x, 0.0), max(box.y, 0.0)
    right, bottom = min(box.x + box.width, width), min(box.y + box.height, height)
    if left >= right or top >= bottom:
        raise ValueError(f"{box} is outside of an image of {width} x {height} px")
    size, part = (width_px, height_px), (left, top, right, bottom)
    if height * width <= CHANNEL_WISE_PX:
        return np.array(_resized(pixels, size, part))
    return np.dstack([np.array(_resized(pixels[:, :, n], size, part)) for n in range(3)])


def _resized(
    pixels: NDArray[np.uint8], size: tuple[int, int], part: tuple[float, float, float, float]
) -> Image.Image:
    # The gap averages whole pixels first where an image shrinks much: it looks the same, and is
    # faster.
    return Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, part, reducing_gap=3.0)


def thumbnail(pixels: Pixels, side_px: int) -> Pixels:
    """Shrink an image so that its longer side is at most `side_px`; a small one keeps its size.

    The longer side counts, because the gallery shows wide and tall images in equal square cells.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, side_px / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return crop(pixels, Box(0, 0, width, height), *size)


def encode(pixels: Pixels, file_format: FileFormat, quality: int = 90) -> bytes:
    """Encode an image without metadata, reproducibly; `quality` is for lossy formats."""
    options: dict[str, Any] = {"quality": quality} if file_format != "png" else {}
    if file_format == "jpeg":
        options["subsampling"] = 0  # colour at full resolution: patches are small
    if file_format == "webp":
        options["method"] = 2  # Pillow's 4 takes twice as long for files of the same size
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, file_format, **options)
    return stream.getvalue()
