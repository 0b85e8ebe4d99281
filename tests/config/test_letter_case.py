"""What the server stores in lower case however it is written is no difference to a plan that writes it otherwise."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost.config.object_shape import ObjectShapes, shapes_of
from gatepost.config.plan_file import parse_plan
from gatepost.config.reconcile import Action, resolve
from gatepost.registry.catalogue import EVERY_TYPE, OBJECT_TYPES
from gatepost.registry.schema import schema_document
from gatepost.registry.validation import candidate_of_create

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WRITTEN: dict[str, dict[str, Any]] = {
    "Domain": {"name": "Example.ORG"},
    "Account": {"name": "Alice", "password": "x", "domainId": "d1", "aliases": ["Postmaster@Example.ORG"]},
    "SystemSettings": {"defaultHostname": "Mail.Example.ORG", "httpAllowedOrigins": ["https://Admin.Example.ORG"]},
}


@pytest.fixture(scope="module")
def shapes() -> ObjectShapes:
    return shapes_of(schema_document(EVERY_TYPE.values()))


@pytest.mark.parametrize("type_name", WRITTEN)
def test_a_plan_in_other_letters_than_the_server_stores_changes_nothing(type_name: str, shapes: ObjectShapes) -> None:
    object_type, value = OBJECT_TYPES[type_name], WRITTEN[type_name]
    candidate = candidate_of_create(object_type, value, NOW)
    assert candidate.problems == ()
    stored = {**object_type.to_wire(candidate.object), "id": "singleton" if object_type.is_singleton else "i1"}
    compared = {name: each for name, each in value.items() if name != "password"}  # a secret is always sent
    assert all(stored[name] != each for name, each in compared.items() if name != "domainId")
    line = {"@type": "update", "object": type_name, "id": stored["id"], "value": compared}
    (operation,) = resolve(parse_plan(json.dumps(line), "p"), {type_name: [stored]}, shapes)
    assert [step.action for step in operation.steps] == [Action.KEEP]


def test_text_whose_case_counts_is_compared_with_it(shapes: ObjectShapes) -> None:
    current = {"Domain": [{"id": "d1", "name": "example.org", "description": "Mail"}]}
    text = '{"@type":"update","object":"Domain","id":"d1","value":{"description":"MAIL"}}'
    (operation,) = resolve(parse_plan(text, "p"), current, shapes)
    assert [step.action for step in operation.steps] == [Action.UPDATE]
