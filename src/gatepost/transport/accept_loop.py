"""Accepting from one listening socket: in batches, without spinning when the process runs out of descriptors, and without
taking the last ones, which the process needs to follow its supervisor and its store."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Callable

from gatepost.sockets import minimum_ttl

_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# accept(2): errors of a connection that was pending; the next one may be fine.
_ERRORS_OF_ONE_CONNECTION = frozenset(
    {
        errno.ECONNABORTED,
        errno.EPROTO,
        errno.ENETDOWN,
        errno.ENOPROTOOPT,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
        errno.ENETUNREACH,
        errno.EPERM,
    }
)
_PAUSE = 0.1  # seconds; clients wait in the accept queue meanwhile, none is reset

Accepted = Callable[[int, tuple[object, ...]], None]


class AcceptLoop:
    """Calls `accepted(descriptor, address)` for each connection: a descriptor that does not block and is the callee's from
    then on, and the address of the peer as the kernel gave it.

    `out_of_resources(error)` is called when accepting pauses: at EMFILE, ENFILE, ENOBUFS or ENOMEM, or when a connection
    got the descriptor `last_descriptor` or a higher one (the kernel gives the lowest that is free). It goes on when there
    are lower ones again, and calls `resumed()`, as it does when it is closed in a pause.
    """

    __slots__ = (
        "_accepted",
        "_batch",
        "_is_open",
        "_last_descriptor",
        "_loop",
        "_out_of_resources",
        "_pause",
        "_resumed",
        "sock",
    )

    def __init__(
        self,
        sock: socket.socket,
        accepted: Accepted,
        out_of_resources: Callable[[OSError], None],
        resumed: Callable[[], None],
        *,
        batch: int = 64,
        last_descriptor: int = sys.maxsize,
    ) -> None:
        self.sock = sock
        self._accepted = accepted
        self._out_of_resources = out_of_resources
        self._resumed = resumed
        self._batch = batch
        self._last_descriptor = last_descriptor
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._is_open = True
        self._loop.add_reader(sock.fileno(), self._readable)

    def hand_to(self, accepted: Accepted, *, batch: int) -> None:
        """From now on, `accepted` gets the connections, at most `batch` in a row."""
        self._accepted = accepted
        self._batch = batch

    def empty(self) -> None:
        """The socket is being given up, and drops new connections or soon will: let those that it still has be heard."""
        accepted, sock = self._accepted, self.sock

        def accepted_from_leaving(descriptor: int, address: tuple[object, ...]) -> None:
            minimum_ttl.let_packets_in(descriptor, sock)
            accepted(descriptor, address)

        self._accepted = accepted_from_leaving
        self.accept_queued()

    def accept_queued(self) -> None:
        """Accept everything that waits now."""
        while self._is_open and self._pause is None and self._accept_one():
            pass

    def close(self) -> None:
        """Stop, and close this process's descriptor of the socket."""
        if self._is_open:
            self._is_open = False
            if self._pause is not None:
                self._pause.cancel()
                self._resumed()
            self._loop.remove_reader(self.sock.fileno())
            self.sock.close()

    def _readable(self) -> None:
        for _ in range(self._batch):
            if not self._accept_one():
                return

    def _accept_one(self) -> bool:
        try:
            descriptor, address = self.sock._accept()  # type: ignore[attr-defined]  # what accept() is made of, without its object
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            if error.errno in _OUT_OF_RESOURCES:
                self._pause_accepting(error)
                return False
            if error.errno in _ERRORS_OF_ONE_CONNECTION:
                return True
            raise
        os.set_blocking(descriptor, False)
        if descriptor >= self._last_descriptor:
            self._pause_accepting(OSError(errno.EMFILE, "the last descriptors are kept for the server itself"))
        self._accepted(descriptor, address)
        return self._is_open and self._pause is None

    def _pause_accepting(self, error: OSError) -> None:
        self._loop.remove_reader(self.sock.fileno())
        self._pause = self._loop.call_later(_PAUSE, self._resume)
        self._out_of_resources(error)

    def _resume(self) -> None:
        self._pause = None
        if not self._is_open:
            return
        if self._is_short_of_descriptors():
            self._pause = self._loop.call_later(_PAUSE, self._resume)
        else:
            self._resumed()
            self._loop.add_reader(self.sock.fileno(), self._readable)

    def _is_short_of_descriptors(self) -> bool:
        try:
            descriptor = os.dup(self.sock.fileno())
        except OSError:
            return True
        os.close(descriptor)
        return descriptor >= self._last_descriptor
