"""The answer to a /set (RFC 8620 section 5.3), read for people. Pure. Called by the commands and by the plan files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REFUSED = ("notCreated", "notUpdated", "notDestroyed")


class SetAnswer:
    """What was done and what was refused."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.arguments = arguments

    def created(self, creation_id: str) -> dict[str, Any]:
        """What the server filled in, the id among it; empty where nothing was created."""
        return dict((self.arguments.get("created") or {}).get(creation_id) or {})

    def ids(self, verb: str) -> set[str]:
        """The ids under `updated` or `destroyed`."""
        return set(self.arguments.get(verb) or ())

    def error(self, key: str) -> Mapping[str, Any] | None:
        """The SetError of an id or creation id."""
        for member in _REFUSED:
            found = (self.arguments.get(member) or {}).get(key)
            if found is not None:
                return dict(found)
        return None

    @property
    def changed_nothing(self) -> bool:
        """Whether the objects of the type are as before, as the server says by its states, and nothing was refused."""
        states = (self.arguments.get("oldState"), self.arguments.get("newState"))
        return None not in states and states[0] == states[1] and not any(self.arguments.get(name) for name in _REFUSED)

    def refusals(self, titles: Mapping[str, str]) -> list[str]:
        """Lines for what was refused: the title of an id, then what the server said, with the properties."""
        lines: list[str] = []
        for key, title in titles.items():
            error = self.error(key)
            if error is not None:
                lines += [f"{title}:", *(f"  {line}" for line in set_error_lines(error))]
        return lines


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
    if error.get("linkedObjects") and not error.get("description"):
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
