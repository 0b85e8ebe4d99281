"""What an IMAP session does in the world: logs in, and answers the engine's commands from the mail store.

Implements `session.reactions.Reactions` for `protocols.imap.engine.ImapEngine`. The commands themselves are in
`imap_mailboxes` and `imap_messages`; here is who may do what when, what other sessions have done, and how errors sound.
"""

from __future__ import annotations

from gatepost.mail.directory import DirectoryAccount
from gatepost.mail.quota import AccountQuota
from gatepost.protocols.engine import Breather
from gatepost.protocols.imap import commands, responses
from gatepost.protocols.imap.engine import ImapEngine
from gatepost.protocols.imap.errors import CommandRefused
from gatepost.protocols.sasl import Credentials
from gatepost.session.authentication import authenticate_credentials
from gatepost.session.imap_mailboxes import MailboxCommands
from gatepost.session.imap_messages import BrokenOff, MessageCommands
from gatepost.session.imap_selected import SelectedMailbox
from gatepost.session.link import Link, make_way
from gatepost.session.mailbox_watch import MailboxWatch
from gatepost.session.reactions import AuthenticationFailed, Authenticator
from gatepost.session.recent_messages import RecentMessages
from gatepost.store.interface import Broken, Busy, Gone, MailStore, MessageEntry, StoreError, Taken

# Numbers in these commands are those from before the command, and no EXPUNGE may change them meanwhile (RFC 3501
# section 7.4.1), unless they are uids.
_WITH_NUMBERS = (commands.Fetch, commands.Store, commands.Search)
_READS_CHANGES_FIRST = (*_WITH_NUMBERS, commands.Copy)


class _MailboxDeleted(Exception):
    """The selected mailbox does not exist any more."""


class ImapReactions:
    """One session's reactions."""

    def __init__(
        self,
        engine: ImapEngine[MessageEntry],
        link: Link,
        authenticator: Authenticator,
        mail_store: MailStore,
        mailbox_watch: MailboxWatch,
        recent_messages: RecentMessages,
    ) -> None:
        self._engine = engine
        self._link = link
        self._authenticator = authenticator
        self._mail_store = mail_store
        self._watch = mailbox_watch
        self._messages = MessageCommands(engine, link, mail_store, recent_messages)
        self._quota = AccountQuota(mail_store)
        self._account: DirectoryAccount | None = None
        self._mailboxes: MailboxCommands | None = None
        self._selected: SelectedMailbox | None = None

    async def react(self, event: object) -> None:
        """Answer one event of the engine."""
        await self._link.drained()
        match event:
            case Breather():
                await make_way(self._link)
                self._engine.go_on()
            case commands.LogIn(credentials):
                await self._log_in(credentials)
            case commands.MailboxNews():
                await self._show_news_while_idling()
            case _:
                await self._obey(event)

    def may_react_at_once(self, event: object) -> bool:
        """Never."""
        del event  # every command that gets here is one to the store
        return False

    def react_at_once(self, event: object) -> None:
        """Not called."""
        raise TypeError(f"{type(event).__name__} needs the store")

    async def ended(self) -> None:
        """Give up the watch."""
        self._leave_mailbox()

    # --- logging in -------------------------------------------------------------------------------------------------

    async def _log_in(self, credentials: Credentials) -> None:
        try:
            account = await authenticate_credentials(self._authenticator, credentials, self._link.peer)
        except AuthenticationFailed as failure:
            self._engine.log_in_failed(is_temporary=failure.is_temporary)
            return
        self._account = account
        self._mailboxes = MailboxCommands(self._engine, self._mail_store, account.id)
        self._link.authenticated(account.id, account.login_name)
        self._engine.logged_in()

    # --- commands ---------------------------------------------------------------------------------------------------

    async def _obey(self, command: object) -> None:
        """Run a command, show what others have done, and end it with a tagged response."""
        try:
            await self._show_news_before(command)
            text, code = await self._run(command)
            await self._show_news_after(command)
        except CommandRefused as refused:
            self._refuse(command, refused)
        except _MailboxDeleted:
            self._engine.no("Selected mailbox was deleted", "NONEXISTENT")
            self._say_mailbox_is_deleted()
        except BrokenOff:
            self._engine.break_off()
        except StoreError as error:
            self._engine.no(*_words_for(error))
        else:
            self._engine.ok(text, code)

    def _refuse(self, command: object, refused: CommandRefused) -> None:
        """NO, or BAD for what the client should have known better: such a refusal has no code."""
        if self._selected is not None:
            self._selected.show_news(may_expunge=not _has_numbers(command))
        if refused.code:
            self._engine.no(refused.text, refused.code)
        else:
            self._engine.bad(refused.text)

    async def _run(self, command: object) -> tuple[str, str | bytes]:
        """Text and response code of the OK. Raises CommandRefused and StoreError."""
        match command:
            case commands.Select():
                return await self._select(command)
            case commands.CloseMailbox():
                await self._close_mailbox()
                return "Closed", ""
            case commands.Unselect():
                self._leave_mailbox()
                return "Unselected", ""
            case commands.Noop():
                return "Nothing done", ""
            case commands.Append() | commands.Copy():
                return await self._run_with_target(command)
            case commands.Fetch() | commands.Store() | commands.Search() | commands.Expunge():
                return await self._run_on_messages(command)
            case _:
                return await self._run_on_mailboxes(command)

    async def _run_on_mailboxes(self, command: object) -> tuple[str, str]:
        mailboxes = self._my_mailboxes()
        match command:
            case commands.List():
                await mailboxes.list(command)
                return "Mailboxes listed", ""
            case commands.Status():
                await mailboxes.status(command)
                return "Status given", ""
            case commands.Create():
                await mailboxes.create(command)
                return "Created", ""
            case commands.Delete():
                deleted = await mailboxes.delete(command)
                if self._selected is not None and self._selected.mailbox_id == deleted:
                    self._leave_mailbox()
                return "Deleted", ""
            case commands.Rename():
                await mailboxes.rename(command)
                return "Renamed", ""
            case commands.Subscribe():
                await mailboxes.subscribe(command)
                return "Subscription changed", ""
        raise TypeError(f"no IMAP event: {type(command).__name__}")

    async def _run_with_target(self, command: commands.Append | commands.Copy) -> tuple[str, bytes]:
        target = await self._my_mailboxes().find(command.mailbox, "TRYCREATE")
        try:
            match command:
                case commands.Append():
                    await self._must_have_room(len(command.message))
                    return "Appended", await self._messages.append(command, target)
                case commands.Copy():
                    if not command.removes_originals:
                        await self._must_have_room(self._my_selected().size_of(command.messages, by_uid=command.by_uid))
                    code = await self._messages.copy(command, self._my_selected(), target)
                    return ("Moved" if command.removes_originals else "Copied"), code
        except Gone:
            raise CommandRefused("TRYCREATE", "No such mailbox") from None

    async def _must_have_room(self, octets: int) -> None:
        if self._account is not None and not await self._quota.has_room(self._account, octets):
            raise CommandRefused("OVERQUOTA", "The account has no room for that: delete something first")

    async def _run_on_messages(
        self, command: commands.Fetch | commands.Store | commands.Search | commands.Expunge
    ) -> tuple[str, str]:
        selected = self._my_selected()
        match command:
            case commands.Fetch():
                await self._messages.fetch(command, selected)
                return "Fetched", ""
            case commands.Store():
                await self._messages.store(command, selected)
                return "Stored", ""
            case commands.Search():
                await self._messages.search(command, selected)
                return "Searched", ""
            case commands.Expunge():
                await self._messages.expunge(command, selected)
                return "Expunged", ""

    # --- the selected mailbox ---------------------------------------------------------------------------------------

    async def _select(self, command: commands.Select) -> tuple[str, str]:
        """SELECT and EXAMINE; when it fails, no mailbox is selected (RFC 3501 section 6.3.1)."""
        self._leave_mailbox()
        found = await self._my_mailboxes().find(command.mailbox)
        self._selected, mailbox = await SelectedMailbox.open(
            self._engine,
            self._mail_store,
            self._watch,
            found.id,
            self._mailbox_changed,
            is_read_only=command.is_read_only,
        )
        self._engine.untagged(*responses.selected(self._selected.view, mailbox.uid_next))
        return "Selected", "READ-ONLY" if command.is_read_only else "READ-WRITE"

    async def _close_mailbox(self) -> None:
        """CLOSE removes deleted messages without telling (RFC 3501 section 6.4.2)."""
        selected = self._my_selected()
        self._leave_mailbox()
        if not selected.view.is_read_only:
            await self._mail_store.expunge(selected.mailbox_id)

    def _leave_mailbox(self) -> None:
        selected, self._selected = self._selected, None
        if selected is not None:
            selected.leave()

    def _my_selected(self) -> SelectedMailbox:
        if self._selected is None:
            raise CommandRefused("CLIENTBUG", "No mailbox is selected")
        return self._selected

    def _my_mailboxes(self) -> MailboxCommands:
        if self._mailboxes is None:
            raise CommandRefused("CLIENTBUG", "Nobody has logged in")
        return self._mailboxes

    # --- what others have done --------------------------------------------------------------------------------------

    def _mailbox_changed(self) -> None:
        self._engine.mailbox_changed()
        self._link.wake()

    async def _show_news_before(self, command: object) -> None:
        """Commands that look at messages look at them as they are now; numbers stay what they were."""
        if isinstance(command, _READS_CHANGES_FIRST):
            selected = self._my_selected()
            await _taken_in(selected)
            selected.show_news(may_expunge=False, with_uid=_is_by_uid(command))

    async def _show_news_after(self, command: object) -> None:
        if self._selected is None or isinstance(command, commands.Select):
            return
        if not isinstance(command, _WITH_NUMBERS):
            await _taken_in(self._selected)
        self._selected.show_news(may_expunge=not _has_numbers(command), with_uid=_is_by_uid(command))

    async def _show_news_while_idling(self) -> None:
        try:
            if self._selected is not None:
                await _taken_in(self._selected)
                self._selected.show_news(may_expunge=True)
        except _MailboxDeleted:
            self._say_mailbox_is_deleted()
        except StoreError:
            pass  # the next change, or the next command, brings it
        self._engine.news_shown()

    def _say_mailbox_is_deleted(self) -> None:
        self._leave_mailbox()
        self._engine.bye("Selected mailbox was deleted")


async def _taken_in(selected: SelectedMailbox) -> None:
    try:
        await selected.take_in_changes()
    except Gone:
        raise _MailboxDeleted from None


def _is_by_uid(command: object) -> bool:
    return isinstance(command, _READS_CHANGES_FIRST) and command.by_uid


def _has_numbers(command: object) -> bool:
    return isinstance(command, _WITH_NUMBERS) and not command.by_uid


def _words_for(error: StoreError) -> tuple[str, str]:
    """Text and response code (RFC 5530) for what the store could not do."""
    match error:
        case Gone():
            return "No such mailbox or message", "NONEXISTENT"
        case Taken():
            return "There is a mailbox of that name", "ALREADYEXISTS"
        case Busy():
            return "In use, try again later", "INUSE"
        case Broken():
            return "Mail store fails, try again later", "UNAVAILABLE"
        case _:
            return "Not possible now, try again later", "UNAVAILABLE"
