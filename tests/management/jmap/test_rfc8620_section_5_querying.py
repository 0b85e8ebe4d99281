"""RFC 8620 section 5.5 (/query), over a store with a real log of changes."""

from __future__ import annotations

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


async def test_5_5_text_is_compared_as_unicode_and_without_case_unless_a_collation_is_named(api: Api) -> None:
    texts = {"a": "Émile", "b": "emil", "c": "ÉMILE", "d": "Zoe", "e": "e\u0301mile"}
    wire = {key: {"name": f"{key}.example", "description": text} for key, text in texts.items()}
    letters = {each["id"]: key for key, each in (await api.call("x:Domain/set", create=wire))["created"].items()}
    sort = [{"property": "description"}, {"property": "name"}]
    ids = (await api.call("x:Domain/query", filter=FILTER, sort=sort))["ids"]
    assert "".join(letters[each] for each in ids) == "baced"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("expiresAt", [None, "2035-01-31T12:00:00Z", "2035-02-01T00:00:00Z", "2135-01-01T00:00:00Z"]),
        ("endConnections", [False, True]),
    ],
)
async def test_5_5_times_and_booleans_are_in_their_own_order(name: str, values: list[Any], api: Api) -> None:
    wire = {f"n{number}": {"network": f"192.0.2.{number}", name: value} for number, value in enumerate(values)}
    created = (await api.call("x:BlockedIp/set", create=dict(reversed(wire.items()))))["created"]
    for is_ascending in (True, False):
        sort = [{"property": name, "isAscending": is_ascending}]
        ids = (await api.call("x:BlockedIp/query", sort=sort))["ids"]
        assert [created[each]["id"] for each in (wire if is_ascending else reversed(wire))] == ids


async def test_5_5_numbers_are_not_compared_as_text(api: Api) -> None:
    for listener_id, ttl in (("mx", 9), ("web", 64), ("webs", 128)):
        await api.call("x:NetworkListener/set", update={listener_id: {"socketTtl": ttl}})
    ids = (await api.call("x:NetworkListener/query", sort=[{"property": "socketTtl"}]))["ids"]
    assert ids == ["mx", "web", "webs"]


async def test_5_5_the_query_state_changes_with_the_result(api: Api) -> None:
    first = (await api.call("x:Domain/query"))["queryState"]
    assert (await api.call("x:Domain/query"))["queryState"] == first
    await create(api, "new.example")
    assert (await api.call("x:Domain/query"))["queryState"] != first
