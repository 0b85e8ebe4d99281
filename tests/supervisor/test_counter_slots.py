"""Slots of the counter page: given out, capped, taken back when the last connection is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.supervisor.plans import listener, plan

from gatepost.supervisor import counter_slots
from gatepost.supervisor.counter_slots import CounterSlots
from gatepost.transport.counter_page import NO_CAP, SERVER_SLOT, Cell, ConnectionCounter, CounterPage
from gatepost.values.ids import Id


@pytest.fixture
def page() -> Iterator[CounterPage]:
    made = CounterPage.create(2)
    yield made
    os.close(made.descriptor)


def test_every_listener_has_a_slot_of_its_own_and_keeps_it(page: CounterPage) -> None:
    slots = CounterSlots(page)
    slots.follow(plan(listener("a"), listener("b")))
    before = slots.by_listener
    assert len(set(before.values()) | {SERVER_SLOT}) == 3
    slots.follow(plan(listener("c"), listener("b")))
    assert slots.by_listener[Id("b")] == before[Id("b")]
    assert set(slots.by_listener) == {"b", "c"}


def test_caps_are_those_of_the_plan_at_once(page: CounterPage) -> None:
    slots = CounterSlots(page)
    slots.follow(plan(listener("a", max_connections=5), max_connections=9))
    assert page.cap(slots.by_listener[Id("a")]) == 5
    assert page.cap(SERVER_SLOT) == 9
    slots.follow(plan(listener("a"), max_connections=10))
    assert page.cap(slots.by_listener[Id("a")]) == NO_CAP
    assert page.cap(SERVER_SLOT) == 10


def test_a_slot_is_not_given_to_another_while_connections_of_its_listener_live(
    page: CounterPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter_slots, "MAX_SLOTS", 3)
    slots = CounterSlots(page)
    slots.follow(plan(listener("a"), listener("b")))
    counter = ConnectionCounter(page, slots.by_listener[Id("a")], 0)
    counter.admit()
    slots.follow(plan(listener("b")))
    assert not slots.room_for(plan(listener("b"), listener("c")))
    (draining,) = slots.draining()
    assert (draining.listener_id, draining.name) == ("a", "a")
    assert page.total(draining.counter_slot, Cell.CONNECTIONS) == 1
    assert slots.by_listener_that_counts == {**slots.by_listener, Id("a"): draining.counter_slot}
    counter.leave()
    assert slots.draining() == ()
    slots.follow(plan(listener("b")))
    assert slots.room_for(plan(listener("b"), listener("c")))
    slots.follow(plan(listener("b"), listener("c")))
    assert page.total(slots.by_listener[Id("c")], Cell.ACCEPTED) == 0


def test_a_slot_whose_sockets_are_still_being_emptied_is_not_given_away_by_asking_for_the_status(
    page: CounterPage,
) -> None:
    slots = CounterSlots(page)
    slots.follow(plan(listener("a")))
    counter = ConnectionCounter(page, slots.by_listener[Id("a")], 0)
    slots.follow(plan())
    assert slots.draining() == ()
    counter.admit()  # a client that was in the accept queue
    assert [each.listener_id for each in slots.draining()] == ["a"]
    slots.follow(plan(listener("b")))
    counter.leave()
    assert page.total(slots.by_listener[Id("b")], Cell.CONNECTIONS) == 0


def test_there_is_room_when_the_last_connection_of_a_removed_listener_has_gone(
    page: CounterPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter_slots, "MAX_SLOTS", 2)
    slots = CounterSlots(page)
    slots.follow(plan(listener("a")))
    assert not slots.room_for(plan(listener("a"), listener("b")))
    slots.follow(plan())
    assert slots.room_for(plan(listener("b")))
