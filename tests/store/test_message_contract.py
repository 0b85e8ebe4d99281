"""What every MailStore guarantees of the messages in a mailbox."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gatepost.store.interface import FlagChange, Gone, Mailbox, MailboxCounts, MailStore, MessageEntry, NewMessage
from gatepost.values.ids import Id

ALICE = Id("alice")


@pytest.fixture
async def box(mail: MailStore) -> Mailbox:
    """An empty mailbox."""
    return await mail.create_mailbox(ALICE, "box")


@pytest.fixture
async def other(mail: MailStore) -> Mailbox:
    return await mail.create_mailbox(ALICE, "other")


async def fill(mail: MailStore, mailbox: Mailbox, *flags: str) -> list[int]:
    """One message per argument: its flags, with a space between."""
    messages = [NewMessage(mailbox.id, b"%d" % n, frozenset(words.split())) for n, words in enumerate(flags)]
    return list(await mail.append(messages))


async def entries(mail: MailStore, mailbox: Mailbox) -> list[MessageEntry]:
    return list((await mail.messages(mailbox.id))[1])


async def modseq(mail: MailStore, mailbox: Mailbox) -> int:
    return (await mail.messages(mailbox.id))[0].highest_modseq


async def test_append_gives_rising_uids_in_the_order_of_the_messages(
    mail: MailStore, box: Mailbox, other: Mailbox
) -> None:
    new = [NewMessage(one.id, b"text") for one in (box, other, box)]
    assert list(await mail.append(new)) == [1, 1, 2]
    assert list(await mail.append(new)) == [3, 2, 4]
    assert (await mail.messages(box.id))[0].uid_next == 5


async def test_append_of_nothing_gives_nothing(mail: MailStore) -> None:
    assert list(await mail.append([])) == []


async def test_what_was_appended_is_read_back(mail: MailStore, box: Mailbox) -> None:
    date = datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-8)))
    await mail.append([NewMessage(box.id, b"octets \0\xff\r\n", frozenset({"\\Seen", "$Forwarded"}), date)])
    mailbox, (entry,) = await mail.messages(box.id)
    assert (entry.uid, entry.size, set(entry.flags)) == (1, 11, {"\\Seen", "$Forwarded"})
    assert entry.internal_date == date and entry.internal_date.utcoffset() == timedelta(0)
    assert entry.modseq == mailbox.highest_modseq > box.highest_modseq
    assert await mail.content(entry.content_id) == b"octets \0\xff\r\n"


@pytest.mark.parametrize("year", [1900, 1969, 1970, 2038, 9999])
async def test_internal_dates_far_away_are_kept(mail: MailStore, box: Mailbox, year: int) -> None:
    date = datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    await mail.append([NewMessage(box.id, b"text", internal_date=date)])
    assert (await entries(mail, box))[0].internal_date == date


async def test_without_a_date_a_message_has_the_time_of_its_commit(mail: MailStore, box: Mailbox) -> None:
    before = datetime.now(UTC)
    await mail.append([NewMessage(box.id, b"text")])
    assert before <= (await entries(mail, box))[0].internal_date <= datetime.now(UTC)


async def test_append_to_a_mailbox_that_is_gone_adds_nothing_anywhere(mail: MailStore, box: Mailbox) -> None:
    await mail.append([NewMessage(box.id, b"first")])
    with pytest.raises(Gone):
        await mail.append([NewMessage(box.id, b"second"), NewMessage(Id("m99"), b"second")])
    assert await mail.append([NewMessage(box.id, b"third")]) == [2]
    assert await mail.counts(box.id) == MailboxCounts(messages=2, unseen=2, deleted=0, size=10)


async def test_empty_content_is_a_content(mail: MailStore, box: Mailbox) -> None:
    await mail.append([NewMessage(box.id, b"")])
    (entry,) = await entries(mail, box)
    assert entry.size == 0 and await mail.content(entry.content_id) == b""


async def test_the_same_content_is_stored_once_and_lives_as_long_as_its_last_message(
    mail: MailStore, box: Mailbox, other: Mailbox
) -> None:
    await mail.append([NewMessage(box.id, b"same"), NewMessage(box.id, b"same"), NewMessage(other.id, b"same")])
    (content_id,) = {entry.content_id for entry in await entries(mail, box) + await entries(mail, other)}
    await mail.remove(box.id, [1])
    await mail.remove(other.id, [1])
    assert await mail.content(content_id) == b"same"
    await mail.remove(box.id, [2])
    with pytest.raises(Gone):
        await mail.content(content_id)


async def test_the_id_of_a_content_is_not_used_again(mail: MailStore, box: Mailbox) -> None:
    seen = set()
    for uid in range(1, 4):
        await mail.append([NewMessage(box.id, b"%d" % uid)])
        seen.add((await entries(mail, box))[0].content_id)
        await mail.remove(box.id, [uid])
    assert len(seen) == 3


@pytest.mark.parametrize("content_id", ["c99", "m1", "c", "", "c1x"])
async def test_a_content_id_that_leads_nowhere_is_gone(mail: MailStore, box: Mailbox, content_id: str) -> None:
    await mail.append([NewMessage(box.id, b"text")])
    with pytest.raises(Gone):
        await mail.content(Id(content_id))


async def test_counts_follow_every_kind_of_change(mail: MailStore, box: Mailbox, other: Mailbox) -> None:
    await fill(mail, box, "", "\\Seen", "\\Seen \\Deleted", "\\Deleted")
    assert await mail.counts(box.id) == MailboxCounts(messages=4, unseen=2, deleted=2, size=4)
    await mail.change_flags(box.id, [1, 2], FlagChange.ADD, ["\\Seen"])
    await mail.change_flags(box.id, [2, 3], FlagChange.REPLACE, ["\\Deleted"])
    assert await mail.counts(box.id) == MailboxCounts(messages=4, unseen=3, deleted=3, size=4)
    await mail.copy(box.id, [1, 2], other.id)
    await mail.move(box.id, [3], other.id)
    assert await mail.counts(box.id) == MailboxCounts(messages=3, unseen=2, deleted=2, size=3)
    assert await mail.counts(other.id) == MailboxCounts(messages=3, unseen=2, deleted=2, size=3)
    await mail.expunge(box.id)
    assert await mail.counts(box.id) == MailboxCounts(messages=1, unseen=0, deleted=0, size=1)
    await mail.remove(box.id, [1])
    assert await mail.counts(box.id) == MailboxCounts(messages=0, unseen=0, deleted=0, size=0)


async def test_flags_are_added_removed_and_replaced_rfc_9051_6_4_6(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "\\Seen $Work")
    for change, given, expected in (
        (FlagChange.ADD, {"\\Flagged", "$Later"}, {"\\Seen", "$Work", "\\Flagged", "$Later"}),
        (FlagChange.REMOVE, {"\\Seen", "$Work", "\\Draft"}, {"\\Flagged", "$Later"}),
        (FlagChange.REPLACE, {"\\Answered", "$Done"}, {"\\Answered", "$Done"}),
        (FlagChange.REPLACE, set(), set()),
    ):
        (changed,) = await mail.change_flags(box.id, [1], change, given)
        assert set(changed.flags) == expected
        assert [changed] == await entries(mail, box)


async def test_system_flags_compare_without_case_and_keep_the_spelling_of_the_rfc(
    mail: MailStore, box: Mailbox
) -> None:
    await fill(mail, box, "\\SEEN")
    (entry,) = await mail.change_flags(box.id, [1], FlagChange.ADD, ["\\deleted", "\\Seen"])
    assert entry.flags == {"\\Seen", "\\Deleted"}
    assert await mail.counts(box.id) == MailboxCounts(messages=1, unseen=0, deleted=1, size=1)
    (entry,) = await mail.change_flags(box.id, [1], FlagChange.REMOVE, ["\\DELETED"])
    assert entry.flags == {"\\Seen"}


async def test_changing_flags_raises_modseq_of_what_changed_rfc_7162_3_1(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "", "")
    before = await modseq(mail, box)
    (changed,) = await mail.change_flags(box.id, [2], FlagChange.ADD, ["\\Seen"])
    assert changed.modseq == await modseq(mail, box) > before
    assert [entry.modseq > before for entry in await entries(mail, box)] == [False, True]


async def test_changing_flags_to_what_they_are_changes_no_modseq_rfc_7162_3_1(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "\\Seen $a")
    before = await modseq(mail, box)
    (entry,) = await mail.change_flags(box.id, [1], FlagChange.ADD, ["\\Seen"])
    assert entry.flags == {"\\Seen", "$a"}
    await mail.change_flags(box.id, [1], FlagChange.REMOVE, ["\\Draft"])
    await mail.change_flags(box.id, [1], FlagChange.REPLACE, ["$a", "\\Seen"])
    assert await modseq(mail, box) == before


async def test_changing_flags_leaves_out_uids_that_do_not_exist(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "", "", "")
    changed = await mail.change_flags(box.id, [99, 3, 1], FlagChange.ADD, ["\\Seen"])
    assert [entry.uid for entry in changed] == [1, 3]
    assert list(await mail.change_flags(box.id, [], FlagChange.ADD, ["\\Seen"])) == []


async def test_changes_tell_what_is_new_what_is_different_and_what_is_gone_rfc_7162(
    mail: MailStore, box: Mailbox
) -> None:
    await fill(mail, box, "", "", "", "")
    since = await modseq(mail, box)
    await mail.change_flags(box.id, [3], FlagChange.ADD, ["\\Seen"])
    await mail.remove(box.id, [1, 2])
    await fill(mail, box, "$new")
    changes = await mail.changes(box.id, since)
    assert [(entry.uid, set(entry.flags)) for entry in changes.changed] == [(3, {"\\Seen"}), (5, {"$new"})]
    assert (list(changes.vanished), changes.highest_modseq) == ([1, 2], await modseq(mail, box))


async def test_changes_are_by_uid_whatever_changed_first(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "", "", "")
    since = await modseq(mail, box)
    for uid in (3, 1, 2):
        await mail.change_flags(box.id, [uid], FlagChange.ADD, ["\\Seen"])
    assert [entry.uid for entry in (await mail.changes(box.id, since)).changed] == [1, 2, 3]


async def test_there_are_no_changes_after_the_newest(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "")
    newest = await modseq(mail, box)
    for since in (newest, newest + 100):
        changes = await mail.changes(box.id, since)
        assert (changes.highest_modseq, list(changes.changed), list(changes.vanished)) == (newest, [], [])


async def test_copy_keeps_flags_and_date_and_leaves_the_originals(
    mail: MailStore, box: Mailbox, other: Mailbox
) -> None:
    date = datetime(2020, 1, 1, tzinfo=UTC)
    await mail.append([NewMessage(box.id, b"a", frozenset({"\\Seen", "$x"}), date), NewMessage(box.id, b"b")])
    await fill(mail, other, "", "")
    assert list(await mail.copy(box.id, [2, 77, 1], other.id)) == [(1, 3), (2, 4)]
    originals, copies = await entries(mail, box), (await entries(mail, other))[2:]
    assert [entry.uid for entry in originals] == [1, 2]
    for original, copied in zip(originals, copies, strict=True):
        assert (original.flags, original.internal_date, original.size, original.content_id) == (
            copied.flags,
            copied.internal_date,
            copied.size,
            copied.content_id,
        )
    mailbox = (await mail.messages(other.id))[0]
    assert {entry.modseq for entry in copies} == {mailbox.highest_modseq} and mailbox.uid_next == 5


async def test_copy_of_nothing_changes_nothing(mail: MailStore, box: Mailbox, other: Mailbox) -> None:
    before = await mail.messages(other.id)
    assert list(await mail.copy(box.id, [1, 2], other.id)) == []
    assert await mail.messages(other.id) == before


async def test_copy_into_the_same_mailbox_makes_twins(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "", "")
    assert list(await mail.copy(box.id, [1, 2], box.id)) == [(1, 3), (2, 4)]
    assert (await mail.counts(box.id)).messages == 4


async def test_move_makes_the_originals_vanish_rfc_6851(mail: MailStore, box: Mailbox, other: Mailbox) -> None:
    await fill(mail, box, "\\Seen", "", "")
    since = await modseq(mail, box)
    assert list(await mail.move(box.id, [3, 1], other.id)) == [(1, 1), (3, 2)]
    assert [entry.uid for entry in await entries(mail, box)] == [2]
    assert list((await mail.changes(box.id, since)).vanished) == [1, 3]
    first, second = await entries(mail, other)
    assert (set(first.flags), await mail.content(second.content_id)) == ({"\\Seen"}, b"2")


async def test_move_within_one_mailbox_gives_new_uids(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "", "")
    assert list(await mail.move(box.id, [1], box.id)) == [(1, 3)]
    assert [entry.uid for entry in await entries(mail, box)] == [2, 3]


async def test_expunge_removes_what_is_deleted_and_nothing_else(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "\\Deleted", "", "\\deleted", "\\Deleted")
    assert list(await mail.expunge(box.id, [1, 2, 99])) == [1]
    since = await modseq(mail, box)
    assert list(await mail.expunge(box.id)) == [3, 4]
    assert list((await mail.changes(box.id, since)).vanished) == [3, 4]
    assert [entry.uid for entry in await entries(mail, box)] == [2]


async def test_expunge_of_nothing_changes_nothing(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "")
    before = await mail.messages(box.id)
    assert list(await mail.expunge(box.id)) == list(await mail.expunge(box.id, [1])) == []
    assert await mail.messages(box.id) == before


async def test_remove_does_not_ask_for_flags(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "", "", "")
    assert list(await mail.remove(box.id, [3, 1, 7])) == [1, 3]
    assert list(await mail.remove(box.id, [3, 1, 7])) == []


async def test_uids_of_removed_messages_are_not_used_again_rfc_9051_2_3_1_1(mail: MailStore, box: Mailbox) -> None:
    await fill(mail, box, "", "")
    await mail.remove(box.id, [1, 2])
    assert await fill(mail, box, "") == [3]


async def test_writing_at_once_gives_each_message_its_own_uid(mail: MailStore, box: Mailbox) -> None:
    uids = await asyncio.gather(*(mail.append([NewMessage(box.id, b"%d" % n)]) for n in range(100)))
    assert sorted(uid for (uid,) in uids) == list(range(1, 101))
    by_uid = {entry.uid: entry for entry in await entries(mail, box)}
    for n, (uid,) in enumerate(uids):
        assert await mail.content(by_uid[uid].content_id) == b"%d" % n


async def test_ten_thousand_uids_are_one_selection(mail: MailStore, box: Mailbox, other: Mailbox) -> None:
    count = 10_000
    await mail.append([NewMessage(box.id, b"same")] * count)
    everything = range(1, count + 1)
    assert len(await mail.change_flags(box.id, everything, FlagChange.ADD, ["\\Seen"])) == count
    assert len(await mail.copy(box.id, everything, other.id)) == count
    assert len(await mail.remove(box.id, everything)) == count
    assert len((await mail.changes(box.id, 0)).vanished) == count
