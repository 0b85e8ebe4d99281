"""The answer to a /set (RFC 8620 section 5.3), read for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.cli.failure import CommandError, set_error_lines

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

    def refusals(self, titles: Mapping[str, str]) -> list[str]:
        """Lines for what was refused: the title of an id, then what the server said, with the properties."""
        lines: list[str] = []
        for key, title in titles.items():
            error = self.error(key)
            if error is not None:
                lines += [f"{title}:", *(f"  {line}" for line in set_error_lines(error))]
        return lines

    def raise_refusals(self, titles: Mapping[str, str]) -> None:
        """Raises CommandError where anything was refused."""
        lines = self.refusals(titles)
        if lines:
            raise CommandError(*lines)
