"""From the words of a client to a command (RFC 3501 section 9): one short function for each name, in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from gatepost.protocols.imap import commands
from gatepost.protocols.imap.arguments import Arguments
from gatepost.protocols.imap.command_reader import RawCommand
from gatepost.protocols.imap.commands import Command
from gatepost.protocols.imap.date_time import parse_date_time
from gatepost.protocols.imap.errors import BadSyntax, CommandRefused
from gatepost.protocols.imap.fetch_items import FetchAttribute, parse_fetch_items
from gatepost.protocols.imap.flags import MOST_FLAGS, parse_flag
from gatepost.protocols.imap.search_keys import parse_search
from gatepost.protocols.imap.sequence_set import SequenceSet
from gatepost.values.secret import Secret

STATUS_ITEMS = frozenset(("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "SIZE"))
SPECIAL_USES = {
    use.lower(): use for use in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash")
}
_MOST_ID_STRINGS = 60  # RFC 2971 section 3.3: 30 pairs
_STORE_ITEMS = frozenset(("FLAGS", "+FLAGS", "-FLAGS"))


def parse_command(raw: RawCommand) -> Command:
    """Raises BadSyntax, and CommandRefused for what is understood and not supported."""
    arguments = Arguments(raw)
    name = raw.name
    if name == "UID":
        arguments.space()
        name = "UID " + arguments.keyword()
    parse = _PARSERS.get(name)
    if parse is None:
        raise BadSyntax("Unknown command")
    command = parse(arguments)
    arguments.end()
    return command


def _constant(command: Command) -> Callable[[Arguments], Command]:
    return lambda _: command


def _id(arguments: Arguments) -> Command:
    for count, _ in enumerate(_id_pairs(arguments), 1):
        if count > _MOST_ID_STRINGS:
            raise BadSyntax("Too many pairs")
    return commands.Identify()


def _id_pairs(arguments: Arguments) -> Iterator[bytes | None]:
    arguments.space()
    if not arguments.may_take(b"("):
        yield arguments.nstring()
        return
    while not arguments.may_take(b")"):
        yield arguments.nstring()
        if not arguments.next_is(b")"):
            arguments.space()


def _authenticate(arguments: Arguments) -> Command:
    arguments.space()
    mechanism = arguments.keyword()
    response = None
    if not arguments.is_at_end:
        arguments.space()
        response = arguments.astring()
    return commands.Authenticate(mechanism, response)


def _login(arguments: Arguments) -> Command:
    arguments.space()
    name = arguments.astring()
    arguments.space()
    password = arguments.astring()
    try:
        return commands.Login(name.decode(), Secret(password.decode()))
    except UnicodeDecodeError:
        raise CommandRefused("AUTHENTICATIONFAILED", "Name or password is not UTF-8") from None


def _enable(arguments: Arguments) -> Command:
    names = []
    while not arguments.is_at_end:
        arguments.space()
        names.append(arguments.keyword())
    if not names:
        raise BadSyntax("Missing capability")
    return commands.Enable(tuple(names))


def _mailbox(arguments: Arguments) -> str:
    arguments.space()
    return arguments.mailbox()


def _select(arguments: Arguments) -> Command:
    return commands.Select(_mailbox(arguments), is_read_only=False)


def _examine(arguments: Arguments) -> Command:
    return commands.Select(_mailbox(arguments), is_read_only=True)


def _create(arguments: Arguments) -> Command:
    name = _mailbox(arguments)
    if arguments.is_at_end:
        return commands.Create(name)
    arguments.space()
    arguments.take(b"(")
    if arguments.keyword() != "USE":
        raise BadSyntax("Unknown parameter")
    arguments.space()
    arguments.take(b"(")
    use = SPECIAL_USES.get(arguments.flag().decode().lower())
    if use is None or arguments.next_is(b" "):
        raise CommandRefused("USEATTR", "No mailbox can have that use")
    arguments.take(b"))")
    return commands.Create(name, use)


def _delete(arguments: Arguments) -> Command:
    return commands.Delete(_mailbox(arguments))


def _rename(arguments: Arguments) -> Command:
    return commands.Rename(_mailbox(arguments), _mailbox(arguments))


def _subscribe(arguments: Arguments) -> Command:
    return commands.Subscribe(_mailbox(arguments), is_subscribed=True)


def _unsubscribe(arguments: Arguments) -> Command:
    return commands.Subscribe(_mailbox(arguments), is_subscribed=False)


def _list(arguments: Arguments) -> Command:
    return _listing(arguments, only_subscribed=False)


def _lsub(arguments: Arguments) -> Command:
    return _listing(arguments, only_subscribed=True)


def _listing(arguments: Arguments, *, only_subscribed: bool) -> Command:
    arguments.space()
    reference = arguments.list_mailbox()
    arguments.space()
    return commands.List(reference, arguments.list_mailbox(), only_subscribed)


def _status(arguments: Arguments) -> Command:
    name = _mailbox(arguments)
    arguments.space()
    arguments.take(b"(")
    items = [arguments.keyword()]
    while not arguments.may_take(b")"):
        arguments.space()
        items.append(arguments.keyword())
    if not STATUS_ITEMS.issuperset(items):
        raise BadSyntax("Unknown status item")
    return commands.Status(name, tuple(dict.fromkeys(items)))


def _append(arguments: Arguments) -> Command:
    name = _mailbox(arguments)
    arguments.space()
    flags: frozenset[str] = frozenset()
    if arguments.next_is(b"("):
        flags = _flag_list(arguments)
        arguments.space()
    internal_date: datetime | None = None
    if arguments.next_is(b'"'):
        internal_date = parse_date_time(arguments.string())
        arguments.space()
    return commands.Append(name, flags, internal_date, arguments.literal())


def _flag_list(arguments: Arguments) -> frozenset[str]:
    arguments.take(b"(")
    flags = set()
    while not arguments.may_take(b")"):
        flags.add(parse_flag(arguments.flag()))
        if len(flags) > MOST_FLAGS:
            raise CommandRefused("LIMIT", "Too many flags")
        if not arguments.next_is(b")"):
            arguments.space()
    return frozenset(flags)


def _set(arguments: Arguments) -> SequenceSet:
    arguments.space()
    return SequenceSet.parse(arguments.sequence_set())


def _uid_expunge(arguments: Arguments) -> Command:
    return commands.Expunge(_set(arguments))


def _search(arguments: Arguments) -> Command:
    arguments.space()
    return commands.Search(parse_search(arguments), by_uid=False)


def _uid_search(arguments: Arguments) -> Command:
    arguments.space()
    return commands.Search(parse_search(arguments), by_uid=True)


def _fetch(arguments: Arguments) -> Command:
    messages = _set(arguments)
    arguments.space()
    return commands.Fetch(messages, parse_fetch_items(arguments), by_uid=False)


def _uid_fetch(arguments: Arguments) -> Command:
    messages = _set(arguments)
    arguments.space()
    items = parse_fetch_items(arguments)
    if FetchAttribute.UID not in items:
        items = (FetchAttribute.UID, *items)
    return commands.Fetch(messages, items, by_uid=True)


def _store(arguments: Arguments) -> Command:
    return _storing(arguments, by_uid=False)


def _uid_store(arguments: Arguments) -> Command:
    return _storing(arguments, by_uid=True)


def _storing(arguments: Arguments, *, by_uid: bool) -> Command:
    messages = _set(arguments)
    arguments.space()
    change, dot, silent = arguments.keyword().partition(".")
    if change not in _STORE_ITEMS or (dot and silent != "SILENT"):
        raise BadSyntax("Unknown store item")
    arguments.space()
    flags = _flag_list(arguments) if arguments.next_is(b"(") else _bare_flags(arguments)
    return commands.Store(messages, change, bool(silent), flags, by_uid)


def _bare_flags(arguments: Arguments) -> frozenset[str]:
    flags = {parse_flag(arguments.flag())}
    while arguments.next_is(b" "):
        arguments.space()
        flags.add(parse_flag(arguments.flag()))
        if len(flags) > MOST_FLAGS:
            raise CommandRefused("LIMIT", "Too many flags")
    return frozenset(flags)


def _copying(*, by_uid: bool, removes_originals: bool) -> Callable[[Arguments], Command]:
    def parse(arguments: Arguments) -> Command:
        return commands.Copy(_set(arguments), _mailbox(arguments), by_uid, removes_originals)

    return parse


_PARSERS: dict[str, Callable[[Arguments], Command]] = {
    "CAPABILITY": _constant(commands.Capability()),
    "NOOP": _constant(commands.Noop()),
    "LOGOUT": _constant(commands.Logout()),
    "ID": _id,
    "STARTTLS": _constant(commands.BeginTls()),
    "AUTHENTICATE": _authenticate,
    "LOGIN": _login,
    "ENABLE": _enable,
    "NAMESPACE": _constant(commands.Namespace()),
    "IDLE": _constant(commands.Idle()),
    "SELECT": _select,
    "EXAMINE": _examine,
    "CREATE": _create,
    "DELETE": _delete,
    "RENAME": _rename,
    "SUBSCRIBE": _subscribe,
    "UNSUBSCRIBE": _unsubscribe,
    "LIST": _list,
    "LSUB": _lsub,
    "STATUS": _status,
    "APPEND": _append,
    "CHECK": _constant(commands.Noop()),
    "CLOSE": _constant(commands.CloseMailbox()),
    "UNSELECT": _constant(commands.Unselect()),
    "EXPUNGE": _constant(commands.Expunge()),
    "UID EXPUNGE": _uid_expunge,
    "SEARCH": _search,
    "UID SEARCH": _uid_search,
    "FETCH": _fetch,
    "UID FETCH": _uid_fetch,
    "STORE": _store,
    "UID STORE": _uid_store,
    "COPY": _copying(by_uid=False, removes_originals=False),
    "UID COPY": _copying(by_uid=True, removes_originals=False),
    "MOVE": _copying(by_uid=False, removes_originals=True),
    "UID MOVE": _copying(by_uid=True, removes_originals=True),
}
