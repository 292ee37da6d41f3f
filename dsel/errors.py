"""The errors that dsel raises on purpose.

DselError                     code
 ├── SettingError     "setting"           a setting out of its range, or an unknown name
 ├── SourceError      "source"            a source that is not a dataset dsel can read
 ├── UnreadableImage  "unreadable_image"  one image that cannot be used: data, not a failed job
 ├── PriorError       "prior"             a prior that cannot be loaded or does not fit
 ├── RunError         "run"               a run folder that is missing, foreign, unfinished or
  │    │                                   made with other settings
  │    └── DamageError "damage"            a file of a run that is damaged or missing
  ├── StorageError     "storage"           a full disk, or a file that may not be written or read
  └── QuotaError       "quota"             what the app's visitors may keep and use is used up

Faces catch `DselError` and nothing else; anything else is a bug and keeps its traceback. A message
names the thing, the value, and what would be right. A face that needs a value of it reads `fields`
and never parses the sentence.
"""

from __future__ import annotations

import errno
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet


class DselError(Exception):
    """The root of all errors that a user can cause and fix; raise one of its subclasses.

    `str(error)` is the message alone. `fields` holds its values as plain data (text, numbers,
    lists of them), for example setting="patch_px"; it is empty where no face needs any.
    """

    code: ClassVar[str]
    """Names the kind of error in responses of the app's server."""

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.fields: Mapping[str, Any] = fields


class SettingError(DselError):
    """A setting is out of its range, or names something unknown."""

    code = "setting"


class SourceError(DselError):
    """A source is not a dataset that dsel can read."""

    code = "source"


class UnreadableImage(DselError):  # noqa: N818  (a fact about the data, collected with its reason)
    """One image cannot be used; the message is the reason, which the run's report records."""

    code = "unreadable_image"


class PriorError(DselError):
    """A prior cannot be loaded, or does not fit the dataset or the settings."""

    code = "prior"


class RunError(DselError):
    """A run folder is missing, foreign, unfinished, or was made with other settings."""

    code = "run"


class DamageError(RunError):
    """A file of a run is damaged or missing; fields: path, problem, remedy."""

    code = "damage"


class StorageError(DselError):
    """A file cannot be written or read: a full disk, or no permission."""

    code = "storage"


class QuotaError(DselError):
    """A visitor of the app, or all together, have used up what they may keep and use.

    Field: quota, a field of the app's `Quota`, or "gpu" for the time that a Space lends its GPU.
    """

    code = "quota"


def unknown(what: str, name: str, known: Iterable[str]) -> SettingError:
    """Return the error for a name that is not among the known ones; fields: name, known."""
    listed = list(known)
    right = f"known are: {', '.join(listed)}" if listed else "there are none"
    return SettingError(f"unknown {what} {name!r}; {right}", name=name, known=listed)


_SHOWN = 20  # names listed in a message


def shown(names: Sequence[str]) -> list[str]:
    """Shorten a list of names to a length that fits a message."""
    more = len(names) - _SHOWN
    return [*names[:_SHOWN], f"and {more} more"] if more > 0 else list(names)


_INVISIBLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, of bytes that are no text, and of line ends."""

_TURNED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of the text around them."""


def printable(text: str) -> str:
    """Escape what would move the cursor, change colours or turn text, as names of files may do."""
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode()
        if unicodedata.category(char) in _INVISIBLE or char in _TURNED
        else char
        for char in text
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its class if it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` of writing or reading `path` into a `StorageError`; fields: path.

    `FileNotFoundError` is turned into one only where the folder of `path` is missing.
    """
    try:
        yield
    except OSError as error:
        message = _storage_message(error, path)
        if not message:
            raise
        raise StorageError(message, path=str(path)) from error


def _storage_message(error: OSError, path: Path) -> str:
    """Return the message for an error of the operating system; empty for one without advice."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"no space left on the disk while writing {path}: free some space, then run the same "
            "command again; it resumes where it stopped"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to write or read {path}: choose a folder that you can access"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{path} cannot be created, because a file is in the way: choose another folder"
    if error.errno == errno.EISDIR:
        return f"{path} is a folder, not a file: move it elsewhere"
    if isinstance(error, FileNotFoundError) and not path.parent.exists():
        return f"{path} cannot be created: its folder does not exist; choose another folder"
    return ""


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
