"""Foo/set: validated, prepared, committed, running (RFC 8620 section 5.3, two-phase apply)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from gatepost.management.applying import ApplyError, ApplyFailure
from gatepost.registry.domain import DOMAIN, Domain
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener
from gatepost.registry.system_settings import SYSTEM_SETTINGS
from gatepost.values.ids import Id
from gatepost.values.socket_address import SocketAddress

Api = Any
SET = "x:NetworkListener/set"
IMAP = {"name": "imap", "bind": {"[0::0]:143": True}, "protocol": "imap"}


async def test_a_create_runs_when_it_is_answered_and_echoes_what_the_server_filled_in(api: Api) -> None:
    answer = await api.call(SET, create={"i": IMAP})
    created = answer["created"]["i"]
    assert (created["id"], created["bind"], created["maxConnections"]) == ("new1", {"[::]:143": True}, 8192)
    assert "name" not in created
    assert "protocol" not in created
    assert (answer["oldState"], answer["newState"], answer["notCreated"]) == ("s3", "s4", None)
    assert api.store.value("NetworkListener", "new1")["name"] == "imap"
    assert api.server.activated == [api.store.revisions]
    assert [each.name for each in api.server.running_plan.listeners] == ["imap", "mx", "web", "webs"]


async def test_an_update_answers_null_or_what_is_other_than_it_was_sent(api: Api) -> None:
    answer = await api.call(SET, update={"mx": {"bind/[::]:2525": True, "socketTtl": 9}})
    assert answer["updated"] == {"mx": None}
    answer = await api.call(SET, update={"mx": {"bind/[0::0]:26": True}})
    assert answer["updated"] == {"mx": {"bind": {"[::]:25": True, "[::]:2525": True, "[::]:26": True}}}
    answer = await api.call(SET, update={"mx": {"tlsTimeout": "90s"}})
    assert answer["updated"] == {"mx": {"tlsTimeout": 90_000}}


async def test_a_destroyed_listener_is_gone(api: Api) -> None:
    answer = await api.call(SET, destroy=["mx"])
    assert (answer["destroyed"], answer["notDestroyed"]) == (["mx"], None)
    assert (await api.call("x:NetworkListener/get", ids=["mx"]))["notFound"] == ["mx"]


async def test_what_changes_nothing_writes_nothing(api: Api) -> None:
    answer = await api.call(SET, update={"mx": {"useTls": True, "name": "mx"}})
    assert (answer["updated"], answer["oldState"]) == ({"mx": None}, answer["newState"])
    assert (api.server.prepared, api.server.activated) == ([], [])


async def test_all_problems_come_at_once_with_the_words_for_each(api: Api) -> None:
    wire = {"name": "", "bind": ["[::]:0"], "socketTtl": 256, "color": "red"}
    error = (await api.call(SET, create={"x": wire}))["notCreated"]["x"]
    assert error["type"] == "invalidProperties"
    assert sorted(error["properties"]) == ["bind", "color", "name", "socketTtl"]
    by_property = {each["property"]: each for each in error["validationErrors"]}
    assert {name: each["type"] for name, each in by_property.items()} == {
        "name": "MinLength",
        "bind": "Invalid",
        "socketTtl": "MaxValue",
        "color": "Unknown",
    }
    ttl = by_property["socketTtl"]
    assert (ttl["value"], ttl["limit"], ttl["required"]) == ("256", 255, 255)
    assert (api.server.prepared, api.store.revisions) == ([], 8)


async def test_problems_of_properties_and_between_objects_come_together(api: Api) -> None:
    wire = {"name": "new", "bind": ["127.0.0.1:25"], "socketTtl": 0, "useTls": False, "tlsImplicit": True}
    error = (await api.call(SET, create={"x": wire}))["notCreated"]["x"]
    assert sorted(error["properties"]) == ["bind", "socketTtl", "tlsImplicit"]


async def test_one_that_is_refused_leaves_the_others(api: Api) -> None:
    answer = await api.call(
        SET, create={"bad": {"name": "bad"}, "good": IMAP}, update={"none": {}}, destroy=["nothing"]
    )
    assert list(answer["created"]) == ["good"]
    assert list(answer["notCreated"]) == ["bad"]
    assert answer["notUpdated"]["none"]["type"] == answer["notDestroyed"]["nothing"]["type"] == "notFound"


async def test_an_unfit_object_does_not_take_the_place_of_a_fit_one(api: Api) -> None:
    answer = await api.call(SET, create={"bad": {**IMAP, "name": "two words"}, "good": IMAP})
    assert (list(answer["created"]), list(answer["notCreated"])) == (["good"], ["bad"])


async def test_a_taken_name_is_told_with_its_holder(api: Api) -> None:
    error = (await api.call(SET, create={"x": {**IMAP, "name": "MX"}}))["notCreated"]["x"]
    assert (error["type"], error["existingId"], error["properties"]) == ("alreadyExists", "mx", ["name"])
    assert error["description"] == "another listener has this name"


async def test_what_is_taken_is_called_by_what_it_is(api: Api) -> None:
    block = {"network": "192.0.2.0/24"}
    answer = await api.call("x:BlockedIp/set", create={"a": block, "b": block})
    error = answer["notCreated"]["b"]
    assert (error["properties"], error["description"]) == (["network"], "another blocked network has this network")


async def test_what_is_invalid_always_comes_with_a_value(api: Api) -> None:
    """Administration clients exist that cannot read an error of this type without one."""
    wire = {"name": "", "protocol": "gopher", "bind": [], "useTls": "yes", "socketTtl": 1.5, "tlsDisableProtocols": 7}
    account = {"name": "carol", "password": "x\0y"}
    listener = (await api.call(SET, create={"x": wire}))["notCreated"]["x"]
    errors = listener["validationErrors"]
    errors += (await api.call("x:Account/set", create={"x": account}))["notCreated"]["x"]["validationErrors"]
    invalid = [each for each in errors if each["type"] == "Invalid"]
    assert {each["property"] for each in invalid} >= {
        "protocol",
        "useTls",
        "socketTtl",
        "tlsDisableProtocols",
        "password",
    }
    assert all(isinstance(each["value"], str) for each in invalid)
    assert [each["value"] for each in invalid if each["property"] == "password"] == [""]


async def test_a_name_that_another_node_takes_meanwhile_is_told_too(api: Api) -> None:
    api.store.before_commit = lambda: api.store.put(DOMAIN, "theirs", Domain(name="example.net"))
    error = (await api.call("x:Domain/set", create={"d": {"name": "example.net"}}))["notCreated"]["d"]
    assert (error["type"], error["existingId"]) == ("alreadyExists", "theirs")


async def test_a_change_that_was_decided_on_what_is_no_longer_so_is_decided_again(api: Api) -> None:
    """A worker that stood still, or another node of the store: no rule is broken by two that did not know of each other."""
    theirs = NetworkListener(name="theirs", bind=(SocketAddress.parse("127.0.0.1:2525"),), socket_reuse_port=False)
    api.store.before_commit = lambda: api.store.put(NETWORK_LISTENER, "theirs", theirs)
    mine = {"name": "mine", "bind": ["127.0.0.1:2525"], "socketReusePort": False}
    answer = await api.call(SET, create={"l": mine})
    assert "'theirs'" in answer["notCreated"]["l"]["validationErrors"][0]["description"]
    assert answer["created"] is None


@pytest.mark.parametrize("key", ["nothing", "not an id", "", "#nothing"])
async def test_ids_that_cannot_be_do_not_vanish(key: str, api: Api) -> None:
    answer = await api.call(SET, update={key: {}}, destroy=[key + "x"])
    assert answer["notUpdated"][key]["type"] == "notFound"
    assert answer["notDestroyed"][key + "x"]["type"] == "notFound"


async def test_a_patch_that_makes_no_sense(api: Api) -> None:
    answer = await api.call(SET, update={"mx": {"socketTtl/x": 1}})
    assert answer["notUpdated"]["mx"]["type"] == "invalidPatch"


async def test_an_update_of_what_is_destroyed(api: Api) -> None:
    answer = await api.call(SET, update={"mx": {"socketTtl": 5}}, destroy=["mx"])
    assert answer["notUpdated"]["mx"]["type"] == "willDestroy"
    assert answer["destroyed"] == ["mx"]


async def test_a_state_that_has_passed_changes_nothing(api: Api) -> None:
    assert await api.error(SET, ifInState="s2", destroy=["mx"]) == "stateMismatch"
    assert (await api.call(SET, ifInState="s3", destroy=["mx"]))["destroyed"] == ["mx"]


async def test_an_address_that_is_given_up_can_be_taken_in_the_same_request(api: Api) -> None:
    create = {"x": {"name": "other", "bind": ["[::]:25"], "protocol": "lmtp"}}
    error = (await api.call(SET, create=create, destroy=["mx"]))["notCreated"]["x"]
    assert error["properties"] == ["bind"]  # LMTP on port 25
    create["x"]["protocol"] = "imap"
    await api.call(SET, create={"mx2": {"name": "mx2", "bind": ["[::]:26"]}})
    answer = await api.call(SET, create={"x": {**create["x"], "bind": ["[::]:26"]}}, destroy=["new2"])
    assert (list(answer["created"]), answer["destroyed"]) == (["x"], ["new2"])


async def test_an_address_that_is_not_given_up_after_all_is_not_free(api: Api) -> None:
    create = {"x": {"name": "x", "bind": ["127.0.0.1:8080"], "protocol": "imap"}}
    answer = await api.call(SET, create=create, destroy=["web"])  # the listener that the request comes through
    assert answer["notDestroyed"]["web"]["type"] == "forbidden"
    assert answer["notCreated"]["x"]["properties"] == ["bind"]


async def test_creation_ids_stand_for_what_they_made(api: Api) -> None:
    first, second = await api.calls(
        ["x:Domain/set", {"create": {"d": {"name": "example.net"}}}, "a"],
        ["x:Account/set", {"create": {"a": {"name": "bob", "domainId": "#d", "password": "x"}}}, "b"],
    )
    assert second[1]["created"]["a"]["domainId"] == first[1]["created"]["d"]["id"]
    answer = await api.call(SET, create={"i": IMAP}, update={"#i": {"socketTtl": 7}})
    assert answer["updated"] == {"new3": None}
    assert api.store.value("NetworkListener", "new3")["socketTtl"] == 7


async def test_a_creation_id_that_is_used_again_stands_for_the_object_of_the_earlier_call(api: Api) -> None:
    _, second = await api.calls(
        ["x:Domain/set", {"create": {"x": {"name": "example.net"}}}, "a"],
        ["x:Account/set", {"create": {"x": {"name": "bob", "domainId": "#x", "password": "x"}}}, "b"],
    )
    assert second[1]["created"]["x"]["domainId"] == "new1"


async def test_a_creation_id_of_what_was_not_made_is_refused(api: Api) -> None:
    create = {"a": {"name": "bob", "domainId": "#d", "password": "x"}}
    error = (await api.call("x:Account/set", create=create))["notCreated"]["a"]
    assert error["properties"] == ["domainId"]


# --- the machine has a word --------------------------------------------------------------------------------------------


async def test_an_address_that_cannot_be_bound_is_refused_with_address_and_errno(api: Api) -> None:
    api.server.failing_addresses["[::]:143"] = "EADDRINUSE"
    pop3 = {"name": "pop3", "bind": ["[::]:110"], "protocol": "pop3"}
    answer = await api.call(SET, create={"i": IMAP, "p": pop3})
    error = answer["notCreated"]["i"]
    assert (error["type"], error["properties"]) == ("invalidProperties", ["bind"])
    assert error["validationErrors"][0]["value"] == "[::]:143"
    assert "EADDRINUSE" in error["description"]
    assert "[::]:143" in error["description"]
    assert list(answer["created"]) == ["p"]
    assert [len(plan.listeners) for plan in api.server.prepared] == [5, 4]
    assert [each.name for each in api.server.running_plan.listeners] == ["mx", "pop3", "web", "webs"]


async def test_when_nothing_is_left_nothing_has_changed(api: Api) -> None:
    api.server.failing_addresses["[::]:143"] = "EACCES"
    await api.call(SET, create={"i": IMAP})
    assert (api.server.activated, api.store.revisions) == ([], 8)


async def test_what_cannot_be_prepared_is_never_stored_even_where_an_untouched_listener_is_the_reason(api: Api) -> None:
    api.server.failing_addresses["[::]:25"] = "EMFILE"
    answer = await api.call(SET, create={"i": IMAP})
    assert answer["notCreated"]["i"]["type"] == "forbidden"
    assert (api.server.activated, api.store.revisions) == ([], 8)


async def test_a_policy_that_another_object_makes_impossible_is_blamed_on_the_change(api: Api) -> None:
    api.server.failures = [ApplyFailure(Id("mx"), "tlsDisableCipherSuites", "no shared cipher")]
    answer = await api.call("x:SystemSettings/set", update={"singleton": {"proxyTrustedNetworks": ["10.0.0.0/8"]}})
    error = answer["notUpdated"]["singleton"]
    assert (error["type"], error["description"]) == ("forbidden", "no shared cipher")


async def test_workers_that_do_not_follow_are_told_of(api: Api) -> None:
    api.server.activation_error = ApplyError("worker 2 died")
    assert await api.error(SET, create={"i": IMAP}) == "serverPartialFail"


async def test_a_change_that_leaves_the_plan_alone_is_not_prepared(api: Api) -> None:
    answer = await api.call("x:Domain/set", create={"d": {"name": "example.net"}})
    assert answer["created"]["d"]["id"] == "new1"
    assert (api.server.turns, api.server.prepared, api.server.activated) == (1, [], [])


# --- dry run ----------------------------------------------------------------------------------------------------------


async def test_a_dry_run_prepares_and_tells_and_changes_nothing(api: Api) -> None:
    answer = await api.call(
        SET,
        dryRun=True,
        create={"i": {**IMAP, "useTls": False}},
        update={"mx": {"bind": ["[::]:26"], "socketTtl": 9, "tlsImplicit": True, "socketReuseAddress": False}},
        destroy=["webs"],
    )
    assert len(api.server.prepared) == 1
    assert (api.server.activated, api.store.revisions) == ([], 8)
    assert answer["oldState"] == answer["newState"]
    assert "id" not in answer["created"]["i"]
    report = answer["dryRun"]
    assert [step["description"] for step in report["i"]["steps"]] == ["open [::]:143"]
    assert report["i"]["warnings"] == ["without TLS nobody can log in here from another machine"]
    kinds = [(step["kind"], step.get("address")) for step in report["mx"]["steps"]]
    assert kinds == [("open", "[::]:26"), ("applyNow", None), ("nextConnection", None), ("close", "[::]:25")]
    assert report["mx"]["steps"][1]["properties"] == ["socketReuseAddress", "socketTtl"]
    assert [step["kind"] for step in report["webs"]["steps"]] == ["close", "drain"]


async def test_a_dry_run_finds_what_the_machine_refuses(api: Api) -> None:
    api.server.failing_addresses["[::]:143"] = "EADDRINUSE"
    answer = await api.call(SET, dryRun=True, create={"i": IMAP})
    assert answer["notCreated"]["i"]["properties"] == ["bind"]
    assert answer["dryRun"] == {}


async def test_a_dry_run_of_settings_tells_what_it_does_to_listeners(api: Api) -> None:
    update = {"singleton": {"proxyTrustedNetworks": ["10.0.0.0/8"], "maxConnections": 5}}
    report = (await api.call("x:SystemSettings/set", dryRun=True, update=update))["dryRun"]["singleton"]
    assert {step.get("listener") for step in report["steps"]} == {None, "mx", "web", "webs"}


OTHER_SETTINGS = {
    "defaultHostname": "other.example.org",
    "workers": 3,
    "maxConnections": 5,
    "maxConnectionsPerAddress": 5,
    "proxyTrustedNetworks": ["10.0.0.0/8"],
    "proxyHeaderTimeout": 1,
    "drainTimeout": 1,
    "maxMessageSize": 65_536,
    "allowClearHttpLogin": True,
    "httpStrictTransportSecurity": 86_400_000,
    "httpAllowedOrigins": ["https://admin.example.org"],
    "httpForwardedNetworks": ["10.0.0.0/8"],
}


@pytest.mark.parametrize("name", SYSTEM_SETTINGS.properties)
async def test_a_dry_run_has_words_for_every_setting(name: str, api: Api) -> None:
    if name not in OTHER_SETTINGS:
        no_part_of_a_plan = ("defaultCertificateId", "historyRetention", "historyMaxChanges")
        assert name in no_part_of_a_plan
        return
    update = {"singleton": {name: OTHER_SETTINGS[name]}}
    answer = await api.call("x:SystemSettings/set", dryRun=True, update=update)
    assert answer["dryRun"]["singleton"]["steps"], answer


async def test_a_dry_run_is_ours_and_must_not_be_misspelled(api: Api) -> None:
    call = [SET, {"dryRun": True, "destroy": ["mx"]}, "c"]
    ((name, error, _),) = await api.calls(call, using=["urn:ietf:params:jmap:core", "urn:stalwart:jmap"])
    assert (name, error["type"]) == ("error", "invalidArguments")
    assert await api.error(SET, dryrun=True, destroy=["mx"]) == "invalidArguments"
    assert api.store.revisions == 8


# --- lock-out, singletons, links ----------------------------------------------------------------------------------------


async def test_the_listener_that_the_request_comes_through_stays_unless_insisted(api: Api) -> None:
    error = (await api.call(SET, destroy=["web"]))["notDestroyed"]["web"]
    assert (error["type"], "allowLockOut" in error["description"]) == ("forbidden", True)
    error = (await api.call(SET, update={"web": {"protocol": "imap"}}))["notUpdated"]["web"]
    assert error["validationErrors"][0]["type"] == "Conflict"
    report = await api.call(SET, destroy=["web"], allowLockOut=True, dryRun=True)
    assert "this request comes through" in report["dryRun"]["web"]["warnings"][0]
    assert (await api.call(SET, destroy=["web"], allowLockOut=True))["destroyed"] == ["web"]


async def test_a_singleton_is_updated_only(api: Api) -> None:
    answer = await api.call(
        "x:SystemSettings/set",
        create={"x": {}},
        update={"other": {}, "singleton": {"maxConnections": 5}},
        destroy=["singleton"],
    )
    assert answer["notCreated"]["x"]["type"] == answer["notDestroyed"]["singleton"]["type"] == "singleton"
    assert answer["notUpdated"]["other"]["type"] == "notFound"
    assert answer["updated"] == {"singleton": None}
    assert api.store.value("SystemSettings", "singleton")["maxConnections"] == 5


async def test_what_is_in_use_says_by_what(api: Api) -> None:
    error = (await api.call("x:Domain/set", destroy=["org"]))["notDestroyed"]["org"]
    assert error["type"] == "objectIsLinked"
    assert {"object": "x:Account", "id": "id-alice"} in error["linkedObjects"]


# --- accounts -----------------------------------------------------------------------------------------------------------


async def test_a_password_is_stored_as_its_hash_and_never_answered(api: Api) -> None:
    create = {"b": {"name": "bob", "domainId": "org", "password": "hunter2"}}
    answer = await api.call("x:Account/set", create=create)
    assert "hunter2" not in str(answer)
    assert api.store.value("Account", "new1")["password"] == "hash of hunter2"
    await api.call("x:Account/set", update={"new1": {"description": "Bob"}})
    assert api.store.value("Account", "new1")["password"] == "hash of hunter2"
    await api.call("x:Account/set", update={"new1": {"password": "other"}})
    assert api.store.value("Account", "new1")["password"] == "hash of other"


async def test_the_mail_of_a_destroyed_account_goes_with_it(api: Api) -> None:
    await api.call("x:Account/set", destroy=["id-alice"], dryRun=True)
    assert api.deleted_mail == []
    await api.call("x:Account/set", destroy=["id-alice"])
    assert api.deleted_mail == ["id-alice"]


async def test_whoever_is_logged_in_as_an_account_that_is_removed_has_to_leave_before_its_mail_goes(api: Api) -> None:
    for connection_id, account_id in (("w1-1", "id-alice"), ("w1-2", "id-olga"), ("w1-3", None), ("w1-4", "id-alice")):
        api.connections.add(connection_id, account_id=account_id)
    await api.call("x:Account/set", update={"id-alice": {"description": "leaves"}})
    await api.call("x:Account/set", destroy=["id-alice"], dryRun=True)
    assert api.connections.ended == []
    await api.call("x:Account/set", destroy=["id-alice"])
    assert api.connections.ended == ["w1-1", "w1-4"]


async def test_the_mail_goes_even_where_a_session_could_not_be_ended(api: Api) -> None:
    api.connections.failure = ApplyError("a worker did not answer")
    assert await api.error("x:Account/set", destroy=["id-alice"]) == "serverPartialFail"
    assert api.deleted_mail == ["id-alice"]
    assert await api.store.read_objects("Account", ["id-alice"]) == []


async def test_an_operator_changes_listeners_but_not_accounts(api: Api) -> None:
    assert (await api.call(SET, "olga", create={"i": IMAP}))["created"]
    assert await api.error("x:Account/set", "olga", create={"x": {}}) == "forbidden"
    assert await api.error("x:Account/set", "olga", destroy=["id-alice"]) == "forbidden"
    answer = await api.call("x:Account/set", "olga", update={"id-alice": {"description": "x"}})
    assert answer["notUpdated"]["id-alice"]["type"] == "forbidden"
    assert await api.error("x:SystemSettings/set", "olga", update={"singleton": {}}) == "forbidden"


async def test_a_user_changes_the_own_password_but_not_the_own_role(api: Api) -> None:
    answer = await api.call("x:Account/set", "alice", update={"id-alice": {"role": "admin"}})
    assert answer["notUpdated"]["id-alice"]["properties"] == ["role"]
    answer = await api.call("x:Account/set", "alice", update={"id-alice": {"aliases/boss@example.org": True}})
    assert answer["notUpdated"]["id-alice"]["type"] == "forbidden"
    answer = await api.call("x:Account/set", "alice", update={"id-alice": {"password": "other", "description": "me"}})
    assert answer["updated"] == {"id-alice": None}
    assert api.store.value("Account", "id-alice")["password"] == "hash of other"


# --- limits and arguments ------------------------------------------------------------------------------------------------


async def test_the_number_of_objects_has_a_limit(make_api: Callable[..., Api]) -> None:
    api = make_api(max_objects_in_set=2)
    assert await api.error(SET, create={"a": {}}, update={"b": {}}, destroy=["c"]) == "requestTooLarge"
    await api.call(SET, create={"a": {}}, update={"b": {}})


@pytest.mark.parametrize(
    "arguments",
    [{"create": []}, {"create": {"a": 5}}, {"update": "x"}, {"destroy": "mx"}, {"destroy": [5]}, {"ifInState": 5}],
)
async def test_set_arguments_of_the_wrong_form(arguments: dict[str, object], api: Api) -> None:
    assert await api.error(SET, **arguments) == "invalidArguments"


async def test_an_empty_set_tells_the_state(api: Api) -> None:
    answer = await api.call(SET)
    assert (answer["oldState"], answer["newState"], answer["created"]) == ("s3", "s3", None)


async def test_a_password_is_hashed_before_the_turn_so_that_nobody_waits_for_it(api: Api) -> None:
    domain = next(each for each in await api.store.read_objects("Domain"))
    carol = {"name": "carol", "domainId": domain.id, "password": "pw"}
    answer = await api.call("x:Account/set", create={"c": carol})
    stored = await api.store.read_objects("Account", [answer["created"]["c"]["id"]])
    assert stored[0].value["password"] == "hash of pw"
    assert api.held_while_hashing == [False]


async def test_a_dry_run_of_hundreds_of_listeners_goes_through_the_steps_once_and_tells_each_its_own(api: Api) -> None:
    hosts = [f"127.9.{number // 250}.{number % 250 + 1}" for number in range(500)]
    wanted = {
        f"l{number}": {
            "name": f"l{number}",
            "protocol": "smtp",
            "bind": [f"{host}:{port}" for port in range(3000, 3015)],
        }
        for number, host in enumerate(hosts)
    }
    began = time.monotonic()
    report = (await api.call("x:NetworkListener/set", create=wanted, dryRun=True))["dryRun"]
    assert time.monotonic() - began < 20  # it took minutes when each listener looked through the steps of all
    assert [step["address"] for step in report["l7"]["steps"]] == wanted["l7"]["bind"]
    assert all({step["listener"] for step in told["steps"]} == {name} for name, told in report.items())
