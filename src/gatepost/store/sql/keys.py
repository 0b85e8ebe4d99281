"""Ids as the other rooms see them, made of the keys of rows: a letter that says what it is, then the number."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gatepost.store.interface import Gone
from gatepost.values.ids import Id


def mailbox_id(key: int) -> Id:
    """The id of the mailbox in this row."""
    return Id(f"m{key}")


def content_id(key: int) -> Id:
    """The id of the content in this row."""
    return Id(f"c{key}")


def mailbox_key(mailbox_id: Id) -> int:
    """The row of a mailbox. Raises Gone for what never was the id of one."""
    return _key(mailbox_id, "m", "mailbox")


def content_key(content_id: Id) -> int:
    """The row of a content. Raises Gone for what never was the id of one."""
    return _key(content_id, "c", "content")


def mailbox_gone() -> Gone:
    """For what names a mailbox whose row is not there."""
    return Gone("the mailbox does not exist any more")


def json_numbers(numbers: Iterable[int]) -> str:
    """The parameter of `Among`."""
    return msgspec.json.encode(list(numbers)).decode()


def _key(text: Id, letter: str, what: str) -> int:
    digits = text[1:]
    if not (text[:1] == letter and digits.isascii() and digits.isdecimal() and len(digits) < 19):  # fits 64 bits
        raise Gone(f"there is no {what} {text!r}")
    return int(digits)
