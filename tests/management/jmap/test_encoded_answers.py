"""Answers whose objects were encoded before: as if they had been made for this request."""

from __future__ import annotations

from typing import Any

import pytest

Api = Any
GET = ["x:Domain/get", {"ids": None}, "g"]


async def _names(api: Api) -> list[str]:
    return [domain["name"] for domain in (await api.call("x:Domain/get", ids=None))["list"]]


async def test_all_objects_are_the_same_as_each_by_its_id(api: Api) -> None:
    everything = await api.call("x:NetworkListener/get", ids=None)
    ids = [each["id"] for each in everything["list"]]
    assert ids
    assert everything == await api.call("x:NetworkListener/get", ids=ids)


@pytest.mark.parametrize("object_type", ["x:SystemSettings", "x:Domain", "x:Account", "x:Certificate"])
async def test_the_same_for_other_types_and_singletons_that_were_never_stored(api: Api, object_type: str) -> None:
    everything = await api.call(f"{object_type}/get", ids=None)
    ids = [each["id"] for each in everything["list"]]
    assert everything == await api.call(f"{object_type}/get", ids=ids)


async def test_a_change_is_in_the_next_answer(api: Api) -> None:
    before = await _names(api)
    created = await api.call("x:Domain/set", create={"d": {"name": "new.example"}})
    assert await _names(api) == [*before, "new.example"]
    await api.call("x:Domain/set", destroy=[created["created"]["d"]["id"]])
    assert await _names(api) == before


async def test_result_references_lead_into_them(api: Api) -> None:
    reference = {"resultOf": "g", "name": "x:Domain/get", "path": "/list/*/id"}
    first, second = await api.calls(GET, ["x:Domain/get", {"#ids": reference}, "h"])
    assert second[1]["list"] == first[1]["list"]


async def test_a_number_that_is_too_large_beside_them_harms_neither(api: Api) -> None:
    (_, found, _), (_, echoed, _) = await api.calls(GET, ["Core/echo", {"n": 2**70}, "e"])
    assert echoed["n"] == 2**70
    assert found == await api.call("x:Domain/get", ids=None)


async def test_who_may_see_only_what_is_its_own_sees_no_more(api: Api) -> None:
    everything = await api.call("x:Account/get", ids=None)
    own = await api.call("x:Account/get", user="alice", ids=None)
    assert [each["id"] for each in own["list"]] == ["id-alice"]
    assert len(everything["list"]) > 1
