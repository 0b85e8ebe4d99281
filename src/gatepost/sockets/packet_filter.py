"""Classic BPF programs that decide which listening socket gets a new connection, so that none is lost in one being closed.

Closing a listening socket resets what waits in its accept queue. So before one is closed, new connections are first
steered away from it (its siblings take them) or, where there is no sibling, their SYN is dropped (the client retries and is
refused once the socket is gone); then the queue is accepted empty; then it is closed. See socket(7), SO_ATTACH_FILTER and
SO_ATTACH_REUSEPORT_CBPF.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Sequence

_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27
_SO_ATTACH_REUSEPORT_CBPF = 51
_SO_DETACH_REUSEPORT_BPF = 68

_RETURN = 0x06  # BPF_RET | BPF_K
_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_LOAD_OCTET = 0x30  # BPF_LD | BPF_B | BPF_ABS
_MODULO = 0x94  # BPF_ALU | BPF_MOD | BPF_K
_JUMP_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RANDOM_NUMBER = (
    0xFFFFF000 + 56
)  # SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h: an offset that stands for a random number
_JUMP_IF_BITS = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_TCP_FLAGS_OFFSET = 13  # RFC 9293 section 3.1; a TCP socket's filter sees the packet from the TCP header on
_SYN = 0x02
_WHOLE_PACKET = 0xFFFFFFFF

_Instruction = tuple[int, int, int, int]


def steer_new_connections(sock: socket.socket, indexes: Sequence[int]) -> None:
    """Give all new connections of the SO_REUSEPORT group of `sock` to these members of it (order of listen(2)), evenly."""
    program: list[_Instruction] = [(_LOAD_WORD, 0, 0, _RANDOM_NUMBER), (_MODULO, 0, 0, len(indexes))]
    for number, index in enumerate(indexes):
        program += [(_JUMP_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, index)]
    program.append((_RETURN, 0, 0, indexes[0]))
    _attach(sock, _SO_ATTACH_REUSEPORT_CBPF, program)


def stop_steering(sock: socket.socket) -> None:
    """Back to the kernel's choice by hash. Nothing to do where no program is attached."""
    _detach(sock, _SO_DETACH_REUSEPORT_BPF)


def drop_new_connections(sock: socket.socket) -> None:
    """Drop each SYN to `sock`. Handshakes under way still complete: their last packet has no SYN flag.

    Some kernels want CAP_NET_ADMIN for this on TCP sockets. Without it nothing is dropped: a client that comes between the
    last accept(2) and the close is reset, where it would have tried again.
    """
    program = (
        (_LOAD_OCTET, 0, 0, _TCP_FLAGS_OFFSET),
        (_JUMP_IF_BITS, 0, 1, _SYN),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, _WHOLE_PACKET),
    )
    try:
        _attach(sock, _SO_ATTACH_FILTER, program)
    except PermissionError:
        return


def let_new_connections_in(sock: socket.socket) -> None:
    """Undo `drop_new_connections`. Nothing to do where it was not called."""
    _detach(sock, _SO_DETACH_FILTER)


def _detach(sock: socket.socket, option: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, option, 0)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def _attach(sock: socket.socket, option: int, program: Sequence[_Instruction]) -> None:
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("HP", len(program), ctypes.addressof(instructions)))
