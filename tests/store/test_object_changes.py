"""What a client that follows the changes of objects in parts gets to know (RFC 8620 section 5.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.store.interface import ObjectChanges
from gatepost.store.sql.object_changes import changes_from, parse_state

Row = tuple[int, str, str]
IDS = st.sampled_from("abcde")


class Log:
    """Rows as the store writes them: what does not exist is created, what exists is updated or destroyed."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.there: set[str] = set()

    def write(self, object_id: str, is_destroyed: bool) -> None:
        kind = "created" if object_id not in self.there else "destroyed" if is_destroyed else "updated"
        (self.there.discard if kind == "destroyed" else self.there.add)(object_id)
        self.rows.append((len(self.rows) + 1, object_id, kind))

    def changes(self, state: str, max_changes: int | None) -> ObjectChanges:
        known = parse_state(state)
        assert known is not None
        found = changes_from(known, self.rows[known.since :], max_changes)
        assert found is not None
        return found


class Client:
    """Who believes what it is told, and knows nothing else."""

    def __init__(self, log: Log) -> None:
        self.state = str(len(log.rows))
        self.objects = set(log.there)

    def follow(self, found: ObjectChanges) -> None:
        created, updated, destroyed = set(found.created), set(found.updated), set(found.destroyed)
        assert not created & self.objects
        assert updated | destroyed <= self.objects
        self.objects = (self.objects | created) - destroyed
        self.state = found.new_state


WRITES = st.lists(st.tuples(IDS, st.booleans()), max_size=12)


@given(WRITES, WRITES, st.lists(st.tuples(st.integers(1, 3), WRITES), max_size=6))
def test_who_takes_changes_in_parts_ends_where_the_server_is_whatever_happens_meanwhile(
    before: list[tuple[str, bool]],
    first: list[tuple[str, bool]],
    steps: list[tuple[int, list[tuple[str, bool]]]],
) -> None:
    log = Log()
    for write in before:
        log.write(*write)
    client = Client(log)
    for write in first:
        log.write(*write)
    for most, meanwhile in steps:
        found = log.changes(client.state, most)
        assert len([*found.created, *found.updated, *found.destroyed]) <= most
        client.follow(found)
        for write in meanwhile:
            log.write(*write)
    while (found := log.changes(client.state, 2)).has_more:
        client.follow(found)
    client.follow(found)
    assert (client.objects, client.state) == (log.there, str(len(log.rows)))
    assert not log.changes(client.state, 1).has_more


@given(WRITES, WRITES, st.integers(1, 3))
def test_no_object_is_told_of_twice_on_the_way_to_a_state(
    before: list[tuple[str, bool]], after: list[tuple[str, bool]], most: int
) -> None:
    log = Log()
    for write in before:
        log.write(*write)
    state = str(len(log.rows))
    for write in after:
        log.write(*write)
    whole = log.changes(state, None)
    told: list[str] = []
    while True:
        found = log.changes(state, most)
        told += [*found.created, *found.updated, *found.destroyed]
        state = found.new_state
        if not found.has_more:
            break
    assert len(told) == len(set(told))
    assert set(told) == {*whole.created, *whole.updated, *whole.destroyed}
    assert state == whole.new_state


def test_what_is_made_again_is_not_first_destroyed_and_then_created_rfc8620_section_5_2() -> None:
    log = Log()
    for name in "ab":
        log.write(name, False)
    state = str(len(log.rows))
    for write in (("a", True), ("b", False), ("c", False), ("a", False)):
        log.write(*write)
    parts = []
    for _ in range(3):
        found = log.changes(state, 1)
        parts.append((list(found.created), list(found.updated), list(found.destroyed)))
        state = found.new_state
    assert parts == [([], ["a"], []), ([], ["b"], []), (["c"], [], [])]


@pytest.mark.parametrize(
    "state", ["", "x", "01", "1.2", "1.2.0", "1.2.3.4", "1.02.3", "-1", "9" * 19, "1.", "²", "1.2.²"]
)
def test_what_no_state_looks_like_is_none(state: str) -> None:
    assert parse_state(state) is None


@pytest.mark.parametrize("state", ["2.1.1", "2.9.1", "0.3.3", "0.3.9"])
def test_a_state_between_that_never_was_is_none(state: str) -> None:
    log = Log()
    for name in "abc":
        log.write(name, False)
    known = parse_state(state)
    assert known is not None
    assert changes_from(known, log.rows[known.since :], None) is None
