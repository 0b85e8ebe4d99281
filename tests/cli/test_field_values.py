"""`--field` and `--where`, typed by the schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatepost.cli.failure import WRONG_USAGE, CommandError
from gatepost.cli.field_values import parse_conditions, parse_fields, whole_values
from gatepost.config.object_shape import ObjectShape, PropertyShape, shapes_of

FILES = {"name.txt": "from a file\n", "-": "from standard input\n"}


def read(name: str) -> str:
    return FILES[name]


@pytest.fixture(scope="module")
def listener() -> ObjectShape:
    file = Path(__file__).parent.parent / "config" / "schema_document.json"
    return shapes_of(json.loads(file.read_text(encoding="utf-8"))).find("NetworkListener")


@pytest.mark.parametrize(
    ("field", "key", "value"),
    [
        ("name=a=b", "name", "a=b"),
        ("name=null", "name", "null"),
        ("NAME=a", "name", "a"),
        ("useTls=false", "useTls", False),
        ("useTls=Yes", "useTls", True),
        ("maxConnections=10", "maxConnections", 10),
        ("maxConnections=null", "maxConnections", None),
        ("tlsTimeout=1h30m", "tlsTimeout", 5_400_000),
        ("tlsTimeout=250", "tlsTimeout", 250),
        ("tlsTimeout=100", "tlsTimeout", 100),
        ("tlsTimeout=0", "tlsTimeout", 0),
        ("protocol=IMAP", "protocol", "imap"),
        ("protocol=gopher", "protocol", "gopher"),
        ("bind=[::]:25, 127.0.0.1:26", "bind", {"[::]:25": True, "127.0.0.1:26": True}),
        ('bind=["[::]:25"]', "bind", {"[::]:25": True}),
        ('bind={"[::]:25":true}', "bind", {"[::]:25": True}),
        ("overrideProxyTrustedNetworks=", "overrideProxyTrustedNetworks", {}),
        ("tlsDisableProtocols=TLS12", "tlsDisableProtocols", {"tls12": True}),
        ("bind/[::]:2525=true", "bind/[::]:2525", True),
        ("bind/[::]:2525=null", "bind/[::]:2525", None),
        ("bind/[::]:2525=false", "bind/[::]:2525", None),
        ("overrideProxyTrustedNetworks/10.0.0.0~18=true", "overrideProxyTrustedNetworks/10.0.0.0~18", True),
    ],
)
def test_a_field_has_the_type_of_its_property(listener: ObjectShape, field: str, key: str, value: Any) -> None:
    [(found_key, found)] = parse_fields(listener, [field], read).items()
    assert (found_key, found, type(found)) == (key, value, type(value))


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("useTls", "write a property and a value"),
        ("=1", "has no such property"),
        ("usetsl=1", "did you mean 'useTls'?"),
        ("tlsTimeout=5", "without a unit it would be 5 milliseconds: write 5ms or 5s"),
        ("useTls=maybe", "--field useTls: 'maybe' does not fit; write true or false"),
        ("maxConnections=many", "--field maxConnections: 'many' does not fit; write a number"),
        ("maxConnections=0", "the least is 1"),
        ("maxConnections=1.5", "write a number"),
        ("socketTtl=256", "the most is 255"),
        ("tlsTimeout=soon", "--field tlsTimeout: 'soon' is not a duration"),
        ("bind=[1", None),
        ("bind={1", "--field bind: '{1' does not fit; write JSON"),
        ("bind/[::]:25=maybe", "write true to add the member"),
    ],
)
def test_a_field_that_does_not_fit_is_wrong_usage(listener: ObjectShape, field: str, words: str | None) -> None:
    if words is None:
        assert parse_fields(listener, [field], read) == {"bind": {"[1": True}}  # for the server to refuse
        return
    with pytest.raises(CommandError) as refused:
        parse_fields(listener, [field], read)
    assert refused.value.exit_code == WRONG_USAGE
    assert words in str(refused.value)


def test_a_field_given_twice_is_wrong_usage(listener: ObjectShape) -> None:
    with pytest.raises(CommandError, match="is given twice"):
        parse_fields(listener, ["bind=[::]:25", "bind=[::]:26"], read)


def test_limits_are_inclusive(listener: ObjectShape) -> None:
    assert parse_fields(listener, ["socketTtl=1"], read) == {"socketTtl": 1}
    assert parse_fields(listener, ["socketTtl=255"], read) == {"socketTtl": 255}


def test_conditions_become_a_filter(listener: ObjectShape) -> None:
    assert parse_conditions(listener, []) == {}
    assert parse_conditions(listener, ["name=smtp", "useTls=true"]) == {"name": "smtp", "useTls": True}
    assert parse_conditions(listener, ["bind=[::]:25"]) == {"bind": "[::]:25"}


def test_conditions_are_sent_as_the_server_spells_them(listener: ObjectShape) -> None:
    network = PropertyShape("network", "string", "ipNetwork")
    blocked = ObjectShape("BlockedIp", is_singleton=False, properties={"network": network})
    assert parse_conditions(listener, ["bind=[0:0::0]:25"]) == {"bind": "[::]:25"}
    assert parse_conditions(blocked, ["network=192.0.2.7/24"]) == {"network": "192.0.2.0/24"}
    assert parse_conditions(blocked, ["network=2001:DB8:0::/32"]) == {"network": "2001:db8::/32"}
    assert parse_conditions(blocked, ["network=192.0."]) == {"network": "192.0."}


def test_two_conditions_on_one_property_must_both_hold(listener: ObjectShape) -> None:
    assert parse_conditions(listener, ["bind=[::]:25", "bind=[::]:26"]) == {
        "operator": "AND",
        "conditions": [{"bind": "[::]:25"}, {"bind": "[::]:26"}],
    }


def test_a_text_may_stand_in_a_file_or_on_standard_input(listener: ObjectShape) -> None:
    assert parse_fields(listener, ["name=@name.txt"], read) == {"name": "from a file\n"}
    assert parse_fields(listener, ["name=@-"], read) == {"name": "from standard input\n"}
    assert parse_fields(listener, ["name=@@home"], read) == {"name": "@home"}


def test_the_end_of_its_line_is_no_part_of_a_password_in_a_file() -> None:
    account = ObjectShape("Account", False, {"password": PropertyShape("password", "string", "secret")})
    assert parse_fields(account, ["password=@name.txt"], read) == {"password": "from a file"}


def test_only_texts_stand_in_files(listener: ObjectShape) -> None:
    assert parse_fields(listener, ["bind=@name.txt"], read) == {"bind": {"@name.txt": True}}


def test_a_new_object_may_be_given_the_members_of_a_set_one_by_one(listener: ObjectShape) -> None:
    fields = ["name=a", "bind/[::]:25=true", "bind/[::]:26=true", "overrideProxyTrustedNetworks/10.0.0.0~18=true"]
    assert whole_values(parse_fields(listener, fields, read)) == {
        "name": "a",
        "bind": {"[::]:25": True, "[::]:26": True},
        "overrideProxyTrustedNetworks": {"10.0.0.0/8": True},
    }


@pytest.mark.parametrize("condition", ["protocol=imapp", "tlsDisableProtocols=tls1"])
def test_a_condition_that_nothing_can_have_is_refused(listener: ObjectShape, condition: str) -> None:
    with pytest.raises(CommandError, match="is not one of its values; did you mean") as refused:
        parse_conditions(listener, [condition])
    assert refused.value.exit_code == WRONG_USAGE


def test_a_choice_is_found_in_any_case(listener: ObjectShape) -> None:
    assert parse_conditions(listener, ["protocol=IMAP"]) == {"protocol": "imap"}
    assert parse_conditions(listener, ["tlsDisableProtocols=TLS12"]) == {"tlsDisableProtocols": "tls12"}
