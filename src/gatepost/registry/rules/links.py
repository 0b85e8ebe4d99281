"""An id in a property names an object that exists, and an object that is named somewhere cannot go. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.kinds import ObjectId
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.rules.finding import Finding, Linked, Unfit
from gatepost.values.ids import Id

_MOST_NAMED = 5


def broken_links(proposal: Proposal) -> Iterator[Finding]:
    """Links that a touched object has to nothing, and destroyed objects that others link to."""
    for ref in proposal.touched:
        if proposal.after.find(ref) is not None:
            yield from _dangling(proposal.after, ref)
        elif linked := tuple(_links_to(proposal.after, ref)):
            names = ", ".join(_called(proposal.after, link) for link in linked[:_MOST_NAMED])
            names += f" and {len(linked) - _MOST_NAMED} more" if len(linked) > _MOST_NAMED else ""
            yield Linked(ref, linked, f"is in use by {names}: change or destroy those first")


def links_of(configuration: Configuration, ref: ObjectRef) -> Iterator[tuple[str, ObjectRef]]:
    """The links of one object: wire name of the property, and what it names."""
    fields = msgspec.structs.asdict(configuration.objects[ref.object_type][ref.id])
    for name, declared in OBJECT_TYPES[ref.object_type].properties.items():
        target_id: Id | None = fields[declared.field_name]
        if isinstance(declared.kind, ObjectId) and target_id:
            yield name, ObjectRef(declared.kind.object_name, target_id)


def _dangling(configuration: Configuration, ref: ObjectRef) -> Iterator[Finding]:
    for name, target in links_of(configuration, ref):
        if configuration.find(target) is None:
            words = f"there is no {target.object_type} with the id {target.id!r}"
            yield Unfit(ref, Problem(name, ProblemType.INVALID, words, target.id))


def _called(configuration: Configuration, ref: ObjectRef) -> str:
    """As people know it: by its name where it has one."""
    object_type = OBJECT_TYPES[ref.object_type]
    if object_type.is_singleton:
        return ref.object_type
    label = object_type.list_view.label_property
    fields = msgspec.structs.asdict(configuration.objects[ref.object_type][ref.id])
    name = fields[object_type.properties[label].field_name] if label else None
    return f"{ref.object_type} {name or ref.id}"


def _links_to(configuration: Configuration, target: ObjectRef) -> Iterator[ObjectRef]:
    for type_name, objects in configuration.objects.items():
        if not _can_link(type_name, target.object_type):
            continue
        for object_id in objects:
            ref = ObjectRef(type_name, object_id)
            if any(linked == target for _, linked in links_of(configuration, ref)):
                yield ref


def _can_link(type_name: str, target_type: str) -> bool:
    declarations = OBJECT_TYPES[type_name].properties.values()
    return any(isinstance(each.kind, ObjectId) and each.kind.object_name == target_type for each in declarations)
