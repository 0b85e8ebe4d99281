"""What the holder of an API key sends, and what is stored of it. Pure: randomness is handed in.

    gatepost_key_<id of the ApiKey>_<64 hexadecimal digits>

The beginning is for programs that look for secrets in places where none should be. The id makes looking a key up one read.
The digits are 256 random bits: nobody can go through them, so a fast hash protects what is stored as well as a slow one
would, and a request with a key costs no argon2 (ADR 0021).
"""

from __future__ import annotations

import hashlib
import hmac
import re

from gatepost.values.ids import Id
from gatepost.values.secret import Secret

SECRET_OCTETS = 32
_TOKEN = re.compile(r"gatepost_key_([A-Za-z0-9-]{1,255})_[0-9a-f]{64}")
_NOBODYS_HASH = Secret("sha256:" + 64 * "0")


def make_token(key_id: Id, random_octets: bytes) -> Secret:
    """The token of a new key, made of `SECRET_OCTETS` random octets."""
    return Secret(f"gatepost_key_{key_id}_{random_octets.hex()}")


def key_id_of(token: Secret) -> Id | None:
    """The key that it says it is; None where it is no token of ours."""
    matched = _TOKEN.fullmatch(token.reveal())
    return Id(matched[1]) if matched else None


def hash_of_token(token: Secret) -> Secret:
    """What is stored."""
    return Secret("sha256:" + hashlib.sha256(token.reveal().encode()).hexdigest())


def is_token_of(token: Secret, stored_hash: Secret | None) -> bool:
    """Whether the hash is that of the token, compared in constant time; the same work where there is no such key."""
    expected = _NOBODYS_HASH if stored_hash is None else stored_hash
    is_equal = hmac.compare_digest(hash_of_token(token).reveal().encode(), expected.reveal().encode())
    return is_equal and stored_hash is not None
