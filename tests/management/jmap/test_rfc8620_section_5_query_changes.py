"""RFC 8620 section 5.6 (/queryChanges), over a store with a real log of changes. Whatever happens to objects of whatever type is in
`test_queries_that_are_followed.py`."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.management.jmap.domains import create

Api = Any
SORT = [{"property": "name"}]
FILTER = {"name": ".example"}


async def test_5_6_removed_and_added_spliced_in_give_the_new_result_whatever_happened(api: Api) -> None:
    ids = await create(api, *(f"{letter}.example" for letter in "abcdef"))
    before = await api.call("x:Domain/query", filter=FILTER, sort=[{"property": "description"}, *SORT])
    (new,) = await create(api, "bb.example")
    await api.call("x:Domain/set", update={ids[0]: {"description": "z"}, ids[5]: {"description": "a"}})
    await api.call("x:Domain/set", destroy=[ids[2]])
    arguments = {"filter": FILTER, "sort": [{"property": "description"}, *SORT]}
    changes = await api.call(
        "x:Domain/queryChanges", sinceQueryState=before["queryState"], calculateTotal=True, **arguments
    )
    after = await api.call("x:Domain/query", calculateTotal=True, **arguments)
    result = [each for each in before["ids"] if each not in changes["removed"]]
    for added in changes["added"]:
        result.insert(added["index"], added["id"])
    assert (result, changes["total"]) == (after["ids"], after["total"])
    assert (changes["oldQueryState"], changes["newQueryState"]) == (before["queryState"], after["queryState"])
    indices = [added["index"] for added in changes["added"]]
    assert indices == sorted(indices)
    assert new in {added["id"] for added in changes["added"]}
    assert ids[2] in changes["removed"]


async def test_5_6_the_total_comes_only_where_it_was_asked_for(api: Api) -> None:
    state = (await api.call("x:Domain/query"))["queryState"]
    assert "total" not in await api.call("x:Domain/queryChanges", sinceQueryState=state)
    assert "total" not in await api.call("x:Domain/queryChanges", sinceQueryState=state, calculateTotal=False)
    assert (await api.call("x:Domain/queryChanges", sinceQueryState=state, calculateTotal=True))["total"] == 1


async def test_5_6_what_leaves_the_result_is_removed_and_what_enters_it_is_added(api: Api) -> None:
    inside, outside = await create(api, "in.example", "out.example")
    await api.call("x:Domain/set", update={inside: {"description": "shown"}})
    arguments = {"filter": {"description": "shown"}}
    before = (await api.call("x:Domain/query", **arguments))["queryState"]
    await api.call("x:Domain/set", update={inside: {"description": "-"}, outside: {"description": "shown"}})
    changes = await api.call("x:Domain/queryChanges", sinceQueryState=before, **arguments)
    assert inside in changes["removed"]
    assert changes["added"] == [{"id": outside, "index": 0}]


@pytest.mark.parametrize(("most", "is_enough"), [(3, True), (2, False)])
async def test_5_6_more_changes_than_the_client_takes_are_too_many(most: int, is_enough: bool, api: Api) -> None:
    (one,) = await create(api, "one.example")
    before = (await api.call("x:Domain/query"))["queryState"]
    await api.call("x:Domain/set", update={one: {"description": "x"}}, create={"n": {"name": "two.example"}})
    arguments = {"sinceQueryState": before, "maxChanges": most, "sort": [{"property": "description"}]}
    if is_enough:
        answer = await api.call("x:Domain/queryChanges", **arguments)
        assert len(answer["removed"]) + len(answer["added"]) == 3
    else:
        assert await api.error("x:Domain/queryChanges", **arguments) == "tooManyChanges"


async def test_5_6_max_changes_may_be_0(api: Api) -> None:
    before = (await api.call("x:Domain/query"))["queryState"]
    nothing = await api.call("x:Domain/queryChanges", sinceQueryState=before, maxChanges=0)
    assert (nothing["removed"], nothing["added"]) == ([], [])
    await create(api, "one.example")
    assert await api.error("x:Domain/queryChanges", sinceQueryState=before, maxChanges=0) == "tooManyChanges"
    assert await api.error("x:Domain/queryChanges", sinceQueryState=before, maxChanges=-1) == "invalidArguments"


async def test_5_6_a_state_that_never_was_cannot_be_calculated_from(api: Api) -> None:
    assert await api.error("x:Domain/queryChanges", sinceQueryState="nonsense") == "cannotCalculateChanges"
    assert await api.error("x:Domain/queryChanges") == "invalidArguments"


async def test_5_6_the_filter_is_checked_here_too(api: Api) -> None:
    state = (await api.call("x:Domain/query"))["queryState"]
    assert await api.error("x:Domain/queryChanges", sinceQueryState=state, filter={"no": 1}) == "unsupportedFilter"
    assert (
        await api.error("x:Domain/queryChanges", sinceQueryState=state, sort=[{"property": "no"}]) == "unsupportedSort"
    )


async def test_5_6_a_client_that_follows_every_change_never_loses_its_place(api: Api) -> None:
    sort = [{"property": "description"}, {"property": "name", "isAscending": False}]
    answer = await api.call("x:Domain/query", sort=sort)
    known, state = list(answer["ids"]), answer["queryState"]
    texts = itertools.cycle("mzak")
    made: list[str] = []
    for number in range(12):
        if number % 3 == 2:
            await api.call("x:Domain/set", destroy=[made.pop(0)], update={made[-1]: {"description": next(texts)}})
        else:
            wire = {"d": {"name": f"d{number}.example", "description": next(texts)}}
            made.append((await api.call("x:Domain/set", create=wire))["created"]["d"]["id"])
        changes = await api.call("x:Domain/queryChanges", sinceQueryState=state, sort=sort)
        known = [each for each in known if each not in changes["removed"]]
        for added in changes["added"]:
            known.insert(added["index"], added["id"])
        state = changes["newQueryState"]
        assert known == (await api.call("x:Domain/query", sort=sort))["ids"]


async def test_5_6_a_singleton_is_in_the_result_before_it_is_ever_stored(api: Api) -> None:
    name = "x:SystemSettings"
    before = await api.call(f"{name}/query")
    await api.call(f"{name}/set", update={"singleton": {"maxConnections": 100}})
    for sort in (None, [{"property": "maxConnections"}]):
        changes = await api.call(f"{name}/queryChanges", sinceQueryState=before["queryState"], sort=sort)
        kept = [each for each in before["ids"] if each not in changes["removed"]]
        assert [*kept, *(each["id"] for each in changes["added"])] == ["singleton"]
    changes = await api.call(f"{name}/changes", sinceState=before["queryState"])
    assert (changes["created"], changes["updated"]) == ([], ["singleton"])


# Name of a domain: never changes. Its description does.
NAMES, DESCRIPTIONS = [{"property": "name"}], [{"property": "description"}, {"property": "name"}]


async def test_5_6_what_never_changes_is_neither_removed_nor_added_when_something_else_does(api: Api) -> None:
    ids = await create(api, "a.example", "b.example")
    state = (await api.call("x:Domain/query"))["queryState"]
    await api.call("x:Domain/set", update={ids[0]: {"description": "new"}})
    by_name = await api.call("x:Domain/queryChanges", sinceQueryState=state, sort=NAMES, filter={"name": "example"})
    assert (by_name["removed"], by_name["added"]) == ([], [])
    assert by_name["newQueryState"] != state
    for arguments in ({"sort": DESCRIPTIONS}, {"filter": {"description": "new"}}, {"filter": {"text": "example"}}):
        changes = await api.call("x:Domain/queryChanges", sinceQueryState=state, **arguments)
        assert changes["removed"] == [ids[0]]
        assert [each["id"] for each in changes["added"]] == [ids[0]]


async def test_5_6_what_comes_behind_up_to_id_is_left_out_where_nothing_moves(api: Api) -> None:
    _, last_known, _ = await create(api, "a.example", "b.example", "c.example")
    state = (await api.call("x:Domain/query"))["queryState"]
    early, late = await create(api, "ab.example", "z.example")
    asked = {"filter": FILTER, "sinceQueryState": state, "upToId": last_known}
    assert (await api.call("x:Domain/queryChanges", sort=NAMES, **asked))["added"] == [{"id": early, "index": 1}]
    everything = (await api.call("x:Domain/queryChanges", sort=DESCRIPTIONS, **asked))["added"]
    assert {each["id"] for each in everything} == {early, late}  # ignored: a description may change
    asked["upToId"] = "nothing"
    assert len((await api.call("x:Domain/queryChanges", sort=NAMES, **asked))["added"]) == 2


async def test_5_6_what_was_destroyed_and_restored_is_at_a_place_of_its_own(api: Api) -> None:
    first, second = await create(api, "a.example", "b.example")
    state = (await api.call("x:Domain/query"))["queryState"]
    await api.call("x:Domain/set", destroy=[first])
    (change,) = (await api.call("x:Change/query", limit=1))["ids"]
    await api.call("x:Change/set", create={"r": {"revertOf": change}})
    changes = await api.call("x:Domain/queryChanges", sinceQueryState=state)
    assert (changes["removed"], changes["added"]) == ([first], [{"id": first, "index": 2}])
    assert (await api.call("x:Domain/query"))["ids"] == ["org", second, first]
