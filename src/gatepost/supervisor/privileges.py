"""What the server may do on the machine: given up as far as possible before anything from the network is read.

Called by `compose`: the supervisor keeps the right to bind low ports and nothing else, the processes that it starts keep
nothing. Linux capabilities are a property of a thread, so these functions are called before there is a second one. Reasons:
docs/adr/0013. See capabilities(7), capget(2), prctl(2). The standard library has no binding for them, hence ctypes.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

# capabilities(7), linux/capability.h
_CAP_SETPCAP = 8
_CAP_NET_BIND_SERVICE = 10
_CAP_NET_ADMIN = 12
_CAPABILITY_VERSION_3 = 0x20080522

# prctl(2)
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_PR_CAP_AMBIENT_CLEAR_ALL = 4

_LOW_PORTS = 1 << _CAP_NET_BIND_SERVICE
_NETWORK = 1 << _CAP_NET_ADMIN
_BOUNDING = 1 << _CAP_SETPCAP  # what it takes to take something out of the bounding set

_libc = ctypes.CDLL(None, use_errno=True)


class PrivilegesKept(Exception):
    """Something that had to be given up could not be; the words say what. Nothing may be served in this state."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capability sets of this thread, as masks with one bit for each capability."""

    permitted: int
    effective: int
    inheritable: int


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Masks(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def become(user_name: str) -> None:
    """Become that user, with its groups, for good; of root's capabilities only the right to bind low ports stays.

    Has to be called by root. Raises PrivilegesKept where the kernel does not let us, and KeyError for an unknown user.
    """
    user = pwd.getpwnam(user_name)
    kept = capabilities().permitted & (_LOW_PORTS | _BOUNDING)
    try:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        _prctl(_PR_SET_KEEPCAPS, 1)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
        _set_capabilities(Capabilities(permitted=kept, effective=kept, inheritable=kept & _LOW_PORTS))
    except OSError as error:
        raise PrivilegesKept(f"cannot become the user {user_name}: {error.strerror}") from None
    _keep(_LOW_PORTS)


def keep_what_was_given() -> None:
    """For a process that a user has started: keep the right to bind low ports, and CAP_NET_ADMIN (ADR 0003), where an operator
    has given it, and nothing else."""
    _keep(_LOW_PORTS | _NETWORK)


def _keep(wanted: int) -> None:
    """Nothing is passed on to programs that are started (see `passed_on`). No process of the same user can look into this one
    or make it do something: ptrace(2), PR_SET_DUMPABLE."""
    _renounce_all_but(wanted)
    if capabilities().permitted:
        _prctl(_PR_SET_DUMPABLE, 0)


def renounce() -> None:
    """Give up every capability and the way to any: for processes that read what comes from the network, or from files.
    Also uid 0 is then no more than the owner of root's files. Raises PrivilegesKept."""
    _renounce_all_but(0)


@contextmanager
def passed_on() -> Iterator[None]:
    """A program that is started in here may do what this process has kept: a supervisor that takes our place."""
    may = capabilities()
    kept = [number for number in (_CAP_NET_BIND_SERVICE, _CAP_NET_ADMIN) if may.permitted >> number & 1]
    _set_capabilities(replace(may, inheritable=may.inheritable | sum(1 << number for number in kept)))
    try:
        for number in kept:
            _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number)
        yield
    finally:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


def _renounce_all_but(wanted: int) -> None:
    try:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
        before = capabilities()
        kept = before.permitted & wanted
        if before.effective & _BOUNDING:
            _set_capabilities(replace(before, inheritable=kept))  # not possible without the bounding set
            _empty_bounding_set()
        inheritable = kept & capabilities().inheritable
        _set_capabilities(Capabilities(permitted=kept, effective=kept, inheritable=inheritable))
    except OSError as error:
        raise PrivilegesKept(f"cannot give up capabilities: {error.strerror}") from None
    left = capabilities()
    if left.permitted & ~wanted or left.effective & ~wanted or left.inheritable & ~wanted:
        raise PrivilegesKept(f"capabilities are left although they were given up: {left}")


def _empty_bounding_set() -> None:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for number in range(last + 1):
        _prctl(_PR_CAPBSET_DROP, number)


def capabilities() -> Capabilities:
    """What this thread may do now."""
    masks = (_Masks * 2)()
    _check(_libc.capget(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), masks))
    low, high = masks
    return Capabilities(
        permitted=low.permitted | high.permitted << 32,
        effective=low.effective | high.effective << 32,
        inheritable=low.inheritable | high.inheritable << 32,
    )


def _set_capabilities(wanted: Capabilities) -> None:
    masks = (_Masks * 2)()
    for position, part in enumerate(masks):
        shift = 32 * position
        part.effective = wanted.effective >> shift & 0xFFFFFFFF
        part.permitted = wanted.permitted >> shift & 0xFFFFFFFF
        part.inheritable = wanted.inheritable >> shift & 0xFFFFFFFF
    _check(_libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), masks))


def _prctl(option: int, *arguments: int) -> None:
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    _check(_libc.prctl(option, *padded))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
