"""The identity of a run with its manifest, run.json, and the counts of a finished one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import with_config

from dsel import __version__
from dsel.checksums import damaged
from dsel.config import ScoreSettings
from dsel.config.base import fingerprint, result_settings
from dsel.errors import RunError
from dsel.files import STORED, read_fields, read_json, record_bytes, validated
from dsel.runs import remedies

FORMAT = 5
"""Version of the run folder's layout and names; other versions are refused."""

MANIFEST = "run.json"
RUN_IN_OUT: Final = "run"
"""Where the run of an exported set is kept below it, unless another folder is named."""

NOT_COMPARED = frozenset(
    {"dsel", "settings", "prior", "prior_origin", "dataset_origin", "threads", "backend"}
)
"""Fields that may change between two calls: locations, labels, and what the run restores."""

_NAMES = frozenset({"format", "fingerprint"})


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class Identity:
    """Everything that determines a run; equal identities give equal bytes.

    dsel: the version that scores it. folders: the source's folder of each class; empty where its
    classes are no folders.
    """

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
    threads: int = 0
    """Threads of torch on the CPU, which change the last digits of scores; 0 is not known."""

    backend: str = ""
    """What runs the network, which changes the last digits of scores; empty is not chosen yet."""

    folders: tuple[str, ...] = ()
    alike: bool = False
    """Whether all images are one picture, scored under the name of each class on the same noise."""

    dsel: str = __version__

    @property
    def fingerprint(self) -> str:
        """A name of the scores, from the settings, the data, the weights and dsel's version."""
        return fingerprint(
            FORMAT, self.dsel, list(self.classes), self.dataset_fingerprint,
            self.prior_fingerprint, self.resolution_px, self.cell_px, self.precision,
            self.settings, *(["alike"] if self.alike else []),
        )  # fmt: skip

    @property
    def shards(self) -> int:
        """Number of shards of the finished run."""
        return -(-self.images // self.settings.shard_size)

    def images_in(self, shard: int) -> int:
        """Number of images of a shard."""
        size = self.settings.shard_size
        return min(size, self.images - shard * size)


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a finished run, and the mean loss (T,) that each timestep's gap is divided by.

    scored, skipped, further: numbers of images; further is that of images with further draws.
    evaluations: number of noised latents that went through the network for the scores. rounds: per
    round of further draws, the shards of which it chose images.
    """

    scored: int
    skipped: int
    further: int
    evaluations: int
    losses: tuple[float, ...]
    rounds: tuple[tuple[int, ...], ...] = ()

    @property
    def evaluations_per_image(self) -> float:
        """The mean number of evaluations that an image took."""
        return self.evaluations / max(self.scored, 1)


def manifest_bytes(identity: Identity) -> bytes:
    """Return the contents of run.json for this identity."""
    record = asdict(identity) | {"settings": result_settings(identity.settings)}
    if not identity.alike:
        del record["alike"]
    named = {"format": FORMAT, "dsel": identity.dsel, "fingerprint": identity.fingerprint}
    return record_bytes(named | record)


def _why_not(folder: Path) -> str:
    """Say what is wrong with a folder without a manifest, and what would be right."""
    if not folder.exists():
        return "there is no such folder; create one with dsel score"
    if (folder / RUN_IN_OUT / MANIFEST).exists():
        return f"it has no {MANIFEST}; the run of this set is {folder / RUN_IN_OUT}"
    return f"it has no {MANIFEST}; create one with dsel score"


def read_manifest(folder: Path) -> Identity:
    """Return the identity of the run in a folder.

    Raises `RunError` for a folder without a run or with one of another format, and `DamageError`
    for a damaged manifest, also for one whose fingerprint does not follow from its fields.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise RunError(f"{folder} is not a run: {_why_not(folder)}", path=str(folder))
    # Before the checksum, which runs of earlier formats do not have.
    _check_format(folder, read_json(path, remedies.RUN))
    record = read_fields(path, remedies.RUN)
    plain = {k: v for k, v in record.items() if k not in _NAMES}
    identity = validated(plain, Identity, path, remedies.RUN)
    if record.get("fingerprint") != identity.fingerprint:
        raise damaged(path, "its fingerprint does not follow from its settings", remedies.RUN)
    return identity


def check_same(folder: Path, stored: Identity, wanted: Identity) -> None:
    """Raise `RunError`, listing what changed, if the stored run does not match.

    fields: path, and the names of what has `changed`.
    """
    if read_json(folder / MANIFEST)["fingerprint"] == wanted.fingerprint:
        return
    # The identity's own precision counts, not the "auto" that it came from.
    old, new = (result_settings(i.settings) | asdict(i) for i in (stored, wanted))
    changed = [k for k in new if old[k] != new[k] and k not in NOT_COMPARED]
    what = "; ".join(f"{k} was {_short(old[k])}, now {_short(new[k])}" for k in changed)
    raise RunError(
        f"{folder} was made with other settings ({what or 'by another version of dsel'}): "
        "use the same settings to resume, or another --run folder",
        path=str(folder),
        changed=changed,
    )


def _check_format(folder: Path, record: Any) -> None:
    found = record.get("format") if isinstance(record, dict) else None
    if found == FORMAT:
        return
    if not isinstance(found, int):
        raise damaged(folder / MANIFEST, "it is not the manifest of a run", remedies.RUN)
    advice = "score the dataset again into a new folder" if found < FORMAT else "update dsel"
    raise RunError(
        f"{folder} is a run of format {found}, and this version of dsel reads format {FORMAT}: "
        f"{advice}",
        path=str(folder),
        format=found,
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
