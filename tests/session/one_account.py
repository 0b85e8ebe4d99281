"""The one account that sessions of tests know, and who checks its password."""

from __future__ import annotations

from gatepost.mail.directory import DirectoryAccount
from gatepost.session.link import Peer
from gatepost.session.reactions import AuthenticationFailed
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

ALICE = DirectoryAccount(Id("a1"), "alice@example.org", frozenset(), "user", Secret(""), None)


class Gatekeeper:
    """An Authenticator: lets `alice` in with `secret`, says `later` to that password, fails with `failure` where it is set."""

    def __init__(self) -> None:
        self.failure: AuthenticationFailed | None = None

    async def authenticate(self, login_name: str, password: Secret, peer: Peer) -> DirectoryAccount:
        if self.failure is not None:
            raise self.failure
        if password.reveal() == "later":
            raise AuthenticationFailed(is_temporary=True)
        if (login_name, password.reveal()) != ("alice", "secret"):
            raise AuthenticationFailed
        return ALICE
