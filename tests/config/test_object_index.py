"""Objects found by the values of their properties stay found while they change."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from gatepost.config.object_index import ObjectIndex
from gatepost.config.wire_values import are_same

VALUES = st.sampled_from([None, True, False, 0, 1, "imap", "IMAP", "pop3", "1", {"a": True}, {"b": True, "a": True}])
OBJECTS = st.fixed_dictionaries({}, optional={"name": VALUES, "kind": VALUES})
CHANGES = st.lists(st.tuples(st.sampled_from("abcd"), st.none() | OBJECTS), max_size=20)


@given(CHANGES, OBJECTS)
def test_it_finds_what_a_look_at_every_object_finds(changes: list[tuple[str, Any]], value: dict[str, Any]) -> None:
    index, plain = ObjectIndex(), dict[str, Any]()
    wanted = {name: value.get(name) for name in ("name", "kind")}
    for object_id, changed in changes:
        if changed is not None:
            index.put(object_id, changed)
            plain[object_id] = changed
        elif object_id in plain:
            index.remove(object_id)
            del plain[object_id]
        matching = {
            key for key, item in plain.items() if all(are_same(wanted[each], item.get(each)) for each in wanted)
        }
        assert set(index.matching(wanted)) == matching
        assert dict(index.items()) == plain


def test_names_match_whatever_their_case() -> None:
    index = ObjectIndex()
    index.put("i1", {"name": "IMAP"})
    assert index.matching({"name": "imap"}) == ["i1"]
