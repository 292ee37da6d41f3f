"""Images of a run that have the same pixels: copies within a class, and labels that contradict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dsel.runs.schema import ImageRow


def copies_of(images: Iterable[tuple[str, int, str]]) -> Mapping[str, str]:
    """Return the scored images whose pixels an earlier one of their class has, with the first.

    images: id, class and checksum of each. The first is used in place of all. Copies in another
    class are none: see `contradictions`.
    """
    first: dict[tuple[int, str], str] = {}
    copies: dict[str, str] = {}
    for image_id, class_index, checksum in images:
        if checksum:
            original = first.setdefault((class_index, checksum), image_id)
            if original != image_id:
                copies[image_id] = original
    return copies


def contradictions(rows: Iterable[ImageRow]) -> Sequence[tuple[str, str]]:
    """Return pairs of images in two classes that have the same pixels.

    Which label is right cannot be known, so both are used. Each pair has the first image with these
    pixels, and the first one of another class.
    """
    first: dict[str, ImageRow] = {}
    pairs: dict[tuple[str, int], tuple[str, str]] = {}
    for row in rows:
        if row.checksum:
            original = first.setdefault(row.checksum, row)
            if original.class_index != row.class_index:
                key = row.checksum, row.class_index
                pairs.setdefault(key, (original.id, row.id))
    return tuple(pairs.values())


def note_of_copies(copies: Mapping[str, str]) -> str:
    """Return a sentence about images that are left out; empty without any."""
    if not copies:
        return ""
    copy, original = next(iter(copies.items()))
    start = "1 image has" if len(copies) == 1 else f"{len(copies):,} images have"
    return (
        f"{start} the same pixels as an earlier one of the class, which is used in its place, "
        f"such as {copy} (the same as {original})"
    )


def note_of_contradictions(pairs: Sequence[tuple[str, str]]) -> str:
    """Return a sentence about images with two labels; empty without any."""
    if not pairs:
        return ""
    one, other = pairs[0]
    start = "1 image is" if len(pairs) == 1 else f"{len(pairs):,} images are"
    return (
        f"{start} in two classes with the same pixels, such as {one} and {other}: one label must "
        "be wrong; remove the wrong ones, or leave them out with --bans"
    )
