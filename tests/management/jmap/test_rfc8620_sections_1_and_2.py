"""RFC 8620 sections 1 (data types) and 2 (the Session resource)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

Api = Any
CORE, CONFIGURATION, OURS = "urn:ietf:params:jmap:core", "urn:stalwart:jmap", "urn:gatepost:jmap"
ID = re.compile(r"[A-Za-z0-9_-]{1,255}")


async def session(api: Api, user: str = "admin", base_url: str = "http://127.0.0.1:8080") -> dict[str, Any]:
    async with api.client(base_url=base_url) as client:
        answer = await client.get("/jmap/session", auth=(user, "secret"))
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


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


async def session_with_key(api: Api, *permissions: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What a key with these permissions sees, and the headers that it is sent with."""
    wire = {"name": f"key {len(api.store.rows)}", "permissions": list(permissions)}
    key = (await api.call("x:ApiKey/set", create={"k": wire}))["created"]["k"]
    headers = {"authorization": f"Bearer {key['secret']}"}
    async with api.client() as client:
        answer = await client.get("/jmap/session", headers=headers)
    return answer.json(), headers


async def call_with(api: Api, headers: dict[str, str], name: str, **arguments: Any) -> tuple[dict[str, Any], str]:
    """The arguments of the response, and the state of the session that came with it."""
    request = {
        "using": [CORE, CONFIGURATION, OURS],
        "methodCalls": [[name, {"accountId": "id-admin", **arguments}, "c"]],
    }
    async with api.client() as client:
        answer = (await client.post("/jmap", json=request, headers=headers)).json()
    return answer["methodResponses"][0][1], answer["sessionState"]


async def test_2_an_account_that_can_only_be_read_is_read_only(api: Api) -> None:
    document, headers = await session_with_key(api, "sysDomainGet", "sysAccountGet")
    assert document["accounts"]["id-admin"]["isReadOnly"]
    changes: list[dict[str, Any]] = [{"create": {"d": {}}}, {"update": {"org": {}}}, {"destroy": ["org"]}]
    for arguments in changes:
        error, _ = await call_with(api, headers, "x:Domain/set", **arguments)
        assert error["type"] == "accountReadOnly"
    assert (await call_with(api, headers, "x:Domain/get"))[0]["list"]
    assert (await call_with(api, headers, "x:Certificate/get"))[0]["type"] == "forbidden"
    document, headers = await session_with_key(api, "sysDomainGet", "sysDomainUpdate")
    assert not document["accounts"]["id-admin"]["isReadOnly"]
    assert (await call_with(api, headers, "x:Domain/set", destroy=["org"]))[0]["type"] == "forbidden"


@pytest.mark.parametrize(
    ("permission", "offered", "other"),
    [("sysDomainGet", CONFIGURATION, "x:Change/get"), ("sysListenerStatusGet", OURS, "x:Domain/get")],
)
async def test_2_a_capability_of_which_nothing_can_be_used_is_not_in_the_account(
    permission: str, offered: str, other: str, api: Api
) -> None:
    document, headers = await session_with_key(api, permission)
    assert document["accounts"]["id-admin"]["accountCapabilities"].keys() == {CORE, offered}
    assert document["primaryAccounts"] == {CORE: "id-admin", offered: "id-admin"}
    assert (await call_with(api, headers, other))[0]["type"] == "accountNotSupportedByMethod"


async def test_2_the_state_is_another_when_the_abilities_of_a_key_are(api: Api) -> None:
    before, headers = await session_with_key(api, "sysDomainGet", "sysApiKeyUpdate", "sysApiKeyGet")
    (key,) = (await call_with(api, headers, "x:ApiKey/get"))[0]["list"]
    assert (await call_with(api, headers, "x:Domain/get"))[1] == before["state"]
    await api.call("x:ApiKey/set", update={key["id"]: {"permissions": ["sysDomainGet"]}})
    async with api.client() as client:
        after = (await client.get("/jmap/session", headers=headers)).json()
    assert after["accounts"] != before["accounts"]
    assert after["state"] != before["state"]
    assert (await call_with(api, headers, "x:Domain/get"))[1] == after["state"]


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
