"""docs/api.md says what every member of the schema document is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatepost.registry.catalogue import EVERY_TYPE
from gatepost.registry.schema import schema_document

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
SECTION = re.search(r"^## The schema document$.*?(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
assert SECTION is not None
WORDS = set(re.findall(r"`([A-Za-z]+)`", SECTION[0]))
DOCUMENT: dict[str, Any] = schema_document(EVERY_TYPE.values())
_BY_NAME = {"objects", "schemas", "fields", "forms", "lists", "enums", "properties", "defaults"}  # of something else
_VALUES = {"type", "format", "update", "liveEffect"}  # that programs tell apart


def members(value: Any, name: str = "") -> Iterator[str]:
    """The names of members, and the values that programs tell apart."""
    if isinstance(value, list):
        for each in value:
            yield from members(each)
    elif isinstance(value, dict):
        for key, inner in value.items():
            is_member = name not in _BY_NAME
            yield from [key] if is_member else []
            if name != "defaults":
                yield from members(inner, key if is_member and key in _BY_NAME else "")
            if is_member and key in _VALUES and isinstance(inner, str):
                yield inner


@pytest.mark.parametrize("name", sorted(set(members(DOCUMENT))))
def test_the_page_explains_each_member_of_the_schema_document(name: str) -> None:
    assert name in WORDS


def test_what_is_told_apart_was_looked_at() -> None:
    assert {"mayOwnerChange", "keyClass", "isLowerCase", "serverSet", "rebind", "ipNetwork"} <= set(members(DOCUMENT))
