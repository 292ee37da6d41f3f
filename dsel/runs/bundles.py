"""Runs that are elsewhere: in a zip file, or a folder behind any URL of fsspec, opened to read.

A bundle is shown by a folder in the user's caches, in which each file of the run is empty until it
is read for the first time (see `dsel.checksums.filled_on_read`). Then it is fetched, its checksum
is verified, and it is written atomically. The bundle itself is never changed: what is selected or
evaluated on it is stored in that folder.

bundles/<version>/bundle.json   the source; the version is a hash of it, of the names and sizes of
                                its files, and of the manifest, summary and current selection
bundles/<version>/<name>/       the folder of the run

Names come from strangers, so only those that a run can have are taken. Files of a zip file have the
limits of `dsel.data.zip_entries`, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Final, cast

from dsel.checksums import check_content, filled_on_read
from dsel.data.places import MissingError, Place, clear_errors, is_url, place_of
from dsel.data.zip_entries import MAX_EXTRA_BYTES, Entry, list_entries, unpack
from dsel.errors import RunError, SourceError, UnreadableImage, storage_errors
from dsel.files import json_bytes, temporary_beside, user_caches, write_atomically
from dsel.runs.bundle_cache import trim, used_now
from dsel.runs.manifest import MANIFEST

ZIP: Final = ".zip"
RECORD: Final = "bundle.json"
BOXES: Final = "boxes.json"
FRESH: Final = (MANIFEST, "summary.json", "selections/current.json")
"""Files whose content tells a version of a run from another; the others follow from them."""

MEMBER: Final = re.compile(
    r"(run|summary|knowledge|boxes)\.json|images\.parquet"
    r"|(scores|layouts|knowledge|rounds/\d{2,9})/\d{5,9}\.safetensors|proxies/\d{5,9}\.parquet"
    r"|layouts/all\.safetensors|draws/\d{5,9}-\d{5,9}\.safetensors|slices/[0-9a-f]{1,64}\.json"
    r"|selections/current\.json|selections/[0-9a-f]{1,64}/(settings\.json|patches\.parquet)"
    r"|(features|teachers)/[0-9a-f]{1,64}/[\w-]{1,100}\.(safetensors|json)"
    r"|evaluations/([\w-]{1,100}/){0,2}[\w-]{1,100}\.(json|safetensors|parquet)"
    r"|sweeps/[0-9a-f]{1,64}\.parquet|advice/[0-9a-f]{1,64}\.json",
    re.ASCII,
)
"""The names of a run's files, below its folder; any other file is left alone."""

MOST_FILES: Final = 200_000
MOST_BYTES: Final = 2 << 30
"""The largest file that is fetched from a folder; those of zip files have a lower limit."""

HEADER_BYTES: Final = 30 + MAX_EXTRA_BYTES
"""The most that is before the content of an entry of a zip file, besides its name."""

TRIES: Final = 3
AGAIN: Final = "copy the run to its place again, and open it anew"

_HUB: Final = re.compile(r"hf://(?!(datasets|models|spaces|buckets)/)")
_UNSAFE: Final = re.compile(r"[^\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of a run that is elsewhere: sizes by name, and what returns the bytes of one.

    checksums: what else is known of each, so that other content is another version.
    """

    source: str
    sizes: Mapping[str, int]
    checksums: Mapping[str, int]
    fetch: Callable[[str], bytes]


def run_folder(source: str | Path) -> Path:
    """Return the folder of a run by its path, or the one that shows a bundle, by path or URL.

    Raises `SourceError` or `RunError` for a bundle that cannot be read or is no run.
    """
    text = str(source)
    return opened_bundle(text) if is_bundle(text) else Path(text)


def is_bundle(source: str) -> bool:
    """Whether a source is the URL of a run, or a zip file."""
    return is_url(source) or (source.lower().endswith(ZIP) and Path(source).is_file())


def is_run_zip(path: Path) -> bool:
    """Whether a zip file holds a run; raises `SourceError` for one that cannot be read."""
    names = list_entries(path)
    return any(name == MANIFEST or name.endswith(f"/{MANIFEST}") for name in names)


def opened_bundle(source: str) -> Path:
    """Return the folder in this user's caches that shows the run of a bundle."""
    spelled = _HUB.sub("hf://datasets/", source) if is_url(source) else str(Path(source).resolve())
    bundle = _listed(spelled)
    fresh = {name: bundle.fetch(name) for name in FRESH if name in bundle.sizes}
    folder = user_caches() / "bundles" / _version(bundle, fresh)
    shown = (folder / _name(spelled)).resolve()
    if not shown.is_dir():
        _create(folder, bundle, shown.name, fresh)
    _mount(shown, bundle)
    used_now(folder / RECORD)
    trim(folder.parent, folder, RECORD)
    return shown


def reopened(folder: Path) -> None:
    """Let the files of a folder be filled, if it shows a bundle and this process did not open it.

    Raises `RunError` if the bundle has become another one or is gone.
    """
    record, shown = folder.parent / RECORD, folder.resolve()
    if shown in _mounted or not shown.is_relative_to((user_caches() / "bundles").resolve()):
        return
    if not record.is_file():
        return
    source = str(json.loads(record.read_text(encoding="utf-8"))["source"])
    if opened_bundle(source) != shown:
        raise RunError(f"{source} has changed since {folder} was opened: open it again")


def size_of(run: Path, name: str) -> int:
    """Return the bytes of a file of a run; of a bundle, those that it will have once it is read."""
    size, bundle = (run / name).stat().st_size, _mounted.get(run.resolve())
    return size if size or bundle is None else bundle.sizes.get(name, 0)


def _listed(source: str) -> Bundle:
    """List the files of a run; raises `RunError` where there is none."""
    place = place_of(source)
    if place.suffix == ZIP:
        return _zipped(source, place)
    if not place.is_dir():
        raise SourceError(f"{source} cannot be read: there is no such folder or zip file")
    base = _base(source, place.files)
    sizes = {
        name.removeprefix(base): size for name, size in place.files.items() if name.startswith(base)
    }
    of_run = {name: size for name, size in sizes.items() if MEMBER.fullmatch(name)}
    _check_amount(source, of_run)
    root = place / base.rstrip("/") if base else place
    return Bundle(source, of_run, dict.fromkeys(of_run, 0), partial(_fetch_file, root))


def _zipped(source: str, place: Place) -> Bundle:
    if not place.is_file():
        raise SourceError(f"{source} cannot be read: there is no such file, or no way to it")
    archive = Path(place.path) if place.is_local else place
    entries = list_entries(archive)
    base = _base(source, entries)
    members = {
        name.removeprefix(base): entry
        for name, entry in entries.items()
        if name.startswith(base) and MEMBER.fullmatch(name.removeprefix(base))
    }
    for name, entry in members.items():
        if entry.reason:
            raise SourceError(f"{source} is refused: its {name} {entry.reason}")
    sizes = {name: entry.size for name, entry in members.items()}
    _check_amount(source, sizes)
    checksums = {name: entry.crc for name, entry in members.items()}
    return Bundle(source, sizes, checksums, partial(_fetch_entry, source, archive, members))


def _base(source: str, names: Mapping[str, object]) -> str:
    """Return where the run is among the files: at their root, or in the only folder with one."""
    if MANIFEST in names:
        return ""
    found = [name for name in names if name.endswith(f"/{MANIFEST}") and name.count("/") == 1]
    if len(found) != 1:
        what = "holds several runs" if found else f"is not a run: it has no {MANIFEST}"
        raise RunError(f"{source} {what}; give the folder of one, or a zip file of it", path=source)
    return found[0].removesuffix(MANIFEST)


def _check_amount(source: str, sizes: Mapping[str, int]) -> None:
    if len(sizes) > MOST_FILES:
        raise SourceError(f"{source} has {len(sizes)} files; dsel opens at most {MOST_FILES}")
    for name, size in sizes.items():
        if size > MOST_BYTES:
            raise SourceError(
                f"{source}: {name} has {size / 2**30:.1f} GiB; dsel fetches files of at most "
                f"{MOST_BYTES >> 30} GiB"
            )


def _fetch_file(root: Place, name: str) -> bytes:
    """Fetch a whole file; a server need not be able to send parts of one."""
    place = root / name
    for left in reversed(range(TRIES)):
        try:
            with clear_errors(str(place)):
                return bytes(place.fs.cat_file(place.path))
        except MissingError:
            raise
        except SourceError:
            if not left:
                raise
    raise AssertionError  # the last try returns or raises


def _fetch_entry(
    source: str, archive: Path | Place, entries: Mapping[str, Entry], name: str
) -> bytes:
    entry, place = entries[name], archive
    try:
        if isinstance(archive, Place):  # with one request for exactly this part
            most = HEADER_BYTES + len(entry.name) + entry.packed
            content = archive.part(entry.start, min(most, entry.end - entry.start))
            entry, place = replace(entry, start=0, end=len(content)), cast(Path, _Part(content))
        return unpack(place, entry)
    except UnreadableImage as error:
        raise SourceError(f"{source}: its {name} {error}") from error


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a file, which is opened as if it were the whole one."""

    content: bytes

    def open(self, _mode: str) -> BytesIO:
        return BytesIO(self.content)


def _version(bundle: Bundle, fresh: Mapping[str, bytes]) -> str:
    found = hashlib.sha256(bundle.source.encode())
    for name, size in sorted(bundle.sizes.items()):
        found.update(f"\0{name}\0{size}\0{bundle.checksums[name]}".encode())
    for name, content in sorted(fresh.items()):
        found.update(f"\0{name}\0".encode() + hashlib.sha256(content).digest())
    return found.hexdigest()[:32]


def _name(source: str) -> str:
    """Return a name for the folder of a run, from the end of its path or URL."""
    last = source.rstrip("/").rpartition("/")[2]
    return _UNSAFE.sub("_", last.removesuffix(ZIP)).strip(".")[:80] or "run"


def _create(folder: Path, bundle: Bundle, name: str, fresh: Mapping[str, bytes]) -> None:
    """Write a folder with the files that tell its version, and empty ones for all others."""
    content = dict(fresh)
    if BOXES in bundle.sizes:  # has no checksum, and is read as it is
        content[BOXES] = bundle.fetch(BOXES)
    temporary = temporary_beside(folder)
    with storage_errors(folder):
        for member in bundle.sizes:
            path = temporary / name / member
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for member, found in content.items():
            write_atomically(temporary / name / member, found, synced=False)
        write_atomically(temporary / RECORD, json_bytes({"source": bundle.source}), synced=False)
        try:
            temporary.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(temporary)
            if not folder.is_dir():
                raise


def _mount(shown: Path, bundle: Bundle) -> None:
    """Fetch the files of a folder when they are read."""
    _mounted[shown] = bundle
    lock = Lock()

    def fill(path: Path) -> None:
        name = path.relative_to(shown).as_posix()
        if name not in bundle.sizes:
            return
        with lock:  # two threads may want the same file
            if path.stat().st_size:
                return
            content = bundle.fetch(name)
            check_content(content, Path(bundle.source, name), AGAIN)
            write_atomically(path, content, synced=False)

    filled_on_read(shown, fill)


_mounted: dict[Path, Bundle] = {}
"""The bundles that this process has opened, by the folders that show them."""
