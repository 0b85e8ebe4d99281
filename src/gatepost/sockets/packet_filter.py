"""A classic BPF program that decides which listening socket of a group gets a new connection, so that none is lost in one
that is about to be closed: its siblings take them. Needs no privilege. See socket(7), SO_ATTACH_REUSEPORT_CBPF; where there is
no sibling, see `minimum_ttl`.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Sequence

_SO_ATTACH_REUSEPORT_CBPF = 51
_SO_DETACH_REUSEPORT_BPF = 68

_RETURN = 0x06  # BPF_RET | BPF_K
_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_MODULO = 0x94  # BPF_ALU | BPF_MOD | BPF_K
_JUMP_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
# SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h: an offset that stands for a random number.
_RANDOM_NUMBER = 0xFFFFF000 + 56

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


def _detach(sock: socket.socket, option: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, option, 0)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def _attach(sock: socket.socket, option: int, program: Sequence[_Instruction]) -> None:
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("HP", len(program), ctypes.addressof(instructions)))
