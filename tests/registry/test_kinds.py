"""What each kind of value takes from the wire, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.kinds import (
    MAX_UNSIGNED_INT,
    Boolean,
    Choice,
    DurationMs,
    Kind,
    ObjectId,
    SecretText,
    SetOf,
    Text,
    UnsignedInt,
    UtcDateTime,
    ip_mask_kind,
    socket_address_kind,
)
from gatepost.registry.network_listener import PROTOCOL_LABELS, NetworkListenerProtocol
from gatepost.registry.problem import ProblemType, UnfitValueError
from gatepost.registry.tls import SUITE_ALIASES, SUITE_LABELS, SUITES, TlsCipherSuite

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
EVERY_KIND: list[Kind[Any]] = [
    declared.kind for object_type in OBJECT_TYPES.values() for declared in object_type.properties.values()
]
TEXTS = [kind for kind in EVERY_KIND if isinstance(kind, Text) and kind.pattern is not None]


def _matching(kind: Text) -> st.SearchStrategy[str]:
    assert kind.pattern is not None
    return st.from_regex(kind.pattern, fullmatch=True)


def fault_of(kind: Kind[Any], wire: object) -> tuple[ProblemType, int | None]:
    with pytest.raises(UnfitValueError) as caught:
        kind.parse(wire)
    return caught.value.faults[0].type, caught.value.faults[0].limit


@given(JSON)
def test_whatever_is_sent_is_taken_or_refused_with_reasons(wire: object) -> None:
    for kind in EVERY_KIND:
        try:
            value = kind.parse(wire)
        except UnfitValueError as error:
            assert error.faults
        else:
            assert kind.parse(kind.to_wire(value)) == value


@given(st.sampled_from(TEXTS).flatmap(lambda kind: st.tuples(st.just(kind), _matching(kind))))
def test_a_text_in_other_letters_is_stored_as_one_that_can_be_read_back(given_text: tuple[Text, str]) -> None:
    kind, text = given_text
    try:
        value = kind.parse(text)
    except UnfitValueError:  # too long: the pattern alone does not say so
        return
    assert kind.parse(kind.to_wire(value)) == value


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_of_any_year_can_be_read_back(moment: datetime) -> None:
    wire = UtcDateTime().to_wire(moment)
    assert UtcDateTime().parse(wire) == moment.replace(microsecond=0)


def test_a_set_of_far_too_many_members_is_refused_by_their_number() -> None:
    """Without comparing each with all others."""
    for wire in ([f"m{number}" for number in range(200_000)], {f"m{number}": True for number in range(200_000)}):
        assert fault_of(SetOf(Text()), wire) == (ProblemType.MAX_LENGTH, 1024)


@pytest.mark.parametrize("wire", [1024.0, "1024", True, None, [], float("nan")])
def test_an_unsigned_int_is_an_integer_and_nothing_like_it(wire: object) -> None:
    assert fault_of(UnsignedInt(1), wire)[0] is ProblemType.INVALID


def test_an_unsigned_int_has_limits() -> None:
    kind = UnsignedInt(1, 255)
    assert (kind.parse(1), kind.parse(255)) == (1, 255)
    assert fault_of(kind, 0) == (ProblemType.MIN_VALUE, 1)
    assert fault_of(kind, -7) == (ProblemType.MIN_VALUE, 1)
    assert fault_of(kind, 256) == (ProblemType.MAX_VALUE, 255)
    assert fault_of(UnsignedInt(), MAX_UNSIGNED_INT + 1) == (ProblemType.MAX_VALUE, MAX_UNSIGNED_INT)


@pytest.mark.parametrize("wire", [0, 1, "true", None])
def test_a_boolean_is_true_or_false_alone(wire: object) -> None:
    assert fault_of(Boolean(), wire)[0] is ProblemType.INVALID


@pytest.mark.parametrize(("wire", "milliseconds"), [(1, 1), ("1m", 60_000), ("1h30m", 5_400_000), ("500ms", 500)])
def test_a_duration_is_milliseconds_or_words(wire: object, milliseconds: int) -> None:
    assert DurationMs(1).parse(wire) == milliseconds


def test_a_duration_has_limits_and_a_form() -> None:
    assert fault_of(DurationMs(1), 0) == (ProblemType.MIN_VALUE, 1)
    assert fault_of(DurationMs(1), "0s") == (ProblemType.MIN_VALUE, 1)
    for wire in ("1 minute", "60", 1.5, True, ""):
        assert fault_of(DurationMs(1), wire)[0] is ProblemType.INVALID


def test_text_is_counted_in_characters() -> None:
    kind = Text(1, 3)
    assert kind.parse("äöü") == "äöü"
    assert fault_of(kind, "äöüß") == (ProblemType.MAX_LENGTH, 3)
    assert fault_of(kind, "") == (ProblemType.MIN_LENGTH, 1)
    assert fault_of(kind, "a\n")[0] is ProblemType.INVALID
    assert fault_of(kind, 5)[0] is ProblemType.INVALID


def test_a_secret_never_stands_in_a_fault() -> None:
    with pytest.raises(UnfitValueError) as caught:
        SecretText(1, 8).parse("hunter2-and-more")
    assert "hunter2" not in repr(caught.value.faults)
    with pytest.raises(UnfitValueError) as caught:
        SecretText().parse(["hunter2"])
    assert "hunter2" not in repr(caught.value.faults)


def test_a_set_is_taken_as_object_or_array_and_keeps_its_order() -> None:
    kind = SetOf(socket_address_kind(), min_items=1)
    as_object = kind.parse({"[0::0]:25": True, "127.0.0.1:26": True})
    assert as_object == kind.parse(["[::]:25", "127.0.0.1:26"])
    assert kind.to_wire(as_object) == {"[::]:25": True, "127.0.0.1:26": True}


def test_a_set_reports_every_member_that_is_wrong() -> None:
    kind = SetOf(socket_address_kind())
    with pytest.raises(UnfitValueError) as caught:
        kind.parse(["127.0.0.1:0", "example.org:25", "127.0.0.1:25"])
    assert [fault.value for fault in caught.value.faults] == ["127.0.0.1:0", "example.org:25"]


@pytest.mark.parametrize("wire", [{"127.0.0.1:25": False}, ["127.0.0.1:25", "127.0.0.1:25"], "127.0.0.1:25", 5])
def test_a_set_has_each_member_once_and_marks_it_with_true(wire: object) -> None:
    assert fault_of(SetOf(socket_address_kind()), wire)[0] is ProblemType.INVALID


def test_two_spellings_of_an_address_are_one_address() -> None:
    assert fault_of(SetOf(socket_address_kind()), ["[::]:25", "[0:0::0]:25"])[0] is ProblemType.INVALID


def test_a_set_has_limits() -> None:
    kind = SetOf(ip_mask_kind(), min_items=1, max_items=2)
    assert fault_of(kind, {}) == (ProblemType.MIN_LENGTH, 1)
    assert len(kind.parse(["10.0.0.1", "10.0.0.2"])) == 2
    assert fault_of(kind, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) == (ProblemType.MAX_LENGTH, 2)


def test_a_network_is_stored_without_host_bits() -> None:
    kind = SetOf(ip_mask_kind())
    assert kind.to_wire(kind.parse(["10.1.2.3/8", "::/0"])) == {"10.0.0.0/8": True, "::/0": True}


def test_a_choice_names_what_there_is() -> None:
    kind = Choice(NetworkListenerProtocol, PROTOCOL_LABELS)
    assert kind.parse("manageSieve") is NetworkListenerProtocol.MANAGESIEVE
    with pytest.raises(UnfitValueError, match="smtp, lmtp, http, imap, pop3, manageSieve"):
        kind.parse("gopher")
    assert fault_of(kind, 5)[0] is ProblemType.INVALID


def test_a_cipher_suite_is_known_by_its_iana_and_openssl_names_too() -> None:
    kind = Choice(TlsCipherSuite, SUITE_LABELS, SUITE_ALIASES)
    for suite, names in SUITES.items():
        assert kind.parse(suite.value) is kind.parse(names.iana) is kind.parse(names.openssl.lower()) is suite


def test_a_time_is_utc_with_whole_seconds() -> None:
    assert UtcDateTime().parse("2030-01-31T12:00:00Z") == datetime(2030, 1, 31, 12, tzinfo=UTC)
    for wire in ("2030-01-31T12:00:00+01:00", "tomorrow", "2030-02-31T12:00:00Z", 5):
        assert fault_of(UtcDateTime(), wire)[0] is ProblemType.INVALID


@pytest.mark.parametrize(
    "wire",
    ["2030-01-31t12:00:00Z", "2030-01-31T12:00:00z", "2030-01-31 12:00:00Z", "2030-01-31T12:00Z", "20300131T120000Z",
     "2030-W05-4T12:00:00Z", "2030-01-31T12Z", "2030-01-31T12:00:00,5Z", "2030-01-31T12:00:00Z\n", "٢030-01-31T12:00:00Z"],
)  # fmt: skip
def test_a_time_has_the_one_form_of_rfc8620_section_1_4(wire: str) -> None:
    assert fault_of(UtcDateTime(), wire)[0] is ProblemType.INVALID


@pytest.mark.parametrize("wire", ["", "has space", "ä", 7, None])
def test_an_id_has_the_form_of_rfc8620_section_1_2(wire: object) -> None:
    assert fault_of(ObjectId("Domain"), wire)[0] is ProblemType.INVALID


class Compared:
    """A member that knows how often members were compared."""

    comparisons = 0

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        Compared.comparisons += 1
        return isinstance(other, Compared) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)


class ComparedKind(Kind[Compared]):
    @property
    def stand_in(self) -> Compared:
        return Compared(0)

    def parse(self, wire: object) -> Compared:
        return Compared(int(str(wire)))

    def to_wire(self, value: Compared) -> object:
        return value.number

    def schema(self) -> dict[str, object]:
        return {}


def test_members_of_a_set_are_not_compared_each_with_all_others() -> None:
    assert len(SetOf(ComparedKind()).parse(list(range(1024)))) == 1024
    assert Compared.comparisons < 1024
