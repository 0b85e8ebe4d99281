"""A cursor over the arguments of one command, and the tokens of RFC 3501 section 9."""

from __future__ import annotations

import re

from gatepost.protocols.imap.command_reader import RawCommand
from gatepost.protocols.imap.errors import BadSyntax
from gatepost.protocols.imap.mailbox_name import UnfitName, decode_mailbox_name, normal_name

_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_ASTRING = re.compile(rb"[^\x00-\x20\x7f(){%*\"\\]+")  # 8-bit letters: some clients send names in UTF-8
_LIST_MAILBOX = re.compile(rb"[^\x00-\x20\x7f(){\"\\]+")
_FLAG = re.compile(rb"\\?[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_QUOTED = re.compile(rb'"((?:[^"\\\x00\r\n]|\\["\\])*)"')
_ESCAPE = re.compile(rb'\\(["\\])')
_SPACES = re.compile(rb" +")
_NUMBER = re.compile(rb"\d{1,20}")
_SEQUENCE_SET = re.compile(rb"[0-9*:,]+")
_LARGEST = 2**32 - 1


class Arguments:
    """Every method takes what it is named after, or raises BadSyntax and takes nothing that matters."""

    __slots__ = ("_literals", "_part", "_position", "_texts")

    def __init__(self, command: RawCommand) -> None:
        self._texts = command.texts
        self._literals = command.literals
        self._part = 0
        self._position = 0

    def next_is(self, octets: bytes) -> bool:
        """Whether the text goes on with these octets."""
        return self._texts[self._part].startswith(octets, self._position)

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self._part == len(self._literals) and self._position == len(self._texts[self._part])

    @property
    def is_at_literal(self) -> bool:
        """Whether a literal comes next."""
        return self._part < len(self._literals) and self._position == len(self._texts[self._part])

    def end(self) -> None:
        """Nothing may be left but white space."""
        if self._part != len(self._literals) or self._texts[self._part][self._position :].strip(b" "):
            raise BadSyntax("Too many arguments")

    def space(self) -> None:
        """Exactly one, or a few from a client that is careless."""
        self.take(b" ")
        if self.next_is(b" "):
            self.match(_SPACES, "space")

    def may_take(self, octets: bytes) -> bool:
        """Take the octets if they come next."""
        if not self.next_is(octets):
            return False
        self._position += len(octets)
        return True

    def take(self, octets: bytes) -> None:
        """Exactly these octets."""
        if not self.may_take(octets):
            raise BadSyntax("Missing argument" if self.is_at_end else "Invalid arguments")

    def match(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        """What the pattern matches here; `what` is for the client's eyes."""
        found = pattern.match(self._texts[self._part], self._position)
        if found is None:
            raise BadSyntax(f"Missing {what}" if self.is_at_end else f"Invalid {what}")
        self._position = found.end()
        return found

    def atom(self) -> bytes:
        """An atom, as it stands."""
        return self.match(_ATOM, "atom").group()

    def keyword(self) -> str:
        """An atom as the name of something: upper-case."""
        return self.atom().decode().upper()

    def flag(self) -> bytes:
        """A system flag or keyword, unchecked."""
        return self.match(_FLAG, "flag").group()

    def number(self) -> int:
        """0 to 4294967295."""
        number = int(self.match(_NUMBER, "number").group())
        if number > _LARGEST:
            raise BadSyntax("Number is too large")
        return number

    def sequence_set(self) -> bytes:
        """A sequence set, unchecked."""
        return self.match(_SEQUENCE_SET, "sequence set").group()

    def string(self) -> bytes:
        """Quoted or literal."""
        if self.is_at_literal:
            return self._literal()
        return _ESCAPE.sub(rb"\1", self.match(_QUOTED, "string").group(1))

    def astring(self) -> bytes:
        """An atom or a string."""
        if self.is_at_literal or self.next_is(b'"'):
            return self.string()
        return self.match(_ASTRING, "string").group()

    def nstring(self) -> bytes | None:
        """A string, or NIL as None."""
        if self.is_at_literal or self.next_is(b'"'):
            return self.string()
        if self.atom().upper() != b"NIL":
            raise BadSyntax("Invalid string")
        return None

    def literal(self) -> bytes:
        """A literal and nothing else."""
        if not self.is_at_literal:
            raise BadSyntax("Missing literal")
        return self._literal()

    def mailbox(self) -> str:
        """A mailbox name in Unicode; INBOX in its one spelling. A trailing delimiter is dropped."""
        try:
            name = decode_mailbox_name(self.astring())
        except UnfitName:
            raise BadSyntax("Mailbox name is not modified UTF-7") from None
        return normal_name(name[:-1] if len(name) > 1 and name.endswith("/") else name)

    def list_mailbox(self) -> str:
        """A LIST pattern in Unicode."""
        octets = self.string() if self.is_at_literal or self.next_is(b'"') else self._pattern()
        try:
            return decode_mailbox_name(octets)
        except UnfitName:
            raise BadSyntax("Pattern is not modified UTF-7") from None

    def _pattern(self) -> bytes:
        return self.match(_LIST_MAILBOX, "pattern").group()

    def _literal(self) -> bytes:
        literal = self._literals[self._part]
        self._part += 1
        self._position = 0
        return literal
