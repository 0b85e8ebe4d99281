"""From words to commands (RFC 3501 section 9)."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.imap import commands
from gatepost.protocols.imap.command_parser import parse_command
from gatepost.protocols.imap.command_reader import CommandReader, RawCommand
from gatepost.protocols.imap.commands import Command
from gatepost.protocols.imap.errors import BadSyntax, CommandRefused
from gatepost.protocols.imap.fetch_items import FetchAttribute, FetchSection
from gatepost.protocols.imap.search_keys import (
    All,
    BodyHas,
    Either,
    HasFlag,
    HeaderHas,
    InSet,
    InternalDateIs,
    Not,
    Relation,
    SearchKey,
    SentDateIs,
    SizeIs,
)
from gatepost.protocols.imap.sequence_set import SequenceSet
from gatepost.protocols.imap.states import ALLOWED_STATES
from gatepost.protocols.message.sections import Section, SectionText
from gatepost.values.secret import Secret


def raw(line: bytes) -> RawCommand:
    reader = CommandReader(lambda: 100_000, lambda _: 100_000)
    reader.feed(b"t " + line + b"\r\n")
    found = reader.next_command()
    assert isinstance(found, RawCommand)
    return found


def parse(line: bytes) -> Command:
    return parse_command(raw(line))


def numbers(text: bytes) -> SequenceSet:
    return SequenceSet.parse(text)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"capability", commands.Capability()),
        (b"LOGIN joe secret", commands.Login("joe", Secret("secret"))),
        (b'LOGIN "jo\\"e" {3+}\r\n\xc3\xbcx', commands.Login('jo"e', Secret("üx"))),
        (b"AUTHENTICATE plain", commands.Authenticate("PLAIN", None)),
        (b"AUTHENTICATE PLAIN AGEAYg==", commands.Authenticate("PLAIN", b"AGEAYg==")),
        (b"ENABLE condstore X", commands.Enable(("CONDSTORE", "X"))),
        (b"ID NIL", commands.Identify()),
        (b"ID (" + b'"a" NIL ' * 29 + b'"a" NIL)', commands.Identify()),
        (b'ID ("name" "x" "version" NIL)', commands.Identify()),
        (b"SELECT inbox", commands.Select("INBOX", is_read_only=False)),
        (b'EXAMINE "Entw&APw-rfe"', commands.Select("Entwürfe", is_read_only=True)),
        (b"CREATE a/b/", commands.Create("a/b")),
        (b"CREATE a (USE (\\sent))", commands.Create("a", "\\Sent")),
        (b"DELETE Inbox/x", commands.Delete("INBOX/x")),
        (b"RENAME a b", commands.Rename("a", "b")),
        (b"SUBSCRIBE a", commands.Subscribe("a", is_subscribed=True)),
        (b"UNSUBSCRIBE a", commands.Subscribe("a", is_subscribed=False)),
        (b'LIST "" *', commands.List("", "*", only_subscribed=False)),
        (b'LSUB "a/" %', commands.List("a/", "%", only_subscribed=True)),
        (b"STATUS a (MESSAGES unseen)", commands.Status("a", ("MESSAGES", "UNSEEN"))),
        (b"EXPUNGE", commands.Expunge()),
        (b"UID EXPUNGE 3:4", commands.Expunge(numbers(b"3:4"))),
        (
            b"STORE 1 +FLAGS.SILENT (\\seen x)",
            commands.Store(numbers(b"1"), "+FLAGS", True, frozenset(("\\Seen", "x")), by_uid=False),
        ),
        (b"UID STORE 1:* FLAGS ()", commands.Store(numbers(b"1:*"), "FLAGS", False, frozenset(), by_uid=True)),
        (
            b"STORE 1 -FLAGS \\Seen \\Deleted",
            commands.Store(numbers(b"1"), "-FLAGS", False, frozenset(("\\Seen", "\\Deleted")), by_uid=False),
        ),
        (b"COPY 1,3 x", commands.Copy(numbers(b"1,3"), "x", by_uid=False, removes_originals=False)),
        (b"UID MOVE 1 x", commands.Copy(numbers(b"1"), "x", by_uid=True, removes_originals=True)),
        (b"APPEND x {2+}\r\nhi", commands.Append("x", frozenset(), None, b"hi")),
    ],
)
def test_commands(line: bytes, command: Command) -> None:
    assert parse(line) == command


def test_append_with_flags_and_date() -> None:
    """RFC 3501 section 6.3.11"""
    command = parse(b'APPEND x (\\Seen $y) " 7-Feb-1994 21:52:25 -0830" {1+}\r\nm')
    zone = timezone(-timedelta(hours=8, minutes=30))
    when = datetime(1994, 2, 7, 21, 52, 25, tzinfo=zone)
    assert command == commands.Append("x", frozenset(("\\Seen", "$y")), when, b"m")


@pytest.mark.parametrize(
    "line",
    [
        b"NOOP x", b"LOGIN", b"LOGIN joe", b"LOGIN joe secret more", b'LOGIN "joe secret', b"LOGIN joe (x)",
        b"SELECT", b"SELECT &x", b'SELECT "a\\x"', b"ENABLE", b"ID", b"ID (x)", b"ID (" + b'"a" NIL ' * 30 + b'"a" NIL)',
        b"STATUS a", b"STATUS a ()", b"STATUS a (NONSENSE)", b"STATUS a (MESSAGES", b"CREATE a (X)",
        b"UID", b"UID NOOP", b"UID EXPUNGE", b"FETCH", b"FETCH 1", b"FETCH 0 FLAGS", b"FETCH 1, FLAGS", b"FETCH a FLAGS",
        b"FETCH 4294967296 FLAGS", b"FETCH 1 ()", b"FETCH 1 (FLAGS", b"FETCH 1 NONSENSE", b"FETCH 1 (FAST)",
        b"FETCH 1 BODY[", b"FETCH 1 BODY[0]", b"FETCH 1 BODY[1.]", b"FETCH 1 BODY[.TEXT]", b"FETCH 1 BODY[MIME]",
        b"FETCH 1 BODY[1TEXT]", b"FETCH 1 BODY[HEADER.FIELDS]", b"FETCH 1 BODY[HEADER.FIELDS ()]",
        b"FETCH 1 BODY[]<1>", b"FETCH 1 BODY[]<0.0>", b"STORE 1 FLAGS", b"STORE 1 XFLAGS ()", b"STORE 1 FLAGS.LOUD ()",
        b"STORE 1 FLAGS (\\Recent)", b"STORE 1 FLAGS (\\Nonsense)", b"STORE 1 FLAGS (a", b"COPY 1", b"APPEND x hi",
        b'APPEND x "99-Feb-1994 21:52:25 +0000" {1+}\r\nm', b"SEARCH", b"SEARCH NONSENSE", b"SEARCH (ALL", b"SEARCH OR ALL",
        b"SEARCH BEFORE 31-Feb-2020", b"SEARCH SUBJECT", b"SEARCH UID", b"SEARCH " + b"NOT " * 60 + b"ALL",
        b"SEARCH " + b"(" * 60 + b"ALL" + b")" * 60, b"SEARCH LARGER 99999999999", b"SEARCH" + b" ALL" * 600,
    ],
)  # fmt: skip
def test_what_is_no_command_is_bad(line: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse(line)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"SEARCH CHARSET KOI8-R ALL", "BADCHARSET (US-ASCII UTF-8)"),  # RFC 3501 section 6.4.4
        (b"CREATE x (USE (\\Nonsense))", "USEATTR"),  # RFC 6154 section 3
        (b"LOGIN {1+}\r\n\xff x", "AUTHENTICATIONFAILED"),
    ],
)
def test_what_is_understood_and_not_supported_is_refused(line: bytes, code: str) -> None:
    with pytest.raises(CommandRefused) as refused:
        parse(line)
    assert refused.value.code == code


@given(st.text(alphabet='UIDFETCHSORL 1*:,()[]"\\.<>{}0', max_size=40))
def test_nothing_else_is_ever_raised(rest: str) -> None:
    for name in (b"FETCH ", b"SEARCH ", b"STORE 1 ", b"LIST ", b"STATUS ", b"ID ", b"APPEND "):
        reader = CommandReader(lambda: 1000, lambda _: 100)
        reader.feed(b"t " + name + rest.encode() + b"\r\n")
        found = reader.next_command()
        if isinstance(found, RawCommand):
            try:
                parse_command(found)
            except (BadSyntax, CommandRefused):
                pass


def fetch(items: bytes) -> tuple[object, ...]:
    command = parse(b"FETCH 1 " + items)
    assert isinstance(command, commands.Fetch)
    return command.items


def test_fetch_macros() -> None:
    """RFC 3501 section 6.4.5"""
    fast = (FetchAttribute.FLAGS, FetchAttribute.INTERNALDATE, FetchAttribute.RFC822_SIZE)
    assert fetch(b"FAST") == fast
    assert fetch(b"all") == (*fast, FetchAttribute.ENVELOPE)
    assert fetch(b"FULL") == (*fast, FetchAttribute.ENVELOPE, FetchAttribute.BODY)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (b"BODY[]", FetchSection(Section(), b"BODY[]", is_peek=False)),
        (b"body.peek[text]", FetchSection(Section((), SectionText.TEXT), b"BODY[TEXT]", is_peek=True)),
        (b"BODY[1.2.MIME]<5.10>", FetchSection(Section((1, 2), SectionText.MIME), b"BODY[1.2.MIME]<5>", False, (5, 10))),
        (b"BODY[3.HEADER]", FetchSection(Section((3,), SectionText.HEADER), b"BODY[3.HEADER]", is_peek=False)),
        (b'BODY[HEADER.FIELDS (From "X Y")]', FetchSection(
            Section((), SectionText.FIELDS, (b"From", b"X Y")), b'BODY[HEADER.FIELDS (From "X Y")]', is_peek=False)),
        (b"RFC822", FetchSection(Section(), b"RFC822", is_peek=False)),
        (b"RFC822.HEADER", FetchSection(Section((), SectionText.HEADER), b"RFC822.HEADER", is_peek=True)),
        (b"RFC822.TEXT", FetchSection(Section((), SectionText.TEXT), b"RFC822.TEXT", is_peek=False)),
    ],
)  # fmt: skip
def test_fetch_sections(item: bytes, expected: FetchSection) -> None:
    """RFC 3501 section 6.4.5"""
    assert fetch(item) == (expected,)


def test_uid_fetch_always_asks_for_the_uid() -> None:
    """RFC 3501 section 6.4.8"""
    command = parse(b"UID FETCH 1 (FLAGS)")
    assert isinstance(command, commands.Fetch)
    assert command.items == (FetchAttribute.UID, FetchAttribute.FLAGS)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (b"ALL", All()),
        (b"SEEN", HasFlag("\\Seen")),
        (b"UNDELETED", Not(HasFlag("\\Deleted"))),
        (b"KEYWORD $x", HasFlag("$x")),
        (b"1:3 UID 7", All((InSet(SequenceSet(((1, 3),)), False), InSet(SequenceSet(((7, 7),)), True)))),
        (b"OR SEEN (FLAGGED NOT DRAFT)", Either(HasFlag("\\Seen"), All((HasFlag("\\Flagged"), Not(HasFlag("\\Draft")))))),
        (b'FROM "joe"', HeaderHas(b"from", "joe")),
        (b"HEADER X-Y {1+}\r\nz", HeaderHas(b"x-y", "z")),
        (b"CHARSET utf-8 SUBJECT {2+}\r\n\xc3\xbc", HeaderHas(b"subject", "ü")),
        (b"BODY a TEXT b", All((BodyHas("a", or_header=False), BodyHas("b", or_header=True)))),
        (b"LARGER 10 SMALLER 20", All((SizeIs(True, 10), SizeIs(False, 20)))),
        (b'SINCE 1-Feb-1994 ON "01-Feb-1994"', All((
            InternalDateIs(Relation.SINCE, date(1994, 2, 1)), InternalDateIs(Relation.ON, date(1994, 2, 1))))),
        (b"SENTBEFORE 1-feb-1994", SentDateIs(Relation.BEFORE, date(1994, 2, 1))),
    ],
)  # fmt: skip
def test_search_keys(keys: bytes, expected: SearchKey) -> None:
    """RFC 3501 section 6.4.4"""
    command = parse(b"SEARCH " + keys)
    assert isinstance(command, commands.Search)
    assert command.key == expected


def test_every_command_that_is_allowed_somewhere_can_be_parsed() -> None:
    for name in ALLOWED_STATES:
        try:
            parse(b"UID FETCH 1 UID" if name == "UID" else name.encode())
        except BadSyntax as error:
            assert str(error) != "Unknown command"
