"""Who may do what: every role, every object type, every verb; and that a forbidden verb is refused before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.mail.directory import DirectoryAccount
from gatepost.management.methods.set_flow import SetParts
from gatepost.management.methods.table import method_table
from gatepost.registry.permissions import TYPE_LABELS
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

Api = Any
USERS = {"admin": "admin", "olga": "operator", "alice": "user"}

# By role, for each type: the verbs on every object, and those on the own account and what belongs to it. Letters: get,
# query, create, update, destroy.
MATRIX = {
    "admin": dict.fromkeys(TYPE_LABELS, ("gqcud", "")),
    "operator": dict.fromkeys(TYPE_LABELS, ("gq", ""))
    | {
        "NetworkListener": ("gqcud", ""),
        "Certificate": ("gqcud", ""),
        "Change": ("gqc", ""),
        "Account": ("gq", "u"),
        "ApiKey": ("gq", "cud"),
    },
    "user": dict.fromkeys(TYPE_LABELS, ("", "")) | {"Account": ("", "gqu"), "ApiKey": ("", "gqcud")},
}
USELESS = {"SystemSettings": "cd", "ListenerStatus": "cud", "Connection": "cu", "Change": "ud"}  # nothing comes of them
VERBS = {"g": "Get", "q": "Query", "c": "Create", "u": "Update", "d": "Destroy"}
NOBODY = "nobody"
CALLS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "g": [("get", {"ids": [NOBODY]}), ("changes", {"sinceState": "s0"}), ("set", {})],
    "q": [("query", {}), ("queryChanges", {"sinceQueryState": "s0"})],
    "c": [("set", {"create": {"c": {}}})],
    "u": [("set", {"update": {NOBODY: {}}})],
    "d": [("set", {"destroy": [NOBODY]})],
}


def methods_of(api: Api) -> set[str]:
    parts = SetParts(
        store=api.store,
        applier=api.server,
        hash_to_store=api.parts.hash_to_store,
        delete_account_mail=api.parts.delete_account_mail,
        make_id=api.parts.make_id,
        now=api.parts.now,
        random_octets=api.parts.random_octets,
    )
    return set(method_table(parts, api.connections))


async def answers(api: Api, user: str, type_name: str, letter: str) -> list[str]:
    """What each method of the verb is answered with: the method's name, or the type of the error."""
    known = methods_of(api)
    found = []
    for method, arguments in CALLS[letter]:
        name = f"x:{type_name}/{method}"
        if name in known:
            ((answered, result, _),) = await api.calls([name, arguments, "c"], user=user)
            found.append(result["type"] if answered == "error" else answered)
    return found


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("type_name", TYPE_LABELS)
async def test_every_role_may_use_exactly_its_verbs(user: str, type_name: str, api: Api) -> None:
    everywhere, own = MATRIX[USERS[user]][type_name]
    for letter in VERBS:
        is_allowed = letter in everywhere + own
        for answer in await answers(api, user, type_name, letter):
            assert (answer != "forbidden") == is_allowed, (user, type_name, letter, answer)


@pytest.mark.parametrize("user", USERS)
async def test_the_account_document_tells_exactly_that(user: str, api: Api) -> None:
    async with api.client() as client:
        await client.post("/api/login", json={"user": user, "password": "secret"})
        account = (await client.get("/api/account")).json()
    for position, member in enumerate(("permissions", "ownPermissions")):
        told = {
            f"sys{type_name}{VERBS[letter]}"
            for type_name, verbs in MATRIX[USERS[user]].items()
            for letter in verbs[position]
            if letter not in USELESS.get(type_name, "")
        }
        assert set(account[member]) == told


@pytest.mark.parametrize("user", ["olga", "alice"])
async def test_a_forbidden_verb_is_refused_before_anything_is_read(
    user: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("something was read")

    for name in ("read_objects", "state", "changes", "commit", "revision", "find_object"):
        monkeypatch.setattr(api.store, name, fail)
    monkeypatch.setattr(api.connections, "reports", fail)
    monkeypatch.setattr(api.server, "statuses", fail)
    monkeypatch.setattr(api.authenticator, "authenticate", authenticate_as(user))
    for type_name, (everywhere, own) in MATRIX[USERS[user]].items():
        for letter in VERBS:
            if letter not in everywhere + own:
                assert set(await answers(api, user, type_name, letter)) <= {"forbidden"}


def authenticate_as(user: str) -> Any:
    """An authenticator that needs no store."""

    async def authenticate(*_: Any) -> DirectoryAccount:
        return DirectoryAccount(Id(f"id-{user}"), user, frozenset(), USERS[user], Secret("x"), None)

    return authenticate


async def test_a_role_that_changes_accounts_changes_only_the_own_one(api: Api) -> None:
    for user in ("olga", "alice"):
        answer = await api.call("x:Account/set", user, update={"id-admin": {"description": "x"}})
        assert answer["notUpdated"]["id-admin"]["type"] == "forbidden"
        answer = await api.call("x:Account/set", user, update={f"id-{user}": {"role": "admin"}})
        assert answer["notUpdated"][f"id-{user}"]["type"] == "forbidden"
        assert (await api.call("x:Account/set", user, update={f"id-{user}": {"description": "x"}}))["updated"]


async def test_a_password_that_is_offered_for_the_account_of_somebody_else_is_not_looked_at(api: Api) -> None:
    """Whether it is the one that the account has could be read off the time that looking takes."""
    for user in ("alice", "olga"):
        answer = await api.call("x:Account/set", user=user, update={"id-admin": {"password": "secret"}})
        assert answer["notUpdated"]["id-admin"]["type"] == "forbidden"
    assert api.held_while_hashing == []  # one for each password that was hashed


def test_every_type_with_methods_has_permissions_and_the_other_way_round(api: Api) -> None:
    with_methods = {name[2:].partition("/")[0] for name in methods_of(api) if name.startswith("x:")}
    assert with_methods == set(TYPE_LABELS)
