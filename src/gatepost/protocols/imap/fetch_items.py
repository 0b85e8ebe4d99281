"""What FETCH asks for (RFC 3501 section 6.4.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from gatepost.protocols.imap.arguments import Arguments
from gatepost.protocols.imap.errors import BadSyntax
from gatepost.protocols.imap.wire import astring
from gatepost.protocols.message.sections import Section, SectionText


class FetchAttribute(Enum):
    """Items without parameters. Those in `NEED_CONTENT` cannot be answered without reading the message."""

    UID = "UID"
    FLAGS = "FLAGS"
    INTERNALDATE = "INTERNALDATE"
    RFC822_SIZE = "RFC822.SIZE"
    ENVELOPE = "ENVELOPE"
    BODY = "BODY"
    BODYSTRUCTURE = "BODYSTRUCTURE"


@dataclass(frozen=True, slots=True)
class FetchSection:
    """Octets of the message. `label` is the item as the response names it; `partial` is (first octet, count).
    `is_peek`: reading it does not set \\Seen."""

    section: Section
    label: bytes
    is_peek: bool
    partial: tuple[int, int] | None = None


FetchItem = FetchAttribute | FetchSection

NEED_CONTENT = frozenset((FetchAttribute.ENVELOPE, FetchAttribute.BODY, FetchAttribute.BODYSTRUCTURE))

_ALL = (FetchAttribute.FLAGS, FetchAttribute.INTERNALDATE, FetchAttribute.RFC822_SIZE, FetchAttribute.ENVELOPE)
_MACROS = {"ALL": _ALL, "FAST": _ALL[:3], "FULL": (*_ALL, FetchAttribute.BODY)}
_OLD_NAMES = {
    "RFC822": FetchSection(Section(), b"RFC822", is_peek=False),
    "RFC822.HEADER": FetchSection(Section((), SectionText.HEADER), b"RFC822.HEADER", is_peek=True),
    "RFC822.TEXT": FetchSection(Section((), SectionText.TEXT), b"RFC822.TEXT", is_peek=False),
}
_ATTRIBUTES = {attribute.value: attribute for attribute in FetchAttribute}
_NAME = re.compile(rb"[A-Za-z0-9.]+")
_SECTION = re.compile(
    rb"(?P<part>[1-9]\d{0,8}(?:\.[1-9]\d{0,8})*)?(?P<dot>\.)?"
    rb"(?P<text>HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME)?",
    re.IGNORECASE,
)
_PARTIAL = re.compile(rb"<(\d{1,10})\.(\d{1,10})>")
_MAX_ITEMS = 200


def parse_fetch_items(arguments: Arguments) -> tuple[FetchItem, ...]:
    """A macro, one item, or a list of items. Raises BadSyntax."""
    if not arguments.may_take(b"("):
        name = _item_name(arguments)
        return _MACROS[name] if name in _MACROS else (_item(name, arguments),)
    items = [_item(_item_name(arguments), arguments)]
    while not arguments.may_take(b")"):
        arguments.space()
        if arguments.may_take(b")"):
            break
        items.append(_item(_item_name(arguments), arguments))
        if len(items) > _MAX_ITEMS:
            raise BadSyntax("Too many items")
    return tuple(dict.fromkeys(items))


def _item_name(arguments: Arguments) -> str:
    return arguments.match(_NAME, "fetch item").group().decode().upper()


def _item(name: str, arguments: Arguments) -> FetchItem:
    if name in ("BODY", "BODY.PEEK") and arguments.may_take(b"["):
        return _section(arguments, is_peek=name == "BODY.PEEK")
    item = _ATTRIBUTES.get(name) or _OLD_NAMES.get(name)
    if item is None:
        raise BadSyntax("Unknown fetch item")
    return item


def _section(arguments: Arguments, *, is_peek: bool) -> FetchSection:
    found = arguments.match(_SECTION, "section")
    part, dot, text = found.group("part", "dot", "text")
    kind = SectionText(text.decode().upper()) if text else SectionText.ALL
    if bool(dot) != bool(part and text) or (kind is SectionText.MIME and not part):
        raise BadSyntax("Invalid section")
    names = _field_names(arguments) if kind in (SectionText.FIELDS, SectionText.FIELDS_NOT) else ()
    arguments.take(b"]")
    partial = _partial(arguments) if arguments.next_is(b"<") else None
    numbers = tuple(int(number) for number in part.split(b".")) if part else ()
    label = b"BODY[" + found.group().upper()
    if names:
        label += b" (" + b" ".join(astring(name) for name in names) + b")"
    label += b"]" + (b"<%d>" % partial[0] if partial else b"")
    return FetchSection(Section(numbers, kind, names), label, is_peek, partial)


def _field_names(arguments: Arguments) -> tuple[bytes, ...]:
    arguments.space()
    arguments.take(b"(")
    names = [arguments.astring()]
    while not arguments.may_take(b")"):
        arguments.space()
        if not arguments.next_is(b")"):
            names.append(arguments.astring())
    return tuple(names)


def _partial(arguments: Arguments) -> tuple[int, int]:
    found = arguments.match(_PARTIAL, "partial")
    first, count = int(found.group(1)), int(found.group(2))
    if count == 0:
        raise BadSyntax("Invalid partial")
    return first, count
