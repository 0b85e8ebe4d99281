"""The schema document: every object type as administration clients read it, made from the declarations. Pure.

Its shape is fixed, because clients of other makers are driven by it too; `label`, `unit`, `liveEffect`, `required`,
`mayOwnerChange` and `keyProperties` are our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gatepost.registry.declaration import DeclaredProperty, ObjectType, Update
from gatepost.registry.given_out import GivenOut, NestedType
from gatepost.registry.kinds import Kind, SetOf

Properties = Mapping[str, DeclaredProperty]

_BOOLEAN = "Boolean"  # the enum that filters on booleans choose from


def schema_document(object_types: Iterable[ObjectType[Any]]) -> dict[str, Any]:
    """The document of these object types; JSON-compatible, the same for the same declarations."""
    types = list(object_types)
    nested = _nested_types(types)
    declared = {each.wire_name: each.properties for each in types} | {
        each.wire_name: each.properties for each in nested
    }
    return {
        "objects": {each.wire_name: _object(each) for each in types},
        "schemas": {name: {"type": "single", "schemaName": name} for name in declared},
        "fields": {name: _fields(properties) for name, properties in declared.items()},
        "forms": {each.wire_name: _form(each) for each in types}
        | {each.wire_name: _nested_form(each) for each in nested},
        "lists": {each.wire_name: _list(each) for each in types},
        "enums": _enums(declared.values()),
        "layouts": _layouts(types),
        "dashboards": [],
    }


def _object(object_type: ObjectType[Any]) -> dict[str, Any]:
    return {
        "type": "singleton" if object_type.is_singleton else "object",
        "description": object_type.description,
        "permissionPrefix": object_type.permission_prefix,
        "keyProperties": _key_properties(object_type),
    }


def _key_properties(object_type: ObjectType[Any]) -> list[str]:
    can_change = any(each.declaration.update is Update.MUTABLE for each in object_type.properties.values())
    if object_type.is_singleton or not can_change:
        return []
    return list(object_type.named_by)


def _nested_types(types: Iterable[ObjectType[Any]]) -> list[NestedType]:
    """The types of the objects within objects, and of those within these, each once."""
    found: dict[str, NestedType] = {}
    waiting = [nested for each in types for nested in _within(each.properties)]
    while waiting:
        nested = waiting.pop(0)
        if nested.wire_name not in found:
            found[nested.wire_name] = nested
            waiting += _within(nested.properties)
    return list(found.values())


def _within(properties: Properties) -> Iterator[NestedType]:
    for declared in properties.values():
        if isinstance(declared.kind, GivenOut):
            yield from declared.kind.nested()


def _fields(properties: Properties) -> dict[str, Any]:
    return {
        "properties": {name: _property(declared) for name, declared in properties.items()},
        "defaults": {
            name: declared.to_wire(declared.default)
            for name, declared in properties.items()
            if declared.has_default and not declared.is_secret and declared.declaration.update is not Update.SERVER_SET
        },
    }


def _property(declared: DeclaredProperty) -> dict[str, Any]:
    about = declared.declaration
    described: dict[str, Any] = {
        "description": about.help,
        "type": declared.kind.schema() | ({"nullable": True} if declared.is_nullable or _is_kept(declared) else {}),
        "update": about.update.value,
        "label": about.label,
        "liveEffect": about.effect.value,
    }
    if not declared.has_default and not declared.is_nullable:
        described["required"] = True
    if about.may_owner_change:
        described["mayOwnerChange"] = True
    return described | ({"unit": about.unit} if about.unit else {})


def _is_kept(declared: DeclaredProperty) -> bool:
    """Whether it is a secret that stays as it is where an update leaves it out. Clients that demand a value for all that is not
    nullable would demand it anew with every update, since it is never given back; `required` says that a create needs it."""
    return declared.is_secret and declared.declaration.update is Update.MUTABLE


def _form(object_type: ObjectType[Any]) -> dict[str, Any]:
    return {
        "title": object_type.list_view.title,
        "subtitle": object_type.list_view.subtitle,
        "sections": [
            {"title": section.title, "fields": [_labelled(object_type.properties, name) for name in section.properties]}
            for section in object_type.form
        ],
    }


def _nested_form(nested: NestedType) -> dict[str, Any]:
    properties = nested.properties
    return {"sections": [{"title": nested.label, "fields": [_labelled(properties, name) for name in properties]}]}


def _list(object_type: ObjectType[Any]) -> dict[str, Any]:
    view = object_type.list_view
    return {
        "title": view.title,
        "subtitle": view.subtitle,
        "labelProperty": view.label_property,
        "singularName": view.singular,
        "pluralName": view.plural,
        "columns": [_labelled(object_type.properties, name) for name in view.columns],
        "filters": [_filter(object_type.properties[name]) for name in view.filters],
        "sort": list(view.columns),
    }


def _filter(declared: DeclaredProperty) -> dict[str, str]:
    """What a form for the condition on a property is made of. There are no other types of filters than these."""
    described = {"field": declared.name, "label": declared.declaration.label}
    match _innermost(declared.kind).schema():
        case {"type": "enum", "enumName": str(name)}:
            return {"type": "enum", "enumName": name, **described}
        case {"type": "boolean"}:
            return {"type": "enum", "enumName": _BOOLEAN, **described}
        case {"type": "objectId", "objectName": str(name)}:
            return {"type": "objectId", "objectName": name, **described}
        case {"type": "number"}:
            return {"type": "integer", **described}
        case {"type": "utcDateTime"}:
            return {"type": "date", **described}
    return {"type": "text", **described}


def _labelled(properties: Properties, name: str) -> dict[str, str]:
    return {"name": name, "label": properties[name].declaration.label}


def _enums(every_properties: Iterable[Properties]) -> dict[str, Any]:
    enums: dict[str, Any] = {_BOOLEAN: [{"name": "true", "label": "Yes"}, {"name": "false", "label": "No"}]}
    for properties in every_properties:
        for declared in properties.values():
            choice = _innermost(declared.kind)
            schema = choice.schema()
            if schema["type"] == "enum":
                enums[str(schema["enumName"])] = [{"name": name, "label": label} for name, label in choice.choices()]
    return enums


def _innermost(kind: Kind[Any]) -> Kind[Any]:
    return kind.member if isinstance(kind, SetOf) else kind


def _layouts(object_types: Iterable[ObjectType[Any]]) -> list[dict[str, Any]]:
    sections: dict[str, dict[str, Any]] = {}
    containers: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for object_type in object_types:
        menu = object_type.menu
        if menu is None:
            continue
        section = sections.setdefault(menu.section, {"name": menu.section, "icon": menu.section_icon, "items": []})
        if (menu.section, menu.group) not in containers:
            links = containers[menu.section, menu.group] = []
            container = {"name": menu.group, "icon": menu.group_icon, "items": links}
            section["items"].append({"container": container})
        link = {"type": "link", "name": menu.name, "viewName": object_type.wire_name}
        containers[menu.section, menu.group].append(link)
    return list(sections.values())
