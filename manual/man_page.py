"""gatepost.1: the manual page, out of the commands and their examples. Pure; the format is man(7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from gatepost.cli.client_command import client_options
from gatepost.cli.examples import EXAMPLES
from gatepost.cli.main import app
from manual.man_page_text import AFTER, BEFORE

_COMMON = set(client_options.__kwdefaults__ or {})


def man_page() -> str:
    """The whole page."""
    group: Any = typer.main.get_group(app)
    lines = [
        '.\\" Made by `make manual` out of the commands. Change those, not this.',
        '.TH GATEPOST 1 "" gatepost',
        *BEFORE,
    ]
    lines += [".SH COMMANDS"]
    for name, command in group.commands.items():
        lines += _command(name, command)
    lines += [".SH COMMON OPTIONS", "Of every command for a running server, in front of its name or behind it."]
    for option in group.params:
        if option.name in _COMMON:
            lines += _option(option)
    return "\n".join((*lines, *AFTER)) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    own = [each for each in options if each.name not in _COMMON and each.name != "help"]
    usage = " ".join(_usage(each) for each in arguments)
    yield f".SS gatepost {escaped(name)} {escaped(usage)}".rstrip()
    yield escaped(command.help)
    for each in (*arguments, *own):
        yield from _option(each)
    for line, words in EXAMPLES.get(name, ()):
        yield from (
            ".PP",
            f"{escaped(words[0].upper() + words[1:])}:",
            ".PP",
            ".in +4n",
            ".nf",
            escaped(line),
            ".fi",
            ".in",
        )


def _usage(argument: Any) -> str:
    name = f"{_metavar(argument)}{'...' if argument.nargs == -1 else ''}"
    return name if argument.required else f"[{name}]"


def _option(parameter: Any) -> Iterator[str]:
    """A tagged paragraph: `-k, --insecure`, and what it does."""
    yield ".TP"
    if parameter.param_type_name == "argument":
        yield f".I {escaped(_metavar(parameter))}"
    else:
        names = ", ".join(f"\\fB{escaped(name)}\\fR" for name in sorted(parameter.opts, key=len))
        yield names if parameter.is_flag else f"{names} \\fI{escaped(_metavar(parameter))}\\fR"
    variable = f" Environment: {parameter.envvar}." if parameter.envvar else ""
    yield escaped((parameter.help or "") + variable)


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.replace("_", "-").upper())


def escaped(text: str) -> str:
    """Text as roff takes it: one line, nothing in it is a request."""
    plain = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain
