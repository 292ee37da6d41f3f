"""The run folder: one scored dataset in immutable shards, written atomically, resumed by presence.

run.json                    settings, fingerprints, versions, class order: what the run is
scores/00000.safetensors    conditional, gap, features of one shard; written last of its shard
proxies/00000.parquet       one row per image of the shard: state, frame, proxy, thumbnail
images.parquet              one row per image of the run, without pictures
layouts/00000.safetensors   places in the plane, one file per class
summary.json                written when all shards are there: counts and timestep scales
selections/<fingerprint>/   patches.parquet and settings.json; `current` names the last one
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dsel import __version__
from dsel.config import ScoreSettings, SelectSettings, fingerprint, restore, result_settings
from dsel.errors import RunError, StorageError, storage_errors
from dsel.patches import scales_of, timestep_variances
from dsel.records import ClassScores, ClassSelection, Geometry
from dsel.storage import (
    json_bytes,
    read_json,
    read_table,
    remove_partial_files,
    table_bytes,
    write_atomically,
)
from dsel.tables import (
    IMAGES,
    PATCHES,
    PROXIES,
    ImageRow,
    ShardRow,
    image_row,
    patch,
    patch_row,
    proxy_row,
)

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What a run follows from; equal identities give equal bytes."""

    classes: tuple[str, ...]
    dataset_fingerprint: str
    dataset_origin: Mapping[str, Any]
    images: int
    prior: str
    prior_fingerprint: str
    resolution_px: int
    cell_px: int
    precision: str
    settings: ScoreSettings

    @property
    def fingerprint(self) -> str:
        """Names the scores: it holds the settings, the data, the weights and dsel's version."""
        return fingerprint(
            FORMAT, __version__, list(self.classes), self.dataset_fingerprint,
            self.prior_fingerprint, self.precision, self.settings,
        )  # fmt: skip

    @property
    def shards(self) -> int:
        """How many shards the run has when it is whole."""
        return -(-self.images // self.settings.shard_size)


@dataclass(frozen=True, slots=True)
class Summary:
    """A finished run's counts, and the scale (T,) that each timestep's gap is divided by."""

    scored: int
    skipped: int
    scales: tuple[float, ...]


TENSORS = ("conditional", "gap", "features")
SHARDS_KEPT = 4  # files of pictures that stay in memory


class Run:
    """A run folder. Opening reads `run.json`; nothing is written before a stage has a result."""

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path = path
        self.identity = identity
        # One picture after another is asked for, and they lie in one file per shard.
        self._shard_pictures = lru_cache(SHARDS_KEPT)(self._read_pictures)

    @cached_property
    def summary(self) -> Summary:
        """Raises `RunError` for a run whose scoring has not ended."""
        path = self.path / "summary.json"
        if not path.is_file():
            done = len(self.finished_shards())
            raise RunError(
                f"{self.path} is not finished: {done} of {self.identity.shards} shards are scored; "
                "run dsel score again with the same settings"
            )
        data = read_json(path)
        return Summary(data["scored"], data["skipped"], tuple(data["scales"]))

    @property
    def geometry(self) -> Geometry:
        """How the maps are read; raises `RunError` for a run whose scoring has not ended."""
        return Geometry(
            timesteps=self.identity.settings.timesteps,
            scales=np.asarray(self.summary.scales, np.float32),
            cell_px=self.identity.cell_px,
            resolution_px=self.identity.resolution_px,
        )

    @cached_property
    def images(self) -> tuple[ImageRow, ...]:
        """All images in dataset order."""
        table = read_table(self.path / "images.parquet")
        return tuple(image_row(line) for line in table.to_pylist())

    @cached_property
    def _rows_by_class(self) -> Mapping[int, tuple[ImageRow, ...]]:
        rows: dict[int, list[ImageRow]] = {i: [] for i in range(len(self.identity.classes))}
        for row in self.images:
            if row.row >= 0:
                rows[row.class_index].append(row)
        return {index: tuple(found) for index, found in rows.items()}

    def class_rows(self, class_index: int) -> tuple[ImageRow, ...]:
        """The scored images of a class, in dataset order."""
        return self._rows_by_class[class_index]

    def finished_shards(self) -> tuple[int, ...]:
        """Numbers of the shards whose files are whole."""
        found = {path.stem for path in (self.path / "scores").glob("*.safetensors")}
        return tuple(n for n in range(self.identity.shards) if f"{n:05d}" in found)

    def write_shard(self, number: int, rows: Sequence[ShardRow]) -> None:
        """Write one shard; the scores come last, since their presence says that it is whole."""
        places = np.cumsum([not row.reason for row in rows]) - 1
        lines = [
            proxy_row(row, number, -1 if row.reason else int(place))
            for row, place in zip(rows, places, strict=True)
        ]
        write_atomically(self._proxies(number), table_bytes(lines, PROXIES))
        write_atomically(self._scores(number), self._scores_bytes(rows))

    def finish(self) -> None:
        """Gather all shards into `images.parquet` and `summary.json`."""
        lines: list[dict[str, Any]] = []
        variances = np.zeros(len(self.identity.settings.timesteps))
        for number in range(self.identity.shards):
            variances += np.asarray(self._header(number)["variances"])
            lines += read_table(self._proxies(number), IMAGES.names).to_pylist()
        self._write("images.parquet", table_bytes(lines, IMAGES))
        scored = sum(line["status"] == "scored" for line in lines)
        summary = {
            "scored": scored,
            "skipped": len(lines) - scored,
            "scales": scales_of(variances, scored).tolist(),
        }
        self._write("summary.json", json_bytes(summary))
        self.__dict__.pop("summary", None)
        self.__dict__.pop("images", None)
        self.__dict__.pop("_rows_by_class", None)

    def class_scores(self, class_index: int) -> ClassScores:
        """All scores of one class, read from the shards that hold it."""
        rows = self.class_rows(class_index)
        parts: dict[str, list[NDArray[np.float16]]] = {name: [] for name in TENSORS}
        for shard in sorted({row.shard for row in rows}):
            places = [row.row for row in rows if row.shard == shard]
            for name, values in self._read_scores(shard, places).items():
                parts[name].append(values)
        arrays = {n: np.concatenate(p) if p else self._no_scores(n) for n, p in parts.items()}
        return ClassScores(
            name=self.identity.classes[class_index],
            index=class_index,
            ids=tuple(row.id for row in rows),
            frames=tuple(row.frame for row in rows if row.frame is not None),
            **arrays,
        )

    def pictures(
        self, rows: Sequence[ImageRow], kind: Literal["proxy", "thumbnail"]
    ) -> list[bytes]:
        """WebP bytes of images, in the order of `rows`."""
        return [self._shard_pictures(row.shard, kind)[row.id].as_py() for row in rows]

    def _read_pictures(self, shard: int, kind: str) -> Mapping[str, pa.BinaryScalar]:
        table = read_table(self._proxies(shard), ["id", kind])
        return dict(zip(table["id"].to_pylist(), table[kind], strict=True))

    def write_layout(self, class_index: int, places: NDArray[np.float32]) -> None:
        """Keep the places (N, 2) of a class's images."""
        write_atomically(self._layout(class_index), save({"places": places}))

    def read_layout(self, class_index: int) -> NDArray[np.float32] | None:
        """The places (N, 2) of a class's scored images, or None before they are fitted."""
        path = self._layout(class_index)
        if not path.is_file():
            return None
        with safe_open(path, "numpy") as file:
            return np.asarray(file.get_tensor("places"))

    def selection_name(self, settings: SelectSettings) -> str:
        """The fingerprint of a selection: these settings on these scores."""
        return fingerprint(self.identity.fingerprint, settings)

    def write_selection(self, settings: SelectSettings, classes: Sequence[ClassSelection]) -> Path:
        """Keep a selection, one row per patch, and make it the current one."""
        folder = Path("selections") / self.selection_name(settings)
        rows = [patch_row(selected, item) for selected in classes for item in selected.patches]
        self._write(folder / "patches.parquet", table_bytes(rows, PATCHES))
        images = {selected.name: selected.images for selected in classes}
        record = {"settings": asdict(settings), "images": images}
        self._write(folder / "settings.json", json_bytes(record))
        self._write("selections/current.json", json_bytes({"selection": folder.name}))
        return self.path / folder

    def read_selection(self, name: str = "") -> tuple[SelectSettings, tuple[ClassSelection, ...]]:
        """A kept selection by its fingerprint, the current one by default."""
        name = name or self._current_selection()
        folder = self.path / "selections" / name
        if not (folder / "settings.json").is_file():
            known = ", ".join(sorted(p.name for p in folder.parent.glob("*") if p.is_dir()))
            raise RunError(f"{self.path} has no selection {name}; it has: {known or 'none'}")
        record = read_json(folder / "settings.json")
        patches = [patch(line) for line in read_table(folder / "patches.parquet").to_pylist()]
        selections = tuple(
            ClassSelection(
                class_name,
                index,
                tuple(item for item in patches if item.class_index == index),
                tuple(tuple(image) for image in record["images"][class_name]),
            )
            for index, class_name in enumerate(self.identity.classes)
        )
        return restore(SelectSettings, record["settings"]), selections

    def _current_selection(self) -> str:
        path = self.path / "selections" / "current.json"
        if not path.is_file():
            raise RunError(f"{self.path} has no selection yet: run dsel select {self.path} first")
        return str(read_json(path)["selection"])

    def _read_scores(self, shard: int, places: list[int]) -> dict[str, NDArray[np.float16]]:
        path = self._scores(shard)
        try:
            with storage_errors(path), safe_open(path, "numpy") as file:
                # One slice from the first to the last: classes lie together in a shard.
                low, high = places[0], places[-1] + 1
                inside = [place - low for place in places]
                return {name: file.get_slice(name)[low:high][inside] for name in TENSORS}
        except SafetensorError as error:
            raise RunError(f"{path} is damaged: delete it and run dsel score again") from error

    def _no_scores(self, name: str) -> NDArray[np.float16]:
        settings = self.identity.settings
        cells = self.identity.resolution_px // self.identity.cell_px
        grid, dim = settings.feature_grid, settings.feature_dim
        maps = (0, len(settings.timesteps), cells, cells)
        return np.zeros((0, grid, grid, dim) if name == "features" else maps, np.float16)

    def _header(self, shard: int) -> dict[str, Any]:
        path = self._scores(shard)
        try:
            with safe_open(path, "numpy") as file:
                header: dict[str, Any] = json.loads(file.metadata()["dsel"])
        except (SafetensorError, OSError, KeyError, TypeError) as error:
            raise RunError(f"{path} is damaged: delete it and run dsel score again") from error
        if header["fingerprint"] != self.identity.fingerprint:
            raise RunError(f"{path} belongs to another run: delete it and run dsel score again")
        return header

    def _scores(self, shard: int) -> Path:
        return self.path / "scores" / f"{shard:05d}.safetensors"

    def _proxies(self, shard: int) -> Path:
        return self.path / "proxies" / f"{shard:05d}.parquet"

    def _layout(self, class_index: int) -> Path:
        return self.path / "layouts" / f"{class_index:05d}.safetensors"

    def _write(self, name: str | Path, content: bytes) -> None:
        write_atomically(self.path / name, content)

    def _scores_bytes(self, rows: Sequence[ShardRow]) -> bytes:
        scores = [row.score for row in rows if row.score is not None]
        if scores:
            gap = np.stack([score.gap for score in scores])  # (n, T, h, w)
            tensors: dict[str, NDArray[Any]] = {
                "conditional": np.stack([score.conditional for score in scores]),
                "gap": gap,
                "features": np.stack([score.features for score in scores]),
            }
            variances = timestep_variances(gap).tolist()
        else:
            tensors = {name: self._no_scores(name) for name in TENSORS}
            variances = [0.0] * len(self.identity.settings.timesteps)
        header = {
            "fingerprint": self.identity.fingerprint,
            "ids": [row.ref.id for row in rows if row.score is not None],
            "variances": variances,
        }
        half = {name: values.astype(np.float16) for name, values in tensors.items()}
        # One key only: safetensors writes several in an order that changes from time to time.
        return bytes(save(half, {"dsel": json.dumps(header)}))


def create_run(path: Path, identity: Identity) -> Run:
    """Begin a run at `path`, or go on with the one that is there if it is the same.

    Raises `RunError` for a run of other settings, data or prior, and `StorageError` for a folder
    that holds something else.
    """
    if (path / "run.json").is_file():
        run = open_run(path)
        _check_same(run, identity)
        remove_partial_files(path)
        if json_bytes(_manifest(identity)) != json_bytes(_manifest(run.identity)):
            # The same pictures or weights, found at another place: exports look there from now on.
            write_atomically(path / "run.json", json_bytes(_manifest(identity)))
        return Run(path, identity)
    with storage_errors(path):
        if path.is_dir() and any(p.suffix != ".partial" for p in path.iterdir()):
            raise StorageError(
                f"{path} holds other files: choose an empty or new folder for the run"
            )
    remove_partial_files(path)
    write_atomically(path / "run.json", json_bytes(_manifest(identity)))
    return Run(path, identity)


def open_run(path: Path) -> Run:
    """Open a run for reading; raises `RunError` for a folder that is not one."""
    manifest = path / "run.json"
    if not manifest.is_file():
        raise RunError(f"{path} is not a run: it has no run.json; make one with dsel score")
    record = read_json(manifest)
    try:
        if record.get("format") != FORMAT:
            raise RunError(f"{path} has format {record.get('format')}; this dsel reads {FORMAT}")
        return Run(path, _identity(record))
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{manifest} is damaged: score the dataset again into a new folder"
        ) from error


def _manifest(identity: Identity) -> dict[str, Any]:
    record = asdict(identity) | {"settings": result_settings(identity.settings)}
    return {"format": FORMAT, "dsel": __version__, "fingerprint": identity.fingerprint, **record}


def _identity(record: Mapping[str, Any]) -> Identity:
    plain = {k: v for k, v in record.items() if k not in {"format", "dsel", "fingerprint"}}
    settings = restore(ScoreSettings, plain["settings"])
    return Identity(**{**plain, "classes": tuple(plain["classes"]), "settings": settings})


def _check_same(run: Run, wanted: Identity) -> None:
    there = run.identity
    if read_json(run.path / "run.json")["fingerprint"] == wanted.fingerprint:
        return
    # The identity's own precision counts, not the "auto" that it came from.
    old, new = (result_settings(i.settings) | asdict(i) for i in (there, wanted))
    changed = [
        k for k in new if old[k] != new[k] and k not in {"settings", "prior", "dataset_origin"}
    ]
    what = "; ".join(f"{k} was {_short(old[k])}, now {_short(new[k])}" for k in changed)
    raise RunError(
        f"{run.path} was made otherwise ({what or 'by another version of dsel'}): "
        "use the same settings to go on, or another --run folder"
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
