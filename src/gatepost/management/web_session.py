"""Sessions of the web UI: a signed cookie that every worker process can check by itself. Pure. What ends one before its time
is in `ended_sessions`.

The signature covers the account's password hash, so a new password ends all sessions but the one that it was set in, which is
given a new signature. The CSRF token is derived from the rest of the cookie and the server's key, so that only who can read an
answer of this server knows it, and it stays what it is as long as the session.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta

from gatepost.values.ids import Id, is_id
from gatepost.values.secret import Secret

COOKIE_NAME = "gatepost_session"
CSRF_HEADER = "X-CSRF-Token"
LIFETIME = timedelta(hours=12)


def make_token(key: Secret, account_id: Id, password_hash: Secret, now: datetime, random_octets: bytes) -> str:
    """The value of the cookie: account, expiry (seconds of the epoch), what tells it from other sessions, signature."""
    expiry, serial = int((now + LIFETIME).timestamp()), random_octets.hex()
    return f"{account_id}.{expiry}.{serial}.{_signature(key, account_id, expiry, serial, password_hash)}"


def renewed_token(key: Secret, token: str, password_hash: Secret) -> str:
    """The same session, for an account that has this password hash from now on. `token` has to be genuine."""
    account_id, expiry, serial, _ = _parts(token)
    return f"{session_of_token(token)}.{_signature(key, Id(account_id), int(expiry), serial, password_hash)}"


def session_of_token(token: str) -> str:
    """What tells it from other sessions, whatever the password is: all but the signature."""
    return token.rpartition(".")[0]


def account_of_token(token: str, now: datetime) -> Id | None:
    """Whose session it says it is; None for one that has expired or is none. It still has to be verified."""
    account_id, expiry, _, _ = _parts(token)
    if not is_id(account_id) or not (expiry.isascii() and expiry.isdigit() and len(expiry) <= 12):
        return None
    return Id(account_id) if int(expiry) > now.timestamp() else None


def expiry_of_token(token: str) -> int:
    """When a genuine one ends by itself, in seconds of the epoch."""
    return int(_parts(token)[1])


def is_genuine(key: Secret, token: str, password_hash: Secret) -> bool:
    """Whether this server made the token, for an account that still has this password hash."""
    account_id, expiry, serial, signature = _parts(token)
    expected = _signature(key, Id(account_id), int(expiry), serial, password_hash)
    return hmac.compare_digest(signature.encode(), expected.encode())


def csrf_token(key: Secret, token: str) -> str:
    """What unsafe requests with this cookie must carry in the X-CSRF-Token header."""
    return _mac(key, b"csrf", session_of_token(token).encode())


def is_csrf_token(key: Secret, token: str, given: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(csrf_token(key, token).encode(), given.encode())


def _parts(token: str) -> tuple[str, str, str, str]:
    """Account, expiry, serial, signature; empty where there is none."""
    account_id, expiry, serial, signature = (*token.split(".", 3), "", "", "")[:4]
    return account_id, expiry, serial, signature


def _signature(key: Secret, account_id: Id, expiry: int, serial: str, password_hash: Secret) -> str:
    return _mac(key, b"session", f"{account_id}.{expiry}.{serial}".encode(), password_hash.reveal().encode())


def _mac(key: Secret, *parts: bytes) -> str:
    mac = hmac.new(key.reveal().encode(), digestmod=hashlib.sha256)
    for part in parts:
        mac.update(len(part).to_bytes(4, "big") + part)  # the length keeps parts from flowing into each other
    return urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()
