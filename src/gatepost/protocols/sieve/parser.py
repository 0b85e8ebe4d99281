"""Reading a script by the generic grammar (RFC 5228 section 8.2). Called by `check`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from gatepost.protocols.sieve.errors import SieveError
from gatepost.protocols.sieve.lexer import Kind, Token, tokens
from gatepost.protocols.sieve.syntax_tree import Argument, Command, Number, StringList, Tag, Test

_DEEPEST = 32  # blocks in blocks, tests in tests; RFC 5228 section 2.10.6 asks for 15


def parse(script: bytes) -> tuple[Command, ...]:
    """The commands of a script. Raises SieveError."""
    try:
        text = script.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SieveError(script.count(b"\n", 0, error.start) + 1, "the script is not UTF-8") from None
    return _Parser(tokens(text)).script()


class _Parser:
    def __init__(self, stream: Iterator[Token]) -> None:
        self._stream = stream
        self._token = next(stream)
        self._depth = 0

    def script(self) -> tuple[Command, ...]:
        commands = self._commands()
        if self._token.kind is not Kind.END:
            self._unexpected("a command")
        return commands

    def _commands(self) -> tuple[Command, ...]:
        commands: list[Command] = []
        while self._token.kind is Kind.IDENTIFIER:
            commands.append(self._command())
        return tuple(commands)

    def _command(self) -> Command:
        name = self._take()
        arguments, tests = self._arguments(), self._tests()
        if self._is_mark(";"):
            self._take()
            return Command(name.text, name.line, arguments, tests)
        if not self._is_mark("{"):
            self._unexpected(f"';' or a block behind {name.text!r}")
        opening = self._descend()
        block = self._commands()
        if self._token.kind is Kind.END:
            raise SieveError(opening.line, "the block has no end: '}' is missing")
        self._ascend("}", "a command or '}'")
        return Command(name.text, name.line, arguments, tests, block)

    def _arguments(self) -> tuple[Argument, ...]:
        arguments: list[Argument] = []
        while True:
            token = self._token
            match token.kind:
                case Kind.TAG:
                    arguments.append(Tag(self._take().text, token.line))
                case Kind.NUMBER:
                    arguments.append(Number(self._take().number, token.line))
                case Kind.STRING:
                    arguments.append(StringList((self._take().text,), token.line))
                case Kind.MARK if token.text == "[":
                    arguments.append(self._string_list())
                case _:
                    return tuple(arguments)

    def _string_list(self) -> StringList:
        opening = self._take()
        strings = [self._string()]
        while self._is_mark(","):
            self._take()
            strings.append(self._string())
        self._expect("]", "',' or ']'")
        return StringList(tuple(strings), opening.line)

    def _string(self) -> str:
        if self._token.kind is not Kind.STRING:
            self._unexpected("a string")
        return self._take().text

    def _tests(self) -> tuple[Test, ...]:
        if self._token.kind is Kind.IDENTIFIER:
            return (self._test(),)
        if not self._is_mark("("):
            return ()
        self._descend()
        tests = [self._test()]
        while self._is_mark(","):
            self._take()
            tests.append(self._test())
        self._ascend(")", "',' or ')'")
        return tuple(tests)

    def _test(self) -> Test:
        if self._token.kind is not Kind.IDENTIFIER:
            self._unexpected("a test")
        name = self._take()
        self._go_deeper(name)  # `not not not ...` nests without parentheses
        test = Test(name.text, name.line, self._arguments(), self._tests())
        self._depth -= 1
        return test

    def _descend(self) -> Token:
        self._go_deeper(self._token)
        return self._take()

    def _ascend(self, mark: str, expected: str) -> None:
        self._expect(mark, expected)
        self._depth -= 1

    def _go_deeper(self, token: Token) -> None:
        self._depth += 1
        if self._depth > 2 * _DEEPEST:
            raise SieveError(token.line, "blocks and tests are nested too deeply")

    def _expect(self, mark: str, expected: str) -> None:
        if not self._is_mark(mark):
            self._unexpected(expected)
        self._take()

    def _is_mark(self, mark: str) -> bool:
        return self._token.kind is Kind.MARK and self._token.text == mark

    def _take(self) -> Token:
        token = self._token
        if token.kind is not Kind.END:
            self._token = next(self._stream)
        return token

    def _unexpected(self, expected: str) -> NoReturn:
        token = self._token
        seen = token.kind.value if token.kind is Kind.END else f"{token.kind.value} {token.text[:40]!r}"
        if token.kind is Kind.MARK:
            seen = f"{token.text!r}"
        raise SieveError(token.line, f"{expected} expected, {seen} found")
