"""What a run follows from, and the manifest, run.json, that tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsel import __version__
from dsel.config import ScoreSettings
from dsel.config.base import fingerprint, result_settings
from dsel.errors import RunError, SettingError
from dsel.files import json_bytes, read_json

FORMAT = 3
MANIFEST = "run.json"
LEFT_ASIDE = frozenset({"settings", "prior", "prior_origin", "dataset_origin"})
"""What may change between two calls: where things lie, not what they are."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a run follows from; equal identities give equal bytes."""

    classes: tuple[str, ...]
    dataset_fingerprint: str
    dataset_origin: Mapping[str, Any]
    images: int
    prior: str
    prior_origin: Mapping[str, Any]
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
            self.prior_fingerprint, self.resolution_px, self.cell_px, self.precision,
            self.settings,
        )  # fmt: skip

    @property
    def shards(self) -> int:
        """How many shards the run has when it is whole."""
        return -(-self.images // self.settings.shard_size)


def manifest_bytes(identity: Identity) -> bytes:
    """The manifest of a run with this identity."""
    record = asdict(identity) | {"settings": result_settings(identity.settings)}
    named = {"format": FORMAT, "dsel": __version__, "fingerprint": identity.fingerprint}
    return json_bytes(named | record)


def read_manifest(folder: Path) -> Identity:
    """The identity of the run in a folder; raises `RunError` for a folder without one."""
    path = folder / MANIFEST
    if not path.is_file():
        raise RunError(f"{folder} is not a run: it has no {MANIFEST}; make one with dsel score")
    record = read_json(path)
    try:
        _check_format(folder, record.get("format"))
        return _identity(record)
    except (KeyError, TypeError, AttributeError, SettingError) as error:
        raise RunError(f"{path} is damaged: score the dataset again into a new folder") from error


def check_same(folder: Path, there: Identity, wanted: Identity) -> None:
    """Raise `RunError`, with what has changed, if the run in a folder is not the wanted one."""
    if read_json(folder / MANIFEST)["fingerprint"] == wanted.fingerprint:
        return
    # The identity's own precision counts, not the "auto" that it came from.
    old, new = (result_settings(i.settings) | asdict(i) for i in (there, wanted))
    changed = [k for k in new if old[k] != new[k] and k not in LEFT_ASIDE]
    what = "; ".join(f"{k} was {_short(old[k])}, now {_short(new[k])}" for k in changed)
    raise RunError(
        f"{folder} was made otherwise ({what or 'by another version of dsel'}): "
        "use the same settings to go on, or another --run folder"
    )


def _check_format(folder: Path, found: Any) -> None:
    if found == FORMAT:
        return
    told = f"{folder} has format {found}; this dsel reads {FORMAT}"
    if isinstance(found, int) and found < FORMAT:
        told += ": an earlier dsel made it, score the dataset again into a new folder"
    raise RunError(told)


def _identity(record: Mapping[str, Any]) -> Identity:
    plain = {k: v for k, v in record.items() if k not in {"format", "dsel", "fingerprint"}}
    settings = ScoreSettings.from_plain(plain["settings"])
    return Identity(**{**plain, "classes": tuple(plain["classes"]), "settings": settings})


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
