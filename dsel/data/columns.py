"""Which columns of a table are the images, their labels and their names, and what they hold.

A table is described by its Arrow schema. Hugging Face datasets write their features into the
schema's metadata; other tables are told by their types and by usual names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dsel.config import SourceSettings
from dsel.data.indexed import LABEL_COLUMNS, Labels, numbered
from dsel.errors import SourceError, shown, unknown

if TYPE_CHECKING:
    import pyarrow as pa

_NAME_COLUMNS: Final = ("file_name", "filename", "image_path", "path", "__key__", "name")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read.

    in_struct: whether the images are structs of bytes and path, and not bytes alone. class_names:
    those of labels that are numbers, empty if unknown. name: the column of the images' names, empty
    without one, path of the struct included.
    """

    image: str
    label: str
    name: str
    in_struct: bool
    class_names: tuple[str, ...] = ()

    @property
    def bytes(self) -> str:
        """The path of the column with the images' bytes."""
        return f"{self.image}.bytes" if self.in_struct else self.image


def find_columns(label: str, schema: pa.Schema, settings: SourceSettings) -> Columns:
    """Return the columns of a table; raises `SourceError`, with the flag that decides.

    label: the table in messages.
    """
    features = features_of(schema)
    image = _image_column(label, schema, features, settings.image_column)
    column = _label_column(label, schema, features, settings.label_column, image)
    in_struct = _is_struct(schema.field(image).type)
    names = features.get(column, {}).get("names", ())
    return Columns(image, column, _name_column(schema, image), in_struct, tuple(names))


def features_of(schema: pa.Schema) -> Mapping[str, Mapping[str, Any]]:
    """Return the Hugging Face features in a schema's metadata; empty without any."""
    try:
        stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        found = stored["info"]["features"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: one for name, one in found.items() if isinstance(one, dict)}


def column_labels(what: str, table: pa.Table, columns: Columns) -> Labels:
    """Return the labels of a table's rows; raises `SourceError` for labels of another type."""
    import pyarrow as pa

    column = table.column(columns.label)
    kind = column.type
    if pa.types.is_integer(kind):
        numbers = column.fill_null(-1).to_numpy().astype(np.int64)
        return numbered(numbers, columns.class_names)
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise SourceError(f"{what}: {columns.label} must have texts or whole numbers, has {kind}")
    coded = column.combine_chunks().dictionary_encode()
    words = coded.dictionary.to_pylist()
    keys = tuple(filter(None, words))  # an empty text is no label
    index_of = {word: index for index, word in enumerate(keys)}
    lookup = np.array([index_of.get(word, -1) for word in words] + [-1], np.int64)
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Labels(keys, lookup[codes])


def usual_label(names: Sequence[str]) -> list[str]:
    """Return the columns whose name says that they are labels."""
    return [name for name in names if name.lower() in LABEL_COLUMNS]


def _image_column(
    label: str, schema: pa.Schema, features: Mapping[str, Mapping[str, Any]], wanted: str
) -> str:
    if wanted:
        if wanted not in schema.names:
            raise unknown("image column", wanted, shown(schema.names))
        if not _is_image(schema.field(wanted).type):
            raise SourceError(
                f"{label}: {wanted} has no images but {schema.field(wanted).type}: give a column "
                "of bytes, or of structs with bytes, with --image-column"
            )
        return wanted
    typed = [n for n, f in features.items() if f.get("_type") == "Image" and n in schema.names]
    found = typed or [name for name in schema.names if _is_image(schema.field(name).type)]
    if len(found) == 1:
        return found[0]
    if found:
        raise SourceError(
            f"{label} has images in the columns {', '.join(shown(found))}: choose one with "
            "--image-column"
        )
    raise SourceError(
        f"{label} has no column of images (bytes, or structs with bytes); its columns are "
        f"{', '.join(shown(schema.names))}: name one with --image-column"
    )


def _label_column(
    label: str,
    schema: pa.Schema,
    features: Mapping[str, Mapping[str, Any]],
    wanted: str,
    image: str,
) -> str:
    if wanted:
        if wanted not in schema.names or wanted == image:
            raise unknown("label column", wanted, [n for n in shown(schema.names) if n != image])
        return wanted
    typed = [n for n, f in features.items() if f.get("_type") == "ClassLabel" and n in schema.names]
    found = typed or usual_label(schema.names)
    if len(found) == 1:
        return found[0]
    others = [name for name in found or schema.names if name != image]
    what = "several columns of labels" if found else "no column that is known to be the label"
    raise SourceError(
        f"{label} has {what}: choose one with --label-column ({', '.join(shown(others)) or 'none'})"
    )


def _name_column(schema: pa.Schema, image: str) -> str:
    import pyarrow as pa

    kind = schema.field(image).type
    if _is_struct(kind) and kind.get_field_index("path") >= 0:
        return f"{image}.path"
    is_text = (pa.types.is_string, pa.types.is_large_string)
    by_name = {name.lower(): name for name in schema.names}
    found = (by_name[name] for name in _NAME_COLUMNS if name in by_name)
    return next((n for n in found if any(test(schema.field(n).type) for test in is_text)), "")


def _is_image(kind: Any) -> bool:
    return _is_binary(kind) or _is_struct(kind)


def _is_struct(kind: Any) -> bool:
    import pyarrow as pa

    if not pa.types.is_struct(kind):
        return False
    index = kind.get_field_index("bytes")
    return index >= 0 and _is_binary(kind.field(index).type)


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
