"""Hugging Face datasets: of the Hub, a local clone of a dataset repository, or `save_to_disk`.

A dataset of the Hub is spelled hf://user/name[@revision][:subset[:split]]. The datasets library
loads it as Arrow files, which are mapped and not read into memory; it runs no code of a repository.
The columns of images and labels are found by their features.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dsel.config import SourceSettings
from dsel.data.columns import Columns, column_labels, find_columns
from dsel.data.indexed import IndexedImages, Listing, index_images
from dsel.data.places import Place, beside
from dsel.data.split_files import chosen_split
from dsel.data.tree import ListedTree, Tree
from dsel.errors import SettingError, SourceError, UnreadableImage, first_line, optional_library

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

_SPELLED: Final = re.compile(
    r"hf://(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^:]+))?"
    r"(?::(?P<subset>[^:]*))?(?::(?P<split>[^:]*))?"
)
_SAVED: Final = ("state.json", "dataset_dict.json")
_BATCH: Final = 1000


@dataclass(frozen=True)
class _Images:
    """The images of a dataset by row. folders: those that paths without bytes may be in."""

    dataset: Dataset
    image: str
    in_struct: bool
    folders: Sequence[Path]

    def fetch(self, row: int) -> bytes | Path:
        """Return the bytes or the file of one image; raises `UnreadableImage`."""
        value = self.dataset[row : row + 1].column(self.image)[0].as_py()
        if not self.in_struct:
            value = {"bytes": value}
        if value is None or (value.get("bytes") is None and not value.get("path")):
            raise UnreadableImage("has no bytes in the table")
        return self.path(value["path"]) if value["bytes"] is None else bytes(value["bytes"])

    def path(self, name: str) -> Path:
        """Return the path of a file; raises `UnreadableImage` for one outside of the dataset."""
        path = Path(name).resolve()
        if not any(path.is_relative_to(folder) for folder in self.folders):
            raise UnreadableImage("is outside of the dataset")
        return path


def is_saved(folder: Path) -> bool:
    """Return whether a folder is one of `save_to_disk`."""
    return any((folder / name).is_file() for name in _SAVED)


def open_hub(place: Place | str, settings: SourceSettings) -> IndexedImages:
    """Index a dataset of the Hub by its spelling, or a local one by its folder."""
    with optional_library("datasets", extra="hub", use=str(place), error=SourceError):
        import datasets

    if isinstance(place, str):
        source, subset, split = place, *_spelled(place, settings)
        found = _SPELLED.fullmatch(place)
        repo, revision = (found["repo"], found["revision"]) if found else ("", None)
        with _clear_errors(source):
            loaded: Any = datasets.load_dataset(repo, subset or None, revision=revision)
    else:
        source, subset, split = str(place), settings.subset, settings.split
        folder = Path(place.path)
        with _clear_errors(source):
            if is_saved(folder):
                loaded = datasets.load_from_disk(str(folder))
            else:
                loaded = datasets.load_dataset(str(folder), subset or None)
    dataset, split = _of_split(source, loaded, split)
    columns = find_columns(source, dataset.features.arrow_schema, settings)
    images = _Images(
        dataset.select_columns([columns.image]).with_format("arrow"),
        columns.image,
        columns.in_struct,
        _allowed(place),
    )
    listing = _listing(source, dataset, columns, images, split)
    return index_images(
        "hugging face dataset", source, _tree(place), listing, images.fetch,
        settings.replace(subset=subset),
    )  # fmt: skip


def _spelled(source: str, settings: SourceSettings) -> tuple[str, str]:
    """Return the subset and the split of hf://user/name:subset:split, or those of the settings.

    Raises `SourceError` for another spelling, and `SettingError` where they disagree.
    """
    found = _SPELLED.fullmatch(source)
    if found is None:
        raise SourceError(
            f"{source!r} is no dataset of the Hub: give hf://user/name, hf://user/name:subset or "
            "hf://user/name:subset:split"
        )
    chosen = []
    for name in ("subset", "split"):
        own, given = found[name] or "", getattr(settings, name)
        if own and given and own != given:
            raise SettingError(f"{source} has the {name} {own!r}: omit --{name}, got {given!r}")
        chosen.append(own or given)
    return chosen[0], chosen[1]


def _of_split(source: str, loaded: Any, wanted: str) -> tuple[Dataset, str]:
    """Return the split that is wanted, and its name; a dataset that was saved alone has none."""
    if not isinstance(loaded, dict):
        name = str(loaded.split or "")
        chosen_split(source, [name], wanted)
        return loaded, name
    name = chosen_split(source, [str(one) for one in loaded], wanted)
    return loaded[name], name


def _listing(
    source: str, dataset: Dataset, columns: Columns, images: _Images, split: str
) -> Listing:
    """Read labels, names and sizes; of the images only their offsets."""
    import pyarrow as pa

    wanted = dict.fromkeys((columns.label, columns.image, columns.name.partition(".")[0]))
    arrow = dataset.select_columns([name for name in wanted if name]).with_format("arrow")
    labels: list[pa.Table] = []
    names: list[str] = []
    sizes: list[int] = []
    for table in arrow.iter(_BATCH):
        labels.append(table.select([columns.label]))
        batch = _names(table, columns)
        names += batch
        sizes += _sizes(table, columns, batch, images)
    if not labels:
        raise SourceError(f"{source} has no rows in the split {split or 'none'}")
    found = column_labels(source, pa.concat_tables(labels), columns)
    return Listing(found, names, sizes, split=split)


def _names(table: pa.Table, columns: Columns) -> list[str]:
    outer, _, inner = columns.name.rpartition(".")
    if not columns.name:
        return [""] * table.num_rows
    if not outer:
        return [name or "" for name in table.column(inner).to_pylist()]
    chunks = table.column(outer).chunks
    return [name or "" for chunk in chunks for name in chunk.field(inner).to_pylist()]


def _sizes(
    table: pa.Table, columns: Columns, names: Sequence[str], images: _Images
) -> Iterator[int]:
    """Yield the bytes of each image: those in the table, or those of its file."""
    import pyarrow.compute as pc

    chunks = table.column(columns.image).chunks
    stored = (chunk.field("bytes") if columns.in_struct else chunk for chunk in chunks)
    lengths = (size for chunk in stored for size in pc.binary_length(chunk).to_pylist())
    for length, name in zip(lengths, names, strict=True):
        yield _file_size(name, images) if length is None else length


def _file_size(name: str, images: _Images) -> int:
    try:
        return images.path(name).stat().st_size
    except (UnreadableImage, OSError, ValueError):  # reading it gives the reason
        return 0


def _allowed(place: Place | str) -> list[Path]:
    """Return the folders whose files a dataset may name: its own, and those of downloads."""
    from datasets import config
    from huggingface_hub.constants import HF_HUB_CACHE

    if isinstance(place, Place):
        return [Path(place.path).resolve()]
    return [Path(one).expanduser().resolve() for one in (config.HF_DATASETS_CACHE, HF_HUB_CACHE)]


def _tree(place: Place | str) -> Tree:
    """Return where a classes.json may be: in a local folder."""
    return ListedTree([], str, str.encode) if isinstance(place, str) else beside(place)


@contextmanager
def _clear_errors(source: str) -> Iterator[None]:
    """Turn what the library raises into one line."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (DatasetsError, OSError, ValueError, RuntimeError, ImportError, LookupError) as error:
        text = " ".join(str(error).split())
        if "Config name is missing" in text or "BuilderConfig" in text:
            raise SourceError(f"{source}: choose a subset with --subset: {text[:300]}") from error
        if isinstance(error, FileNotFoundError):
            raise SourceError(
                f"{source} cannot be found, or you have no access: check its name, and log in with "
                f"hf auth login if it is private or gated ({first_line(error)[:200]})"
            ) from error
        raise SourceError(f"{source} cannot be loaded: {text[:300]}") from error
