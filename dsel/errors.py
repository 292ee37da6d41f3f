"""What dsel raises on purpose.

DselError
 ├── SettingError    a setting out of its range, or an unknown name
 ├── SourceError     a source that is not a dataset dsel can read
 ├── UnreadableImage one picture that cannot be used: data, not a failure of the job
 ├── PriorError      a prior that cannot be loaded or does not fit
 ├── RunError        a run folder that is missing, foreign, unfinished or made with other settings
 └── StorageError    the disk is full, or may not be written or read

Faces catch `DselError` and nothing else; anything else is a bug and keeps its traceback.
Each message says the thing, the value, and what would be right.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet


class DselError(Exception):
    """The root of all errors that a user can cause and can mend."""


class SettingError(DselError):
    """A setting is out of its range, or names something unknown."""


class SourceError(DselError):
    """A source is not a dataset that dsel can read."""


class UnreadableImage(DselError):  # noqa: N818  (a fact about the data, collected with its reason)
    """One picture cannot be used; the message is the reason kept in the run's report."""


class PriorError(DselError):
    """A prior cannot be loaded, or does not fit what it is asked for."""


class RunError(DselError):
    """A run folder is missing, foreign, unfinished, or was made with other settings."""


class StorageError(DselError):
    """A file cannot be written or read: a full disk, or no permission."""


def unknown(what: str, name: str, known: Iterable[str]) -> SettingError:
    """The error for a name that is not among the known ones."""
    return SettingError(f"unknown {what} {name!r}; known are: {', '.join(known)}")


_SHOWN = 20  # names listed in a message


def shown(names: Sequence[str]) -> list[str]:
    """Cut a list of names to what fits a message."""
    more = len(names) - _SHOWN
    return [*names[:_SHOWN], f"and {more} more"] if more > 0 else list(names)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its name."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write or read `path` into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"no space left on the disk while writing {path}: free some space, then run the "
                "same command again; it goes on where it stopped"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(
                f"no permission to write or read {path}: choose a place that you may use"
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise StorageError(
                f"{path} cannot be made, since a file stands in its way: choose another folder"
            ) from error
        if error.errno == errno.EISDIR:
            raise StorageError(f"{path} is a folder, not a file: move it away") from error
        if isinstance(error, FileNotFoundError) and not path.parent.exists():
            raise StorageError(f"{path} cannot be made there: choose another folder") from error
        raise


@contextmanager
def optional_library(
    name: str, *, extra: str, use: str, error: type[DselError] = SettingError
) -> Iterator[None]:
    """Turn an optional library that is missing, too old or too new into one clear line.

    Import it inside: `with optional_library("peft", extra="lora", use="LoRA"): import peft`. The
    versions that fit are those of dsel's own extra; a checkout that is not installed has no such
    list, and only the import itself is checked.
    """
    found, wanted = _installed(name), _wanted(name, extra)
    if found and not wanted.contains(found, prereleases=True):
        bounds = ",".join(sorted(map(str, wanted), reverse=True))
        raise error(f"{use} needs {name}{bounds}, but {found} is installed: {_install(extra)}")
    with library_errors(extra=extra, use=use, error=error):
        yield


@contextmanager
def library_errors(
    *, extra: str, use: str, error: type[DselError] = SettingError
) -> Iterator[None]:
    """Turn libraries that cannot be imported, or refuse each other's versions, into one line."""
    try:
        yield
    except (ImportError, RuntimeError) as problem:
        cause = _import_error(problem)
        if cause is None or (cause.name or "").partition(".")[0] == "dsel":
            raise
        if isinstance(cause, ModuleNotFoundError) and (cause.name or ".").isidentifier():
            needed = f"the {cause.name} library"
        else:
            needed = f"libraries that work together ({first_line(cause)})"
        raise error(f"{use} needs {needed}: {_install(extra)}") from problem


def _install(extra: str) -> str:
    return f'pip install "dsel[{extra}]"'


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _wanted(name: str, extra: str) -> SpecifierSet:
    """The versions that an extra of the installed dsel allows; all if dsel is not installed."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    try:
        listed = map(Requirement, requires("dsel") or ())
    except PackageNotFoundError:
        return SpecifierSet()
    asked = {"extra": extra}
    for one in listed:
        if one.name == name and one.marker is not None and one.marker.evaluate(asked):
            return one.specifier
    return SpecifierSet()


def _import_error(error: BaseException | None) -> ImportError | None:
    """The first import that failed: libraries that import lazily wrap it in errors of their own."""
    found = None
    while error is not None:
        found = error if isinstance(error, ImportError) else found
        error = error.__cause__
    return found
