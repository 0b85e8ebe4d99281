"""A value that must not reach a log, a traceback or an error message."""

from __future__ import annotations

import hmac


class Secret:
    """Text that never prints. `reveal()` is the only way to read it, so that every use can be found.

    >>> print(Secret("hunter2"))
    Secret(***)
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__
