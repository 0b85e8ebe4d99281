"""RFC 8620 sections 5.1 (/get) and 5.2 (/changes), over a store with a real log of changes, for every type that has these
methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.management.jmap.domains import create, state_of

from gatepost.registry.catalogue import OBJECT_TYPES

Api = Any
TYPES = [each.wire_name for each in OBJECT_TYPES.values()]

# --- 5.1 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_name", TYPES)
async def test_5_1_every_type_can_be_had_as_a_whole_and_by_id(type_name: str, api: Api) -> None:
    everything = await api.call(f"{type_name}/get", ids=None)
    ids = [each["id"] for each in everything["list"]]
    assert await api.call(f"{type_name}/get", ids=ids) == everything
    assert (everything["accountId"], everything["notFound"]) == ("id-admin", [])


async def test_5_1_the_id_is_there_even_where_it_was_not_asked_for(api: Api) -> None:
    assert (await api.call("x:Domain/get", ids=["org"], properties=["name"]))["list"] == [
        {"id": "org", "name": "example.org"}
    ]


async def test_5_1_a_property_that_does_not_exist_is_refused(api: Api) -> None:
    assert await api.error("x:Domain/get", ids=["org"], properties=["name", "colour"]) == "invalidArguments"


async def test_5_1_an_id_that_is_given_twice_comes_once(api: Api) -> None:
    answer = await api.call("x:Domain/get", ids=["org", "no", "org", "no"])
    assert ([each["id"] for each in answer["list"]], answer["notFound"]) == (["org"], ["no"])


async def test_5_1_no_ids_are_no_objects_and_still_the_state(api: Api) -> None:
    answer = await api.call("x:Domain/get", ids=[])
    assert (answer["list"], answer["notFound"]) == ([], [])
    assert answer["state"]


async def test_5_1_the_state_is_the_same_while_nothing_changes_and_another_when_something_does(api: Api) -> None:
    state = await state_of(api)
    assert await state_of(api) == state
    await api.call("x:NetworkListener/set", update={"mx": {"socketTtl": 7}})
    assert await state_of(api) == state  # another type
    (created,) = await create(api, "one.example")
    second = await state_of(api)
    await api.call("x:Domain/set", destroy=[created])
    assert len({state, second, await state_of(api)}) == 3


@pytest.mark.parametrize(("count", "is_taken"), [(3, True), (4, False)])
async def test_5_1_max_objects_in_get_is_the_limit_that_is_announced(
    count: int, is_taken: bool, make_api: Callable[..., Api]
) -> None:
    api = make_api(max_objects_in_get=3)
    ids = [f"i{number}" for number in range(count)]
    if is_taken:
        assert (await api.call("x:Domain/get", ids=ids))["notFound"] == ids
    else:
        assert await api.error("x:Domain/get", ids=ids) == "requestTooLarge"


async def test_5_1_all_objects_are_too_many_where_there_are_more_than_the_limit(make_api: Callable[..., Api]) -> None:
    api = make_api(max_objects_in_get=2)
    assert await api.error("x:NetworkListener/get", ids=None) == "requestTooLarge"
    assert len((await api.call("x:Domain/get", ids=None))["list"]) == 1


# --- 5.2 --------------------------------------------------------------------------------------------------------------


async def test_5_2_each_id_is_in_one_list_for_what_all_its_changes_come_to(api: Api) -> None:
    stays, goes = await create(api, "stays.example", "goes.example")
    since = await state_of(api)
    (new,) = await create(api, "new.example")
    (brief,) = await create(api, "brief.example")
    for text in ("a", "b"):
        await api.call("x:Domain/set", update={stays: {"description": text}, new: {"description": text}})
    await api.call("x:Domain/set", destroy=[goes, brief])
    answer = await api.call("x:Domain/changes", sinceState=since)
    assert (answer["created"], answer["updated"], answer["destroyed"]) == ([new], [stays], [goes])
    assert (answer["oldState"], answer["newState"], answer["hasMoreChanges"]) == (since, await state_of(api), False)


async def test_5_2_nothing_has_changed_since_now(api: Api) -> None:
    now = await state_of(api)
    answer = await api.call("x:Domain/changes", sinceState=now)
    assert (answer["newState"], answer["created"], answer["updated"], answer["destroyed"]) == (now, [], [], [])


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_5_2_max_changes_is_kept_and_the_states_between_lead_to_the_newest(most: int, api: Api) -> None:
    first = state = await state_of(api)
    created = await create(api, *(f"d{number}.example" for number in range(5)))
    await api.call("x:Domain/set", update={created[0]: {"description": "x"}}, destroy=[created[1]])
    seen: set[str] = set()
    while True:
        answer = await api.call("x:Domain/changes", sinceState=state, maxChanges=most)
        ids = [*answer["created"], *answer["updated"], *answer["destroyed"]]
        assert len(ids) <= most
        seen = (seen | {*answer["created"], *answer["updated"]}) - {*answer["destroyed"]}
        state = answer["newState"]
        if not answer["hasMoreChanges"]:
            break
    assert (state, seen) == (await state_of(api), {created[0], *created[2:]})
    assert sorted((await api.call("x:Domain/changes", sinceState=first))["created"]) == sorted(seen)


@pytest.mark.parametrize("most", [0, -1, "3", 1.5])
async def test_5_2_max_changes_must_be_positive(most: object, api: Api) -> None:
    assert await api.error("x:Domain/changes", sinceState=await state_of(api), maxChanges=most) == "invalidArguments"


@pytest.mark.parametrize("state", ["nonsense", "", "99999999999", "-1", "s99"])
async def test_5_2_a_state_that_never_was_cannot_be_calculated_from(state: str, api: Api) -> None:
    assert await api.error("x:Domain/changes", sinceState=state) == "cannotCalculateChanges"


@pytest.mark.parametrize("type_name", ["x:ListenerStatus", "x:Connection"])
async def test_5_2_what_no_history_is_kept_of_says_so(type_name: str, api: Api) -> None:
    state = (await api.call(f"{type_name}/get", ids=None))["state"]
    assert not (await api.call(f"{type_name}/query"))["canCalculateChanges"]
    assert await api.error(f"{type_name}/changes", sinceState=state) == "cannotCalculateChanges"
    assert await api.error(f"{type_name}/queryChanges", sinceQueryState=state) == "cannotCalculateChanges"
