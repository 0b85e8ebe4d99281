"""What ends a command with words instead of a traceback. Used by every command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130  # 128 and SIGINT, as a shell counts it


class CommandError(Exception):
    """Ends the command. `lines` go to stderr; `exit_code` is FAILED, WRONG_USAGE or INTERRUPTED."""

    def __init__(self, *lines: str, exit_code: int = FAILED) -> None:
        super().__init__("\n".join(lines))
        self.lines: Sequence[str] = lines
        self.exit_code = exit_code


class MethodError(CommandError):
    """A method call that the server answered with an error (RFC 8620 section 3.6.2)."""

    def __init__(self, method: str, arguments: Mapping[str, Any]) -> None:
        self.type = str(arguments.get("type", "serverFail"))
        super().__init__(f"the server refused {method}: {self.type}{_because(arguments.get('description'))}")


def usage_error(*lines: str) -> CommandError:
    """An error of the command line or of a file that it names."""
    return CommandError(*lines, exit_code=WRONG_USAGE)


def one_of(option: str, given: str, known: Sequence[str]) -> str:
    """The known word that was given, in any case of letters. Raises typer.BadParameter for another."""
    if given.casefold() not in known:
        raise typer.BadParameter(f"{given!r} is not one of {', '.join(known)}", param_hint=f"'{option}'")
    return given.casefold()


def refuse_ignored(given: Mapping[str, object], words: str) -> None:
    """Raise a usage error for the first option that is given and would do nothing. `given`: the values by option."""
    for option, value in given.items():
        if value:
            raise usage_error(f"{option}: {words}")


def _because(description: object) -> str:
    return f": {description}" if description else ""
