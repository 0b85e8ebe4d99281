"""RFC 8620 sections 5.5 (/query) and 5.6 (/queryChanges), over a store with a real log of changes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from tests.management.jmap.domains import create

from gatepost.registry.catalogue import OBJECT_TYPES

Api = Any
TYPES = [each.wire_name for each in OBJECT_TYPES.values()]

# --- 5.5 --------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def letters(api: Api) -> dict[str, str]:
    """Name → id of five domains, made in no order."""
    names = [f"{letter}.example" for letter in "dbeca"]
    return dict(zip("dbeca", await create(api, *names), strict=True))


SORT = [{"property": "name"}]
FILTER = {"name": ".example"}


async def page(api: Api, letters: dict[str, str], **arguments: Any) -> tuple[str, int]:
    """The letters of the page, and its position."""
    answer = await api.call("x:Domain/query", filter=FILTER, sort=SORT, **arguments)
    by_id = {object_id: letter for letter, object_id in letters.items()}
    return "".join(by_id.get(each, "?") for each in answer["ids"]), answer["position"]


@pytest.mark.parametrize(
    ("arguments", "found", "position"),
    [
        ({}, "?abcde", 0),
        ({"position": 2}, "bcde", 2),
        ({"position": 2, "limit": 2}, "bc", 2),
        ({"position": -2}, "de", 4),
        ({"position": -99}, "?abcde", 0),
        ({"position": 99}, "", 99),
        ({"limit": 0}, "", 0),
        ({"limit": 3}, "?ab", 0),
    ],
)
async def test_5_5_a_window_by_position(
    arguments: dict[str, int], found: str, position: int, api: Api, letters: dict[str, str]
) -> None:
    await api.call("x:Domain/set", create={"first": {"name": "0.example"}})
    assert await page(api, letters, **arguments) == (found, position)


@pytest.mark.parametrize(
    ("anchor", "arguments", "found", "position"),
    [
        ("c", {}, "cde", 2),
        ("c", {"anchorOffset": 1}, "de", 3),
        ("c", {"anchorOffset": -1, "limit": 2}, "bc", 1),
        ("c", {"anchorOffset": -99}, "abcde", 0),
        ("c", {"anchorOffset": 99}, "", 101),
        ("c", {"position": 4}, "cde", 2),  # position is ignored where there is an anchor
    ],
)
async def test_5_5_a_window_by_anchor(
    anchor: str, arguments: dict[str, int], found: str, position: int, api: Api, letters: dict[str, str]
) -> None:
    assert await page(api, letters, anchor=letters[anchor], **arguments) == (found, position)


async def test_5_5_an_offset_without_an_anchor_is_ignored(api: Api, letters: dict[str, str]) -> None:
    assert await page(api, letters, anchorOffset=3) == ("abcde", 0)


async def test_5_5_an_anchor_that_is_not_in_the_result_is_not_found(api: Api, letters: dict[str, str]) -> None:
    assert await api.error("x:Domain/query", filter={"name": "a."}, anchor=letters["b"]) == "anchorNotFound"
    assert await api.error("x:Domain/query", anchor="nothing") == "anchorNotFound"


async def test_5_5_the_total_comes_only_where_it_was_asked_for(api: Api, letters: dict[str, str]) -> None:
    assert "total" not in await api.call("x:Domain/query", filter=FILTER)
    assert (await api.call("x:Domain/query", filter=FILTER, limit=1, calculateTotal=True))["total"] == 5


async def test_5_5_a_limit_of_the_servers_own_is_told_and_that_of_the_client_is_not(
    make_api: Callable[..., Api],
) -> None:
    api = make_api(max_objects_in_get=2)
    await create(api, "a.example", "b.example")
    assert (await api.call("x:Domain/query"))["limit"] == 2
    assert (await api.call("x:Domain/query", limit=9))["limit"] == 2
    assert (await api.call("x:Domain/query", filter={"name": "nothing"}))["limit"] == 2  # null is more than any
    for limit in (0, 1, 2):
        assert "limit" not in await api.call("x:Domain/query", limit=limit)


async def test_5_5_pages_put_together_are_the_whole_result(api: Api, letters: dict[str, str]) -> None:
    by_position = [(await page(api, letters, position=number, limit=1))[0] for number in range(5)]
    by_anchor = [(await page(api, letters, anchor=letters[each], anchorOffset=1, limit=1))[0] for each in "abcd"]
    assert "".join(by_position) == "abcde"
    assert "".join(by_anchor) == "bcde"


@pytest.mark.parametrize("type_name", TYPES)
async def test_5_5_every_column_of_a_list_can_be_sorted_and_filtered_by(type_name: str, api: Api) -> None:
    everything = set((await api.call(f"{type_name}/query"))["ids"])
    for column in OBJECT_TYPES[type_name.removeprefix("x:")].list_view.columns:
        for is_ascending in (True, False):
            sort = [{"property": column, "isAscending": is_ascending}]
            assert set((await api.call(f"{type_name}/query", sort=sort))["ids"]) == everything
        await api.call(f"{type_name}/query", filter={column: "x"})


async def test_5_5_the_order_of_what_is_equal_is_stable(api: Api) -> None:
    created = await create(api, "z.example", "y.example", "x.example")
    sort = [{"property": "description"}]
    for _ in range(3):
        assert (await api.call("x:Domain/query", sort=sort, filter=FILTER))["ids"] == created
    await api.call("x:Domain/set", update={created[0]: {"description": None}})
    assert (await api.call("x:Domain/query", sort=sort, filter=FILTER))["ids"] == created


async def test_5_5_the_first_comparator_counts_most(api: Api) -> None:
    names = [("b", "x"), ("a", "y"), ("c", "x"), ("d", None)]
    wire = {name: {"name": f"{name}.example", "description": text} for name, text in names}
    created = (await api.call("x:Domain/set", create=wire))["created"]
    sort = [{"property": "description", "isAscending": False}, {"property": "name", "isAscending": False}]
    found = (await api.call("x:Domain/query", sort=sort, filter=FILTER))["ids"]
    assert found == [created[name]["id"] for name in "acbd"]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"operator": "AND", "conditions": [{"name": "EXAMPLE"}, {"name": "a."}]}, "a"),
        ({"operator": "OR", "conditions": [{"name": "b."}, {"name": "a."}]}, "ab"),
        ({"operator": "NOT", "conditions": [{"name": "a."}, {"name": "b."}]}, "cde"),
        ({"operator": "NOT", "conditions": [{"operator": "NOT", "conditions": [{"name": "c."}]}]}, "c"),
        ({"operator": "AND", "conditions": []}, "abcde"),
        ({"operator": "OR", "conditions": []}, ""),
    ],
)
async def test_5_5_filter_operators(condition: object, found: str, api: Api, letters: dict[str, str]) -> None:
    both = {"operator": "AND", "conditions": [FILTER, condition]}
    answer = await api.call("x:Domain/query", filter=both, sort=SORT)
    assert answer["ids"] == [letters[each] for each in found]


@pytest.mark.parametrize(
    "condition",
    [
        {"operator": "XOR", "conditions": []},
        {"operator": "AND"},
        {"operator": "AND", "conditions": {}},
        {"operator": "AND", "conditions": [5]},
        {"operator": "AND", "conditions": [], "name": "x"},
        {"name": ["x"]},
        5,
        [],
    ],
)
async def test_5_5_a_filter_of_the_wrong_form_is_refused(condition: object, api: Api) -> None:
    assert await api.error("x:Domain/query", filter=condition) == "invalidArguments"


async def test_5_5_a_filter_that_is_well_formed_and_cannot_be_carried_out(api: Api) -> None:
    assert await api.error("x:Domain/query", filter={"colour": "red"}) == "unsupportedFilter"
    deep: dict[str, Any] = {"name": "x"}
    for _ in range(40):
        deep = {"operator": "NOT", "conditions": [deep]}
    assert await api.error("x:Domain/query", filter=deep) == "unsupportedFilter"
    many = {"operator": "OR", "conditions": [{"name": str(number)} for number in range(10_000)]}
    assert await api.error("x:Domain/query", filter=many) == "unsupportedFilter"


async def test_5_5_a_filter_up_to_the_limits_is_carried_out(api: Api) -> None:
    many = {"operator": "OR", "conditions": [{"name": f"n{number}"} for number in range(254)] + [{"name": "org"}]}
    assert (await api.call("x:Domain/query", filter=many))["ids"] == ["org"]
    deep: dict[str, Any] = {"name": "org"}
    for _ in range(16):
        deep = {"operator": "AND", "conditions": [deep]}
    assert (await api.call("x:Domain/query", filter=deep))["ids"] == ["org"]


@pytest.mark.parametrize(
    ("sort", "kind"),
    [
        ([{"property": "colour"}], "unsupportedSort"),
        ([{"property": "name", "collation": "i;klingon"}], "unsupportedSort"),
        ([{"property": "name", "collation": ""}], "unsupportedSort"),
        ([{"property": "name", "collation": None}], "invalidArguments"),
        ([{"property": "name", "collation": ["i;octet"]}], "invalidArguments"),
        ([{"property": "name"}] * 33, "unsupportedSort"),
        ([{"property": "name", "isAscending": "yes"}], "invalidArguments"),
        ([{"property": 5}], "invalidArguments"),
        ([{}], "invalidArguments"),
        (["name"], "invalidArguments"),
        ({"property": "name"}, "invalidArguments"),
    ],
)
async def test_5_5_a_sort_that_cannot_be(sort: object, kind: str, api: Api) -> None:
    assert await api.error("x:Domain/query", sort=sort) == kind


async def test_5_5_collations_say_what_is_equal(api: Api) -> None:
    wire = {key: {"name": f"{key}.example", "description": text} for key, text in (("a", "b"), ("b", "A"), ("c", "a"))}
    created = (await api.call("x:Domain/set", create=wire))["created"]
    letters = {each["id"]: key for key, each in created.items()}
    for collation, order in (("i;octet", "bca"), ("i;ascii-casemap", "bca"), ("i;unicode-casemap", "bca")):
        sort = [{"property": "description", "collation": collation}, {"property": "name"}]
        ids = (await api.call("x:Domain/query", filter=FILTER, sort=sort))["ids"]
        assert "".join(letters[each] for each in ids) == order
    upper = [{"property": "description", "collation": "i;octet", "isAscending": False}]
    assert letters[(await api.call("x:Domain/query", filter=FILTER, sort=upper))["ids"][0]] == "a"


async def test_5_5_the_query_state_changes_with_the_result(api: Api) -> None:
    first = (await api.call("x:Domain/query"))["queryState"]
    assert (await api.call("x:Domain/query"))["queryState"] == first
    await create(api, "new.example")
    assert (await api.call("x:Domain/query"))["queryState"] != first


# --- 5.6 --------------------------------------------------------------------------------------------------------------


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


async def test_5_6_what_comes_behind_up_to_id_is_left_out_where_nothing_moves(
    api: Api, letters: dict[str, str]
) -> None:
    state = (await api.call("x:Domain/query"))["queryState"]
    early, late = await create(api, "ab.example", "z.example")
    asked = {"filter": FILTER, "sinceQueryState": state, "upToId": letters["b"]}
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
