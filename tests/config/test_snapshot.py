"""A configuration as a plan: complete, the same for the same configuration, independent of ids, honest about secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gatepost.config.object_shape import shapes_of
from gatepost.config.plan_file import PlanError, parse_plan
from gatepost.config.reconcile import Action, resolve
from gatepost.config.snapshot import take_snapshot
from gatepost.registry.catalogue import EVERY_TYPE, OBJECT_TYPES, READ_ONLY_TYPES
from gatepost.registry.schema import schema_document

Objects = Mapping[str, Sequence[Mapping[str, Any]]]

SHAPES = shapes_of(schema_document(OBJECT_TYPES.values()))
NAMES = ("Account", "Certificate", "Domain", "NetworkListener", "SystemSettings")
ALICE = {"id": "a1", "name": "alice", "domainId": "d1", "aliases": {"sales@example.org": True}, "role": "user"}
OTHER_ALICE = {"id": "a2", "name": "alice", "domainId": "d2", "aliases": {}, "role": "user"}
ADMIN: dict[str, Any] = {"id": "a3", "name": "admin", "domainId": None, "aliases": {}, "role": "admin"}
ORG = {"id": "d1", "name": "example.org", "description": None}
NET = {"id": "d2", "name": "example.net", "description": "the other one"}
OWN = {"id": "c1", "name": "self-signed", "certificate": "PEM 1", "isSelfSigned": True}
IN_FILES = {
    "id": "c2",
    "name": "mail",
    "certificate": None,
    "certificateFile": "/etc/mail.pem",
    "privateKeyFile": "/etc/mail.key",
    "isSelfSigned": False,
    "issuer": "CN=somebody",
}
UNNAMED = {"id": "c3", "name": None, "certificate": "PEM 3", "certificateFile": None, "privateKeyFile": None}
SETTINGS = {"id": "singleton", "maxConnections": 8192, "defaultCertificateId": "c2"}
LISTENER = {"id": "l1", "name": "imap", "protocol": "imap", "bind": {"[::]:143": True}, "tlsTimeout": None}
OBJECTS: Objects = {
    "Account": [ALICE, OTHER_ALICE, ADMIN],
    "Certificate": [OWN, IN_FILES, UNNAMED],
    "Domain": [ORG, NET],
    "NetworkListener": [LISTENER],
    "SystemSettings": [SETTINGS],
}


def operations(objects: Objects, *, is_exact: bool = False) -> list[dict[str, Any]]:
    text = take_snapshot(SHAPES, {name: objects.get(name, ()) for name in NAMES}, is_exact=is_exact).text
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def values(objects: Objects, name: str) -> list[dict[str, Any]]:
    return [value for each in operations(objects) if each["object"] == name for value in each["value"].values()]


def renamed_ids(objects: Objects) -> Objects:
    """The same configuration on another server: other ids, another order."""
    text = json.dumps({name: list(reversed(items)) for name, items in objects.items()})
    for old in ("a1", "a2", "a3", "d1", "d2", "c1", "c2", "c3", "l1"):
        text = text.replace(f'"{old}"', f'"other{old[::-1]}"')
    renamed: Objects = json.loads(text)
    return renamed


def test_what_others_refer_to_comes_first() -> None:
    order = list(dict.fromkeys(each["object"] for each in operations(OBJECTS)))
    assert order == ["Certificate", "Domain", "Account", "NetworkListener", "SystemSettings"]


def test_objects_refer_to_each_other_by_names_of_the_plan() -> None:
    accounts = {each["name"]: each["domainId"] for each in values(OBJECTS, "Account") if each["aliases"]}
    assert accounts == {"alice": "#example-org"}
    [settings] = [each["value"] for each in operations(OBJECTS) if each["object"] == "SystemSettings"]
    assert settings == {"defaultCertificateId": "#mail", "maxConnections": 8192}


def test_two_objects_of_one_label_have_two_names_in_the_plan() -> None:
    names = [name for each in operations(OBJECTS) if each["object"] == "Account" for name in each["value"]]
    assert names == ["admin", "alice-example-net", "alice-example-org"]


def test_the_same_configuration_gives_the_same_text_whatever_its_ids_and_their_order() -> None:
    assert take_snapshot(SHAPES, OBJECTS) == take_snapshot(SHAPES, renamed_ids(OBJECTS))


def test_what_the_server_sets_is_left_out_and_so_is_the_certificate_that_it_made_for_itself() -> None:
    certificates = {each["name"]: each for each in values(OBJECTS, "Certificate")}
    assert set(certificates) == {"mail", None}
    assert "issuer" not in certificates["mail"]


def test_a_reference_to_the_certificate_of_the_server_itself_is_left_empty() -> None:
    settings = {**OBJECTS, "SystemSettings": [{**SETTINGS, "defaultCertificateId": "c1"}]}
    assert operations(settings)[-1]["value"]["defaultCertificateId"] is None


def test_a_certificate_without_a_name_is_found_again_by_its_text() -> None:
    match_on = [each["matchOn"] for each in operations(OBJECTS) if each["object"] == "Certificate"]
    assert match_on == [["name", "certificate"], ["name"]]


def test_secrets_that_are_missing_are_told_and_stand_as_remarks_before_their_objects() -> None:
    snapshot = take_snapshot(SHAPES, OBJECTS)
    assert snapshot.missing == (
        "Certificate without a name: privateKey",
        "Account admin: password",
        "Account alice@example.net: password",
        "Account alice@example.org: password",
    )
    lines = snapshot.text.splitlines()
    remark = next(number for number, line in enumerate(lines) if line.startswith("# password of alice@example.org"))
    assert '"name":"alice","domainId":"#example-org"' in lines[remark + 1]


def test_a_key_in_a_file_is_not_missing() -> None:
    assert take_snapshot(SHAPES, {"Certificate": [IN_FILES]}).missing == ()


def test_applied_where_it_was_taken_it_changes_nothing() -> None:
    for is_exact in (False, True):
        text = take_snapshot(SHAPES, OBJECTS, is_exact=is_exact).text
        resolved = resolve(parse_plan(text, "snapshot"), OBJECTS, SHAPES)
        assert {step.action for operation in resolved for step in operation.steps} == {Action.KEEP}


def test_an_exact_snapshot_destroys_what_was_not_there_and_the_certificate_of_the_server_stays() -> None:
    text = take_snapshot(SHAPES, OBJECTS, is_exact=True).text
    more: Objects = {
        **OBJECTS,
        "Domain": [*OBJECTS["Domain"], {"id": "d9", "name": "new.example"}],
        "Account": [*OBJECTS["Account"], {"id": "a9", "name": "new", "domainId": "d9"}],
        "Certificate": [*OBJECTS["Certificate"], {**UNNAMED, "id": "c9", "certificate": "PEM 9"}],
        "NetworkListener": [],
    }
    resolved = resolve(parse_plan(text, "snapshot"), more, SHAPES)
    done = [(each.action, each.object_id) for operation in resolved for each in operation.steps]
    assert [object_id for action, object_id in done if action is Action.DESTROY] == ["a9", "d9", "c9"]
    assert [object_id for action, object_id in done if action is Action.CREATE] == ["#imap"]


def test_a_history_is_not_part_of_a_configuration() -> None:
    every = shapes_of(schema_document(EVERY_TYPE.values()))
    assert every.by_name.keys() - {shape.name for shape in every.configuration()} == READ_ONLY_TYPES.keys()


@pytest.mark.parametrize("name", READ_ONLY_TYPES)
def test_no_plan_is_about_what_is_no_configuration(name: str) -> None:
    every = shapes_of(schema_document(EVERY_TYPE.values()))
    operations = parse_plan(json.dumps({"@type": "destroy", "object": name, "value": {}}), "plan")
    with pytest.raises(PlanError, match=f"plan line 1: object: {name} is no configuration"):
        resolve(operations, {name: [{"id": "w1-2"}]}, every)


def test_what_nothing_links_to_is_destroyed_together_with_what_takes_its_place() -> None:
    """A listener that gets another name keeps its address: one change of the server, in which nobody is refused."""
    plan = {"@type": "reconcile", "object": "NetworkListener", "matchOn": ["name"], "value": {"l": {"name": "new"}}}
    later = {"@type": "update", "object": "SystemSettings", "value": {"maxConnections": 5}}
    resolved = resolve(parse_plan("\n".join(map(json.dumps, (plan, later))), "plan"), OBJECTS, SHAPES)
    assert [[step.action for step in operation.steps] for operation in resolved] == [
        [Action.CREATE, Action.DESTROY],
        [Action.UPDATE],
    ]


def test_a_secret_that_a_server_makes_itself_is_told_to_be_made_anew() -> None:
    key = {"id": "k1", "name": "ci", "accountId": "a3", "expiresAt": None}
    text = take_snapshot(SHAPES, {"Account": [ADMIN], "ApiKey": [key]}).text
    assert (
        "# secret of ci is not in here: no server gives it back. What exists keeps its own; where the ApiKey is created, "
        "the server makes a new one and shows it once."
    ) in text.splitlines()
