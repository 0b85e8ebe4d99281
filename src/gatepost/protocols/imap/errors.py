"""What can be wrong with a command before anything is done about it."""

from __future__ import annotations


class BadSyntax(ValueError):
    """The command cannot be read: the answer is BAD with this text, which is ASCII and has nothing of the client's."""


class CommandRefused(ValueError):
    """The command can be read and is refused all the same: NO with a response code (RFC 5530) and a text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
