"""What every MailStore guarantees of mailboxes and their names."""

from __future__ import annotations

import pytest

from gatepost.store.interface import Busy, ConfigurationStore, Gone, Mailbox, MailStore, NewMessage, ObjectWrite, Taken
from gatepost.values.ids import Id

ALICE = Id("alice")


async def names(mail: MailStore, account_id: Id = ALICE) -> list[str]:
    return [mailbox.name for mailbox in await mail.mailboxes(account_id)]


async def inbox_of(mail: MailStore, account_id: Id = ALICE) -> Mailbox:
    inbox = await mail.mailbox(account_id, "INBOX")
    assert inbox is not None
    return inbox


async def reread(mail: MailStore, mailbox: Mailbox) -> Mailbox:
    return (await mail.messages(mailbox.id))[0]


async def test_an_account_has_an_inbox_from_its_first_listing_on(mail: MailStore) -> None:
    (inbox,) = await mail.mailboxes(ALICE)
    assert (inbox.name, inbox.account_id, inbox.uid_next) == ("INBOX", ALICE, 1)
    assert inbox.uid_validity > 0 and inbox.highest_modseq > 0
    assert await mail.mailboxes(ALICE) == [inbox]


async def test_an_account_has_an_inbox_when_it_is_first_looked_up(mail: MailStore) -> None:
    inbox = await inbox_of(mail)
    assert await mail.mailboxes(ALICE) == [inbox]


async def test_an_account_whose_first_act_is_to_create_a_mailbox_has_an_inbox_too(mail: MailStore) -> None:
    await mail.create_mailbox(ALICE, "Archive")
    assert await names(mail) == ["INBOX", "Archive"]


async def test_inbox_is_found_in_any_case_of_letters_rfc_9051_5_1(mail: MailStore) -> None:
    inbox = await inbox_of(mail)
    assert await mail.mailbox(ALICE, "inBoX") == inbox


async def test_other_names_are_told_apart_by_case(mail: MailStore) -> None:
    await mail.create_mailbox(ALICE, "Work")
    assert await mail.mailbox(ALICE, "work") is None


async def test_accounts_do_not_see_each_other(mail: MailStore) -> None:
    await mail.create_mailbox(ALICE, "Work")
    assert await mail.mailbox(Id("bob"), "Work") is None
    assert (await inbox_of(mail)).id != (await inbox_of(mail, Id("bob"))).id


async def test_mailboxes_are_listed_inbox_first_then_by_name(mail: MailStore) -> None:
    for name in ("Work", "Archive", "A"):
        await mail.create_mailbox(ALICE, name)
    assert await names(mail) == ["INBOX", "A", "Archive", "Work"]


async def test_create_makes_missing_parents_rfc_9051_6_3_4(mail: MailStore) -> None:
    await mail.create_mailbox(ALICE, "a/b/c")
    assert await names(mail) == ["INBOX", "a", "a/b", "a/b/c"]


async def test_create_below_inbox_does_not_make_another_inbox(mail: MailStore) -> None:
    await inbox_of(mail)
    await mail.create_mailbox(ALICE, "INBOX/lists")
    assert await names(mail) == ["INBOX", "INBOX/lists"]


async def test_create_keeps_special_use_and_gives_what_is_listed(mail: MailStore) -> None:
    made = await mail.create_mailbox(ALICE, "Gesendet ✉", "\\Sent")
    assert made.special_use == "\\Sent"
    assert await mail.mailbox(ALICE, "Gesendet ✉") == made


async def test_create_of_an_existing_name_is_taken(mail: MailStore) -> None:
    made = await mail.create_mailbox(ALICE, "Work")
    with pytest.raises(Taken) as caught:
        await mail.create_mailbox(ALICE, "Work")
    assert caught.value.existing_id == made.id


async def test_create_of_inbox_is_taken(mail: MailStore) -> None:
    inbox = await inbox_of(mail)
    with pytest.raises(Taken) as caught:
        await mail.create_mailbox(ALICE, "Inbox")
    assert caught.value.existing_id == inbox.id


async def test_a_mailbox_made_again_under_its_old_name_has_a_new_uid_validity_rfc_9051_2_3_1_1(mail: MailStore) -> None:
    seen = set()
    for _ in range(5):
        made = await mail.create_mailbox(ALICE, "Work")
        seen.add((made.uid_validity, made.id))
        await mail.delete_mailbox(made.id)
    assert len({uid_validity for uid_validity, _ in seen}) == len({mailbox_id for _, mailbox_id in seen}) == 5


async def test_delete_removes_the_mailbox_and_its_messages_and_leaves_those_below(mail: MailStore) -> None:
    below = await mail.create_mailbox(ALICE, "a/b")
    above = await mail.mailbox(ALICE, "a")
    assert above is not None
    await mail.append([NewMessage(above.id, b"in a"), NewMessage(below.id, b"in b")])
    (entry,) = (await mail.messages(above.id))[1]
    await mail.delete_mailbox(above.id)
    assert await names(mail) == ["INBOX", "a/b"]
    assert (await mail.counts(below.id)).messages == 1
    with pytest.raises(Gone):
        await mail.content(entry.content_id)


@pytest.mark.parametrize("mailbox_id", ["m99", "m0", "c1", "m", "x", "m-1", "m" + "9" * 40, "m²"])
async def test_a_mailbox_id_that_leads_nowhere_is_gone(mail: MailStore, mailbox_id: str) -> None:
    nowhere = Id(mailbox_id)
    inbox = await inbox_of(mail)
    calls = [
        mail.delete_mailbox(nowhere),
        mail.rename_mailbox(nowhere, "new"),
        mail.counts(nowhere),
        mail.messages(nowhere),
        mail.changes(nowhere, 0),
        mail.append([NewMessage(nowhere, b"text")]),
        mail.copy(nowhere, [1], inbox.id),
        mail.copy(inbox.id, [1], nowhere),
        mail.move(nowhere, [1], inbox.id),
        mail.move(inbox.id, [1], nowhere),
    ]
    for call in calls:
        with pytest.raises(Gone):
            await call


async def test_rename_keeps_id_messages_and_special_use(mail: MailStore) -> None:
    made = await mail.create_mailbox(ALICE, "Old", "\\Archive")
    await mail.append([NewMessage(made.id, b"text")])
    await mail.rename_mailbox(made.id, "New")
    renamed = await mail.mailbox(ALICE, "New")
    assert renamed is not None and (renamed.id, renamed.special_use) == (made.id, "\\Archive")
    assert (await mail.counts(made.id)).messages == 1
    assert await mail.mailbox(ALICE, "Old") is None


async def test_rename_takes_along_what_is_below_and_makes_parents_rfc_9051_6_3_6(mail: MailStore) -> None:
    await mail.create_mailbox(ALICE, "a/b/c")
    await mail.create_mailbox(ALICE, "ab")
    a = await mail.mailbox(ALICE, "a")
    assert a is not None
    await mail.rename_mailbox(a.id, "x/y")
    assert await names(mail) == ["INBOX", "ab", "x", "x/y", "x/y/b", "x/y/b/c"]


async def test_rename_below_itself_leaves_a_new_parent(mail: MailStore) -> None:
    a = await mail.create_mailbox(ALICE, "a")
    await mail.create_mailbox(ALICE, "a/old")
    await mail.rename_mailbox(a.id, "a/new")
    assert await names(mail) == ["INBOX", "a", "a/new", "a/new/old"]


@pytest.mark.parametrize(("old", "new"), [("a", "a/k"), ("a/k", "a")])
async def test_rename_may_pass_names_on_among_what_moves(mail: MailStore, old: str, new: str) -> None:
    renamed = await mail.create_mailbox(ALICE, old)
    for below in ("/s", "/k/s", "/k/k/s"):
        await mail.create_mailbox(ALICE, old + below)
    before = {mailbox.id: mailbox.name for mailbox in await mail.mailboxes(ALICE)}
    for mailbox_id, name in before.items():
        if name == new or (name in ("a/k", "a/k/k") and name != old):
            await mail.delete_mailbox(mailbox_id)
    await mail.rename_mailbox(renamed.id, new)
    after = {mailbox.id: mailbox.name for mailbox in await mail.mailboxes(ALICE)}
    for mailbox_id, name in after.items():
        if mailbox_id in before and before[mailbox_id].startswith(old):
            assert name == new + before[mailbox_id][len(old) :]


@pytest.mark.parametrize("new_name", ["taken", "inbox", "a/b", "a"])
async def test_rename_to_an_existing_name_is_taken_and_changes_nothing(mail: MailStore, new_name: str) -> None:
    a = await mail.create_mailbox(ALICE, "a")
    await mail.create_mailbox(ALICE, "a/b")
    await mail.create_mailbox(ALICE, "taken")
    before = await mail.mailboxes(ALICE)
    with pytest.raises(Taken) as caught:
        await mail.rename_mailbox(a.id, new_name)
    existing = await mail.mailbox(ALICE, new_name)
    assert existing is not None and caught.value.existing_id == existing.id
    assert await mail.mailboxes(ALICE) == before


async def test_rename_is_taken_when_something_below_would_be(mail: MailStore) -> None:
    a = await mail.create_mailbox(ALICE, "a")
    await mail.create_mailbox(ALICE, "a/x")
    in_the_way = await mail.create_mailbox(ALICE, "c/x")
    c = await mail.mailbox(ALICE, "c")
    assert c is not None
    await mail.delete_mailbox(c.id)
    with pytest.raises(Taken) as caught:
        await mail.rename_mailbox(a.id, "c")
    assert caught.value.existing_id == in_the_way.id
    assert await names(mail) == ["INBOX", "a", "a/x", "c/x"]


async def test_rename_of_inbox_moves_its_messages_and_leaves_it_empty_rfc_9051_6_3_6(mail: MailStore) -> None:
    inbox = await inbox_of(mail)
    await mail.create_mailbox(ALICE, "INBOX/below")
    await mail.append([NewMessage(inbox.id, b"one", frozenset({"\\Seen"})), NewMessage(inbox.id, b"two")])
    await mail.rename_mailbox(inbox.id, "old/mail")
    assert await names(mail) == ["INBOX", "INBOX/below", "old", "old/mail"]
    assert (await inbox_of(mail)).id == inbox.id
    assert (await mail.counts(inbox.id)).messages == 0
    moved = await mail.mailbox(ALICE, "old/mail")
    assert moved is not None
    counts = await mail.counts(moved.id)
    assert (counts.messages, counts.unseen) == (2, 1)
    assert (await mail.append([NewMessage(inbox.id, b"three")])) == [3]


async def test_rename_of_inbox_to_an_existing_name_is_taken(mail: MailStore) -> None:
    inbox = await inbox_of(mail)
    await mail.append([NewMessage(inbox.id, b"one")])
    other = await mail.create_mailbox(ALICE, "other")
    with pytest.raises(Taken) as caught:
        await mail.rename_mailbox(inbox.id, "other")
    assert caught.value.existing_id == other.id
    assert (await mail.counts(inbox.id)).messages == 1


async def test_subscribing_is_remembered_and_forgotten(mail: MailStore) -> None:
    made = await mail.create_mailbox(ALICE, "Work")
    await mail.subscribe(ALICE, "Work", True)
    await mail.subscribe(ALICE, "Work", True)
    assert (await reread(mail, made)).is_subscribed
    await mail.subscribe(ALICE, "Work", False)
    assert not (await reread(mail, made)).is_subscribed


async def test_subscribing_to_what_does_not_exist_is_gone_and_unsubscribing_is_not(mail: MailStore) -> None:
    with pytest.raises(Gone):
        await mail.subscribe(ALICE, "nowhere", True)
    await mail.subscribe(ALICE, "nowhere", False)


async def test_a_subscription_outlives_its_mailbox_rfc_9051_6_3_7(mail: MailStore) -> None:
    made = await mail.create_mailbox(ALICE, "Work")
    await mail.subscribe(ALICE, "Work", True)
    await mail.delete_mailbox(made.id)
    assert (await mail.create_mailbox(ALICE, "Work")).is_subscribed


async def test_subscriptions_move_along_with_a_rename(mail: MailStore) -> None:
    a = await mail.create_mailbox(ALICE, "a")
    b = await mail.create_mailbox(ALICE, "a/b")
    await mail.subscribe(ALICE, "a/b", True)
    await mail.rename_mailbox(a.id, "c")
    assert (await reread(mail, b)).is_subscribed
    assert not (await reread(mail, a)).is_subscribed
    assert not (await mail.create_mailbox(ALICE, "a/b")).is_subscribed


async def test_delete_account_removes_all_mail_of_it_and_of_nobody_else(mail: MailStore) -> None:
    inbox, other = await inbox_of(mail), await inbox_of(mail, Id("bob"))
    await mail.create_mailbox(ALICE, "a/b")
    await mail.append([NewMessage(inbox.id, b"same"), NewMessage(other.id, b"same"), NewMessage(inbox.id, b"hers")])
    hers = (await mail.messages(inbox.id))[1][1].content_id
    await mail.delete_account(ALICE)
    with pytest.raises(Gone):
        await mail.messages(inbox.id)
    with pytest.raises(Gone):
        await mail.content(hers)
    (entry,) = (await mail.messages(other.id))[1]
    assert await mail.content(entry.content_id) == b"same"
    again = await inbox_of(mail)
    assert again.id != inbox.id and again.uid_validity != inbox.uid_validity


async def test_nothing_is_made_for_an_account_that_is_gone(mail: MailStore, configuration: ConfigurationStore) -> None:
    inbox = await inbox_of(mail)
    work = await mail.create_mailbox(ALICE, "work")
    await configuration.commit([ObjectWrite("Account", ALICE, None)])
    with pytest.raises(Gone):
        await mail.create_mailbox(ALICE, "play")
    with pytest.raises(Gone):
        await mail.rename_mailbox(work.id, "a/b")
    await mail.delete_account(ALICE)
    with pytest.raises(Gone):
        await mail.mailbox(ALICE, "inbox")
    with pytest.raises(Gone):
        await mail.mailboxes(ALICE)
    with pytest.raises(Gone):
        await mail.append([NewMessage(inbox.id, b"late")])
    assert await mail.mailbox(ALICE, "work") is None


async def test_an_account_with_the_id_of_another_type_of_object_is_none(
    mail: MailStore, configuration: ConfigurationStore
) -> None:
    await configuration.commit([ObjectWrite("Domain", Id("d"), {})])
    with pytest.raises(Gone):
        await mail.mailboxes(Id("d"))


async def test_delete_account_of_nobody_does_nothing(mail: MailStore) -> None:
    await mail.delete_account(Id("nobody"))


async def test_a_maildrop_is_locked_for_one_session_at_a_time_rfc_1939_4(mail: MailStore) -> None:
    async with mail.maildrop_lock(ALICE):
        with pytest.raises(Busy):
            await mail.maildrop_lock(ALICE).__aenter__()
        async with mail.maildrop_lock(Id("bob")):
            pass
        with pytest.raises(Busy):
            await mail.maildrop_lock(ALICE).__aenter__()
    async with mail.maildrop_lock(ALICE):
        pass
