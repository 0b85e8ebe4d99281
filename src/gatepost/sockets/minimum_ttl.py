"""A listening socket that is about to go: no new connection gets in, handshakes under way still complete.

The kernel can be told to drop packets whose TTL (hop limit in IPv6) is below a minimum (RFC 5082; ip(7) IP_MINTTL). It looks at
packets that open a connection, not at the one that completes a handshake; nobody's packets come with 255 but those of a
neighbour that sends so. A client whose SYN was dropped sends it again after a second, when the socket is gone. Any process may
do this; a packet filter (SO_ATTACH_FILTER) wants CAP_NET_ADMIN.

The supervisor sets it. A connection inherits it: whoever accepts from such a socket must undo it, or the connection is deaf.
"""

from __future__ import annotations

import socket

_IP_MINTTL = 21  # linux/in.h
_IPV6_MINHOPCOUNT = 73  # linux/in6.h
_ALL = 0
_NEARLY_NONE = 255


def drop_new_connections(sock: socket.socket) -> None:
    """Drop each SYN to the listening socket. Whoever accepts from it has to know: see `let_packets_in`."""
    _set(sock, _NEARLY_NONE)


def let_new_connections_in(sock: socket.socket) -> None:
    """Undo `drop_new_connections`. Nothing to do where it was not called."""
    _set(sock, _ALL)


def let_packets_in(descriptor: int, listening: socket.socket) -> None:
    """For a connection accepted from a socket that drops new ones. The descriptor stays the caller's."""
    accepted = socket.socket(listening.family, listening.type, listening.proto, fileno=descriptor)
    try:
        _set(accepted, _ALL)
    finally:
        accepted.detach()


def _set(sock: socket.socket, minimum: int) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, minimum)
    sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, minimum)  # of `[::]` too, which takes IPv4
