"""The kind of a property that names a file on the server's machine, and what was read of such files.

Objects keep paths only; what stands in the files is read by whoever validates or derives (management/certificate_files.py)
and handed in, so that this room stays pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeGuard

from gatepost.registry.bounds import check_length
from gatepost.registry.kinds import Kind
from gatepost.registry.problem import as_text, invalid

_MAX_LENGTH = 4095  # PATH_MAX of linux/limits.h, without the NUL


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a file could not be read, in words that an operator can act on."""

    reason: str


FileTexts = Mapping[str, str | Unreadable]  # by path
NO_FILES: FileTexts = MappingProxyType({})


def may_be_read(wire: object) -> TypeGuard[str]:
    """Whether a value that nobody has validated yet can be opened as a path, to see what is there."""
    return isinstance(wire, str) and wire.startswith("/") and "\0" not in wire


@dataclass(frozen=True, slots=True)
class FilePath(Kind[str]):
    """An absolute path. Whether there is such a file is another question."""

    @property
    def stand_in(self) -> str:
        return "/"

    def parse(self, wire: object) -> str:
        if not isinstance(wire, str):
            raise invalid("must be a path", wire)
        check_length(wire, 1, _MAX_LENGTH, as_text(wire))
        if not wire.startswith("/") or wire.endswith("/"):
            raise invalid("must be the absolute path of a file, like /etc/ssl/mail.pem", wire)
        if any(character < " " or character == "\x7f" for character in wire):
            raise invalid("must not contain control characters", repr(wire))
        return wire

    def to_wire(self, value: str) -> object:
        return value

    def schema(self) -> dict[str, object]:
        return {"type": "string", "format": "string", "minLength": 1, "maxLength": _MAX_LENGTH}
