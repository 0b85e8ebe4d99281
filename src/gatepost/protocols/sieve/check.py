"""Whether a script is well-formed and only asks for what is known here. Called by the ManageSieve reactions.

Checks the grammar, `require`, names of commands and tests with the extension that each belongs to, and the order of
if, elsif and else. Arguments are not checked against what a command takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from gatepost.protocols.sieve.errors import SieveError
from gatepost.protocols.sieve.parser import parse
from gatepost.protocols.sieve.syntax_tree import Command, StringList, Test

EXTENSIONS = (
    "body",
    "comparator-i;ascii-numeric",
    "copy",
    "date",
    "duplicate",
    "editheader",
    "envelope",
    "fileinto",
    "imap4flags",
    "include",
    "mailbox",
    "regex",
    "reject",
    "relational",
    "subaddress",
    "vacation",
    "variables",
)
"""What a script may require: the SIEVE capability of ManageSieve (RFC 5804 section 1.7)."""

# RFC 5228 section 2.10.5: the comparators that need no require may be required.
_MAY_BE_REQUIRED = frozenset((*EXTENSIONS, "comparator-i;octet", "comparator-i;ascii-casemap"))
_MOST_ERRORS = 10

# Name of a command or test to the extension that brings it; None for those of RFC 5228 itself.
_COMMANDS: dict[str, str | None] = {
    **dict.fromkeys(("require", "if", "elsif", "else", "stop", "keep", "discard", "redirect")),
    **dict.fromkeys(("addheader", "deleteheader"), "editheader"),
    **dict.fromkeys(("setflag", "addflag", "removeflag"), "imap4flags"),
    **dict.fromkeys(("include", "return", "global"), "include"),
    "fileinto": "fileinto",
    "reject": "reject",
    "vacation": "vacation",
    "set": "variables",
}
_TESTS: dict[str, str | None] = {
    **dict.fromkeys(("address", "allof", "anyof", "exists", "false", "header", "not", "size", "true")),
    **dict.fromkeys(("date", "currentdate"), "date"),
    "envelope": "envelope",
    "body": "body",
    "duplicate": "duplicate",
    "hasflag": "imap4flags",
    "mailboxexists": "mailbox",
    "string": "variables",
}
_CONDITIONS = frozenset(("if", "elsif", "else"))


def check_script(script: bytes) -> Sequence[SieveError]:
    """What is wrong with a script, the first faults first; empty when nothing is.

    >>> str(check_script(b'fileinto "x";')[0])
    'line 1: \\'fileinto\\' needs: require "fileinto";'
    """
    try:
        commands = parse(script)
    except SieveError as error:
        return (error,)
    checking = _Checking()
    checking.script(commands)
    return checking.errors[:_MOST_ERRORS]


class _Checking:
    def __init__(self) -> None:
        self.errors: list[SieveError] = []
        self._required: set[str] = set()

    def script(self, commands: Sequence[Command]) -> None:
        """RFC 5228 section 3.2: require stands before everything else."""
        first = next((n for n, command in enumerate(commands) if command.name != "require"), len(commands))
        for command in commands[:first]:
            self._require(command)
        self._block(commands[first:])

    def _require(self, command: Command) -> None:
        match command:
            case Command(arguments=(StringList(strings),), tests=(), block=None):
                for name in strings:
                    if name not in _MAY_BE_REQUIRED:
                        self._fault(command.line, f"the extension {name[:60]!r} is not known here")
                self._required.update(strings)
            case _:
                self._fault(command.line, "'require' takes a list of strings and nothing else")

    def _block(self, commands: Sequence[Command]) -> None:
        before: str | None = None
        for command in commands:
            if command.name == "require":
                self._fault(command.line, "'require' has to stand before all other commands")
            elif command.name in _CONDITIONS:
                self._condition(command, before)
            elif command.block is not None:
                self._fault(command.line, f"{command.name[:60]!r} does not take a block")
            self._known(command.name, command.line, "command", _COMMANDS)
            self._tests(command.tests)
            self._block(command.block or ())
            before = command.name

    def _condition(self, command: Command, before: str | None) -> None:
        """RFC 5228 section 3.1."""
        if command.name != "if" and before not in ("if", "elsif"):
            self._fault(command.line, f"{command.name!r} has to follow 'if' or 'elsif'")
        if command.block is None:
            self._fault(command.line, f"{command.name!r} needs a block")
        if len(command.tests) != (command.name != "else") or command.arguments:
            takes = "no test" if command.name == "else" else "exactly one test"
            self._fault(command.line, f"{command.name!r} takes {takes}")

    def _tests(self, tests: Sequence[Test]) -> None:
        for test in tests:
            if test.name in _COMMANDS and test.name not in _TESTS:
                self._fault(test.line, f"{test.name!r} is no test: a ';' may be missing before it")
                continue
            self._known(test.name, test.line, "test", _TESTS)
            match test.name:
                case "not" if len(test.tests) != 1:
                    self._fault(test.line, "'not' takes exactly one test")
                case "allof" | "anyof" if not test.tests:
                    self._fault(test.line, f"{test.name!r} takes a list of tests")
            self._tests(test.tests)

    def _known(self, name: str, line: int, what: str, table: dict[str, str | None]) -> None:
        if name not in table:
            self._fault(line, f"unknown {what} {name[:60]!r}")
            return
        extension = table[name]
        if extension is not None and extension not in self._required:
            self._fault(line, f'{name!r} needs: require "{extension}";')

    def _fault(self, line: int, text: str) -> None:
        self.errors.append(SieveError(line, text))
