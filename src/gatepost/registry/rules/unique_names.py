"""No two objects of a type have the same name, whatever the case of its letters. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.configuration import ObjectRef, Proposal
from gatepost.registry.declaration import ObjectType
from gatepost.registry.rules.finding import Finding, NameTaken
from gatepost.values.ids import Id


def taken_names(proposal: Proposal) -> Iterator[Finding]:
    """Touched objects whose name another one has."""
    for type_name in {ref.object_type: None for ref in proposal.touched}:
        object_type = OBJECT_TYPES[type_name]
        holders: dict[str, Id] = {}
        for object_id, value in proposal.after.objects[type_name].items():
            key = object_type.unique_key(value)
            if not key:
                continue
            holder = holders.setdefault(key, object_id)
            if holder == object_id:
                continue
            one, other = ObjectRef(type_name, holder), ObjectRef(type_name, object_id)
            blamed = proposal.later_of(one, other)
            if blamed is not None:
                existing_id = holder if blamed == other else object_id
                yield NameTaken(blamed, existing_id, object_type.named_by, _words(object_type))


def _words(object_type: ObjectType[Any]) -> str:
    """`another listener has this name`."""
    labels = [object_type.properties[name].declaration.label.lower() for name in object_type.named_by]
    return f"another {object_type.list_view.singular} has this {' and '.join(labels)}"
