"""Optional libraries that are missing, too old, too new or at odds: one line with the command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from dsel.errors import DselError, PriorError, SettingError, library_errors, optional_library

COMMAND = 'pip install "dsel[drawing]"'
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a package for one test: its code as a module of that name, and its metadata."""
    monkeypatch.syspath_prepend(tmp_path)

    def installed(name: str, version: str, *requirements: str, code: str | None = None) -> None:
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        lines = [f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {one}" for one in requirements]
        (folder / "METADATA").write_text("\n".join(lines) + "\n", "utf-8")
        if code is not None:
            (tmp_path / f"{name}.py").write_text(code, "utf-8")

    yield installed
    sys.modules.pop("inklib", None)
    sys.modules.pop("penlib", None)


@pytest.fixture
def bounded(install: Install) -> None:
    """An installed dsel whose extra wants one line of a library."""
    install(
        "dsel", "9", 'inklib>=7; extra == "printing"', 'inklib<2.0,>=1.5; extra == "drawing"',
        "inklib",
    )  # fmt: skip


def use(error: type[DselError] = SettingError) -> None:
    with optional_library("inklib", extra="drawing", use="a plot", error=error):
        import_module("inklib")


def refusal() -> str:
    with pytest.raises(SettingError) as error:
        use()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("version", ["1.5", "1.9.3", "1.8rc1"])
def test_optional_library__that_fits(install, version):
    install("inklib", version, code="ink = 1")
    use()
    assert sys.modules["inklib"].ink == 1


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("version", ["1.4.9", "2.0", "3"])
def test_optional_library__too_old_or_too_new(install, version):
    """It is not imported either: what it would do is unknown."""
    install("inklib", version, code="raise AssertionError")
    assert refusal() == f"a plot needs inklib>=1.5,<2.0, but {version} is installed: {COMMAND}"


def test_optional_library__that_is_missing():
    assert refusal() == f"a plot needs the inklib library: {COMMAND}"
    with pytest.raises(PriorError, match="a plot needs the inklib library"):
        use(PriorError)


def test_optional_library__of_a_checkout_that_is_not_installed(install, monkeypatch):
    def unknown(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("dsel.errors.requires", unknown)
    install("inklib", "0.1", code="ink = 1")
    use()
    assert sys.modules["inklib"].ink == 1


@pytest.mark.usefixtures("bounded")
def test_optional_library__that_refuses_another(install):
    install("inklib", "1.6", code="raise ImportError('penlib>=3 is required, found 2\\nupgrade')")
    assert refusal() == (
        f"a plot needs libraries that work together (penlib>=3 is required, found 2): {COMMAND}"
    )


@pytest.mark.usefixtures("bounded")
def test_optional_library__that_lacks_another(install):
    install("inklib", "1.6", code="import penlib")
    assert refusal() == f"a plot needs the penlib library: {COMMAND}"


@pytest.mark.usefixtures("bounded")
def test_optional_library__that_lacks_a_part_of_another(install):
    install("penlib", "2", code="")
    install("inklib", "1.6", code="import penlib.tips.fine")
    assert refusal() == (
        "a plot needs libraries that work together (No module named 'penlib.tips'; 'penlib' is "
        f"not a package): {COMMAND}"
    )


LAZY = """
try:
    import inklib.parts
except ImportError as cause:
    raise RuntimeError("Failed to import inklib.parts (look up to see its traceback)") from cause
"""


def test_library_errors__an_import_that_failed_inside_a_lazy_one(install):
    install("inklib", "1.6", code="raise ImportError(\"cannot import name 'pen'\")")
    with (
        pytest.raises(PriorError) as raised,
        library_errors(extra="drawing", use="a plot", error=PriorError),
    ):
        exec(LAZY, {})
    assert str(raised.value) == (
        f"a plot needs libraries that work together (cannot import name 'pen'): {COMMAND}"
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError, "raise RuntimeError('a mistake')"),
        (ZeroDivisionError, "1 / 0"),
        (ImportError, "from dsel.errors import no_such_name"),
        (ModuleNotFoundError, "import dsel.no_such_module"),
    ],
)
def test_library_errors__a_bug_keeps_its_traceback(error, code):
    with pytest.raises(error) as raised, library_errors(extra="drawing", use="a plot"):
        exec(code, {})
    assert not isinstance(raised.value, DselError)
