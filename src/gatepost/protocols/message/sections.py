"""Sections of a message: what `BODY[...]` names and which octets that is (RFC 3501 section 6.4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gatepost.protocols.message.header import empty_line, fields, header_end
from gatepost.protocols.message.structure import Part, parse_structure


class SectionText(Enum):
    """What of the part is meant."""

    ALL = ""
    HEADER = "HEADER"
    FIELDS = "HEADER.FIELDS"
    FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class Section:
    """`part` has the numbers in front (empty: the message itself); `field_names` are as the client wrote them."""

    part: tuple[int, ...] = ()
    text: SectionText = SectionText.ALL
    field_names: tuple[bytes, ...] = ()


class ParsedMessage:
    """A message whose structure is looked at only when something asks for it.

    Several threads may ask. No `cached_property`: in Python 3.11 all objects of a class share its lock, so that whoever
    looks at a small message would wait for a large one.
    """

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self._body_start: int | None = None
        self._root: Part | None = None

    @property
    def body_start(self) -> int:
        """Where the header ends."""
        if self._body_start is None:
            self._body_start = header_end(self.octets)
        return self._body_start

    @property
    def root(self) -> Part:
        """The message as the outermost part."""
        if self._root is None:
            self._root = parse_structure(self.octets)
        return self._root

    @property
    def header(self) -> bytes:
        """The header with its empty line."""
        return self.octets[: self.body_start]

    def section(self, section: Section) -> bytes | None:
        """The octets of a section; None where the message has no such part, or the part no such text."""
        if section.part:
            return self._part_section(section)
        match section.text:
            case SectionText.ALL:
                return self.octets
            case SectionText.HEADER:
                return self.header
            case SectionText.TEXT:
                return self.octets[self.body_start :]
            case _:
                return _chosen_fields(self.header, section)

    def _part_section(self, section: Section) -> bytes | None:
        part = find_part(self.root, section.part)
        if part is None:
            return None
        if section.text is SectionText.ALL:
            return self.octets[part.body_start : part.body_end]
        if section.text is SectionText.MIME:
            return self.octets[part.header_start : part.body_start]
        if not part.is_message:
            return None
        attached = part.children[0]
        header = self.octets[attached.header_start : attached.body_start]
        match section.text:
            case SectionText.HEADER:
                return header
            case SectionText.TEXT:
                return self.octets[attached.body_start : attached.body_end]
            case _:
                return _chosen_fields(header, section)


def find_part(root: Part, numbers: tuple[int, ...]) -> Part | None:
    """The part with these numbers. The body of a message that is no multipart has the number 1, attached messages
    included."""
    part: Part | None = None
    message: Part | None = root
    for number in numbers:
        if message is not None and not message.is_multipart:
            part = message if number == 1 else None
        else:
            siblings = (message or part or root).children
            part = siblings[number - 1] if 1 <= number <= len(siblings) else None
        if part is None:
            return None
        message = part.children[0] if part.is_message else None
    return part


def _chosen_fields(header: bytes, section: Section) -> bytes:
    """The fields with (or without) the names, and the empty line where the header has one (RFC 3501 section 6.4.5: it is
    part of every header fetch, except for a message that has neither it nor a body)."""
    names = {name.lower() for name in section.field_names}
    is_wanted = section.text is SectionText.FIELDS
    chosen = [field.octets for field in fields(header) if (field.name in names) == is_wanted]
    return b"".join(chosen) + empty_line(header)
