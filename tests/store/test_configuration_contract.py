"""What every ConfigurationStore guarantees."""

from __future__ import annotations

import asyncio

import pytest

from gatepost.store.interface import (
    NEVER_CHANGED,
    ConfigurationSnapshot,
    ConfigurationStore,
    Moved,
    ObjectChanges,
    ObjectWrite,
    StoredObject,
    Taken,
    TypeSnapshot,
)
from gatepost.values.ids import Id


def put(name: str, value: int = 0, key: str | None = None, object_type: str = "Domain") -> ObjectWrite:
    return ObjectWrite(object_type, Id(name), {"value": value}, key)


def destroy(name: str, object_type: str = "Domain") -> ObjectWrite:
    return ObjectWrite(object_type, Id(name), None)


async def ids(configuration: ConfigurationStore, object_type: str = "Domain") -> list[Id]:
    return [stored.id for stored in await configuration.read_objects(object_type)]


async def changes_since(configuration: ConfigurationStore, state: str, max_changes: int | None = None) -> ObjectChanges:
    changes = await configuration.changes("Domain", state, max_changes)
    assert changes is not None
    return changes


def lists(changes: ObjectChanges) -> tuple[list[Id], list[Id], list[Id]]:
    return list(changes.created), list(changes.updated), list(changes.destroyed)


async def test_an_empty_store_is_at_revision_0(configuration: ConfigurationStore) -> None:
    assert await configuration.revision() == 0
    assert list(await configuration.read_objects("Domain")) == []


async def test_each_commit_is_one_revision_over_all_types(configuration: ConfigurationStore) -> None:
    assert await configuration.commit([put("a"), put("b", object_type="Account")]) == 1
    assert await configuration.commit([put("a", 1)]) == 2
    assert await configuration.revision() == 2


async def test_values_are_read_back_as_they_were_written(configuration: ConfigurationStore) -> None:
    value = {"b": [1, 2.5, None, True, "é\u2028"], "a": {"nested": {}}, "big": 2**53}
    await configuration.commit([ObjectWrite("Domain", Id("a"), value)])
    (stored,) = await configuration.read_objects("Domain")
    assert stored == StoredObject("Domain", Id("a"), value)
    assert list(stored.value) == ["b", "a", "big"]


async def test_objects_are_read_in_order_of_creation(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("z"), put("a")])
    await configuration.commit([put("m"), put("z", 2)])
    assert await ids(configuration) == ["z", "a", "m"]


async def test_ids_select_and_unknown_ones_are_left_out(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a"), put("b"), put("c"), put("d", object_type="Account")])
    selected = await configuration.read_objects("Domain", [Id("c"), Id("x"), Id("a"), Id("d")])
    assert [stored.id for stored in selected] == ["a", "c"]
    assert list(await configuration.read_objects("Domain", [])) == []


async def test_the_same_id_may_stand_in_two_types(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a", 1), put("a", 2, object_type="Account")])
    assert (await configuration.read_objects("Account"))[0].value == {"value": 2}


async def test_an_object_is_found_by_its_unique_key_within_its_type(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a", 1, "example.org"), put("b", 2, "example.org", "Account")])
    found = await configuration.find_object("Account", "example.org")
    assert found is not None and found.id == "b"
    assert await configuration.find_object("Domain", "example.com") is None


async def test_a_unique_key_in_use_is_taken_and_nothing_is_written(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a", 1, "example.org")])
    with pytest.raises(Taken) as caught:
        await configuration.commit([put("b"), put("c", 3, "example.org"), destroy("b")])
    assert caught.value.existing_id == "a"
    assert (await ids(configuration), await configuration.revision()) == (["a"], 1)


async def test_an_update_may_take_no_key_that_is_in_use(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a", 1, "x"), put("b", 1, "y")])
    with pytest.raises(Taken) as caught:
        await configuration.commit([put("b", 2, "x")])
    assert caught.value.existing_id == "a"
    found = await configuration.find_object("Domain", "y")
    assert found is not None and found.value == {"value": 1}


async def test_objects_of_one_commit_hand_keys_on_in_any_order(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a", 1, "x"), put("b", 1, "y"), put("c", 1, "z")])
    await configuration.commit([put("a", 1, "y"), put("b", 1, "x"), put("d", 1, "z"), destroy("c")])
    owners = [await configuration.find_object("Domain", key) for key in "xyz"]
    assert [owner and owner.id for owner in owners] == ["b", "a", "d"]


async def test_two_new_objects_of_one_commit_do_not_share_a_key(configuration: ConfigurationStore) -> None:
    with pytest.raises(Taken) as caught:
        await configuration.commit([put("a", 1, "x"), put("b", 1, "x")])
    assert caught.value.existing_id == "a"
    assert await configuration.revision() == 0


async def test_the_key_of_a_destroyed_object_is_free(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a", 1, "x")])
    await configuration.commit([destroy("a")])
    await configuration.commit([put("b", 1, "x")])
    assert await ids(configuration) == ["b"]


async def test_what_was_decided_on_an_older_revision_is_not_written(configuration: ConfigurationStore) -> None:
    revision = await configuration.commit([put("a", 1)])
    assert await configuration.commit([put("b")], if_revision=revision) == revision + 1
    with pytest.raises(Moved):
        await configuration.commit([put("a", 2), put("c")], if_revision=revision)
    assert await ids(configuration) == ["a", "b"]
    assert await configuration.revision() == revision + 1


async def test_the_state_changes_exactly_when_an_object_of_the_type_does(configuration: ConfigurationStore) -> None:
    empty = await configuration.state("Domain")
    assert empty == NEVER_CHANGED
    await configuration.commit([put("a")])
    one = await configuration.state("Domain")
    assert one != empty
    await configuration.commit([put("b", object_type="Account")])
    await configuration.commit([])
    await configuration.commit([put("a")])
    await configuration.commit([destroy("nothing")])
    assert await configuration.state("Domain") == one
    assert await configuration.revision() == 2


async def test_changes_are_created_updated_and_destroyed_ids_rfc_8620_5_2(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a"), put("b"), put("c")])
    since = await configuration.state("Domain")
    await configuration.commit([put("d"), put("a", 1), destroy("b")])
    changes = await changes_since(configuration, since)
    assert lists(changes) == (["d"], ["a"], ["b"])
    assert (changes.old_state, changes.new_state) == (since, await configuration.state("Domain"))
    assert not changes.has_more


async def test_an_id_stands_in_one_list_only_rfc_8620_5_2(configuration: ConfigurationStore) -> None:
    start = await configuration.state("Domain")
    await configuration.commit([put("old")])
    since = await configuration.state("Domain")
    await configuration.commit([put("new"), put("short"), put("old", 1)])
    await configuration.commit([put("new", 1), destroy("short"), destroy("old")])
    assert lists(await changes_since(configuration, since)) == (["new"], [], ["old"])
    assert lists(await changes_since(configuration, start)) == (["new"], [], [])


async def test_an_object_destroyed_and_made_again_is_updated(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a")])
    since = await configuration.state("Domain")
    await configuration.commit([destroy("a")])
    await configuration.commit([put("a", 5)])
    assert lists(await changes_since(configuration, since)) == ([], ["a"], [])


async def test_an_object_written_twice_in_a_commit_is_what_was_written_last(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a", 1)])
    await configuration.commit([put("a", 2), put("a", 1)])
    assert (await configuration.read_objects("Domain"))[0].value == {"value": 1}


async def test_there_are_no_changes_since_the_current_state(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a")])
    state = await configuration.state("Domain")
    changes = await changes_since(configuration, state)
    assert (changes.new_state, changes.has_more, lists(changes)) == (state, False, ([], [], []))


async def test_max_changes_leads_through_states_between_rfc_8620_5_2(configuration: ConfigurationStore) -> None:
    state = await configuration.state("Domain")
    await configuration.commit([put(f"i{n}") for n in range(7)])
    await configuration.commit([put("i0", 1), destroy("i6")])
    seen: list[Id] = []
    has_more = True
    while has_more:
        changes = await changes_since(configuration, state, 3)
        assert sum(map(len, lists(changes))) <= 3 and changes.new_state != state
        seen += [*changes.created, *changes.updated, *changes.destroyed]
        await configuration.commit([put("other", len(seen), object_type="Account")])
        state, has_more = changes.new_state, changes.has_more
    assert state == await configuration.state("Domain")
    assert seen == [f"i{n}" for n in range(6)]  # each once, though one has changed since, and one is gone


@pytest.mark.parametrize("state", ["", "x", "-1", "1000", "00", "1.0", "9" * 30, "²", "1.1.1", "0.1.1", "0.2.1"])
async def test_changes_since_an_unknown_state_cannot_be_calculated(
    configuration: ConfigurationStore, state: str
) -> None:
    await configuration.commit([put("a")])
    assert await configuration.changes("Domain", state) is None


async def test_a_state_of_another_type_is_unknown(configuration: ConfigurationStore) -> None:
    await configuration.commit([put("a"), put("b", object_type="Account")])
    assert await configuration.changes("Domain", await configuration.state("Account")) is None


async def test_commits_at_once_are_one_after_the_other(configuration: ConfigurationStore) -> None:
    revisions = await asyncio.gather(*(configuration.commit([put(f"i{n}")]) for n in range(50)))
    assert sorted(revisions) == list(range(1, 51))


async def test_a_snapshot_has_objects_and_state_of_one_moment_and_keeps_what_has_not_changed(
    configuration: ConfigurationStore,
) -> None:
    assert await configuration.snapshot("Domain") == TypeSnapshot(NEVER_CHANGED, [])
    await configuration.commit([put("a"), put("b"), put("x", object_type="Account")])
    before = await configuration.snapshot("Domain")
    assert (before.state, [each.id for each in before.objects]) == (await configuration.state("Domain"), ["a", "b"])
    assert await configuration.snapshot("Domain") is before
    await configuration.commit([put("x", 1, object_type="Account")])
    assert await configuration.snapshot("Domain") is before
    await configuration.commit([put("b", 1)])
    after = await configuration.snapshot("Domain")
    assert after.state == await configuration.state("Domain") != before.state
    assert after.objects[0] is before.objects[0]
    assert after.objects[1].value == {"value": 1}


async def test_reads_see_at_once_what_another_process_has_committed(
    configuration: ConfigurationStore, second_configuration: ConfigurationStore
) -> None:
    for number in range(1, 20):
        await second_configuration.commit([put("a", number)])
        assert await configuration.revision() == number
        assert (await configuration.snapshot("Domain")).objects[0].value == {"value": number}
        assert await configuration.state("Domain") == await second_configuration.state("Domain")


async def test_snapshots_of_several_types_are_of_one_commit(
    configuration: ConfigurationStore, second_configuration: ConfigurationStore
) -> None:
    assert await configuration.snapshots(()) == ConfigurationSnapshot(0, {})

    async def commit_both() -> None:
        for number in range(1, 30):
            await second_configuration.commit([put("a", number), put("x", number, object_type="Account")])

    committing = asyncio.create_task(commit_both())
    while not committing.done():
        read = await configuration.snapshots(("Domain", "Account"))
        values = {each.value["value"] for snapshot in read.types.values() for each in snapshot.objects}
        assert values == ({read.revision} if read.revision else set())
        await asyncio.sleep(0)  # what is remembered is given without a turn of the loop, which the commits need
    assert (await configuration.snapshots(("Domain", "Account"))).types["Domain"] is await configuration.snapshot(
        "Domain"
    )
