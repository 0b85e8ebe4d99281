"""What an event source is asked for, and the octets of its events (RFC 8620 section 7.3)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.management.event_stream_limits import EventStreamLimits
from gatepost.management.jmap.event_source import (
    EventSourceRequest,
    PingBounds,
    UnfitEventSourceError,
    parse_event_source_request,
    ping_event,
    state_event,
)
from gatepost.values.ids import Id

BOUNDS = PingBounds(shortest=30, longest=300)


def parsed(last_event_id: str | None = None, **query: str) -> EventSourceRequest:
    return parse_event_source_request(query, last_event_id, BOUNDS)


def test_only_the_types_of_the_list_are_pushed_rfc8620_section_7_3() -> None:
    wanted = parsed(types="x:Domain,x:Account")
    assert [wanted.is_about(name) for name in ("x:Domain", "x:Account", "x:NetworkListener")] == [True, True, False]


@pytest.mark.parametrize("query", [{"types": "*"}, {"types": ""}, {}])
def test_a_star_is_all_types_rfc8620_section_7_3(query: dict[str, str]) -> None:
    assert parsed(**query).is_about("x:Domain")


def test_closeafter_is_state_or_no_rfc8620_section_7_3() -> None:
    assert parsed(closeafter="state").is_closed_after_state
    assert not parsed(closeafter="no").is_closed_after_state
    with pytest.raises(UnfitEventSourceError, match="closeafter"):
        parsed(closeafter="never")


@pytest.mark.parametrize(("asked", "kept"), [("0", 0), ("1", 30), ("30", 30), ("77", 77), ("300", 300), ("86400", 300)])
def test_the_interval_of_pings_is_kept_within_bounds_and_0_is_none_rfc8620_section_7_3(asked: str, kept: int) -> None:
    assert parsed(ping=asked).ping_interval == kept


def test_what_is_kept_by_default_is_within_what_the_rfc_leaves_open_rfc8620_section_7_3() -> None:
    bounds = EventStreamLimits().ping
    assert bounds.shortest <= 30
    assert bounds.longest >= 300


@pytest.mark.parametrize("ping", ["-1", "1.5", "x", "٣", "9" * 5000])
def test_a_ping_that_is_no_number_is_refused(ping: str) -> None:
    with pytest.raises(UnfitEventSourceError, match="ping"):
        parsed(ping=ping)


def test_the_state_event_holds_a_state_change_object_rfc8620_section_7_1() -> None:
    octets = state_event(Id("a1"), {"x:Domain": "7"}, {"x:Domain": "7", "x:Account": "3"})
    lines = octets.decode().split("\n")
    assert (lines[0], lines[3:]) == ("event: state", ["", ""])
    assert lines[2].startswith("data: ")
    assert json.loads(lines[2][6:]) == {"@type": "StateChange", "changed": {"a1": {"x:Domain": "7"}}}


def test_a_ping_tells_the_interval_rfc8620_section_7_3() -> None:
    assert ping_event(300) == b'event: ping\ndata: {"interval":300}\n\n'


def test_a_client_without_a_last_event_id_is_new() -> None:
    assert parsed().seen is None


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1), min_size=1))
def test_the_id_of_an_event_gives_back_the_states_and_keeps_to_one_line(states: dict[str, str]) -> None:
    line = state_event(Id("a"), states, states).decode().split("\n")[1]
    assert parsed(line.removeprefix("id: ")).seen == states


@given(st.text())
def test_any_last_event_id_is_taken(text: str) -> None:
    assert parsed(text).seen is not None
