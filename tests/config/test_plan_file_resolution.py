"""What the operations of a plan mean for the objects that exist: steps, references, matches, idempotence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gatepost.config.object_shape import ObjectShapes, shapes_of
from gatepost.config.plan_file import PlanError, parse_plan
from gatepost.config.reconcile import Action, ResolvedOperation, Step, resolve

Objects = Mapping[str, Sequence[Mapping[str, Any]]]

IMAP = {
    "id": "i1",
    "name": "imap",
    "protocol": "imap",
    "bind": {"[::]:143": True, "127.0.0.1:10143": True},
    "tlsTimeout": 60000,
    "useTls": True,
    "socketTtl": None,
    "overrideProxyTrustedNetworks": {},
}
POP3 = {"id": "i2", "name": "pop3", "protocol": "pop3", "bind": {"[::]:110": True}, "useTls": True}
EXAMPLE_ORG = {"id": "d1", "name": "example.org"}
LISTENERS = {"NetworkListener": [IMAP, POP3]}


@pytest.fixture(scope="module")
def shapes() -> ObjectShapes:
    return shapes_of(json.loads(Path(__file__).with_name("schema_document.json").read_text(encoding="utf-8")))


def resolved(shapes: ObjectShapes, current: Objects, *operations: Mapping[str, Any]) -> list[ResolvedOperation]:
    return resolve(parse_plan("\n".join(map(json.dumps, operations)), "p"), current, shapes)


def steps(shapes: ObjectShapes, current: Objects, *operations: Mapping[str, Any]) -> list[Step]:
    return [step for operation in resolved(shapes, current, *operations) for step in operation.steps]


def told(shapes: ObjectShapes, current: Objects, *operations: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [(step.action, step.object_id, dict(step.value)) for step in steps(shapes, current, *operations)]


def problems(shapes: ObjectShapes, current: Objects, *operations: Mapping[str, Any]) -> list[str]:
    with pytest.raises(PlanError) as refused:
        resolved(shapes, current, *operations)
    return [str(problem) for problem in refused.value.problems]


def upsert(object_name: str, *match_on: str, kind: str = "upsert", **values: Mapping[str, Any]) -> dict[str, Any]:
    return {"@type": kind, "object": object_name, "matchOn": list(match_on) or ["name"], "value": values}


def update(object_name: str, object_id: str | None = None, **value: Any) -> dict[str, Any]:
    operation = {"@type": "update", "object": object_name, "value": value}
    return operation if object_id is None else {**operation, "id": object_id}


def destroy(object_name: str, **value: Any) -> dict[str, Any]:
    return {"@type": "destroy", "object": object_name, "value": value}


def test_upsert_creates_what_is_not_there(shapes: ObjectShapes) -> None:
    value = {"name": "smtp", "bind": {"[::]:25": True}}
    assert told(shapes, LISTENERS, upsert("NetworkListener", l=value)) == [(Action.CREATE, "#l", value)]


def test_upsert_updates_only_what_differs(shapes: ObjectShapes) -> None:
    value = {"name": "imap", "protocol": "imap", "useTls": False}
    assert told(shapes, LISTENERS, upsert("NetworkListener", l=value)) == [(Action.UPDATE, "i1", {"useTls": False})]


@pytest.mark.parametrize(
    "value",
    [
        {"name": "IMAP"},
        {"name": "imap", "tlsTimeout": "1m"},
        {"name": "imap", "socketTtl": None},
        {"name": "imap", "bind": ["127.0.0.1:10143", "[0:0::0]:143"]},
        {"name": "imap", "overrideProxyTrustedNetworks": []},
    ],
)
def test_another_spelling_of_the_same_value_is_no_change(shapes: ObjectShapes, value: Mapping[str, Any]) -> None:
    assert told(shapes, LISTENERS, upsert("NetworkListener", l=value)) == [(Action.KEEP, "i1", {})]


@pytest.mark.parametrize(("present", "action"), [(True, Action.KEEP), (False, Action.UPDATE)])
def test_null_is_the_default_of_a_property_that_cannot_be_unset(
    present: bool, action: Action, shapes: ObjectShapes
) -> None:
    current = {"NetworkListener": [{"id": "i1", "name": "imap", "useTls": present}]}
    operation = upsert("NetworkListener", l={"name": "imap", "useTls": None})
    assert [step.action for step in steps(shapes, current, operation)] == [action]


def test_true_and_one_are_not_the_same(shapes: ObjectShapes) -> None:
    current = {"NetworkListener": [{"id": "i1", "name": "a", "socketTtl": 1}]}
    operation = upsert("NetworkListener", "socketTtl", l={"name": "a", "socketTtl": True})
    assert steps(shapes, current, operation)[0].action is Action.CREATE


def test_a_secret_cannot_be_compared_and_is_always_sent(shapes: ObjectShapes) -> None:
    current = {"Account": [{"id": "a1", "name": "alice"}]}
    operation = upsert("Account", a={"name": "alice", "password": "secret"})
    assert told(shapes, current, operation) == [(Action.UPDATE, "a1", {"password": "secret"})]


def test_a_reference_to_an_existing_object_becomes_its_id(shapes: ObjectShapes) -> None:
    account = {"name": "alice", "domainId": "#d", "password": "#d"}
    found = steps(
        shapes,
        {"Domain": [EXAMPLE_ORG]},
        upsert("Domain", d={"name": "example.org"}),
        upsert("Account", "name", "domainId", a=account),
    )
    assert [step.action for step in found] == [Action.KEEP, Action.CREATE]
    assert found[1].value == {"name": "alice", "domainId": "d1", "password": "#d"}


def test_a_reference_to_a_new_object_stays_a_creation_id(shapes: ObjectShapes) -> None:
    account = {"name": "alice", "domainId": "#d", "delegateIds": {"#b": True}}
    found = steps(
        shapes,
        {},
        upsert("Domain", d={"name": "example.org"}),
        {"@type": "create", "object": "Account", "value": {"b": {"name": "bob", "domainId": "#d"}}},
        upsert("Account", "name", "domainId", a=account),
    )
    assert [step.object_id for step in found] == ["#d", "#b", "#a"]
    assert found[2].value == account


def test_the_same_local_name_means_the_latest_object_and_creation_ids_stay_apart(shapes: ObjectShapes) -> None:
    found = steps(
        shapes,
        {},
        upsert("Domain", d={"name": "example.org"}),
        upsert("Domain", d={"name": "example.net"}),
        upsert("Account", a={"name": "alice", "domainId": "#d"}),
    )
    assert found[0].object_id != found[1].object_id
    assert found[2].value["domainId"] == found[1].object_id


def test_a_second_upsert_of_an_object_that_the_plan_creates_updates_it(shapes: ObjectShapes) -> None:
    found = told(
        shapes,
        {},
        upsert("NetworkListener", l={"name": "smtp", "bind": ["[::]:25"]}),
        upsert("NetworkListener", m={"name": "smtp", "bind": ["[::]:26"]}),
    )
    assert found[1] == (Action.UPDATE, "#l", {"bind": ["[::]:26"]})


def test_reconcile_destroys_what_the_plan_does_not_list(shapes: ObjectShapes) -> None:
    operation = upsert("NetworkListener", kind="reconcile", l={"name": "imap"}, m={"name": "new"})
    assert told(shapes, LISTENERS, operation) == [
        (Action.KEEP, "i1", {}),
        (Action.CREATE, "#m", {"name": "new"}),
        (Action.DESTROY, "i2", {}),
    ]


def test_a_property_to_match_on_that_is_none_is_told_without_what_follows_from_it(shapes: ObjectShapes) -> None:
    operation = upsert("NetworkListener", "nme", l={"nme": "imap"})
    assert [problem.split(": ")[1] for problem in problems(shapes, LISTENERS, operation)] == ["matchOn", "value/l/nme"]


def test_update_of_a_singleton_needs_no_id(shapes: ObjectShapes) -> None:
    current = {"SystemSettings": [{"id": "singleton", "maxConnections": 8192}]}
    operations = [update("SystemSettings", maxConnections=4096), update("systemsettings", maxConnections=4096)]
    assert told(shapes, current, *operations) == [
        (Action.UPDATE, "singleton", {"maxConnections": 4096}),
        (Action.KEEP, "singleton", {}),
    ]


@pytest.mark.parametrize("object_id", ["i1", "imap", "Imap"])
def test_update_takes_an_id_or_a_name(shapes: ObjectShapes, object_id: str) -> None:
    operation = update("NetworkListener", object_id, useTls=False)
    assert told(shapes, LISTENERS, operation) == [(Action.UPDATE, "i1", {"useTls": False})]


@pytest.mark.parametrize(
    ("key", "value", "action"),
    [
        ("bind/[::]:143", True, Action.KEEP),
        ("bind/[0::0]:143", None, Action.UPDATE),
        ("bind/[::]:144", True, Action.UPDATE),
        ("bind/[::]:144", None, Action.KEEP),
        ("overrideProxyTrustedNetworks/10.0.0.0~18", True, Action.UPDATE),
    ],
)
def test_update_with_a_pointer_into_a_set(shapes: ObjectShapes, key: str, value: object, action: Action) -> None:
    operation = {"@type": "update", "object": "NetworkListener", "id": "i1", "value": {key: value}}
    expected = {key: value} if action is Action.UPDATE else {}
    assert told(shapes, LISTENERS, operation) == [(action, "i1", expected)]


@pytest.mark.parametrize(
    ("filter_", "destroyed"),
    [
        ({"name": "POP3"}, ["i2"]),
        ({"name": "pop"}, []),
        ({"id": "i1"}, ["i1"]),
        ({"useTls": True}, ["i1", "i2"]),
        ({"useTls": 1}, []),
        ({"bind": "127.0.0.1:10143"}, ["i1"]),
        ({"useTls": True, "protocol": "pop3"}, ["i2"]),
        ({"operator": "NOT", "conditions": [{"name": "imap"}]}, ["i2"]),
        ({"operator": "OR", "conditions": [{"name": "imap"}, {"name": "pop3"}]}, ["i1", "i2"]),
        ({"operator": "AND", "conditions": [{"name": "imap"}, {"name": "pop3"}]}, []),
        ({}, ["i1", "i2"]),
    ],
)
def test_destroy_takes_a_filter(shapes: ObjectShapes, filter_: dict[str, Any], destroyed: list[str]) -> None:
    operation = {"@type": "destroy", "object": "NetworkListener", "value": filter_}
    assert [step.object_id for step in steps(shapes, LISTENERS, operation)] == destroyed


def test_a_plan_that_has_been_applied_changes_nothing(shapes: ObjectShapes) -> None:
    plan = [
        upsert("NetworkListener", l={"name": "imap", "bind": ["[::]:143", "127.0.0.1:10143"], "tlsTimeout": "60s"}),
        destroy("NetworkListener", name="pop3s"),
    ]
    assert {step.action for step in steps(shapes, LISTENERS, *plan)} == {Action.KEEP}


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (upsert("Listener"), "p line 1: object: 'Listener' is not an object type; did you mean 'NetworkListener'?"),
        (upsert("NetworkListener", l={"name": "a", "bnd": {}}), "value/l/bnd: NetworkListener has no property 'bnd'"),
        (upsert("NetworkListener", "nam", l={"nam": "a"}), "matchOn: NetworkListener has no property 'nam'"),
        (update("NetworkListener", useTls=False), "id: is missing; NetworkListener is not a singleton"),
        (update("NetworkListener", "nope", useTls=False), "id: there is no NetworkListener with the id or name 'nope'"),
        (update("NetworkListener", "#nope"), "id: #nope is not the name of an object"),
        (destroy("NetworkListener", nam="a"), "value/nam: NetworkListener has no property 'nam'"),
        (destroy("NetworkListener", operator="XOR", conditions=[]), "value/operator: is AND, OR or NOT"),
        (destroy("SystemSettings"), "@type: SystemSettings is a singleton"),
        (upsert("Account", a={"name": "a", "domainId": "#d"}), "value/a/domainId: #d is not the name of an object"),
        (upsert("NetworkListener", "useTls", l={"useTls": True}), "value/l: 2 objects have these values of useTls"),
        (upsert("NetworkListener", l={"name": "imap"}, m={"name": "imap"}), "value/m: is the same object as 'l'"),
    ],
)
def test_what_cannot_be_resolved_is_refused_with_its_place(
    shapes: ObjectShapes, operation: dict[str, Any], words: str
) -> None:
    assert any(words in problem for problem in problems(shapes, LISTENERS, operation))


def test_a_reference_of_another_type_is_refused(shapes: ObjectShapes) -> None:
    account = {"name": "alice", "domainId": "#l"}
    found = problems(shapes, {}, upsert("NetworkListener", l={"name": "a"}), upsert("Account", a=account))
    assert "p line 2: value/a/domainId: #l is of type NetworkListener; this property takes Domain" in found
