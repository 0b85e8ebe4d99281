"""Sequence numbers, and what a client is told when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.imap.mailbox_view import MailboxView
from gatepost.protocols.imap.sequence_set import SequenceSet


@dataclass(frozen=True)
class Entry:
    uid: int
    modseq: int = 1
    flags: frozenset[str] = frozenset()


def view(*uids: int) -> MailboxView[Entry]:
    return MailboxView([Entry(uid) for uid in uids], 7, 1, is_read_only=False)


def numbered(mailbox: MailboxView[Entry]) -> list[tuple[int, int]]:
    return [(number, entry.uid) for number, entry in mailbox.all_messages()]


def test_a_message_that_vanished_keeps_its_number_until_expunges_may_be_shown() -> None:
    """RFC 3501 section 7.4.1"""
    mailbox = view(10, 20, 30)
    mailbox.take_in([], [20], 2)
    assert mailbox.take_news(may_expunge=False).expunged == []
    assert numbered(mailbox) == [(1, 10), (2, 20), (3, 30)]
    assert mailbox.take_news(may_expunge=True).expunged == [2]
    assert numbered(mailbox) == [(1, 10), (2, 30)]
    assert mailbox.take_news(may_expunge=True).expunged == []


def test_expunged_numbers_count_as_the_client_counts() -> None:
    """RFC 3501 section 7.4.1: each EXPUNGE decrements what follows"""
    mailbox = view(1, 2, 3, 4)
    mailbox.take_in([], [1, 3, 4], 2)
    remaining = [1, 2, 3, 4]
    for number in mailbox.take_news(may_expunge=True).expunged:
        del remaining[number - 1]
    assert remaining == [2]


def test_new_messages_are_announced_once() -> None:
    mailbox = view(1)
    mailbox.take_in([Entry(5, 2), Entry(6, 2)], [], 2)
    assert len(mailbox) == 1
    assert mailbox.take_news(may_expunge=False).exists == 3
    assert mailbox.take_news(may_expunge=True).exists is None
    assert numbered(mailbox) == [(1, 1), (2, 5), (3, 6)]


def test_a_message_that_came_and_went_unseen_is_never_mentioned() -> None:
    mailbox = view(1)
    mailbox.take_in([Entry(5, 2)], [], 2)
    mailbox.take_in([], [5], 3)
    news = mailbox.take_news(may_expunge=True)
    assert (news.expunged, news.exists) == ([], None)


def test_new_flags_are_shown_with_the_number_after_the_expunges() -> None:
    mailbox = view(1, 2, 3)
    changed = Entry(3, 2, frozenset(("\\Seen",)))
    mailbox.take_in([changed], [1], 2)
    news = mailbox.take_news(may_expunge=True)
    assert (news.expunged, news.changed) == ([1], [(2, changed)])


def test_ones_own_change_is_no_news() -> None:
    """RFC 3501 section 6.4.6: .SILENT"""
    mailbox = view(1)
    mine = Entry(1, 2, frozenset(("\\Seen",)))
    mailbox.set_here([mine])
    mailbox.take_in([mine], [], 2)
    assert mailbox.take_news(may_expunge=True).changed == []
    mailbox.take_in([Entry(1, 3)], [], 3)
    assert mailbox.take_news(may_expunge=True).changed == [(1, Entry(1, 3))]


def test_new_keywords_are_announced() -> None:
    """RFC 3501 section 7.2.6"""
    mailbox = view(1)
    mailbox.set_here([Entry(1, 2, frozenset(("$x", "\\Seen")))])
    assert mailbox.take_news(may_expunge=False).keywords == frozenset(("$x",))
    assert mailbox.take_news(may_expunge=False).keywords is None


def chosen(mailbox: MailboxView[Entry], text: bytes, *, by_uid: bool) -> list[int]:
    return [number for number, _ in mailbox.chosen(SequenceSet.parse(text), by_uid=by_uid)]


def test_sets_choose_by_number_and_by_uid() -> None:
    mailbox = view(10, 20, 30)
    assert chosen(mailbox, b"2:*", by_uid=False) == [2, 3]
    assert chosen(mailbox, b"15:25,30", by_uid=True) == [2, 3]
    assert chosen(mailbox, b"99:*", by_uid=True) == [3]
    assert chosen(mailbox, b"*", by_uid=True) == [3]
    assert chosen(view(), b"1:*", by_uid=True) == []


@given(
    st.lists(st.tuples(st.sampled_from(["new", "gone", "flag", "show", "show all"]), st.integers(0, 9)), max_size=40)
)
def test_a_client_that_counts_along_has_the_same_messages(steps: Iterable[tuple[str, int]]) -> None:
    mailbox, modseq, next_uid = view(1, 2), 1, 3
    real, client = [1, 2], [1, 2]
    for step, which in steps:
        modseq += 1
        if step == "new":
            real.append(next_uid)
            mailbox.take_in([Entry(next_uid, modseq)], [], modseq)
            next_uid += 1
        elif step == "gone" and real:
            mailbox.take_in([], [real.pop(which % len(real))], modseq)
        elif step == "flag" and real:
            mailbox.take_in([Entry(real[which % len(real)], modseq, frozenset((str(modseq),)))], [], modseq)
        else:
            news = mailbox.take_news(may_expunge=step == "show all")
            for number in news.expunged:
                del client[number - 1]
            if news.exists is not None:
                shown = [entry.uid for _, entry in mailbox.all_messages()]
                client += shown[len(client) : news.exists]
            assert all(client[number - 1] == entry.uid for number, entry in news.changed)
        assert client == [entry.uid for _, entry in mailbox.all_messages()]
    mailbox.take_news(may_expunge=True)
    assert [entry.uid for _, entry in mailbox.all_messages()] == real
