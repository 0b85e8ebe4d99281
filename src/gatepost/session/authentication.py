"""Checking a login name and a password, for every protocol. Implements `session.reactions.Authenticator`.

Answers alike, in words and in time, whether or not the account exists.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from gatepost.mail.directory import Directory, DirectoryAccount
from gatepost.protocols.sasl import Credentials
from gatepost.session.link import Peer
from gatepost.session.login_pace import LoginPace
from gatepost.session.login_places import LoginPlaces, NoPlace
from gatepost.session.login_waits import LoginWaits, WaitEnded
from gatepost.session.password_hash import PasswordVerifier, TooManyWaiting, hash_of_nobody
from gatepost.session.reactions import AuthenticationFailed, Authenticator
from gatepost.store.interface import StoreError
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

_LONGEST_LOGGED_NAME = 128  # characters
_LONGEST_PACED_NAME = 256  # characters; what is remembered of failures has a bound in octets too

_Token = tuple[Id, Secret, bytes]  # the account, the hash in the store, the keyed hash of the password
Clock = Callable[[], float]


async def authenticate_credentials(
    authenticator: Authenticator, credentials: Credentials, peer: Peer
) -> DirectoryAccount:
    """The account behind what a client claims by SASL or otherwise. Raises AuthenticationFailed.

    Nobody may act for somebody else (RFC 4616 section 2); one's own name may be spelled out.
    """
    account = await authenticator.authenticate(credentials.login_name, credentials.password, peer)
    if credentials.authorization_identity not in ("", credentials.login_name, account.login_name):
        raise AuthenticationFailed
    return account


class RecentLogins:
    """Credentials that were right a short while ago, so that a client that logs in with every request costs no argon2.

    No passwords are kept: only keyed hashes of them (BLAKE2, RFC 7693) under a key that lives as long as the process. The hash
    that the store has is part of what is remembered, so a changed password is not remembered any more.
    """

    def __init__(self, *, lifetime: float = 300.0, most_entries: int = 10_000) -> None:
        self._key = secrets.token_bytes(32)
        self._lifetime = lifetime  # seconds
        self._most_entries = most_entries
        self._expiry: OrderedDict[_Token, float] = OrderedDict()

    def remember(self, account: DirectoryAccount, password: Secret, now: float) -> None:
        """The password was verified at `now`."""
        token = self._token(account, password)
        self._expiry[token] = now + self._lifetime
        self._expiry.move_to_end(token)
        if len(self._expiry) > self._most_entries:
            self._expiry.popitem(last=False)

    def knows(self, account: DirectoryAccount, password: Secret, now: float) -> bool:
        """Whether these very credentials were verified within the lifetime."""
        token = self._token(account, password)
        expiry = self._expiry.get(token)
        if expiry is None:
            return False
        if expiry <= now:
            del self._expiry[token]
            return False
        return True

    def _token(self, account: DirectoryAccount, password: Secret) -> _Token:
        octets = password.reveal().encode("utf-8", "surrogatepass")
        return account.id, account.password_hash, hashlib.blake2b(octets, key=self._key).digest()


class _Refused(Exception):
    """A login that failed, with the reason for the log: a client is never told it."""

    def __init__(self, reason: str, *, is_temporary: bool = False) -> None:
        super().__init__(reason)
        self.is_temporary = is_temporary


class PasswordAuthenticator:
    """Verifies passwords against the directory, slows down those who guess."""

    def __init__(
        self,
        directory: Directory,
        pace: LoginPace,
        *,
        verifier: PasswordVerifier | None = None,
        waits: LoginWaits | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._directory = directory
        self._verifier = verifier or PasswordVerifier()
        self._pace = pace
        self._waits = waits or LoginWaits()
        self._places = LoginPlaces(self._pace, self._waits, clock)
        self._recent_logins = RecentLogins()
        self._clock = clock
        hash_of_nobody()  # made now, so that the first unknown name does not take longer than the others

    async def authenticate(self, login_name: str, password: Secret, peer: Peer) -> DirectoryAccount:
        """The account that logged in. Raises AuthenticationFailed; `is_temporary` when the store or the queue is at fault."""
        try:
            return await self._checked_account(login_name, password, peer)
        except _Refused as refused:
            _log_failure(login_name, peer, str(refused))
            raise AuthenticationFailed(is_temporary=refused.is_temporary) from refused.__cause__

    def close(self) -> None:
        """Give the threads back. Blocks for a moment."""
        self._verifier.close()

    async def _checked_account(self, login_name: str, password: Secret, peer: Peer) -> DirectoryAccount:
        account = await self._find(login_name)
        if account is not None and self._is_known(account, password):
            return account
        # As it was typed: if the spellings of one account counted together, that would tell which accounts there are.
        pace_name = login_name.casefold()[:_LONGEST_PACED_NAME]
        try:
            async with self._places.taken(peer.source_address, pace_name) as has_waited:
                if has_waited:
                    account = await self._find(login_name)
                    if account is not None and self._is_known(account, password):
                        return account
                return await self._looked_at(account, login_name, password, peer, pace_name)
        except NoPlace:
            raise _Refused("too many attempts from this address at once", is_temporary=True) from None
        except WaitEnded:
            raise _Refused("it had to wait, and the server stops", is_temporary=True) from None

    async def _looked_at(
        self, account: DirectoryAccount | None, login_name: str, password: Secret, peer: Peer, pace_name: str
    ) -> DirectoryAccount:
        if await self._wait_for_turn(peer, pace_name):
            account = await self._find(login_name)  # it may have changed in the meantime
        is_right = await self._verify(account, password)
        if account is None or not is_right:
            self._pace.failed(peer.source_address, pace_name, self._clock())
            raise _Refused("wrong password" if account is not None else "no such account")
        now = await self._find(login_name)
        if now is None or (now.id, now.password_hash) != (account.id, account.password_hash):
            # Whoever has ended the sessions of the account in this moment has not seen this one.
            raise _Refused("the account has changed while the password was looked at", is_temporary=True)
        self._pace.succeeded(peer.source_address, pace_name)
        self._recent_logins.remember(now, password, self._clock())
        return now

    def _is_known(self, account: DirectoryAccount, password: Secret) -> bool:
        return self._recent_logins.knows(account, password, self._clock())

    async def _find(self, login_name: str) -> DirectoryAccount | None:
        try:
            return await self._directory.login(login_name)
        except StoreError as error:
            raise _Refused(f"the store fails: {error}", is_temporary=True) from error

    async def _wait_for_turn(self, peer: Peer, pace_name: str) -> bool:
        """Whether there was anything to wait for."""
        seconds = self._pace.turn(peer.source_address, pace_name, self._clock())
        if seconds is None:
            raise _Refused("too many failures before", is_temporary=True)
        if seconds <= 0:
            return False
        await self._waits.sleep(seconds)
        return True

    async def _verify(self, account: DirectoryAccount | None, password: Secret) -> bool:
        try:
            return await self._verifier.verify(account.password_hash if account else hash_of_nobody(), password)
        except TooManyWaiting:
            raise _Refused("too many logins at once", is_temporary=True) from None


def _log_failure(login_name: str, peer: Peer, reason: str) -> None:
    # The name is whatever a client has sent: it must not be able to write lines of the log.
    shown = "".join(character if character.isprintable() else "?" for character in login_name[:_LONGEST_LOGGED_NAME])
    events.warning(Event.LOGIN_FAILED, login=shown, source=str(peer.source_address), reason=reason)
