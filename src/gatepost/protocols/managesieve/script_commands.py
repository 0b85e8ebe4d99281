"""The commands of the authenticated state (RFC 5804 sections 2.5 to 2.12), from tokens to questions. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gatepost.protocols.managesieve.command_reader import Token
from gatepost.protocols.managesieve.events import (
    CheckScript,
    DeleteScript,
    GetScript,
    HaveSpace,
    ListScripts,
    PutScript,
    RenameScript,
    ScriptQuestion,
    SetActive,
)
from gatepost.protocols.managesieve.responses import Response, ResponseCode, mistake, no
from gatepost.protocols.managesieve.strings import script_name

SCRIPT_COMMANDS = frozenset(
    (
        "HAVESPACE",
        "PUTSCRIPT",
        "LISTSCRIPTS",
        "SETACTIVE",
        "GETSCRIPT",
        "DELETESCRIPT",
        "RENAMESCRIPT",
        "CHECKSCRIPT",
    )
)

TOO_LARGE = no("The script is too large", ResponseCode.QUOTA_MAXSIZE)
_BAD_NAME = no("That cannot be the name of a script")


def script_question(name: str, arguments: Sequence[Token], script_limit: int) -> ScriptQuestion | Response:
    """What one of SCRIPT_COMMANDS asks for, or the answer to one that cannot be right. `script_limit` in octets."""
    match name, arguments:
        case "LISTSCRIPTS", []:
            return ListScripts()
        case "CHECKSCRIPT", [bytes(text)]:
            return CheckScript(text) if len(text) <= script_limit else TOO_LARGE
        case "SETACTIVE", [b""]:
            return SetActive(None)
        case "LISTSCRIPTS" | "CHECKSCRIPT", _:
            return _wrong_arguments(name)
        case _, [bytes(script), *rest]:
            return _about_one_script(name, script_name(script), rest, script_limit)
        case _:
            return _wrong_arguments(name)


def _about_one_script(
    command: str, script: str | None, rest: Sequence[Token], script_limit: int
) -> ScriptQuestion | Response:
    if script is None:
        return _BAD_NAME
    match command, rest:
        case "HAVESPACE", [int(size)]:
            return HaveSpace(script, size) if size <= script_limit else TOO_LARGE
        case "PUTSCRIPT", [bytes(text)]:
            return PutScript(script, text) if len(text) <= script_limit else TOO_LARGE
        case "SETACTIVE", []:
            return SetActive(script)
        case "GETSCRIPT", []:
            return GetScript(script)
        case "DELETESCRIPT", []:
            return DeleteScript(script)
        case "RENAMESCRIPT", [bytes(other)]:
            new_name = script_name(other)
            return RenameScript(script, new_name) if new_name is not None else _BAD_NAME
        case _:
            return _wrong_arguments(command)


def _wrong_arguments(command: str) -> Response:
    return mistake(f"Wrong arguments for {command}")
