"""x:Change/set: undoing a change by the /set of its object."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.management.conftest import NOW, Api

from gatepost.management.recording import object_write
from gatepost.registry.certificate import CERTIFICATE
from gatepost.registry.change import ChangeCause
from gatepost.registry.network_listener import NETWORK_LISTENER
from gatepost.store.history import Author
from gatepost.values.ids import Id

NEW = {"name": "edge", "protocol": "imap", "bind": ["127.0.0.1:10143"]}


async def revert(api: Api, change_id: str, user: str = "admin", **options: Any) -> dict[str, Any]:
    """What the create of a revert is answered with; refused ones raise AssertionError."""
    answer = await api.call("x:Change/set", user=user, create={"r": {"revertOf": change_id}}, **options)
    assert answer["notCreated"] is None, answer["notCreated"]
    return dict(answer["created"]["r"])


async def refusal(api: Api, change_id: object, user: str = "admin", **options: Any) -> dict[str, Any]:
    answer = await api.call("x:Change/set", user=user, create={"r": {"revertOf": change_id}}, **options)
    assert answer["created"] is None
    return dict(answer["notCreated"]["r"])


async def set_listener(api: Api, listener_id: str = "mx", user: str = "admin", new_bind: str = "", **patch: Any) -> str:
    """The id of the change."""
    patch |= {f"bind/{new_bind}": True} if new_bind else {}
    answer = await api.call("x:NetworkListener/set", user=user, update={listener_id: patch})
    assert answer["notUpdated"] is None
    return await newest(api)


async def newest(api: Api) -> str:
    return str((await api.call("x:Change/query", limit=1))["ids"][0])


def stored(api: Api, listener_id: str = "mx") -> dict[str, Any]:
    return dict(api.store.value("NetworkListener", listener_id))


async def test_an_update_is_undone_and_that_is_a_change_itself(api: Api) -> None:
    before = stored(api)
    done = await set_listener(api, tlsTimeout=1000, new_bind="127.0.0.1:25")
    made = await revert(api, done, user="olga")
    assert stored(api) == before
    assert (made["revertOf"], made["account"], made["kind"]) == (done, "olga", "updated")
    assert (made["before"]["tlsTimeout"], made["after"]["tlsTimeout"]) == (1000, 60_000)
    assert (await api.call("x:Change/get", ids=[made["id"]]))["list"] == [made]
    assert api.server.running_plan.listeners == api.server.plan_of_store().listeners


async def test_only_the_properties_of_the_change_go_back(api: Api) -> None:
    done = await set_listener(api, tlsTimeout=1000)
    await set_listener(api, maxConnections=5)
    await revert(api, done)
    assert (stored(api)["tlsTimeout"], stored(api)["maxConnections"]) == (60_000, 5)


async def test_a_revert_can_be_reverted(api: Api) -> None:
    made = await revert(api, await set_listener(api, tlsTimeout=1000))
    again = await revert(api, made["id"])
    assert stored(api)["tlsTimeout"] == 1000
    assert again["revertOf"] == made["id"]


async def test_what_was_created_is_destroyed(api: Api) -> None:
    await api.call("x:NetworkListener/set", create={"n": NEW})
    made = await revert(api, await newest(api))
    assert made["kind"] == "destroyed"
    assert (NETWORK_LISTENER.name, Id("new1")) not in api.store.rows


async def test_what_was_destroyed_comes_back_with_its_id(api: Api) -> None:
    before = stored(api)
    await api.call("x:NetworkListener/set", destroy=["mx"])
    made = await revert(api, await newest(api))
    assert (made["kind"], made["objectId"]) == ("created", "mx")
    assert stored(api) == before


async def test_a_destroyed_certificate_in_files_comes_back(api: Api, tmp_path: Any) -> None:
    key = new_key()
    chain = new_certificate("mail.example.org", key, (NOW - timedelta(days=1), NOW + timedelta(days=90)))
    (tmp_path / "chain.pem").write_text(certificate_pem(chain))
    (tmp_path / "key.pem").write_text(key_pem(key))
    value = {"certificateFile": str(tmp_path / "chain.pem"), "privateKeyFile": str(tmp_path / "key.pem")}
    await api.call("x:Certificate/set", create={"c": value})
    await api.call("x:Certificate/set", destroy=["new1"])
    await revert(api, await newest(api), user="olga")
    assert api.store.value("Certificate", "new1")["certificateFile"] == value["certificateFile"]


async def test_a_change_that_was_overtaken_is_not_undone_unless_forced(api: Api) -> None:
    first = await set_listener(api, tlsTimeout=1000, maxConnections=7)
    second = await set_listener(api, user="olga", tlsTimeout=2000)
    error = await refusal(api, first)
    assert error["type"] == "invalidProperties"
    (problem,) = error["validationErrors"]
    assert (problem["type"], problem["value"]) == ("Conflict", "tlsTimeout")
    assert f"by olga at 2030-06-01T12:00:00Z (change {second})" in problem["description"]
    assert "force" in error["description"]
    assert stored(api)["tlsTimeout"] == 2000
    await revert(api, first, force=True)
    assert stored(api)["tlsTimeout"] == 60_000


async def test_what_has_come_back_to_what_the_change_made_is_no_conflict(api: Api) -> None:
    first = await set_listener(api, tlsTimeout=1000)
    await set_listener(api, tlsTimeout=2000)
    await set_listener(api, tlsTimeout=1000)
    await revert(api, first)
    assert stored(api)["tlsTimeout"] == 60_000


async def test_a_created_object_that_has_changed_since_is_not_destroyed_unless_forced(api: Api) -> None:
    await api.call("x:NetworkListener/set", create={"n": NEW})
    created = await newest(api)
    await set_listener(api, "new1", maxConnections=5)
    assert (await refusal(api, created))["validationErrors"][0]["value"] == "maxConnections"
    await revert(api, created, force=True)
    assert (NETWORK_LISTENER.name, Id("new1")) not in api.store.rows


async def test_an_account_with_a_new_password_since_is_not_destroyed_unless_forced(api: Api) -> None:
    await api.call("x:Account/set", create={"b": {"name": "bob", "domainId": "org", "password": "one"}})
    created = await newest(api)
    await api.call("x:Account/set", update={"new1": {"password": "two"}})
    assert (await refusal(api, created))["validationErrors"][0]["value"] == "password"
    await revert(api, created, force=True)
    assert api.deleted_mail == ["new1"]


async def test_secrets_cannot_be_given_back_and_the_refusal_says_what_to_do(api: Api) -> None:
    await api.call("x:Account/set", update={"id-alice": {"password": "other", "description": "new"}})
    error = await refusal(api, await newest(api))
    assert (error["type"], api.store.value("Account", "id-alice")["description"]) == ("forbidden", "new")
    assert "password: secrets are not kept" in error["description"]
    assert "x:Account/set" in error["description"]
    await api.call("x:Account/set", destroy=["id-alice"])
    error = await refusal(api, await newest(api), force=True)
    assert "create the object anew with x:Account/set" in error["description"]


async def test_another_property_of_an_account_goes_back_whatever_became_of_its_password(api: Api) -> None:
    await api.call("x:Account/set", update={"id-alice": {"description": "new"}})
    change_id = await newest(api)
    await api.call("x:Account/set", update={"id-alice": {"password": "other"}})
    await revert(api, change_id)
    assert api.store.value("Account", "id-alice")["description"] is None


@pytest.mark.parametrize("state", ["as it was", "does not exist", "there again", "is gone already"])
async def test_what_is_undone_already_is_told_so(api: Api, state: str) -> None:
    match state:
        case "as it was":
            change_id = await set_listener(api, tlsTimeout=1000)
            await set_listener(api, tlsTimeout=60_000)
        case "does not exist":
            change_id = await set_listener(api, tlsTimeout=1000)
            await api.call("x:NetworkListener/set", destroy=["mx"])
        case "there again":
            await api.call("x:NetworkListener/set", destroy=["mx"])
            change_id = await newest(api)
            await revert(api, change_id)
        case _:
            await api.call("x:NetworkListener/set", create={"n": NEW})
            change_id = await newest(api)
            await api.call("x:NetworkListener/set", destroy=["new1"])
    error = await refusal(api, change_id, force=True)
    assert error["type"] == "forbidden"
    assert state in error["description"]


async def test_a_dry_run_of_a_revert_tells_the_steps_and_changes_nothing(api: Api) -> None:
    done = await set_listener(api, new_bind="127.0.0.1:25")
    answer = await api.call("x:Change/set", create={"r": {"revertOf": done}}, dryRun=True)
    assert answer["created"] == {"r": {"objectType": "x:NetworkListener", "objectId": "mx"}}
    steps = answer["dryRun"]["r"]["steps"]
    assert [(step["kind"], step["address"]) for step in steps] == [("close", "127.0.0.1:25")]
    assert stored(api)["bind"] == {"[::]:25": True, "127.0.0.1:25": True}
    assert await newest(api) == done


async def test_a_revert_that_the_machine_refuses_is_refused_in_the_words_of_the_object(api: Api) -> None:
    await api.call("x:NetworkListener/set", destroy=["mx"])
    api.server.failing_addresses["[::]:25"] = "EADDRINUSE"
    error = await refusal(api, await newest(api))
    assert (error["type"], error["properties"]) == ("invalidProperties", ["bind"])
    assert "EADDRINUSE" in error["description"]


async def test_a_revert_that_the_rules_refuse_is_refused(api: Api) -> None:
    await api.call("x:NetworkListener/set", destroy=["mx"])
    destroyed = await newest(api)
    await api.call("x:NetworkListener/set", create={"n": NEW | {"name": "mx"}})
    assert (await refusal(api, destroyed))["type"] == "alreadyExists"


async def test_a_revert_that_locks_out_is_refused_unless_allowed(api: Api) -> None:
    del api.store.rows[NETWORK_LISTENER.name, Id("webs")]
    await api.call("x:NetworkListener/set", update={"web": {"protocol": "smtp"}}, allowLockOut=True)
    to_http = await set_listener(api, "web", protocol="http")
    assert "allowLockOut" in (await refusal(api, to_http))["description"]
    assert (await revert(api, to_http, allowLockOut=True))["after"] == {"protocol": "smtp"}


async def test_operators_revert_what_they_may_change_and_nothing_else(api: Api) -> None:
    listener_change = await set_listener(api, tlsTimeout=1000)
    await api.call("x:Domain/set", create={"d": {"name": "example.net"}})
    error = await refusal(api, await newest(api), user="olga")
    assert error["type"] == "forbidden"
    assert "sysDomainDestroy" in error["description"]
    await revert(api, listener_change, user="olga")


async def test_who_may_not_undo_a_change_is_not_told_what_became_of_the_object_since(api: Api) -> None:
    await api.call("x:Domain/set", update={"org": {"description": "one"}})
    change_id = await newest(api)
    await api.call("x:Domain/set", update={"org": {"description": "two"}})
    error = await refusal(api, change_id, user="olga")
    assert error["type"] == "forbidden"
    assert "sysDomainUpdate" in error["description"]


async def test_what_somebody_changes_between_the_look_and_the_commit_is_not_overwritten(api: Api) -> None:
    change_id = await set_listener(api, tlsTimeout=1000)
    row = NETWORK_LISTENER.name, Id("mx")

    def meanwhile() -> None:
        value = json.loads(json.dumps(api.store.rows[row][0])) | {"tlsTimeout": 3000}
        api.store.put(NETWORK_LISTENER, "mx", NETWORK_LISTENER.from_stored(value))

    api.store.before_commit = meanwhile
    assert (await refusal(api, change_id))["validationErrors"][0]["value"] == "tlsTimeout"
    assert stored(api)["tlsTimeout"] == 3000


async def test_what_only_the_server_has_set_is_not_undone(api: Api) -> None:
    before = api.store.configuration().of(CERTIFICATE)[Id("self")]
    after = CERTIFICATE.from_stored(CERTIFICATE.to_stored(before) | {"fileProblem": "is missing"})
    author = Author(at=NOW, cause=ChangeCause.CERTIFICATE_FILE)
    await api.store.commit([object_write(author, CERTIFICATE, Id("self"), before, after)])
    assert "nothing to undo" in (await refusal(api, await newest(api)))["description"]


async def test_one_call_reverts_many_and_each_is_answered(api: Api) -> None:
    first, second = await set_listener(api, tlsTimeout=1000), await set_listener(api, maxConnections=7)
    creates = {"a": {"revertOf": first}, "b": {"revertOf": "h99"}, "c": {"revertOf": second}}
    answer = await api.call("x:Change/set", create=creates)
    assert set(answer["created"]) == {"a", "c"}
    assert set(answer["notCreated"]) == {"b"}
    assert answer["newState"] == (await api.call("x:Change/get", ids=[]))["state"] != answer["oldState"]


@pytest.mark.parametrize("wanted", [None, 7, "h99", "x", ""])
async def test_a_change_that_is_not_there_is_told_so(api: Api, wanted: object) -> None:
    error = await refusal(api, wanted)
    assert (error["type"], error["properties"]) == ("invalidProperties", ["revertOf"])


async def test_nothing_but_revert_of_is_given(api: Api) -> None:
    answer = await api.call("x:Change/set", create={"r": {"revertOf": "h1", "account": "x", "why": "because"}})
    problems = answer["notCreated"]["r"]["validationErrors"]
    assert {(each["property"], each["type"]) for each in problems} >= {("account", "ServerSet"), ("why", "Unknown")}


async def test_the_history_itself_cannot_be_changed(api: Api) -> None:
    done = await set_listener(api, tlsTimeout=1000)
    answer = await api.call("x:Change/set", update={done: {"account": "nobody"}}, destroy=[done])
    assert answer["notUpdated"][done]["type"] == answer["notDestroyed"][done]["type"] == "forbidden"
    assert await newest(api) == done


async def test_what_the_history_does_not_have_is_not_found_rfc8620_section_5_3(api: Api) -> None:
    answer = await api.call("x:Change/set", update={"h99": {}, "#x": {}}, destroy=["h98", "nothing"])
    refused = {**answer["notUpdated"], **answer["notDestroyed"]}
    assert {key: each["type"] for key, each in refused.items()} == dict.fromkeys(
        ("h99", "#x", "h98", "nothing"), "notFound"
    )


async def test_a_revert_is_bound_to_a_state_of_the_history(api: Api) -> None:
    done = await set_listener(api, tlsTimeout=1000)
    state = (await api.call("x:Change/get", ids=[]))["state"]
    await set_listener(api, maxConnections=7)
    creates = {"r": {"revertOf": done}}
    assert await api.error("x:Change/set", ifInState=state, create=creates) == "stateMismatch"
    assert await api.error("x:Change/set", create=creates, forced=True) == "invalidArguments"


async def test_the_one_object_of_a_singleton_is_reverted_but_not_removed(api: Api) -> None:
    await api.call("x:SystemSettings/set", update={"singleton": {"maxConnections": 99}})
    await revert(api, await newest(api))
    assert api.store.value("SystemSettings", "singleton")["maxConnections"] == 8192
