"""All listening sockets of one address: one for each worker (SO_REUSEPORT), or one that the workers share.

The supervisor keeps them; workers get duplicates. Changing from one form to the other never closes a socket that clients
may be waiting in: see `packet_filter`.
"""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Sequence
from ipaddress import IPv6Address

from msgspec import structs

from gatepost.plan.plan import SocketPlan
from gatepost.sockets import listening_socket, minimum_ttl, options, packet_filter
from gatepost.values.socket_address import SocketAddress

_socket_numbers = itertools.count(1)
_IPPROTO_TCP_REPAIR = 19  # tcp(7) TCP_REPAIR: with CAP_NET_ADMIN a bind is not checked for conflicts
_CANNOT_BIND = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT)


class KeptSocket:
    """A listening socket with a number that names it between supervisor and workers.

    `group` is the kernel's SO_REUSEPORT group in the kernel's order, which steering goes by: a socket that listens is put
    at the end, and when one is closed, the last one takes its place.
    """

    __slots__ = ("group", "is_leaving", "number", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.number = next(_socket_numbers)
        self.sock = sock
        self.group: list[KeptSocket] = []
        self.is_leaving = False  # new connections are steered away from it

    def listen(self, backlog: int, group: list[KeptSocket]) -> None:
        """Let clients in, as the newest of the group."""
        self.sock.listen(backlog)
        self.group = group
        group.append(self)

    def close(self) -> None:
        """All other descriptors of it are closed already."""
        self.sock.close()
        if self in self.group:
            last = self.group.pop()
            if last is not self:
                self.group[self.group.index(self)] = last


class AddressSockets:
    """The sockets of one address. `sockets[i % len(sockets)]` is what worker i accepts from."""

    def __init__(self, address: SocketAddress, plan: SocketPlan, sockets: Sequence[socket.socket]) -> None:
        self.address = address
        self.plan = plan
        self.sockets = [KeptSocket(sock) for sock in sockets]
        self.is_shared = False  # with another process, since before we came
        self.can_be_joined = False  # by another process, because reuse port was on

    @property
    def note(self) -> str | None:
        """What an operator should know of the address, or None."""
        if self.is_shared:
            return (
                f"another process of this user listens on {self.address} too and gets a part of the connections: stop it, "
                'or turn "Reuse port" off to be refused instead'
            )
        if self.can_be_joined and not self.plan.reuse_port:
            return (
                f'another process of this user can still join {self.address}, because "Reuse port" was on: restart the '
                "server to have the address alone"
            )
        if listening_socket.fell_back_to_ipv4(self.address, self.sockets[0].sock):
            return f"this host has no IPv6: bound 0.0.0.0:{self.address.port} for {self.address}"
        return None

    @classmethod
    def bind(
        cls, address: SocketAddress, plan: SocketPlan, worker_count: int, *, is_joining: bool = False
    ) -> AddressSockets:
        """Bind, not listening yet. Raises OSError; then nothing stays bound.

        `is_joining`: bind although a socket of ours that is about to go covers the address (`let_join` came before).
        `stop_joining` is called when that one is gone.
        """
        bind_plan = structs.replace(plan, reuse_port=True) if is_joining else plan
        bound: list[socket.socket] = []
        try:
            for _ in range(worker_count if plan.reuse_port else 1):
                bound.append(listening_socket.bind(address, bind_plan))  # noqa: PERF401 - what is bound must be known when one fails
        except BaseException:
            for sock in bound:
                sock.close()
            raise
        return cls(address, plan, bound)

    def note_sharing(self) -> None:
        """Another process has the address too (see `is_listened_to`): say so in the status."""
        self.is_shared = True

    def listen(self, beside: AddressSockets | None = None) -> None:
        """Let clients in; `beside` has the same address and shares it."""
        self._listen_in([] if beside is None else beside.sockets[0].group)

    def _listen_in(self, group: list[KeptSocket]) -> None:
        for kept in self.sockets:
            kept.listen(self.plan.backlog, group)

    def for_worker(self, index: int) -> KeptSocket:
        """The socket that worker `index` accepts from."""
        return self.sockets[index % len(self.sockets)]

    def set_live(self, plan: SocketPlan) -> None:
        """Apply what can be changed on open sockets; `plan.reuse_port` is left as it is here."""
        for kept in self.sockets:
            options.set_live(kept.sock, self.plan, plan)
        self.plan = plan

    def let_join(self) -> None:
        """Let further sockets of this process bind an address that these cover."""
        for kept in self.sockets:
            kept.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

    def stop_joining(self) -> None:
        """Back to what the plan says: without reuse_port no other process may join the address."""
        if not self.plan.reuse_port:
            for kept in self.sockets:
                kept.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
            self.can_be_joined = not make_port_exclusive(self.address)

    def bind_more(self, plan: SocketPlan, worker_count: int) -> list[socket.socket]:
        """Bind the sockets that are missing for one per worker, not listening yet. Raises OSError.

        Then `spread` brings them into use, or they are closed and `stop_joining` is called."""
        self.let_join()
        added: list[socket.socket] = []
        try:
            for _ in range(worker_count - len(self.sockets)):
                added.append(listening_socket.bind(self.address, plan))  # noqa: PERF401 - see above
        except OSError:
            for sock in added:
                sock.close()
            self.stop_joining()
            raise
        return added

    def spread(self, added: Sequence[socket.socket]) -> None:
        """From one shared socket to one for each worker. The shared one stays in place as the first worker's."""
        for kept in map(KeptSocket, added):
            kept.listen(self.plan.backlog, self.sockets[0].group)
            self.sockets.append(kept)

    def shrink(self, worker_count: int) -> list[KeptSocket]:
        """From one socket for each of many workers to one for each of fewer: new connections go to those that stay from now
        on. The others are returned; they have to be accepted empty and closed, then `gathered()` is called."""
        leaving = self.sockets[worker_count:]
        self.sockets = self.sockets[:worker_count]
        group = self.sockets[0].group  # also of other listeners at this address, some of which may be leaving
        _steer_away([kept for kept in group if kept not in leaving and not kept.is_leaving], leaving)
        return leaving

    def take_over_from(self, old: AddressSockets) -> list[KeptSocket]:
        """These sockets, bound beside those of `old`, get all new connections from now on. The old ones are returned; they
        have to be accepted empty and closed, then `gathered()` is called here."""
        self._listen_in(old.sockets[0].group)
        _steer_away(self.sockets[:1], old.sockets)
        return old.sockets

    def gather(self) -> list[KeptSocket]:
        """From one socket for each worker to one shared: new connections all go to the first from now on. The others are
        returned; they have to be accepted empty and closed, then `gathered()` is called."""
        staying = next((kept for kept in self.sockets[0].group if kept in self.sockets), self.sockets[0])
        leaving = [kept for kept in self.sockets if kept is not staying]
        self.sockets = [staying]
        _steer_away([staying], leaving)
        return leaving

    def gathered(self) -> None:
        """The sockets that were to go are closed: back to the kernel's choice, and without reuse port no other process may
        join the address any more."""
        packet_filter.stop_steering(self.sockets[0].sock)
        self.stop_joining()

    def leave_to(self, staying: AddressSockets) -> None:
        """Before it is closed, where `staying` shares the address: that gets all new connections, then `gathered()` is called
        there."""
        _steer_away(staying.sockets[:1], self.sockets)

    def join_group(self, group: list[KeptSocket]) -> None:
        """They listen already, by the doing of another process; `order_group` follows when all of the group have joined."""
        for kept in self.sockets:
            kept.group = group
            group.append(kept)

    def order_group(self, order: Sequence[int]) -> None:
        """Put these in their places in the kernel's order."""
        for kept, place in zip(self.sockets, order, strict=True):
            kept.group[place] = kept

    def let_everybody_in(self) -> None:
        """Undo whatever keeps new connections from these."""
        packet_filter.stop_steering(self.sockets[0].sock)
        for kept in self.sockets:
            minimum_ttl.let_new_connections_in(kept.sock)

    def close(self) -> None:
        """Give the address up."""
        for kept in self.sockets:
            kept.close()


def _steer_away(staying: Sequence[KeptSocket], leaving: Sequence[KeptSocket]) -> None:
    """All new connections go to `staying`."""
    if leaving:
        group = staying[0].group
        packet_filter.steer_new_connections(staying[0].sock, [group.index(kept) for kept in staying])
        for kept in leaving:
            kept.is_leaving = True


def is_listened_to(address: SocketAddress, plan: SocketPlan) -> bool:
    """Whether some process has the address already, so that with SO_REUSEPORT it would be shared. Asked by a bind without
    that flag, which is undone at once; while no socket of ours covers the address."""
    try:
        listening_socket.bind(address, structs.replace(plan, reuse_port=False)).close()
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def make_port_exclusive(address: SocketAddress) -> bool:
    """Make the kernel forget that sockets of this port once shared it; whether it could be done.

    It remembers "all have SO_REUSEPORT" per port and lets a process of the same user join without looking at the sockets,
    even after the flag is cleared; the memory goes when a socket without the flag binds the port. So one does, for a moment,
    at an address that does not clash, or unchecked where we may (CAP_NET_ADMIN). It never listens.
    """
    for candidate, unchecked in _neighbours(address):
        is_ipv6 = isinstance(candidate.ip, IPv6Address)
        with socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                if is_ipv6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                if unchecked:
                    probe.setsockopt(socket.IPPROTO_TCP, _IPPROTO_TCP_REPAIR, 1)
                probe.bind((str(candidate.ip), candidate.port))
                return True
            except OSError as error:
                if error.errno not in _CANNOT_BIND:
                    raise
    return False


def _neighbours(address: SocketAddress) -> list[tuple[SocketAddress, bool]]:
    texts = (f"127.91.7.3:{address.port}", f"127.91.7.4:{address.port}", f"[::1]:{address.port}")
    candidates = [SocketAddress.parse(text) for text in texts]
    unclashing = [(candidate, False) for candidate in candidates if not candidate.clashes_with(address)]
    return [*unclashing, (candidates[0], True)]
