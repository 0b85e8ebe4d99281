"""RFC 8620 sections 1 (data types) and 2 (the Session resource)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.management.jmap.i_json import parse_i_json
from gatepost.registry.catalogue import EVERY_TYPE, OBJECT_TYPES
from gatepost.registry.declaration import Update
from gatepost.registry.kinds import UtcDateTime
from gatepost.values.ids import id_from_random

Api = Any
CORE, CONFIGURATION, OURS = "urn:ietf:params:jmap:core", "urn:stalwart:jmap", "urn:gatepost:jmap"
ID = re.compile(r"[A-Za-z0-9_-]{1,255}")


async def session(api: Api, user: str = "admin", base_url: str = "http://127.0.0.1:8080") -> dict[str, Any]:
    async with api.client(base_url=base_url) as client:
        answer = await client.get("/jmap/session", auth=(user, "secret"))
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


async def test_1_1_what_is_immutable_stays_as_it_was_created(api: Api) -> None:
    immutable = [
        (each.wire_name, name)
        for each in OBJECT_TYPES.values()
        for name, declared in each.properties.items()
        if declared.declaration.update is Update.IMMUTABLE and each.wire_name != "x:ApiKey"
    ]
    assert ("x:Domain", "name") in immutable
    for type_name, name in immutable:
        for shown in (await api.call(f"{type_name}/get"))["list"]:
            patch = {shown["id"]: {name: "other.example"}}
            error = (await api.call(f"{type_name}/set", update=patch))["notUpdated"][shown["id"]]
            assert (error["type"], error["properties"]) == ("invalidProperties", [name])
            assert shown in (await api.call(f"{type_name}/get"))["list"]


async def test_1_2_every_id_is_an_id_and_begins_with_a_letter(api: Api) -> None:
    api.connections.add("w4242-17")
    await api.call("x:Domain/set", create={"d": {"name": "example.net"}})
    for type_name in (each.wire_name for each in EVERY_TYPE.values()):
        ids = [each["id"] for each in (await api.call(f"{type_name}/get", ids=None))["list"]]
        assert all(ID.fullmatch(each) and each[0].isalpha() for each in ids)
        assert len({each.lower() for each in ids}) == len(ids)


@given(st.binary(min_size=10, max_size=10))
def test_1_2_new_ids_are_no_numbers_no_dashes_and_differ_in_more_than_case(random_octets: bytes) -> None:
    made = id_from_random(random_octets)
    assert ID.fullmatch(made)
    assert made[0].isalpha()
    assert made == made.lower()
    assert "nil" not in made or len(made) > 3


async def test_1_2_an_id_is_1_to_255_characters_of_the_safe_alphabet(api: Api) -> None:
    created = (await api.call("x:Domain/set", create={"d": {"name": "example.net"}}))["created"]["d"]["id"]
    assert ID.fullmatch(created)
    assert ID.fullmatch((await session(api))["primaryAccounts"][CORE])


@pytest.mark.parametrize("number", [2**53, -(2**53), 1.0, 1.5, "1", True])
async def test_1_3_an_int_lies_between_the_ends_of_what_a_double_holds_exactly(number: object, api: Api) -> None:
    assert await api.error("x:Domain/query", position=number) == "invalidArguments"


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53 - 1)])
async def test_1_3_the_ends_themselves_are_ints(number: int, api: Api) -> None:
    await api.call("x:Domain/query", position=number, anchorOffset=number)


async def test_1_3_an_unsigned_int_is_not_negative(api: Api) -> None:
    assert await api.error("x:Domain/query", limit=-1) == "invalidArguments"


async def test_1_4_a_utc_date_is_written_with_capital_letters_and_no_fraction_of_zero(api: Api) -> None:
    (certificate,) = (await api.call("x:Certificate/get", ids=None))["list"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", certificate["notValidAfter"])


async def test_1_4_every_time_of_every_object_has_that_form(api: Api) -> None:
    api.connections.add("w1-1")
    wire = {"name": "k", "expiresAt": "2035-01-31T12:00:00.250Z"}
    await api.call("x:ApiKey/set", create={"k": wire})
    seen = 0
    for object_type in EVERY_TYPE.values():
        times = [name for name, each in object_type.properties.items() if isinstance(each.kind, UtcDateTime)]
        for shown in (await api.call(f"{object_type.wire_name}/get", ids=None))["list"]:
            for value in (shown[name] for name in times if shown[name] is not None):
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z", value)
                seen += 1
    assert seen > 3


async def test_1_5_answers_are_i_json_in_utf_8(api: Api) -> None:
    await api.call("x:Domain/set", create={"d": {"name": "example.net", "description": "Grüße \U0001f600 \u2028"}})
    calls = [[f"{each.wire_name}/get", {"accountId": "id-admin"}, "c"] for each in EVERY_TYPE.values()]
    answer = await api.post({"using": [CORE, CONFIGURATION, OURS], "methodCalls": calls})
    assert "Grüße \U0001f600".encode() in answer.content
    assert parse_i_json(answer.content) == answer.json()


@pytest.mark.parametrize("argument", ["dryRun", "allowLockOut"])
async def test_1_8_what_was_not_opted_into_is_as_if_it_did_not_exist(argument: str, api: Api) -> None:
    call = ["x:Domain/set", {"destroy": ["org"], argument: True}, "c"]
    ((_, error, _),) = await api.calls(call, using=[CORE, CONFIGURATION])
    assert error["type"] == "invalidArguments"
    assert (await api.call("x:Domain/get", ids=["org"]))["list"]
    answer = await api.call("x:Domain/set", create={"d": {"name": "example.net"}})
    assert "dryRun" not in answer


async def test_1_5_and_1_8_a_capability_of_a_vendor_is_a_uri_and_values_are_objects(api: Api) -> None:
    capabilities = (await session(api))["capabilities"]
    assert all(re.match(r"[a-z][a-z0-9+.-]*:", name) for name in capabilities)
    assert all(isinstance(value, dict) for value in capabilities.values())


async def test_1_7_credentials_are_not_taken_in_clear_from_another_machine(api: Api) -> None:
    async with api.client(source="192.0.2.1") as client:
        assert (await client.get("/jmap/session", auth=("admin", "secret"))).status_code == 403


async def test_2_the_session_is_for_who_has_signed_in(api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/jmap/session")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"]


async def test_2_a_limit_that_the_rfc_does_not_know_is_in_our_own_capability(api: Api) -> None:
    most = (await session(api))["capabilities"][OURS]["maxValuesInRequest"]
    octets = b"[" + b"0," * most + b"0]"
    refused = await api.post(octets)
    assert (refused.status_code, refused.json()["limit"]) == (400, "maxValuesInRequest")


async def test_2_the_core_capability_has_every_limit(api: Api) -> None:
    core = (await session(api))["capabilities"][CORE]
    numbers = {name: value for name, value in core.items() if name != "collationAlgorithms"}
    assert set(numbers) == {
        "maxSizeUpload",
        "maxConcurrentUpload",
        "maxSizeRequest",
        "maxConcurrentRequests",
        "maxCallsInRequest",
        "maxObjectsInGet",
        "maxObjectsInSet",
    }
    assert all(isinstance(value, int) and value >= 0 for value in numbers.values())
    assert set(core["collationAlgorithms"]) >= {"i;ascii-casemap", "i;octet", "i;unicode-casemap"}


async def test_2_accounts_primary_accounts_and_capabilities_go_together(api: Api) -> None:
    document = await session(api)
    (account_id,) = document["accounts"]
    account = document["accounts"][account_id]
    assert (account["name"], account["isPersonal"], account["isReadOnly"]) == ("admin", True, False)
    assert set(account["accountCapabilities"]) == set(document["capabilities"]) == {CORE, CONFIGURATION, OURS}
    assert document["primaryAccounts"] == dict.fromkeys([CORE, CONFIGURATION, OURS], account_id)
    assert document["username"] == "admin"


async def test_2_the_urls_are_templates_with_the_variables_that_they_must_have(api: Api) -> None:
    document = await session(api, base_url="https://mail.example.org:8443")
    wanted = {
        "apiUrl": set[str](),
        "downloadUrl": {"accountId", "blobId", "type", "name"},
        "uploadUrl": {"accountId"},
        "eventSourceUrl": {"types", "closeafter", "ping"},
    }
    for name, variables in wanted.items():
        assert document[name].startswith("https://mail.example.org:8443/")
        assert set(re.findall(r"{(\w+)}", document[name])) == variables


async def test_2_whatever_the_session_names_is_there(api: Api) -> None:
    """Filled in as a client would (RFC 6570 level 1); 404 would be a problem of the path, not of the blob."""
    document = await session(api)
    values = {"accountId": "id-admin", "blobId": "b", "name": "ä/b", "type": "text/plain", "types": "x:Domain"}
    values |= {"closeafter": "state", "ping": "0"}

    def url(name: str) -> str:
        return re.sub(r"{(\w+)}", lambda match: quote(values[match[1]], safe=""), document[name])

    async with api.client() as client:
        empty = {"using": [CORE], "methodCalls": []}
        assert (await client.post(url("apiUrl"), json=empty, auth=("admin", "secret"))).status_code == 200
        assert (await client.head(url("eventSourceUrl"), auth=("admin", "secret"))).status_code == 200
        upload = await client.post(url("uploadUrl"), content=b"x", auth=("admin", "secret"))
        download = await client.get(url("downloadUrl"), auth=("admin", "secret"))
    assert upload.json()["limit"] == "maxSizeUpload"
    assert "blobId" in download.json()["detail"]


async def test_2_the_state_is_that_of_every_response_and_another_when_the_session_is(
    api: Api, make_api: Callable[..., Api]
) -> None:
    state = (await session(api))["state"]
    response = await api.post({"using": [CORE], "methodCalls": []})
    assert response.json()["sessionState"] == state
    assert (await session(api, "olga"))["state"] != state
    assert (await session(make_api(max_objects_in_get=7)))["state"] != state


async def test_2_the_session_is_not_kept_by_caches(api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/jmap/session", auth=("admin", "secret"))
    assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"
    assert answer.headers["content-type"] == "application/json"


async def test_2_2_the_session_is_found_at_a_well_known_place(api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/.well-known/jmap", auth=("admin", "secret"), follow_redirects=True)
    assert "apiUrl" in answer.json()
