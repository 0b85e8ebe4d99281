"""The schema document has the shape that clients of this object model are driven by."""

from __future__ import annotations

import json
from typing import Any

from gatepost.registry.catalogue import EVERY_TYPE, OBJECT_TYPES
from gatepost.registry.schema import schema_document

DOCUMENT: dict[str, Any] = schema_document(EVERY_TYPE.values())
LISTENER = DOCUMENT["fields"]["x:NetworkListener"]["properties"]


def test_it_is_json_and_has_all_parts() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT
    assert list(DOCUMENT) == ["objects", "schemas", "fields", "forms", "lists", "enums", "layouts", "dashboards"]


def test_every_field_of_the_specification_is_there() -> None:
    assert list(LISTENER) == [
        "name",
        "bind",
        "protocol",
        "overrideProxyTrustedNetworks",
        "socketBacklog",
        "socketNoDelay",
        "socketReceiveBufferSize",
        "socketReuseAddress",
        "socketReusePort",
        "socketSendBufferSize",
        "socketTosV4",
        "socketTtl",
        "useTls",
        "tlsDisableCipherSuites",
        "tlsDisableProtocols",
        "tlsIgnoreClientOrder",
        "tlsImplicit",
        "tlsTimeout",
        "maxConnections",
    ]


def test_types_are_written_as_clients_expect_them() -> None:
    assert LISTENER["name"]["update"] == "immutable"
    assert LISTENER["bind"]["type"]["class"] == {"type": "string", "format": "socketAddress"}
    assert LISTENER["bind"]["type"]["minItems"] == 1
    assert LISTENER["protocol"]["type"] == {"type": "enum", "enumName": "NetworkListenerProtocol"}
    ttl = {"type": "number", "format": "unsignedInteger", "min": 1, "max": 255, "nullable": True}
    assert LISTENER["socketTtl"]["type"] == ttl
    timeout = LISTENER["tlsTimeout"]["type"]
    assert (timeout["format"], timeout["nullable"]) == ("duration", True)
    account = DOCUMENT["fields"]["x:Account"]["properties"]
    assert account["domainId"]["type"] == {"type": "objectId", "objectName": "x:Domain", "nullable": True}
    assert account["password"]["type"]["format"] == "secret"


def test_defaults_are_in_wire_form() -> None:
    defaults = DOCUMENT["fields"]["x:NetworkListener"]["defaults"]
    assert (defaults["maxConnections"], defaults["tlsTimeout"], defaults["protocol"]) == (8192, 60_000, "smtp")
    assert "name" not in defaults


def test_objects_and_permissions() -> None:
    assert DOCUMENT["objects"]["x:NetworkListener"]["permissionPrefix"] == "sysNetworkListener"
    assert DOCUMENT["objects"]["x:SystemSettings"]["type"] == "singleton"


def test_enums_list_what_can_be_chosen() -> None:
    assert [choice["name"] for choice in DOCUMENT["enums"]["TlsVersion"]] == ["tls12", "tls13"]
    assert len(DOCUMENT["enums"]["TlsCipherSuite"]) == 9


def test_forms_and_lists_name_properties_that_exist_each_form_all_of_them() -> None:
    for name, object_type in EVERY_TYPE.items():
        properties = DOCUMENT["fields"][f"x:{name}"]["properties"]
        sections = DOCUMENT["forms"][f"x:{name}"]["sections"]
        in_form = [field["name"] for section in sections for field in section["fields"]]
        assert sorted(in_form) == sorted(properties), name
        view = DOCUMENT["lists"][f"x:{name}"]
        assert {column["name"] for column in view["columns"]} <= properties.keys()
        assert {each["field"] for each in view["filters"]} <= properties.keys()
        assert object_type.list_view.label_property in properties


def test_lists_say_how_they_can_be_sorted_and_narrowed_down() -> None:
    listeners = DOCUMENT["lists"]["x:NetworkListener"]
    assert listeners["sort"] == [column["name"] for column in listeners["columns"]]
    filters = {each["field"]: each for each in listeners["filters"]}
    assert filters["name"] == {"type": "text", "field": "name", "label": "Name"}
    assert (filters["protocol"]["type"], filters["protocol"]["enumName"]) == ("enum", "NetworkListenerProtocol")
    assert (filters["useTls"]["type"], filters["useTls"]["enumName"]) == ("enum", "Boolean")
    assert [each["name"] for each in DOCUMENT["enums"]["Boolean"]] == ["true", "false"]
    assert filters["maxConnections"]["type"] == "integer"
    keys = {each["field"]: each for each in DOCUMENT["lists"]["x:ApiKey"]["filters"]}
    assert (keys["accountId"]["type"], keys["accountId"]["objectName"]) == ("objectId", "x:Account")
    assert (keys["expiresAt"]["type"], keys["permissions"]["enumName"]) == ("date", "Permission")


def test_a_form_has_a_title_for_the_page_of_a_singleton() -> None:
    form = DOCUMENT["forms"]["x:SystemSettings"]
    assert (form["title"], form["subtitle"]) == ("Server", "What holds for the whole server")


def test_a_form_demands_a_secret_when_an_object_is_made_and_not_when_it_is_changed() -> None:
    """A client that demands a value for what is not nullable could not change an account without a new password."""
    password = DOCUMENT["fields"]["x:Account"]["properties"]["password"]
    assert (password["type"]["nullable"], password["required"]) == (True, True)
    issued = DOCUMENT["fields"]["x:ApiKey"]["properties"]["secret"]
    assert "nullable" not in issued["type"]


def test_every_property_tells_what_it_is_and_what_a_change_of_it_does() -> None:
    for fields in DOCUMENT["fields"].values():
        for described in fields["properties"].values():
            assert described["description"]
            assert described["label"]
            assert described["liveEffect"] in {"now", "next", "rebind", "none"}


def test_objects_within_objects_are_described_and_are_no_objects_of_their_own() -> None:
    status = DOCUMENT["fields"]["x:ListenerStatus"]["properties"]
    assert status["addresses"]["type"] == {"type": "objectList", "objectName": "x:ListenerAddress"}
    number = {"type": "number", "format": "unsignedInteger", "min": 0, "max": 2**53 - 1}
    text = {"type": "string", "format": "string"}
    assert status["refused"]["type"] == {"type": "map", "keyClass": text, "valueClass": number}
    address = DOCUMENT["fields"]["x:ListenerAddress"]["properties"]
    assert address["acceptQueues"]["type"] == {"type": "objectList", "objectName": "x:AcceptQueue"}
    assert address["socketOptions"]["type"]["valueClass"] == {"type": "object", "objectName": "x:SocketOption"}
    proxy = DOCUMENT["fields"]["x:Connection"]["properties"]["proxy"]["type"]
    assert proxy == {"type": "object", "objectName": "x:ProxyHeader", "nullable": True}
    nested = {"x:ListenerAddress", "x:AcceptQueue", "x:SocketOption", "x:ProxyHeader"}
    assert DOCUMENT["schemas"].keys() - DOCUMENT["objects"].keys() == nested
    for name in nested:
        assert DOCUMENT["schemas"][name] == {"type": "single", "schemaName": name}
        in_form = [field["name"] for field in DOCUMENT["forms"][name]["sections"][0]["fields"]]
        assert in_form == list(DOCUMENT["fields"][name]["properties"])


def test_what_the_server_sets_has_no_default_to_begin_with() -> None:
    for fields in DOCUMENT["fields"].values():
        for name in fields["defaults"]:
            assert fields["properties"][name]["update"] != "serverSet", name


def test_permissions_that_nothing_comes_of_are_not_offered() -> None:
    offered = {choice["name"] for choice in DOCUMENT["enums"]["Permission"]}
    assert {"sysConnectionDestroy", "sysChangeCreate", "sysListenerStatusGet"} <= offered
    assert not offered & {
        "sysConnectionCreate",
        "sysListenerStatusUpdate",
        "sysSystemSettingsDestroy",
        "sysChangeDestroy",
    }


def test_the_menu_leads_to_every_type_that_can_be_configured() -> None:
    containers = [item["container"] for section in DOCUMENT["layouts"] for item in section["items"]]
    links = [link["viewName"] for container in containers for link in container["items"]]
    assert sorted(links) == sorted(f"x:{name}" for name in OBJECT_TYPES)
    assert DOCUMENT["layouts"][0]["items"][0]["container"]["items"][0]["name"] == "Listeners"
