"""Every SMTP command: in which phase it may come, and what it leads to (RFC 5321 section 4.1).

Called by the engine with one line of text at a time. A command function changes nothing but the session state, and asks
nobody: where the world has to decide, what it returns is the question.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gatepost.protocols.smtp import replies
from gatepost.protocols.smtp.auth_command import auth
from gatepost.protocols.smtp.events import RecipientGiven, SenderGiven
from gatepost.protocols.smtp.parameters import ParameterRefused, parse_mail_parameters, parse_recipient_parameters
from gatepost.protocols.smtp.paths import parse_forward_path, parse_reverse_path
from gatepost.protocols.smtp.replies import Reply
from gatepost.protocols.smtp.session_state import (
    BeginTls,
    ExtensionList,
    Hangup,
    Outcome,
    Phase,
    ReadChunk,
    ReadMessage,
    SessionState,
)

_CHUNK = re.compile(r"([0-9]{1,20})(?: +(LAST))?\Z", re.IGNORECASE | re.ASCII)
_CLIENT_NAME = re.compile(r"[^\x00-\x20\x7f]{1,255}\Z")

CommandFunction = Callable[[SessionState, str], Outcome]


@dataclass(frozen=True, slots=True)
class Command:
    """A verb's row in the table: what it does and the phases in which it may come."""

    run: CommandFunction
    phases: frozenset[Phase]
    takes_argument: bool = True
    brings_mail: bool = True  # False: counted, so that a client cannot keep a connection busy for nothing


def run_command(state: SessionState, command: Command, argument: str) -> Outcome:
    """What the command leads to now. `argument` is what stood behind the verb."""
    argument = argument.strip(" ")
    if argument and not command.takes_argument:
        return replies.NO_PARAMETER_ALLOWED
    if state.phase not in command.phases:
        return _wrong_phase(state, command.phases)
    return command.run(state, argument)


def find_command(state: SessionState, verb: str) -> Command | None:
    """The row of a verb in this dialect; None for what it does not have."""
    verb = verb.upper()
    dialect = state.settings.dialect
    if verb == dialect.extended_hello:
        return _EXTENDED_HELLO
    if verb == dialect.plain_hello:
        return _PLAIN_HELLO
    return _COMMANDS.get(verb)


# --- session --------------------------------------------------------------------------------------------------------


def _plain_hello(state: SessionState, argument: str) -> Outcome:
    refusal = _begin_session(state, argument, is_extended=False)
    return refusal or Reply(250, None, state.settings.hostname)


def _extended_hello(state: SessionState, argument: str) -> Outcome:
    return _begin_session(state, argument, is_extended=True) or ExtensionList(_extensions(state))


def _begin_session(state: SessionState, client_name: str, *, is_extended: bool) -> Reply | None:
    """A second HELO or EHLO ends the open transaction (RFC 5321 section 4.1.4)."""
    if _CLIENT_NAME.match(client_name) is None:
        return Reply(501, "5.5.4", "Say your host name")
    state.client_name = client_name
    state.is_extended = is_extended
    state.transaction = None
    return None


def _extensions(state: SessionState) -> tuple[str, ...]:
    lines = [
        state.settings.hostname,
        "PIPELINING",
        f"SIZE {state.settings.limits.message_octets}",
        "8BITMIME",
        "SMTPUTF8",
        "CHUNKING",
        "ENHANCEDSTATUSCODES",
    ]
    if state.offers_starttls:
        lines.append("STARTTLS")
    if state.may_log_in:
        lines.append("AUTH PLAIN LOGIN")
    return tuple(lines)


def _starttls(state: SessionState, _argument: str) -> Outcome:
    if state.is_tls:
        return Reply(503, "5.5.1", "TLS is active already")
    return BeginTls() if state.offers_starttls else replies.NOT_IMPLEMENTED


def _reset(state: SessionState, _argument: str) -> Outcome:
    state.transaction = None
    return replies.OK


def _noop(_state: SessionState, _argument: str) -> Outcome:
    return replies.OK


def _help(_state: SessionState, _argument: str) -> Outcome:
    return replies.HELP


def _verify(_state: SessionState, argument: str) -> Outcome:
    return replies.CANNOT_VERIFY if argument else Reply(501, "5.5.4", "Say a mailbox")


def _not_implemented(_state: SessionState, _argument: str) -> Outcome:
    return replies.NOT_IMPLEMENTED


def _quit(state: SessionState, _argument: str) -> Outcome:
    return Hangup(Reply(221, "2.0.0", f"{state.settings.hostname} Goodbye"))


def _wrong_protocol(state: SessionState, _argument: str) -> Outcome:
    """A browser was made to talk to this port: what it sends next must not be taken for commands."""
    return Hangup(Reply(421, "4.7.0", f"{state.settings.hostname} This is not an HTTP server"))


# --- mail transaction -----------------------------------------------------------------------------------------------


def _mail(state: SessionState, argument: str) -> Outcome:
    path_text = _behind(argument, "FROM:")
    if path_text is None:
        return Reply(501, "5.5.4", "Syntax: MAIL FROM:<address>")
    try:
        path, rest = parse_reverse_path(path_text)
    except ValueError:
        return Reply(501, "5.1.7", "The reverse-path is not well-formed")
    try:
        parameters = parse_mail_parameters(_parameters_text(rest))
    except ParameterRefused as refused:
        return refused.reply
    if path is not None and not path.is_ascii and not parameters.is_utf8:
        return Reply(553, "5.6.7", "An address that is not ASCII needs SMTPUTF8")
    if parameters.size is not None and parameters.size > state.settings.limits.message_octets:
        return replies.MESSAGE_TOO_BIG
    return SenderGiven(path, parameters)


def _recipient(state: SessionState, argument: str) -> Outcome:
    transaction = state.open_transaction()
    path_text = _behind(argument, "TO:")
    if path_text is None:
        return Reply(501, "5.5.4", "Syntax: RCPT TO:<address>")
    try:
        path, rest = parse_forward_path(path_text)
    except ValueError:
        return Reply(501, "5.1.3", "The forward-path is not well-formed")
    try:
        parameters = parse_recipient_parameters(_parameters_text(rest))
    except ParameterRefused as refused:
        return refused.reply
    sender = transaction.sender
    if not path.is_ascii and not sender.parameters.is_utf8:
        return Reply(553, "5.6.7", "An address that is not ASCII needs SMTPUTF8")
    if len(transaction.recipients) >= state.settings.limits.recipients:
        return Reply(452, "4.5.3", "Too many recipients")  # RFC 5321 section 4.5.3.1.10
    return RecipientGiven(path, sender, parameters)


def _data(_state: SessionState, _argument: str) -> Outcome:
    return ReadMessage()


def _chunk(state: SessionState, argument: str) -> Outcome:
    """RFC 3030 section 2. The octets come behind the command whatever the answer will be, so they are always read."""
    match = _CHUNK.match(argument)
    if match is None:
        return Hangup(Reply(501, "5.5.4", "Syntax: BDAT size [LAST]"))
    refusal = None if state.phase in _CHUNK_PHASES else _wrong_phase(state, _CHUNK_PHASES)
    return ReadChunk(int(match[1]), match[2] is not None, refusal)


def _behind(argument: str, keyword: str) -> str | None:
    """What stands behind `FROM:` or `TO:`; a space after the colon, which many programs send, is passed over."""
    if argument[: len(keyword)].upper() != keyword:
        return None
    return argument[len(keyword) :].lstrip(" ")


def _parameters_text(rest: str) -> str:
    if rest and not rest.startswith(" "):
        raise ParameterRefused(Reply(501, "5.5.4", "A space belongs between the path and the parameters"))
    return rest


def _wrong_phase(state: SessionState, phases: frozenset[Phase]) -> Reply:
    """The 503 for a command that may only come in `phases`."""
    if state.phase is Phase.CONNECTED:
        return Reply(503, "5.5.1", f"Send {state.settings.dialect.extended_hello} first")
    if Phase.READY in phases:
        return Reply(503, "5.5.1", "A mail transaction is open already")
    if state.phase is Phase.CHUNKS:
        return Reply(503, "5.5.1", "BDAT is in progress")
    if state.phase is Phase.READY:
        return Reply(503, "5.5.1", "Send MAIL first")
    return Reply(503, "5.5.1", "No valid recipients")


# --- the table ------------------------------------------------------------------------------------------------------

_ALWAYS = frozenset(Phase)
_AFTER_HELLO = _ALWAYS - {Phase.CONNECTED}
_READY = frozenset({Phase.READY})
_CHUNK_PHASES = frozenset({Phase.RECIPIENTS, Phase.CHUNKS})

_PLAIN_HELLO = Command(_plain_hello, _ALWAYS, brings_mail=False)
_EXTENDED_HELLO = Command(_extended_hello, _ALWAYS, brings_mail=False)

_COMMANDS = {
    "MAIL": Command(_mail, _READY),
    "RCPT": Command(_recipient, frozenset({Phase.SENDER, Phase.RECIPIENTS})),
    "DATA": Command(_data, frozenset({Phase.RECIPIENTS}), takes_argument=False),
    "BDAT": Command(_chunk, _ALWAYS),
    "AUTH": Command(auth, _READY),
    "STARTTLS": Command(_starttls, _AFTER_HELLO, takes_argument=False),
    "RSET": Command(_reset, _ALWAYS, takes_argument=False, brings_mail=False),
    "NOOP": Command(_noop, _ALWAYS, brings_mail=False),
    "VRFY": Command(_verify, _ALWAYS, brings_mail=False),
    "EXPN": Command(_not_implemented, _ALWAYS, brings_mail=False),
    "HELP": Command(_help, _ALWAYS, brings_mail=False),
    "QUIT": Command(_quit, _ALWAYS, takes_argument=False),
    "GET": Command(_wrong_protocol, _ALWAYS),
    "POST": Command(_wrong_protocol, _ALWAYS),
    "CONNECT": Command(_wrong_protocol, _ALWAYS),
}
