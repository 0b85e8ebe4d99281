"""Cutting a script into tokens (RFC 5228 section 8.1). Lines may end in CRLF or LF. Called by `parser`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from gatepost.protocols.sieve.errors import SieveError

_LARGEST_NUMBER = 2**63 - 1  # RFC 5228 section 2.4.1 asks for 2^31 - 1 at least
_MULTIPLIERS = {"K": 2**10, "M": 2**20, "G": 2**30}
_TOKEN = re.compile(
    r"""
      (?P<SPACE>   [ \t\r\n]+ | \#[^\n]* | /\*.*?\*/ )
    | (?P<TEXT>    text:[ \t]*(?:\#[^\n]*)?\r?\n )
    | (?P<WORD>    :?[A-Za-z_][A-Za-z0-9_]* )
    | (?P<NUMBER>  [0-9]+[KMG]?(?![A-Za-z0-9_]) )
    | (?P<STRING>  "[^"\\]*(?:\\.[^"\\]*)*" )
    | (?P<MARK>    [;{}\[\](),] )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE | re.ASCII,
)
_END_OF_TEXT = re.compile(r"^\.\r?(?:\n|\Z)", re.MULTILINE)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_STUFFED_DOT = re.compile(r"^\.", re.MULTILINE)


class Kind(Enum):
    """Kinds of tokens."""

    IDENTIFIER = "identifier"
    TAG = "tag"
    NUMBER = "number"
    STRING = "string"
    MARK = "mark"
    END = "end of the script"


@dataclass(frozen=True, slots=True)
class Token:
    """`text`: identifiers and tags (without colon) in lower case, strings without their quotes and escapes, marks as
    they stand. `number` is set for numbers, the multiplier applied."""

    kind: Kind
    text: str
    line: int
    number: int = 0


def tokens(script: str) -> Iterator[Token]:
    """The tokens of a script, END last. Raises SieveError where none fits."""
    position, line = 0, 1
    while position < len(script):
        match = _TOKEN.match(script, position)
        if match is None:
            raise SieveError(line, _fault(script, position))
        end = match.end()
        if match.lastgroup == "TEXT":
            token, end = _multi_line(script, end, line)
            yield token
        elif match.lastgroup != "SPACE":
            yield _token(match, line)
        line += script.count("\n", position, end)
        position = end
    yield Token(Kind.END, "", line)


def _token(match: re.Match[str], line: int) -> Token:
    text = match[0]
    match match.lastgroup:
        case "WORD" if text.startswith(":"):
            return Token(Kind.TAG, text[1:].lower(), line)
        case "WORD":
            return Token(Kind.IDENTIFIER, text.lower(), line)
        case "NUMBER":
            return Token(Kind.NUMBER, text, line, _number(text, line))
        case "STRING":
            return Token(Kind.STRING, _ESCAPE.sub(r"\1", text[1:-1]), line)
        case _:
            return Token(Kind.MARK, text, line)


def _number(text: str, line: int) -> int:
    multiplier = _MULTIPLIERS.get(text[-1].upper())
    digits = text if multiplier is None else text[:-1]
    value = int(digits) * (multiplier or 1) if len(digits) <= 19 else _LARGEST_NUMBER + 1
    if value > _LARGEST_NUMBER:
        raise SieveError(line, "the number is too large")
    return value


def _multi_line(script: str, start: int, line: int) -> tuple[Token, int]:
    """A string from `text:` to a line with nothing but a dot; the position behind it."""
    end = _END_OF_TEXT.search(script, start)
    if end is None:
        raise SieveError(line, "the text has no end: a line with nothing but a dot is missing")
    content = _STUFFED_DOT.sub("", script[start : end.start()])
    return Token(Kind.STRING, content, line), end.end()


def _fault(script: str, position: int) -> str:
    if script[position] == '"':
        return "the string has no end"
    if script.startswith("/*", position):
        return "the comment has no end"
    character = script[position]
    return f"unexpected {character!r}" if character.isprintable() else f"unexpected character U+{ord(character):04X}"
