"""A folder of class folders as other kinds of sources: the same files, names and labels."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

SHARD = 4  # images of a file of several
CLASSES = "classes.json"


def write_photos(root: Path, classes: Mapping[str, int]) -> Path:
    """Write photos of several sizes and modes, some turned by EXIF, in class folders."""
    rng = np.random.default_rng(0)
    for name, count in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            shape = (24 + 3 * number, 30, 3)
            image = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
            if number % 3 == 1:
                exif = Image.Exif()
                exif[0x0112] = 6
                image.save(root / name / f"{name}_{number}.jpg", exif=exif)
            elif number % 3 == 2:
                image.convert("L").save(root / name / f"{name}_{number}.png")
            else:
                image.save(root / name / f"{name}_{number}.png")
    return root


def rows(root: Path) -> list[tuple[str, Path]]:
    """Each class folder with each of its files, in order."""
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    return [(f.name, file) for f in folders for file in sorted(f.iterdir())]


def class_names(root: Path) -> list[str]:
    return list(dict.fromkeys(name for name, _ in rows(root)))


def image_table(root: Path) -> pa.Table:
    """The table that Hugging Face datasets writes: structs of bytes and path, and ClassLabel."""
    names = class_names(root)
    images = [{"bytes": path.read_bytes(), "path": path.name} for _, path in rows(root)]
    label = {"_type": "ClassLabel", "names": names}
    features = {"info": {"features": {"image": {"_type": "Image"}, "label": label}}}
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        "image": pa.array(images, kind),
        "label": pa.array([names.index(name) for name, _ in rows(root)], pa.int64()),
    }
    return pa.table(columns).replace_schema_metadata({"huggingface": json.dumps(features)})


def plain_table(root: Path) -> pa.Table:
    """A table without features: bytes, text labels and file names."""
    return pa.table(
        {
            "photo": pa.array([path.read_bytes() for _, path in rows(root)], pa.binary()),
            "file_name": [path.name for _, path in rows(root)],
            "class": [name for name, _ in rows(root)],
        }
    )


def as_zip(root: Path, out: Path) -> str:
    return shutil.make_archive(str(out / "photos"), "zip", root)


def as_parquet(root: Path, out: Path) -> str:
    pq.write_table(image_table(root), out / "photos.parquet", row_group_size=3)
    return _named(root, out, out / "photos.parquet")


def as_plain_parquet(root: Path, out: Path) -> str:
    """Several files in a folder, with another order of the rows in each."""
    table = plain_table(root)
    count = -(-table.num_rows // SHARD)
    for number in range(count):
        part = table.slice(number * SHARD, SHARD)
        back = pa.array(range(part.num_rows - 1, -1, -1))
        name = f"train-{number:05d}-of-{count:05d}.parquet"
        pq.write_table(part.take(back), out / name, row_group_size=2)
    return _named(root, out, out)


def as_webdataset(root: Path, out: Path) -> str:
    """Shards with the class in the key, and .cls files with its number."""
    names, every = class_names(root), rows(root)
    count = -(-len(every) // SHARD)
    for number in range(count):
        with tarfile.open(out / f"shard-{number:06d}.tar", "w") as tar:
            for name, path in every[number * SHARD : (number + 1) * SHARD]:
                add_member(tar, f"{name}/{path.name}", path.read_bytes())
                add_member(tar, f"{name}/{path.stem}.cls", str(names.index(name)).encode())
    _named(root, out, out)
    return str(out / f"shard-{{000000..{count - 1:06d}}}.tar")


def add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def as_saved(root: Path, out: Path) -> str:
    """A folder of `save_to_disk`."""
    import datasets

    datasets.Dataset(image_table(root)).save_to_disk(str(out / "saved"))
    return _named(root, out / "saved", out / "saved")


def as_clone(root: Path, out: Path) -> str:
    """A clone of a dataset repository, with a card that says where its files are."""
    (out / "data").mkdir()
    pq.write_table(image_table(root), out / "data/train-00000-of-00001.parquet", row_group_size=3)
    files = "data_files:\n  - split: train\n    path: data/train-*"
    (out / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n  {files}\n---\n")
    return _named(root, out, out)


def as_metadata(kind: str) -> Callable[[Path, Path], str]:
    """A folder of images whose labels are in metadata.csv, .jsonl or .parquet."""

    def write(root: Path, out: Path) -> str:
        listed = []
        for name, path in rows(root):
            shutil.copy(path, out / path.name)
            listed.append({"file_name": path.name, "label": name})
        write_metadata(out / f"metadata.{kind}", listed)
        return _named(root, out, out)

    return write


def write_metadata(path: Path, listed: list[dict[str, Any]]) -> None:
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(listed[0]))
            writer.writeheader()
            writer.writerows(listed)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in listed), "utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(listed), path)


def as_remote(write: Callable[[Path, Path], str]) -> Callable[[Path, Path], str]:
    """The same kind behind a URL, in the file system of fsspec that is in memory."""

    def put(root: Path, out: Path) -> str:
        source = write(root, out)
        there = f"/{out.parent.name}-{out.name}"
        memory = fsspec.filesystem("memory")
        place = out if source.startswith(str(out)) else root
        for path in place.rglob("*"):
            if path.is_file():
                memory.pipe_file(f"{there}/{path.relative_to(place).as_posix()}", path.read_bytes())
        return f"memory:/{there}{source.removeprefix(str(place))}"

    return put


def _named(root: Path, out: Path, source: Path) -> str:
    """Copy the names of the classes, if there are any, and return the source."""
    if (root / CLASSES).exists():
        shutil.copy(root / CLASSES, out / CLASSES)
    return str(source)


KINDS: Mapping[str, Callable[[Path, Path], str]] = MappingProxyType({
    "folder": lambda root, _: str(root),
    "zip": as_zip,
    "parquet": as_parquet,
    "plain parquet": as_plain_parquet,
    "webdataset": as_webdataset,
    "save_to_disk": as_saved,
    "clone": as_clone,
    "metadata.csv": as_metadata("csv"),
    "metadata.jsonl": as_metadata("jsonl"),
    "metadata.parquet": as_metadata("parquet"),
    "remote folder": as_remote(lambda root, _: str(root)),
    "remote zip": as_remote(as_zip),
    "remote parquet": as_remote(as_parquet),
    "remote parquet folder": as_remote(as_plain_parquet),
    "remote webdataset": as_remote(as_webdataset),
    "remote metadata": as_remote(as_metadata("csv")),
})  # fmt: skip
"""Writers of each kind: from an image folder, into an empty folder; they return the source."""
