"""The files of a Space besides the run: its entry, its README, its requirements, dsel itself."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Final

from packaging.requirements import Requirement

from dsel import __version__
from dsel.assets import asset
from dsel.data.places import is_url
from dsel.errors import RunError
from dsel.pipeline.sharing import SharedFile
from dsel.runs import Run
from dsel.runs.bundles import size_of

RUN: Final = "run"
PACKAGE: Final = "dsel"
LFS_BYTES: Final = 10_000_000
"""Files above this go through Git LFS on the Hub, whatever they are."""

ASSETS: Final = ("app", "demo_prior", "imagenet_classes.json", "space")
"""The shipped files that the app of a run needs; the demo run is not among them."""

LFS: Final = (".safetensors", ".parquet", ".webp", ".png")
TITLE_CHARS: Final = 60
_LIBRARIES: Final[Mapping[str, str]] = MappingProxyType({
    "http": "aiohttp", "https": "aiohttp", "s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs",
    "az": "adlfs", "abfs": "adlfs",
})  # fmt: skip
"""What opens a link, by its scheme; the Hub needs no more than dsel."""

_KINDS: Final = "datasets|buckets|models|spaces"
_HUB: Final = re.compile(rf"hf://(?:({_KINDS})/)?(?!(?:{_KINDS})/)([\w.-]+/[\w.-]+)")
"""A place on the Hub: its kind, a dataset if none is given, and its user and name."""


@dataclass(frozen=True, slots=True)
class Space:
    """What a Space shows: a title, made of the run if it is empty, and a link to the run, or none.

    Without a link the run is in the Space.
    """

    title: str = ""
    link: str = ""


def dataset_of(link: str) -> str:
    """Return the id of the dataset of the Hub that a link leads to; empty for any other link."""
    found = _HUB.match(link)
    return found[2] if found and found[1] in (None, "datasets") else ""


def names_a_run(link: str) -> bool:
    """Whether a link is a URL, and on the Hub one with a user and a name."""
    return is_url(link) and (not link.lower().startswith("hf:") or _HUB.match(link) is not None)


def code_files() -> Iterator[SharedFile]:
    """Yield dsel itself, with the shipped files that it needs, as it is installed here."""
    package = Path(sys.modules[PACKAGE].__path__[0])
    for path in sorted(package.rglob("*")):
        inner = path.relative_to(package)
        if path.suffix in (".py", ".typed") and inner.parts[0] != "assets":
            yield SharedFile(f"{PACKAGE}/{inner.as_posix()}", path.read_bytes())
    for name in ASSETS:
        root = asset(name)
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if path.is_file():
                inner = path.relative_to(root.parent)
                yield SharedFile(f"{PACKAGE}/assets/{inner.as_posix()}", path.read_bytes())


def text_files(
    run: Run, space: Space, names: Sequence[str], run_bytes: int
) -> Iterator[SharedFile]:
    """Yield what a Space reads: its entry, its README, its requirements, and what goes to LFS.

    names: of the files of the run that are in the Space. run_bytes: of the run.
    """
    where = repr(space.link) if space.link else f'Path(__file__).parent / "{RUN}"'
    yield _text("app.py", _filled("app.py.txt", run=where))
    yield _text("README.md", _readme(run, space, run_bytes))
    yield _text("requirements.txt", requirements(space.link))
    large = [name for name in names if size_of(run.path, name) > LFS_BYTES]
    listed = [f"{RUN}/{name}" for name in large if not name.endswith(LFS)]
    lines = [f"{name} filter=lfs diff=lfs merge=lfs -text\n" for name in listed]
    yield _text(".gitattributes", _filled("gitattributes.txt") + "".join(lines))


def requirements(link: str = "") -> str:
    """Return what a Space installs: the tested versions of a checkout, or those installed here."""
    lock = Path(sys.modules[PACKAGE].__path__[0]).parent / "requirements.txt"
    is_checkout = (lock.parent / "pyproject.toml").is_file() and lock.is_file()
    pinned = lock.read_text(encoding="utf-8") if is_checkout else "".join(_installed())
    library = _LIBRARIES.get(link.partition("://")[0].lower(), "")
    return pinned + (f"{library}\n" if library else "")


def _installed() -> Iterator[str]:
    """Yield the installed versions of what dsel needs, without its extras."""
    try:
        needed = map(Requirement, requires(PACKAGE) or ())
    except PackageNotFoundError as error:
        raise RunError(
            "dsel is neither installed nor a checkout with requirements.txt: install it first"
        ) from error
    for one in needed:
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            yield f"{one.name}=={version(one.name)}\n"


def _readme(run: Run, space: Space, run_bytes: int) -> str:
    of, settings = run.identity, run.summary
    dataset = _last(str(of.dataset_origin.get("source", "a dataset")))
    heading = _line(space.title) or f"{dataset}, distilled by selection"
    dataset_id = dataset_of(space.link)
    here = f"in the folder `{RUN}` ({run_bytes / 1e6:,.1f} MB)"
    return _filled(
        "README.md.txt",
        title=json.dumps(heading[:TITLE_CHARS], ensure_ascii=False),
        heading=heading,
        gradio=version("gradio"),
        linked=f"datasets:\n- {dataset_id}\n" if dataset_id else "",
        images=f"{settings.scored:,}",
        dataset=_line(dataset),
        classes=f"{len(of.classes):,}",
        prior=_line(_last(of.prior)) if Path(of.prior).is_absolute() else _line(of.prior),
        version=__version__,
        where=f"at `{space.link}`" if space.link else here,
        command=f"dsel app {space.link or RUN}",
    )


def _filled(name: str, **values: str) -> str:
    """Return a template of the shipped files with its values."""
    return Template(asset(f"space/{name}").read_text(encoding="utf-8")).substitute(values)


def _line(text: str) -> str:
    """Return a text that changes nothing of the Markdown around it."""
    return " ".join(re.sub(r"[`<>\[\]*#|\\]", " ", text).split())


def _last(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1] if "://" not in path else path


def _text(name: str, content: str) -> SharedFile:
    return SharedFile(name, content.encode())
