"""Which clients are in the middle of connecting: their SYN is answered, the last packet of the handshake is on its way.

Closing the listening socket would reset them. They are in no accept queue yet; the kernel tells of them by sock_diag(7), to
anybody.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection

_NETLINK_SOCK_DIAG = 4  # linux/netlink.h
_SOCK_DIAG_BY_FAMILY = 20  # linux/sock_diag.h
_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_SYN_RECV = 1 << 3  # 1 << TCP_SYN_RECV
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence number, port
_REQUEST = struct.Struct("=BBBxI")  # inet_diag_req_v2: family, protocol, extensions, states; then the inet_diag_sockid:
_ANY_SOCKET = bytes(48)  # ports, addresses, interface, cookie
_ENDS = slice(_HEADER.size + 4, _HEADER.size + 40)  # of a message with inet_diag_msg: both ports, both addresses


def handshakes_under_way(ports: Collection[int]) -> frozenset[bytes]:
    """At these ports of this machine, whatever the address; each by its ends. Empty where the kernel does not tell."""
    wanted = {port.to_bytes(2, "big") for port in ports}
    found: set[bytes] = set()
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as diagnosis:
            for family in (socket.AF_INET, socket.AF_INET6):
                found |= {ends for ends in _of_family(diagnosis, family) if ends[:2] in wanted}
    except OSError:
        pass
    return frozenset(found)


def _of_family(diagnosis: socket.socket, family: int) -> set[bytes]:
    """At all ports: the kernel walks through every connection of the machine for each question, some milliseconds long."""
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, _SYN_RECV) + _ANY_SOCKET
    diagnosis.send(_HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 0, 0) + body)
    found: set[bytes] = set()
    while True:
        answer = diagnosis.recv(65536)
        while answer:
            length, kind, *_ = _HEADER.unpack_from(answer)
            if kind in (_DONE, _ERROR):
                return found
            found.add(answer[_ENDS])
            answer = answer[(length + 3) & ~3 :]
