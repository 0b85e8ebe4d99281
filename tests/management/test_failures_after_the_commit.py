"""RFC 8620 section 3.6.2: an error of a method leaves everything as it was, but for serverPartialFail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.management.conftest import Api

from gatepost.management.app import make_app
from gatepost.store.interface import Broken, Busy

CREATE = {"d": {"name": "new.example"}}
FAILURES = [Broken("disk I/O error"), Busy("another writer"), RuntimeError("a fault of the code")]


def fail_after_the_commit(api: Api, name: str, error: Exception) -> None:
    """A method of the store that fails once something has been committed."""
    present: Callable[..., Any] = getattr(api.store, name)
    revision = api.store.revisions

    async def fail(*arguments: Any) -> Any:
        if api.store.revisions > revision:
            raise error
        return await present(*arguments)

    setattr(api.store, name, fail)


def names(api: Api) -> list[object]:
    return [value["name"] for (kind, _), (value, _) in api.store.rows.items() if kind == "Domain"]


@pytest.mark.parametrize("error", FAILURES)
async def test_3_6_2_a_state_that_cannot_be_read_after_the_commit(error: Exception, api: Api) -> None:
    fail_after_the_commit(api, "state", error)
    assert await api.error("x:Domain/set", create=CREATE) == "serverPartialFail"
    assert names(api) == ["example.org", "new.example"]


@pytest.mark.parametrize("error", FAILURES)
async def test_3_6_2_a_store_that_fails_before_the_commit_has_changed_nothing(
    error: Exception, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise error

    before = dict(api.store.rows)
    monkeypatch.setattr(api.store, "commit", fail)
    kind = await api.error("x:Domain/set", create=CREATE)
    assert kind == ("serverUnavailable" if isinstance(error, Busy) else "serverFail")
    assert api.store.rows == before


@pytest.mark.parametrize("error", FAILURES)
async def test_3_6_2_workers_that_fail_at_what_is_stored(error: Exception, api: Api) -> None:
    api.server.activation_error = error
    listener = {"name": "imap", "protocol": "imap", "bind": ["127.0.0.1:10143"]}
    assert await api.error("x:NetworkListener/set", create={"i": listener}) == "serverPartialFail"
    assert any(value.get("name") == "imap" for value, _ in api.store.rows.values())


@pytest.mark.parametrize("error", FAILURES)
async def test_3_6_2_mail_that_stays_when_its_account_goes(error: Exception, api: Api) -> None:
    async def fail(*_: Any) -> None:
        raise error

    api.app = make_app(replace(api.parts, delete_account_mail=fail))
    assert await api.error("x:Account/set", destroy=["id-alice"]) == "serverPartialFail"
    assert ("Account", "id-alice") not in api.store.rows


async def test_3_6_2_the_words_repeat_nothing_of_the_failure(api: Api) -> None:
    fail_after_the_commit(api, "state", RuntimeError("hunter2"))
    ((_, error, _),) = await api.calls(["x:Domain/set", {"create": CREATE}, "c"])
    assert "hunter2" not in error["description"]
    assert "is stored" in error["description"]


@pytest.mark.parametrize("error", FAILURES)
async def test_3_6_2_what_is_reverted_is_told_where_something_else_fails_then(error: Exception, api: Api) -> None:
    changes = []
    for listener_id in ("mx", "web"):
        await api.call("x:NetworkListener/set", update={listener_id: {"socketTtl": 7}})
        changes += (await api.call("x:Change/query", limit=1))["ids"]
    reverts = {f"r{number}": {"revertOf": change} for number, change in enumerate(changes)}
    fail_after_the_commit(api, "snapshot", error)
    ((answered, answer, _),) = await api.calls(["x:Change/set", {"create": reverts}, "c"])
    ttls = {key[1]: value["socketTtl"] for key, (value, _) in api.store.rows.items() if key[0] == "NetworkListener"}
    assert ttls == {"mx": None, "web": 7, "webs": None}
    assert answered == "x:Change/set"
    assert (list(answer["created"]), list(answer["notCreated"])) == (["r0"], ["r1"])
