"""What a file is that is not an image which dsel reads, in the words of a reason."""

from __future__ import annotations

from typing import Final

_SAVE: Final = "which dsel does not read: save it as PNG or JPEG"

_STARTS: Final = (
    (b"%!ps", "an EPS or PostScript drawing"),
    (b"\xc5\xd0\xd3\xc6", "an EPS drawing"),
    (b"%pdf", "a PDF document"),
    (b"simple  =", "a FITS image"),
    (b"/* xpm */", "an XPM image"),
    (b"! xpm2", "an XPM image"),
    (b"static char", "an XPM image"),
    (b"#define ", "an XBM image"),
    (b"8bps", "a Photoshop image"),
    (b"#?radiance", "an HDR image"),
    (b"v/1\x01", "an OpenEXR image"),
    (b"dds ", "a DDS image"),
)  # fmt: skip
"""The first bytes of other kinds of images, in lower case."""


def reason_for(raw: bytes, formats: str) -> str:
    """Return the reason for refusing a file that is not an image; formats: those that are read."""
    start = raw[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return "is an SVG drawing; dsel reads raster images, such as PNG"
    if start.startswith((b"<!doctype html", b"<html")):
        return "is a web page (HTML), not an image"
    if raw[4:8] == b"ftyp":
        return "is a HEIC image or a video, which dsel does not read: save it as JPEG or PNG"
    for first, kind in _STARTS:
        if start.startswith(first) and _is_kind(first, start):
            return f"is {kind}, {_SAVE}"
    if not any(byte < 9 or 13 < byte < 32 for byte in raw[:1024]):
        return "is text, not an image"
    return f"is not an image in a format that dsel reads ({formats})"


def _is_kind(first: bytes, start: bytes) -> bool:
    """Whether the rest fits too: C code begins like XBM and XPM images."""
    if first == b"#define ":
        return b"_width " in start and b"_bits[]" in start.replace(b" ", b"")
    return first != b"static char" or b"xpm" in start[:80]
