"""API keys: made, shown once, used, and what they may not do."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from tests.management.conftest import USING, basic

from gatepost.management.api_key_token import is_token_of, key_id_of, make_token
from gatepost.management.methods.own_pace import MOST_CHANGES
from gatepost.registry.account import ACCOUNT
from gatepost.registry.api_key import API_KEY, ApiKey
from gatepost.store.interface import Broken, Busy
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

Api = Any
SET = "x:ApiKey/set"
LISTENERS = "x:NetworkListener/get"
READING = ["sysNetworkListenerGet", "sysNetworkListenerQuery"]


async def new_key(api: Api, user: str = "admin", **properties: Any) -> dict[str, Any]:
    """The answer to the create."""
    answer = await api.call(SET, user, create={"k": {"name": "robot", **properties}})
    created: dict[str, Any] = answer["created"]["k"]
    return created


async def account_document(api: Api, token: str, source: str = "127.0.0.1") -> tuple[int, dict[str, Any]]:
    """What /api/account answers to the holder of the token."""
    async with api.client(source=source, base_url="https://mail.example.org:8443") as client:
        answer = await client.get("/api/account", headers={"authorization": f"Bearer {token}"})
    return answer.status_code, answer.json()


async def call_with(api: Api, token: str, method: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the response."""
    _, account = await account_document(api, token)
    arguments = {"accountId": account["accountId"], **arguments}
    using = ["urn:ietf:params:jmap:core", "urn:stalwart:jmap", "urn:gatepost:jmap"]
    async with api.client() as client:
        answer = await client.post(
            "/jmap",
            json={"using": using, "methodCalls": [[method, arguments, "c"]]},
            headers={"authorization": f"bearer {token}"},
        )
    ((name, result, _),) = answer.json()["methodResponses"]
    return name, result


# --- made and shown once --------------------------------------------------------------------------------------------


async def test_the_secret_is_in_the_answer_to_the_create_and_nowhere_else(api: Api) -> None:
    created = await new_key(api)
    assert re.fullmatch(rf"gatepost_key_{created['id']}_[0-9a-f]{{64}}", created["secret"])
    assert created["accountId"] == "id-admin"
    assert created["secret"] not in str(api.store.rows)
    (key,) = (await api.call("x:ApiKey/get", ids=None))["list"]
    assert "secret" not in key
    assert (await api.call("x:ApiKey/get", ids=None, properties=["secret"]))["list"] == [{"id": created["id"]}]


async def test_two_keys_have_nothing_in_common(api: Api) -> None:
    first, second = await new_key(api, name="one"), await new_key(api, name="two")
    assert first["secret"][-64:] != second["secret"][-64:]


async def test_the_secret_cannot_be_chosen_or_changed(api: Api) -> None:
    answer = await api.call(SET, create={"k": {"name": "robot", "secret": "mine"}})
    (error,) = answer["notCreated"]["k"]["validationErrors"]
    assert (error["property"], error["type"]) == ("secret", "ServerSet")
    created = await new_key(api)
    answer = await api.call(SET, update={created["id"]: {"secret": "mine"}})
    assert answer["notUpdated"][created["id"]]["validationErrors"][0]["type"] == "ServerSet"


async def test_a_dry_run_issues_nothing(api: Api) -> None:
    answer = await api.call(SET, create={"k": {"name": "robot"}}, dryRun=True)
    assert "secret" not in answer["created"]["k"]
    assert (await api.call("x:ApiKey/get", ids=None))["list"] == []


async def test_one_account_has_each_name_once(api: Api) -> None:
    created = await new_key(api)
    answer = await api.call(SET, create={"k": {"name": "ROBOT"}})
    assert answer["notCreated"]["k"]["existingId"] == created["id"]
    assert await new_key(api, accountId="id-alice")


# --- used -----------------------------------------------------------------------------------------------------------


async def test_who_comes_with_a_key_is_its_account(api: Api) -> None:
    token = (await new_key(api, accountId="id-alice"))["secret"]
    status, account = await account_document(api, token)
    assert (status, account["accountId"], account["name"], account["role"]) == (
        200,
        "id-alice",
        "alice@example.org",
        "user",
    )


async def test_a_key_needs_no_csrf_token_but_tls_like_a_password(api: Api) -> None:
    token = (await new_key(api))["secret"]
    assert (await call_with(api, token, LISTENERS, ids=[]))[0] == LISTENERS
    async with api.client(source="192.0.2.7") as client:
        answer = await client.get("/api/account", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert "https://" in answer.json()["detail"]


async def test_a_key_that_is_not_good_is_refused_in_the_same_words_for_whatever_reason(api: Api) -> None:
    good = (await new_key(api))["secret"]
    expired = (await new_key(api, name="old", expiresAt="2030-06-01T12:00:00Z"))["secret"]
    elsewhere = (await new_key(api, name="far", allowedNetworks=["192.0.2.0/24"]))["secret"]
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    unknown = make_token(Id("nobody"), bytes(32)).reveal()
    answers = [await account_document(api, token) for token in (expired, elsewhere, wrong, unknown, "x")]
    assert {status for status, _ in answers} == {401}
    assert len({answer["detail"] for _, answer in answers}) == 1


async def test_a_refused_key_is_told_by_the_challenge_of_rfc6750(api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/api/account", headers={"authorization": "Bearer nonsense"})
    challenges = answer.headers.get_list("www-authenticate")
    assert challenges[-1] == 'Bearer realm="gatepost", error="invalid_token"'


async def test_a_key_is_good_until_its_time_is_over(api: Api) -> None:
    token = (await new_key(api, expiresAt="2030-06-01T12:00:01Z"))["secret"]
    assert (await account_document(api, token))[0] == 200
    api.now += timedelta(seconds=1)
    assert (await account_document(api, token))[0] == 401


async def test_a_key_is_good_in_its_networks_alone(api: Api) -> None:
    token = (await new_key(api, allowedNetworks=["192.0.2.0/24", "2001:db8::/64"]))["secret"]
    sources = {"192.0.2.255": 200, "192.0.3.0": 401, "2001:db8::9": 200, "2001:db8:0:1::": 401, "::ffff:192.0.2.1": 200}
    assert {source: (await account_document(api, token, source))[0] for source in sources} == sources


async def test_a_key_that_is_destroyed_is_over_at_once(api: Api) -> None:
    created = await new_key(api)
    await api.call(SET, destroy=[created["id"]])
    assert (await account_document(api, created["secret"]))[0] == 401


async def test_the_keys_of_an_account_go_with_it(api: Api) -> None:
    token = (await new_key(api, accountId="id-alice"))["secret"]
    kept = await new_key(api)
    answer = await api.call("x:Account/set", destroy=["id-alice"])
    assert (answer["destroyed"], answer["notDestroyed"]) == (["id-alice"], None)
    assert (await account_document(api, token))[0] == 401
    assert [each["id"] for each in (await api.call("x:ApiKey/get", ids=None))["list"]] == [kept["id"]]


async def test_a_key_whose_account_is_gone_all_the_same_is_refused(api: Api) -> None:
    token = (await new_key(api, accountId="id-alice"))["secret"]
    del api.store.rows[ACCOUNT.name, Id("id-alice")]
    assert (await account_document(api, token))[0] == 401


@pytest.mark.parametrize("failure", [Busy("locked"), Broken("disk full")])
async def test_a_store_that_fails_is_no_wrong_key(
    failure: Exception, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await new_key(api))["secret"]

    async def fail(*_: Any) -> None:
        raise failure

    monkeypatch.setattr(api.store, "read_objects", fail)
    status, answer = await account_document(api, token)
    assert (status, "disk" in answer["detail"]) == (503, False)


# --- what it may do -------------------------------------------------------------------------------------------------


async def test_a_key_may_do_what_it_was_given_and_says_so(api: Api) -> None:
    token = (await new_key(api, permissions=[*READING, "sysApiKeyGet"]))["secret"]
    _, account = await account_document(api, token)
    assert sorted(account["permissions"]) == sorted([*READING, "sysApiKeyGet"])
    assert account["ownPermissions"] == []
    assert (await call_with(api, token, LISTENERS, ids=None))[1]["list"]
    name, error = await call_with(api, token, "x:NetworkListener/set", destroy=["mx"])
    assert (name, error["type"]) == ("error", "forbidden")
    assert "sysNetworkListenerDestroy" in error["description"]


async def test_a_key_never_has_more_than_its_account_has_now(api: Api) -> None:
    token = (await new_key(api, accountId="id-olga", permissions=["sysNetworkListenerUpdate"]))["secret"]
    patch = {"mx": {"socketTtl": 9}}
    assert (await call_with(api, token, "x:NetworkListener/set", update=patch))[1]["updated"] == {"mx": None}
    await api.call("x:Account/set", update={"id-olga": {"role": "user"}})
    assert (await call_with(api, token, "x:NetworkListener/set", update=patch))[1]["type"] == "forbidden"
    assert (await account_document(api, token))[1]["permissions"] == []


async def test_a_permission_that_the_account_does_not_have_is_refused(api: Api) -> None:
    answer = await api.call(SET, create={"k": {"name": "k", "accountId": "id-alice", "permissions": READING}})
    error = answer["notCreated"]["k"]["validationErrors"][0]
    assert (error["property"], error["type"], error["value"]) == ("permissions", "Conflict", READING[0])


@pytest.mark.parametrize("permissions", [["sysNothingGet"], ["NetworkListenerGet"], [], {}, ["sysNetworkListenerget"]])
async def test_permissions_are_names_that_exist_and_at_least_one(permissions: Any, api: Api) -> None:
    answer = await api.call(SET, create={"k": {"name": "k", "permissions": permissions}})
    assert answer["notCreated"]["k"]["properties"] == ["permissions"]


@pytest.mark.parametrize("name", ["permissions", "allowedNetworks"])
async def test_taking_the_last_member_away_does_not_open_everything(name: str, api: Api) -> None:
    members: dict[str, Any] = {"permissions": ["sysDomainGet"], "allowedNetworks": ["192.0.2.0/24"]}
    created = await new_key(api, **members)
    pointer = f"{name}/{members[name][0].replace('/', '~1')}"
    answer = await api.call(SET, update={created["id"]: {pointer: None}})
    assert answer["notUpdated"][created["id"]]["validationErrors"][0]["type"] == "MinLength"
    assert (await api.call(SET, update={created["id"]: {name: None}}))["updated"] == {created["id"]: None}
    answer = await api.call(SET, update={created["id"]: {pointer: True}})
    assert answer["notUpdated"][created["id"]]["type"] == "invalidPatch"


# --- a key makes no better key --------------------------------------------------------------------------------------

LIMITED: dict[str, Any] = {
    "permissions": [*READING, "sysApiKeyCreate", "sysApiKeyUpdate", "sysApiKeyGet"],
    "expiresAt": "2031-01-01T00:00:00Z",
    "allowedNetworks": ["127.0.0.0/8"],
}


@pytest.mark.parametrize(
    ("property_name", "value"),
    [
        ("permissions", None),
        ("permissions", ["sysAccountUpdate"]),
        ("expiresAt", None),
        ("expiresAt", "2031-01-01T00:00:01Z"),
        ("allowedNetworks", None),
        ("allowedNetworks", ["127.0.0.1", "192.0.2.1"]),
        ("allowedNetworks", ["::1"]),
    ],
)
async def test_a_key_gives_nothing_that_it_has_not(property_name: str, value: Any, api: Api) -> None:
    created = await new_key(api, **LIMITED)
    wanted = {"name": "better", **LIMITED, property_name: value}
    _, answer = await call_with(api, created["secret"], SET, create={"k": wanted})
    assert answer["notCreated"]["k"]["properties"] == [property_name]
    _, answer = await call_with(api, created["secret"], SET, update={created["id"]: {property_name: value}})
    assert answer["notUpdated"][created["id"]]["properties"] == [property_name]


async def test_a_key_makes_a_lesser_one(api: Api) -> None:
    created = await new_key(api, **LIMITED)
    lesser = {"permissions": READING[:1], "expiresAt": "2030-12-01T00:00:00Z", "allowedNetworks": ["127.0.0.1"]}
    _, answer = await call_with(api, created["secret"], SET, create={"k": {"name": "lesser", **lesser}})
    token = answer["created"]["k"]["secret"]
    assert (await account_document(api, token))[1]["permissions"] == READING[:1]


# --- whose keys -----------------------------------------------------------------------------------------------------


async def test_a_user_has_keys_of_the_own_account_and_sees_no_others(api: Api) -> None:
    foreign = await new_key(api)
    own = await new_key(api, "alice")
    assert own["accountId"] == "id-alice"
    assert [each["id"] for each in (await api.call("x:ApiKey/get", "alice", ids=None))["list"]] == [own["id"]]
    assert (await api.call("x:ApiKey/query", "alice"))["ids"] == [own["id"]]
    answer = await api.call("x:ApiKey/get", "alice", ids=[foreign["id"], own["id"]])
    assert (answer["notFound"], len(answer["list"])) == ([foreign["id"]], 1)


async def test_who_may_change_nothing_else_cannot_fill_the_history_with_own_keys(api: Api) -> None:
    """It keeps a number of changes: what others have done would go."""
    numbered = {f"k{number}": {"name": f"robot {number}"} for number in range(MOST_CHANGES + 2)}
    answer = await api.call(SET, "alice", create=numbered)
    assert len(answer["created"]) == MOST_CHANGES
    assert {error["type"] for error in answer["notCreated"].values()} == {"rateLimit"}
    made = [key["id"] for key in answer["created"].values()]
    answer = await api.call(SET, "alice", update={made[0]: {"name": "other"}}, destroy=made[1:])
    assert answer["notUpdated"][made[0]]["type"] == "rateLimit"
    assert answer["destroyed"] == made[1:]
    assert (await api.call("x:Account/set", "alice", update={"id-alice": {"password": "new"}}))["notUpdated"] is None
    assert (await new_key(api, "admin", accountId="id-alice", name="by admin"))["id"]
    api.now += timedelta(hours=1, seconds=1)
    headers = {"authorization": basic("alice", "new"), "content-type": "application/json"}
    call = [SET, {"accountId": "id-alice", "update": {made[0]: {"name": "other"}}}, "0"]
    async with api.client() as client:
        late = await client.post("/jmap", json={"using": USING, "methodCalls": [call]}, headers=headers)
    assert late.json()["methodResponses"][0][1]["updated"] == {made[0]: None}


async def test_a_user_changes_no_key_of_somebody_else_and_makes_none(api: Api) -> None:
    foreign = (await new_key(api))["id"]
    answer = await api.call(SET, "alice", update={foreign: {"name": "mine"}})
    assert answer["notUpdated"][foreign]["type"] == "notFound"
    assert (await api.call(SET, "alice", destroy=[foreign]))["notDestroyed"][foreign]["type"] == "notFound"
    answer = await api.call(SET, "alice", create={"k": {"name": "k", "accountId": "id-admin"}})
    assert answer["notCreated"]["k"]["type"] == "forbidden"
    own = (await new_key(api, "alice"))["id"]
    assert (await api.call(SET, "alice", update={own: {"name": "other"}}, destroy=[]))["updated"] == {own: None}
    assert (await api.call(SET, "alice", destroy=[own]))["destroyed"] == [own]


async def test_changes_tell_a_user_of_the_own_keys_alone(api: Api) -> None:
    since = (await api.call("x:ApiKey/get", "alice", ids=[]))["state"]
    foreign, own = (await new_key(api))["id"], (await new_key(api, "alice"))["id"]
    answer = await api.call("x:ApiKey/changes", "alice", sinceState=since)
    assert answer["created"] == [own]
    answer = await api.call("x:ApiKey/queryChanges", "alice", sinceQueryState=since)
    assert [each["id"] for each in answer["added"]] == [own]
    since = answer["newQueryState"]
    await api.call(SET, destroy=[foreign])
    assert await api.error("x:ApiKey/changes", "alice", sinceState=since) == "cannotCalculateChanges"
    assert (await api.call("x:ApiKey/changes", sinceState=since))["destroyed"] == [foreign]


# --- the token ------------------------------------------------------------------------------------------------------


def test_a_token_names_its_key_and_is_known_by_its_hash_alone() -> None:
    token = make_token(Id("iabc"), bytes(range(32)))
    assert key_id_of(token) == "iabc"
    assert not is_token_of(token, None)
    assert not is_token_of(token, Secret(token.reveal()))


@pytest.mark.parametrize(
    "text", ["", "gatepost_key__" + 64 * "0", "gatepost_key_i_" + 63 * "0", " gatepost_key_i_" + 64 * "0"]
)
def test_what_is_no_token_names_no_key(text: str) -> None:
    assert key_id_of(Secret(text)) is None


def test_a_stored_key_without_a_hash_lets_nobody_in() -> None:
    assert not is_token_of(make_token(Id("i"), bytes(32)), ApiKey(name="k", account_id=Id("a")).secret)
    assert API_KEY.properties["secret"].is_secret
