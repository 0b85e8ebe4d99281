"""The messages that a worker keeps: bounded as a whole, shared while somebody uses them."""

from __future__ import annotations

import asyncio

import pytest
from tests.session.memory_mail_store import MemoryMailStore

from gatepost.session.recent_messages import RecentMessages
from gatepost.store.interface import Gone
from gatepost.values.ids import Id


@pytest.fixture
def store() -> MemoryMailStore:
    made = MemoryMailStore(lambda _: None)
    made.contents = {Id(name): name.encode() * 100 for name in ("a", "b", "c", "d")}
    return made


async def test_what_was_read_last_is_read_once(store: MemoryMailStore) -> None:
    recent = RecentMessages(store, most_octets=300)
    for name in "abcabc":
        assert (await recent.read(Id(name))).octets == name.encode() * 100
    assert store.contents_read == 3


async def test_what_was_used_longest_ago_goes_first(store: MemoryMailStore) -> None:
    recent = RecentMessages(store, most_octets=299)
    for name in "abac":
        await recent.read(Id(name))
    assert store.contents_read == 3
    await recent.read(Id("a"))
    assert store.contents_read == 3
    await recent.read(Id("b"))
    assert store.contents_read == 4


async def test_the_last_one_is_kept_however_large_it_is(store: MemoryMailStore) -> None:
    recent = RecentMessages(store, most_octets=1)
    await recent.read(Id("a"))
    await recent.read(Id("a"))
    assert store.contents_read == 1


async def test_what_somebody_uses_is_not_read_again(store: MemoryMailStore) -> None:
    recent = RecentMessages(store, most_octets=1)
    in_use = await recent.read(Id("a"))
    await recent.read(Id("b"))
    assert await recent.read(Id("a")) is in_use
    assert store.contents_read == 2


async def test_those_who_want_the_same_at_the_same_time_wait_for_one_read(store: MemoryMailStore) -> None:
    recent = RecentMessages(store, most_octets=1)
    found = await asyncio.gather(*(recent.read(Id(name)) for name in "aabab"))
    assert store.contents_read == 2
    assert found[0] is found[1] is found[3]
    missing = await asyncio.gather(*(recent.read(Id("x")) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in missing] == [Gone] * 3


async def test_a_content_that_is_gone_is_reported(store: MemoryMailStore) -> None:
    with pytest.raises(Gone):
        await RecentMessages(store).read(Id("x"))
