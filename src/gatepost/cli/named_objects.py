"""Objects as people name them: by id, by name, or by `--where`. Called by the object commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gatepost.cli.failure import CommandError, MethodError, usage_error
from gatepost.cli.field_values import parse_conditions, reference_properties
from gatepost.config.object_shape import SINGLETON_ID, ObjectShape, UnknownObjectTypeError
from gatepost.config.wire_values import canonical_value, matches_filter
from gatepost.values.ids import is_id

if TYPE_CHECKING:
    from gatepost.cli.jmap_client import JmapClient

_NEAR = 5  # objects that are named where none is meant exactly


def find_shape(client: JmapClient, name: str) -> ObjectShape:
    """The object type of that name. Raises CommandError with the names that there are."""
    try:
        return client.shapes.find(name)
    except UnknownObjectTypeError as error:
        raise usage_error(f"OBJECT: {error}") from None


def find_object(client: JmapClient, shape: ObjectShape, named: str) -> dict[str, Any]:
    """The object with that id, or else with that name. Raises CommandError where there is none, or more than one."""
    if is_id(named):
        found = client.get(shape, [named])
        if found:
            return found[0]
    label_property = shape.label_property
    found = _of_label(client, shape, named) or _of_domain(client, shape, named)
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(item["id"] for item in found)
        raise CommandError(f"{len(found)} objects of type {shape.name} are called {named!r}; give one of the ids {ids}")
    if shape.is_singleton:
        raise CommandError(f"{shape.name} is a singleton and takes no id; `gatepost get {shape.name}` shows it")
    listed = f"`gatepost query {shape.name}` lists what there is"
    raise CommandError(
        f"there is no {shape.name} with the id{' or name' if label_property else ''} {named!r}; {listed}"
    )


def _of_label(client: JmapClient, shape: ObjectShape, named: str) -> list[dict[str, Any]]:
    if shape.label_property is None:
        return []
    try:
        return find_matching(client, shape, {shape.label_property: named})
    except MethodError as error:
        if error.type != "invalidArguments":
            raise
        return []  # what a label cannot be, as a network that is none


def _of_domain(client: JmapClient, shape: ObjectShape, named: str) -> list[dict[str, Any]]:
    """Accounts by their login names: `alice@example.org`."""
    name, at, domain_name = named.rpartition("@")
    declared, label_property = shape.properties.get("domainId"), shape.label_property
    if not at or declared is None or declared.referenced_type is None or label_property is None:
        return []
    domains = find_matching(client, client.shapes.find(declared.referenced_type), {"name": domain_name})
    if len(domains) != 1:
        return []
    return find_matching(client, shape, {label_property: name, declared.name: domains[0]["id"]})


def find_matching(
    client: JmapClient,
    shape: ObjectShape,
    filter_: dict[str, Any],
    sort: Sequence[dict[str, Any]] = (),
    *,
    text: str | None = None,
) -> list[dict[str, Any]]:
    """The objects that the filter matches exactly, and that have the text as a part of what lists show of them.

    A server may match texts by a part of them; nobody who deletes `imap` means `imaps` too.
    """
    wanted = {"operator": "AND", "conditions": [filter_, {"text": text}]} if text else filter_
    try:
        found = client.get(shape, client.query(shape, wanted, sort))
    except MethodError as error:
        if error.type != "unsupportedFilter" or text:
            raise
        found = client.get_all(shape)
    return [item for item in found if matches_filter(shape.properties, filter_, _canonical(shape, item))]


def selected(
    client: JmapClient, shape: ObjectShape, named: Sequence[str], where: Sequence[str]
) -> list[dict[str, Any]]:
    """The objects that an update or delete is for: a singleton, those named, or those that match `--where`."""
    if shape.is_singleton:
        if where or any(name != SINGLETON_ID for name in named):
            raise usage_error(f"ID: {shape.name} is a singleton and takes neither an id nor --where")
        return client.get(shape, [SINGLETON_ID])
    if named and where:
        raise usage_error(
            f"ID: give the id or name of each {shape.name}, or --where key=value for all that match, not both"
        )
    if not named and not where:
        raise usage_error(f"ID: say which {shape.name}: give its id or name, or --where key=value")
    if named:
        return [find_object(client, shape, name) for name in named]
    found = find_matching(client, shape, conditions(client, shape, where))
    if not found:
        raise CommandError(f"no {shape.name} has {' and '.join(where)}{what_comes_near(client, shape, where)}")
    return found


def what_comes_near(client: JmapClient, shape: ObjectShape, where: Sequence[str]) -> str:
    """Where nothing has exactly these values: what has them as a part of its own, or is a network that they lie in."""
    if not where:
        return ""
    try:
        ids = client.query(shape, conditions(client, shape, where), limit=_NEAR)
    except MethodError:
        return ""
    names = [str(each.get(shape.label_property or "id")) for each in client.get(shape, ids)]
    return f"; what comes near: {', '.join(names)}" if names else ""


def conditions(client: JmapClient, shape: ObjectShape, where: Sequence[str]) -> dict[str, Any]:
    """The filter of `--where`, with names of other objects (`domainId=example.org`) replaced by their ids."""
    filter_ = parse_conditions(shape, where)
    parts = filter_.get("conditions")
    if parts is None:
        return with_reference_ids(client, shape, filter_)
    return {**filter_, "conditions": [with_reference_ids(client, shape, part) for part in parts]}


def with_reference_ids(client: JmapClient, shape: ObjectShape, values: dict[str, Any]) -> dict[str, Any]:
    """The values with names of other objects (`domainId=example.org`) replaced by their ids."""
    resolved = dict(values)
    for declared in reference_properties(shape, values):
        value = values[declared.name]
        if isinstance(value, str) and declared.referenced_type:
            resolved[declared.name] = find_object(client, client.shapes.find(declared.referenced_type), value)["id"]
    return resolved


def reference_labels(
    client: JmapClient, shape: ObjectShape, items: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> dict[str, str]:
    """What people call the objects that the items refer to in these properties, by id; what cannot be read is left out."""
    labels: dict[str, str] = {}
    for name in names:
        declared = shape.properties.get(name)
        if declared is None or declared.type_name != "objectId" or declared.referenced_type is None:
            continue
        other = client.shapes.by_name.get(declared.referenced_type)
        ids = sorted({str(item[name]) for item in items if item.get(name)})
        if other is None or other.label_property is None or not ids:
            continue
        try:
            labels.update((each["id"], str(each.get(other.label_property))) for each in client.get(other, ids))
        except MethodError:
            continue
    return labels


def label_of(shape: ObjectShape, item: dict[str, Any]) -> str:
    """What people call the object: `NetworkListener imap`."""
    named = item.get(shape.label_property or "name") or item.get("id")
    return shape.name if shape.is_singleton or not named else f"{shape.name} {named}"


def _canonical(shape: ObjectShape, item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: canonical_value(shape.properties[name], value) if name in shape.properties else value
        for name, value in item.items()
    }
