"""A ManageSieve session against a script store in memory."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from ipaddress import ip_address

import pytest
from tests.session.one_account import ALICE, Gatekeeper

from gatepost.protocols.engine import Close
from gatepost.protocols.managesieve.engine import ManageSieveEngine
from gatepost.protocols.managesieve.settings import ManageSieveLimits, ManageSieveSettings
from gatepost.session.link import Peer
from gatepost.session.managesieve_reactions import ManageSieveReactions
from gatepost.session.reactions import AuthenticationFailed
from gatepost.store.interface import Broken, Busy, Gone, ScriptEntry, Taken
from gatepost.values.ids import Id

SETTINGS = ManageSieveSettings("mail.example.org", is_tls=True, limits=ManageSieveLimits(scripts=2))
NOT_RUN = 'OK (WARNINGS) "The script is stored and active, but scripts are not run at delivery yet"\r\n'


class Shelf:
    """A ScriptStore of one account."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}
        self.active: str | None = None
        self.failure: Exception | None = None

    def _check(self, account_id: Id, *names: str) -> None:
        assert account_id == ALICE.id
        if self.failure is not None:
            raise self.failure
        for name in names:
            if name not in self.texts:
                raise Gone(name)

    async def scripts(self, account_id: Id) -> Sequence[ScriptEntry]:
        self._check(account_id)
        return [ScriptEntry(name, name == self.active, len(text)) for name, text in sorted(self.texts.items())]

    async def script(self, account_id: Id, name: str) -> bytes | None:
        self._check(account_id)
        return self.texts.get(name)

    async def put_script(self, account_id: Id, name: str, text: bytes) -> None:
        self._check(account_id)
        self.texts[name] = text

    async def activate_script(self, account_id: Id, name: str | None) -> None:
        self._check(account_id, *([name] if name is not None else []))
        self.active = name

    async def rename_script(self, account_id: Id, old_name: str, new_name: str) -> None:
        self._check(account_id, old_name)
        if new_name in self.texts:
            raise Taken(new_name, Id(""))
        self.texts[new_name] = self.texts.pop(old_name)

    async def delete_script(self, account_id: Id, name: str) -> None:
        self._check(account_id, name)
        if name == self.active:
            raise Busy(name)
        del self.texts[name]


class Wire:
    """A Link, and the conversation's part."""

    def __init__(self) -> None:
        self.peer = Peer(ip_address("192.0.2.7"), 4001, ip_address("192.0.2.1"), 4190)
        self.is_tls, self.tls_description = True, None
        self.account: tuple[Id, str] | None = None
        self.gatekeeper, self.shelf = Gatekeeper(), Shelf()
        self.engine = ManageSieveEngine(SETTINGS)
        self.reactions = ManageSieveReactions(self.engine, self, self.gatekeeper, self.shelf, SETTINGS)

    def send_queued(self) -> None:
        raise AssertionError

    async def drained(self) -> None:
        """The client takes everything at once."""

    def wake(self) -> None:
        raise AssertionError

    def authenticated(self, account_id: Id, login_name: str) -> None:
        self.account = (account_id, login_name)

    async def say(self, line: bytes) -> str:
        """What comes back."""
        self.engine.receive_data(line + b"\r\n")
        while (event := self.engine.next_event()) is not None and event != Close():
            if self.reactions.may_react_at_once(event):
                self.reactions.react_at_once(event)
            else:
                await self.reactions.react(event)
        return self.engine.data_to_send().decode()

    async def authenticate(self, identity: bytes = b"", password: bytes = b"secret") -> str:
        response = base64.b64encode(identity + b"\0alice\0" + password)
        return await self.say(b'AUTHENTICATE "PLAIN" "' + response + b'"')


@pytest.fixture
async def wire() -> Wire:
    wire = Wire()
    assert await wire.authenticate() == 'OK "Logged in"\r\n'
    return wire


async def test_a_login_is_remembered(wire: Wire) -> None:
    assert wire.account == (ALICE.id, "alice@example.org")


async def test_refused_logins() -> None:
    wire = Wire()
    assert await wire.authenticate(password=b"wrong") == 'NO "Authentication failed"\r\n'
    assert await wire.authenticate(identity=b"bob") == 'NO "Authentication failed"\r\n'
    wire.gatekeeper.failure = AuthenticationFailed(is_temporary=True)
    assert (await wire.authenticate()).startswith("NO (TRYLATER) ")
    assert wire.account is None
    await wire.reactions.ended()


async def test_the_life_of_a_script(wire: Wire) -> None:
    assert await wire.say(b'PUTSCRIPT "a" "keep;"') == 'OK "Stored"\r\n'
    assert await wire.say(b'GETSCRIPT "a"') == '{5}\r\nkeep;\r\nOK "That is it"\r\n'
    assert await wire.say(b'RENAMESCRIPT "a" "b"') == 'OK "Renamed"\r\n'
    assert await wire.say(b'SETACTIVE "b"') == NOT_RUN
    assert (await wire.say(b"LISTSCRIPTS")).startswith('"b" ACTIVE\r\n')
    assert (await wire.say(b'DELETESCRIPT "b"')).startswith("NO (ACTIVE) ")
    assert await wire.say(b'SETACTIVE ""') == 'OK "No script is active"\r\n'
    assert await wire.say(b'DELETESCRIPT "b"') == 'OK "Deleted"\r\n'
    assert await wire.say(b"LISTSCRIPTS") == 'OK "That is all"\r\n'


async def test_replacing_the_active_script_says_that_it_is_not_run(wire: Wire) -> None:
    await wire.say(b'PUTSCRIPT "a" "keep;"')
    await wire.say(b'SETACTIVE "a"')
    assert await wire.say(b'PUTSCRIPT "a" "stop;"') == NOT_RUN


@pytest.mark.parametrize("command", [b'SETACTIVE "x"', b'GETSCRIPT "x"', b'DELETESCRIPT "x"', b'RENAMESCRIPT "x" "y"'])
async def test_rfc_5804_section_1_3_nonexistent(wire: Wire, command: bytes) -> None:
    assert (await wire.say(command)).startswith("NO (NONEXISTENT) ")


async def test_rfc_5804_section_1_3_alreadyexists(wire: Wire) -> None:
    await wire.say(b'PUTSCRIPT "a" "keep;"')
    await wire.say(b'PUTSCRIPT "b" "keep;"')
    assert (await wire.say(b'RENAMESCRIPT "a" "b"')).startswith("NO (ALREADYEXISTS) ")


async def test_rfc_5804_section_1_3_quota_maxscripts(wire: Wire) -> None:
    await wire.say(b'PUTSCRIPT "a" "keep;"')
    assert (await wire.say(b'HAVESPACE "b" 5')).startswith("OK ")
    await wire.say(b'PUTSCRIPT "b" "keep;"')
    for command in (b'HAVESPACE "c" 5', b'PUTSCRIPT "c" "keep;"'):
        assert (await wire.say(command)).startswith("NO (QUOTA/MAXSCRIPTS) ")
    for command in (b'HAVESPACE "b" 5', b'PUTSCRIPT "b" "stop;"'):
        assert (await wire.say(command)).startswith("OK ")


async def test_a_script_with_a_fault_is_not_stored_and_its_lines_are_named(wire: Wire) -> None:
    assert await wire.say(b'PUTSCRIPT "a" "keep"') == (
        "NO \"line 1: ';' or a block behind 'keep' expected, end of the script found\"\r\n"
    )
    answer = await wire.say(b'CHECKSCRIPT "foo; bar;"')
    assert answer == "NO {60}\r\nline 1: unknown command 'foo'\r\nline 1: unknown command 'bar'\r\n"
    assert (await wire.say(b'CHECKSCRIPT "require \\"vnd.x\\";"')).startswith("NO \"line 1: the extension 'vnd.x'")
    assert wire.shelf.texts == {}


async def test_small_and_large_scripts_are_checked_alike(wire: Wire) -> None:
    for filling in (b"", b"# filling\r\n" * 1000):
        for script, condition in ((filling + b"keep;", "OK"), (filling + b"keep", "NO")):
            answer = await wire.say(b"CHECKSCRIPT {%d+}\r\n%b" % (len(script), script))
            assert answer.startswith(condition + " ")


@pytest.mark.parametrize("failure", [Broken("disk"), Busy("locked")])
async def test_a_store_that_fails_is_tried_later(wire: Wire, failure: Exception) -> None:
    await wire.say(b'PUTSCRIPT "a" "keep;"')
    wire.shelf.failure = failure
    for command in (b"LISTSCRIPTS", b'GETSCRIPT "a"', b'DELETESCRIPT "a"', b'PUTSCRIPT "a" "keep;"', b'SETACTIVE ""'):
        assert (await wire.say(command)).startswith("NO (TRYLATER) ")


async def test_another_login_after_unauthenticate(wire: Wire) -> None:
    assert await wire.say(b"UNAUTHENTICATE") == 'OK "Logged out"\r\n'
    wire.gatekeeper.failure = AuthenticationFailed()
    assert (await wire.authenticate()).startswith("NO ")
    assert await wire.say(b"LISTSCRIPTS") == 'NO "Log in first"\r\n'
    wire.gatekeeper.failure = None
    assert (await wire.authenticate()).startswith("OK ")
