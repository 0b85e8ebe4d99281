"""What ends a command with words instead of a traceback, and the words of a SetError. Used by every command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FAILED = 1
WRONG_USAGE = 2


class CommandError(Exception):
    """Ends the command. `lines` go to stderr; `exit_code` is FAILED or WRONG_USAGE."""

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


def set_error_lines(error: Mapping[str, Any]) -> list[str]:
    """What a SetError (RFC 8620 section 5.3) says, one line for each property or validation error.

    >>> set_error_lines({"type": "notFound"})
    ['notFound']
    """
    found = error.get("validationErrors") or ()
    lines = [f"{each.get('property')}: {each.get('description') or each.get('type')}" for each in found]
    if lines:
        return lines
    properties = ", ".join(str(name) for name in error.get("properties") or ())
    words = f"{error.get('type', 'serverFail')}{_because(error.get('description'))}"
    lines = [f"{properties}: {words}" if properties else words]
    if error.get("existingId"):
        lines.append(f"the id of the object that is there: {error['existingId']}")
    if error.get("linkedObjects"):
        lines.append(
            f"linked by {', '.join(_linked(each) for each in error['linkedObjects'])}; remove these links first"
        )
    return lines


def _because(description: object) -> str:
    return f": {description}" if description else ""


def _linked(link: Any) -> str:
    if isinstance(link, Mapping):
        return f"{str(link.get('object', '')).removeprefix('x:')} {link.get('id', '')}".strip()
    return str(link)
