"""What every ScriptStore guarantees (RFC 5804)."""

from __future__ import annotations

import pytest

from gatepost.store.interface import Busy, Gone, ScriptEntry, ScriptStore, Taken
from gatepost.values.ids import Id

ALICE = Id("alice")


async def test_an_account_has_no_scripts_at_first(scripts: ScriptStore) -> None:
    assert list(await scripts.scripts(ALICE)) == []
    assert await scripts.script(ALICE, "x") is None


async def test_scripts_are_listed_by_name_with_their_size_in_octets(scripts: ScriptStore) -> None:
    await scripts.put_script(ALICE, "b", "kéep;".encode())
    await scripts.put_script(ALICE, "a", b"")
    assert list(await scripts.scripts(ALICE)) == [ScriptEntry("a", False, 0), ScriptEntry("b", False, 6)]


async def test_the_text_is_what_was_put_octet_by_octet(scripts: ScriptStore) -> None:
    await scripts.put_script(ALICE, "a", b"\0\xff keep;\r\n")
    assert await scripts.script(ALICE, "a") == b"\0\xff keep;\r\n"
    await scripts.put_script(ALICE, "a", b"stop;")
    assert await scripts.script(ALICE, "a") == b"stop;"


async def test_at_most_one_script_is_active_rfc_5804_1_3(scripts: ScriptStore) -> None:
    for name in "abc":
        await scripts.put_script(ALICE, name, b"keep;")
    await scripts.activate_script(ALICE, "a")
    await scripts.activate_script(ALICE, "c")
    await scripts.activate_script(ALICE, "c")
    assert [entry.is_active for entry in await scripts.scripts(ALICE)] == [False, False, True]
    await scripts.activate_script(ALICE, None)
    assert not any(entry.is_active for entry in await scripts.scripts(ALICE))


async def test_a_replaced_script_stays_active(scripts: ScriptStore) -> None:
    await scripts.put_script(ALICE, "a", b"keep;")
    await scripts.activate_script(ALICE, "a")
    await scripts.put_script(ALICE, "a", b"stop;")
    assert list(await scripts.scripts(ALICE)) == [ScriptEntry("a", True, 5)]


async def test_activating_what_is_not_there_is_gone_and_leaves_the_active_one(scripts: ScriptStore) -> None:
    await scripts.put_script(ALICE, "a", b"keep;")
    await scripts.activate_script(ALICE, "a")
    with pytest.raises(Gone):
        await scripts.activate_script(ALICE, "b")
    assert [entry.is_active for entry in await scripts.scripts(ALICE)] == [True]


async def test_rename_keeps_text_and_activity(scripts: ScriptStore) -> None:
    await scripts.put_script(ALICE, "a", b"keep;")
    await scripts.activate_script(ALICE, "a")
    await scripts.rename_script(ALICE, "a", "b")
    assert list(await scripts.scripts(ALICE)) == [ScriptEntry("b", True, 5)]
    assert await scripts.script(ALICE, "b") == b"keep;"


async def test_rename_to_an_existing_name_is_taken(scripts: ScriptStore) -> None:
    await scripts.put_script(ALICE, "a", b"keep;")
    await scripts.put_script(ALICE, "b", b"stop;")
    with pytest.raises(Taken) as caught:
        await scripts.rename_script(ALICE, "a", "b")
    assert caught.value.existing_id == ""
    assert await scripts.script(ALICE, "b") == b"stop;"


async def test_rename_and_delete_of_what_is_not_there_is_gone(scripts: ScriptStore) -> None:
    with pytest.raises(Gone):
        await scripts.rename_script(ALICE, "a", "b")
    with pytest.raises(Gone):
        await scripts.delete_script(ALICE, "a")


async def test_the_active_script_is_not_deleted_rfc_5804_2_10(scripts: ScriptStore) -> None:
    await scripts.put_script(ALICE, "a", b"keep;")
    await scripts.activate_script(ALICE, "a")
    with pytest.raises(Busy):
        await scripts.delete_script(ALICE, "a")
    await scripts.activate_script(ALICE, None)
    await scripts.delete_script(ALICE, "a")
    assert list(await scripts.scripts(ALICE)) == []


async def test_accounts_do_not_share_scripts(scripts: ScriptStore) -> None:
    for account in ("alice", "bob"):
        await scripts.put_script(Id(account), "a", account.encode())
        await scripts.activate_script(Id(account), "a")
    assert await scripts.script(ALICE, "a") == b"alice"
    assert [entry.is_active for entry in await scripts.scripts(ALICE)] == [True]


async def test_a_script_for_an_account_that_is_gone_is_not_taken(scripts: ScriptStore) -> None:
    with pytest.raises(Gone):
        await scripts.put_script(Id("nobody"), "a", b"keep;")
    assert await scripts.scripts(Id("nobody")) == []
