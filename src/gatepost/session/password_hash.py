"""Hashing passwords with argon2id, and verifying them away from the event loop.

Called by `authentication` and, to store a new password, by `/set` (handed in by `compose`) and by the boot process.
"""

from __future__ import annotations

import asyncio
import functools
import os
import unicodedata
from base64 import b64encode
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION

from gatepost.values.secret import Secret

# 19 MiB, two passes, one lane: the least that OWASP's password storage advice calls equal to its stronger choices. More
# memory would be paid by every worker for every login that runs at the same time, and one lane keeps a verification on
# one core, so that a burst of logins cannot take them all.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)


class TooManyWaiting(Exception):
    """So many verifications are waiting already that this one was not taken."""


def hash_password(text: str) -> str:
    """The argon2id hash of a password as a PHC string. Takes some 20 ms of a core: call it in a thread."""
    return _HASHER.hash(_octets(text))


def is_password_of(password_hash: Secret, password: Secret) -> bool:
    """Whether the password is the hashed one; False for a hash that is missing, damaged or of another kind, which takes the same
    time. Blocks for some 20 ms."""
    octets = _octets(password.reveal())
    try:
        return _HASHER.verify(password_hash.reveal(), octets)
    except VerifyMismatchError:
        return False
    except (VerificationError, InvalidHashError):
        with suppress(VerificationError):
            _HASHER.verify(hash_of_nobody().reveal(), octets)
        return False


HashToStore = Callable[[Secret, Secret | None], Awaitable[Secret]]


async def hash_to_store(password: Secret, present_hash: Secret | None, hasher: PasswordHasher = _HASHER) -> Secret:
    """The hash to store for a password that was given; the present one where it is that password's already, so that
    giving the same password again changes nothing. In a thread. `hasher`: another cost than a server's."""

    def work() -> Secret:
        if present_hash is not None and is_password_of(present_hash, password):
            return present_hash
        return Secret(hasher.hash(_octets(password.reveal())))

    return await asyncio.to_thread(work)


@functools.cache
def hash_of_nobody() -> Secret:
    """A hash that no password belongs to, to verify against where there is no account: it takes the same time. Its digest is
    not computed, as that would take every worker's memory and time at its start, but drawn."""
    cost = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    salt, digest = (b64encode(os.urandom(size)).decode().rstrip("=") for size in (_HASHER.salt_len, _HASHER.hash_len))
    return Secret(f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${digest}")


class PasswordVerifier:
    """A few threads that verify passwords (argon2 lets go of the interpreter while it works) and a bounded queue."""

    def __init__(self, *, threads: int = 2, most_waiting: int = 64) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._most_waiting = most_waiting
        self._waiting = 0

    async def verify(self, password_hash: Secret, password: Secret) -> bool:
        """Like `is_password_of`, without blocking. Raises TooManyWaiting."""
        if self._waiting >= self._most_waiting:
            raise TooManyWaiting
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, is_password_of, password_hash, password)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Drop what is waiting and let the threads end. Blocks while a password is being looked at: some 20 ms."""
        self._executor.shutdown(cancel_futures=True)


def _octets(text: str) -> bytes:
    # RFC 8265 section 4.2.2: OpaqueString composes, so that one keyboard's "é" is the other's. Never fails: what is no
    # valid text just is no one's password.
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")
