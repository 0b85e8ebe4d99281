"""What a plan would change, property by property, and what cannot be compared."""

from __future__ import annotations

import json
from typing import Any

from gatepost.config.differences import Difference, differences
from gatepost.config.object_shape import shapes_of
from gatepost.config.plan_file import parse_plan
from gatepost.config.reconcile import Action, resolve
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.schema import schema_document

SHAPES = shapes_of(schema_document(OBJECT_TYPES.values()))
CURRENT: dict[str, list[dict[str, Any]]] = {
    "NetworkListener": [{"id": "l1", "name": "imap", "bind": {"[::]:143": True}, "tlsTimeout": 60000, "useTls": True}],
    "Account": [{"id": "a1", "name": "alice", "domainId": None, "role": "user"}],
}


def found(*operations: dict[str, Any]) -> list[Difference]:
    plan = parse_plan("\n".join(map(json.dumps, operations)), "plan")
    return differences(resolve(plan, CURRENT, SHAPES), CURRENT)


def changes(difference: Difference) -> dict[str, tuple[Any, Any]]:
    return {each.declared.name: (each.before, each.after) for each in difference.changes}


def upsert(**value: Any) -> dict[str, Any]:
    return {"@type": "upsert", "object": "NetworkListener", "matchOn": ["name"], "value": {"l": value}}


def test_only_what_differs_is_told_with_both_values() -> None:
    [difference] = found(upsert(name="imap", tlsTimeout="2m", useTls=True))
    assert difference.action is Action.UPDATE
    assert changes(difference)["tlsTimeout"] == (60000, 120000)
    assert "useTls" not in changes(difference)


def test_a_pointer_is_told_as_a_change_of_its_property() -> None:
    update = {"@type": "update", "object": "NetworkListener", "id": "imap", "value": {"bind/[0::0]:993": True}}
    [difference] = found(update)
    assert changes(difference) == {"bind": ({"[::]:143": True}, {"[::]:143": True, "[::]:993": True})}


def test_what_would_be_created_and_destroyed_is_told() -> None:
    destroy = {"@type": "destroy", "object": "NetworkListener", "value": {"name": "imap"}}
    created, destroyed = found(upsert(name="pop3", bind=["[::]:110"]), destroy)
    assert (created.action, created.label, destroyed.action, destroyed.label) == (
        Action.CREATE,
        "pop3",
        Action.DESTROY,
        "imap",
    )


def test_a_second_line_is_compared_with_what_the_first_makes() -> None:
    first, second = found(upsert(name="imap", tlsTimeout="2m"), upsert(name="imap", tlsTimeout="3m"))
    assert changes(first)["tlsTimeout"] == (60000, 120000)
    assert changes(second)["tlsTimeout"] == (120000, 180000)


def test_a_secret_is_no_difference_and_is_never_shown() -> None:
    value = {"a": {"name": "alice", "domainId": None, "password": "a secret that nobody sees"}}
    [difference] = found({"@type": "upsert", "object": "Account", "matchOn": ["name", "domainId"], "value": value})
    assert (difference.is_known, difference.changes, difference.secrets) == (False, (), ("password",))
