"""A command line -> the call of a command, or one line that names the mistake in it."""

from __future__ import annotations

import difflib
import functools
import io
import re
import textwrap
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Any, Literal, TypeVar, get_args, get_origin

from tyro.conf import OmitArgPrefixes
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo
from tyro.extras import SubcommandApp

from dsel.errors import SettingError, unknown

F = TypeVar("F", bound=Callable[..., None])
PROGRAM = "dsel"
FLAG = re.compile(r"--[a-z][a-z0-9-]*")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
RULE = re.compile(r"─+|-+")
ASIDE = ("Argument helptext", "For full helptext")
"""First words of the parts of an error box that are not about the mistake."""

DEEP = 8
"""Columns of an error box before which the mistake is; help texts are indented more."""

REGISTRY = ConstructorRegistry()


class Commands:
    """The commands of the program: functions whose parameters are the arguments and flags."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._app = SubcommandApp()
        self._names: list[str] = []

    def command(self, name: str = "") -> Callable[[F], F]:
        """Register a function as the command of its own name, or of another one."""

        def register(function: F) -> F:
            @functools.wraps(function)
            def later(*arguments: Any, **keywords: Any) -> Callable[[], None]:
                return functools.partial(function, *arguments, **keywords)

            self._names.append(name or function.__name__)
            self._app.command(name=self._names[-1])(later)
            return function

        return register

    def parse(self, arguments: Sequence[str]) -> Callable[[], None]:
        """Read a command line; the result runs the command.

        Raises `SettingError` for a mistake. Prints the help and exits where that is requested.
        """
        printed = io.StringIO()
        try:
            with redirect_stderr(printed):
                return self._read(arguments)
        except SystemExit as ended:
            if not ended.code:
                raise
            raise SettingError(self._mistake(arguments, printed.getvalue())) from None

    def _read(self, arguments: Sequence[str]) -> Callable[[], None]:
        with REGISTRY:
            call: Callable[[], None] = self._app.cli(
                prog=PROGRAM,
                description=self._description,
                args=list(arguments),
                config=(OmitArgPrefixes,),
            )
        return call

    def _mistake(self, arguments: Sequence[str], printed: str) -> str:
        command = next(iter(arguments), "-")
        if command.startswith("-"):
            return f"{in_one_line(printed)}; see {PROGRAM} --help"
        if command not in self._names:
            return self._unknown_command(command)
        mistake = self._unknown_flag(arguments) or in_one_line(printed)
        return f"{mistake}; see {PROGRAM} {command} --help"

    def _unknown_command(self, command: str) -> str:
        close = difflib.get_close_matches(command, self._names, 1)
        if close:
            return f"unknown command {command!r}, did you mean {close[0]}?; see {PROGRAM} --help"
        return str(unknown("command", command, self._names))

    def _unknown_flag(self, arguments: Sequence[str]) -> str:
        """The first flag that the command does not have; the parser may name another mistake."""
        known = set(FLAG.findall(self.help_of(arguments[0])))
        for argument in arguments:
            flag = argument.partition("=")[0].replace("_", "-")
            if flag == "--":
                break
            if flag.startswith("--") and flag not in known:
                close = difflib.get_close_matches(flag, known, 1, 0.75)
                return f"unknown flag {flag}" + (f", did you mean {close[0]}?" if close else "")
        return ""

    def usage(self) -> str:
        """What a command line without a command prints: the usage, and where to read more."""
        names = textwrap.indent(textwrap.fill(", ".join(self._names), 77), "  ")
        return (
            f"usage: {PROGRAM} [-h] [--version] COMMAND ...\n\ncommands:\n{names}\n\n"
            f"{PROGRAM}: a command is missing; {PROGRAM} --help says what each does, and "
            f"{PROGRAM} app opens the demo run\n"
        )

    def help_of(self, *command: str) -> str:
        """The help text of the program, or of one command."""
        with redirect_stdout(io.StringIO()) as shown, suppress(SystemExit):
            self._read((*command, "--help"))
        return COLOUR.sub("", shown.getvalue())


def in_one_line(printed: str) -> str:
    """The mistake in an error box of the parser, without the frame and the help texts."""
    parts = [" ".join(part) for part in _parts(printed) if not part[0].startswith(ASIDE)]
    mistake = "; ".join(parts) or " ".join(printed.split()) or "the command line cannot be read"
    return (mistake[0].lower() + mistake[1:]).rstrip(". ")


def _parts(printed: str) -> list[list[str]]:
    """The rows between the rules of a box; help texts, which are indented more, are left out."""
    text = COLOUR.sub("", printed).strip()
    rows = [line.strip("│") for line in text.splitlines() if line[:1] not in "╭╰"]
    parts: list[list[str]] = [[]]
    for row in rows:
        if RULE.fullmatch(row.strip()):
            parts.append([])
        elif row.strip() and len(row) - len(row.lstrip()) <= DEEP:
            parts[-1].append(row.strip())
    # Without box-drawing characters, the title is a part of its own.
    return [part for part in parts[not text.startswith("╭") :] if part]


@REGISTRY.primitive_rule
def _number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Read a number, and leave any other text to the settings, which name what is wrong."""
    kind = info.type
    if kind is not int and kind is not float:
        return None

    def read(texts: list[str]) -> Any:
        try:
            return kind(texts[0])
        except ValueError:
            return texts[0]

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.__name__.upper(),
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, kind),
        str_from_instance=lambda value: [str(value)],
    )


@REGISTRY.primitive_rule
def _choice(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Read a choice as text; the settings check it."""
    if get_origin(info.type) is not Literal:
        return None
    choices = get_args(info.type)
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(map(str, choices)) + "}",
        instance_from_str=lambda texts: texts[0],
        is_instance=lambda value: value in choices,
        str_from_instance=lambda value: [value],
    )
