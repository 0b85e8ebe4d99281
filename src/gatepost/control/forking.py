"""How workers come to be and are waited for: a fork server, which has loaded everything that a worker needs, forks one for
each request, and says how one has ended.

Both sides of the conversation: the supervisor asks (`request_worker`, `exit_status`), the fork server serves
(`serve_requests`). One packet each way on a UNIX socket that keeps packets apart.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence

import msgspec

from gatepost.control.worker_start import WorkerStart

ENVIRONMENT_VARIABLE = "GATEPOST_FORK_SERVER"  # holds the number of the fork server's socket
_LARGEST_PACKET = 65536  # octets
_MOST_DESCRIPTORS = 3


class _Fork(msgspec.Struct, frozen=True, tag=True):
    start: WorkerStart


class _Wait(msgspec.Struct, frozen=True, tag=True):
    """For a worker that has ended."""

    pid: int


class _Answer(msgspec.Struct, frozen=True):
    """`number`: a process id, which a pidfd comes with, or an exit status. `errno` where it could not be done."""

    number: int = 0
    errno: int | None = None


def request_worker(sock: socket.socket, start: WorkerStart) -> tuple[int, int]:
    """Process id and pidfd of a new worker, to which the descriptors in `start` are passed. Raises OSError where it cannot
    be made, ConnectionError where the fork server is gone, TimeoutError as the socket does."""
    answer, descriptors = _ask(sock, _Fork(start), (start.control, start.counters, start.notices))
    if not descriptors:  # no room for it here: recvmsg(2), MSG_CTRUNC
        os.kill(answer.number, signal.SIGKILL)  # nobody has waited for it, so the id is its own
        exit_status(sock, answer.number)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return answer.number, descriptors[0]


def exit_status(sock: socket.socket, pid: int) -> int:
    """How a worker that has ended did so: its exit code, a signal that ended it as a negative number. Raises as above."""
    return _ask(sock, _Wait(pid))[0].number


def _ask(sock: socket.socket, request: msgspec.Struct, descriptors: Sequence[int] = ()) -> tuple[_Answer, list[int]]:
    socket.send_fds(sock, [msgspec.json.encode(request)], list(descriptors))
    octets, received, _, _ = socket.recv_fds(sock, _LARGEST_PACKET, 1, socket.MSG_CMSG_CLOEXEC)
    if not octets:
        raise ConnectionResetError("the fork server is gone")
    answer = msgspec.json.decode(octets, type=_Answer)
    if answer.errno is not None:
        raise OSError(answer.errno, os.strerror(answer.errno))
    return answer, received


def serve_requests(sock: socket.socket, run: Callable[[WorkerStart], None]) -> None:
    """Fork a worker for each request; `run` is the worker, in its process. Returns when the supervisor is gone."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(sock, _LARGEST_PACKET, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        if not request:
            return
        pidfds: list[int] = []
        try:
            match msgspec.json.decode(request, type=_Fork | _Wait):
                case _Fork(start=start):
                    pid = _fork(sock, start, descriptors, run)
                    pidfds.append(os.pidfd_open(pid))  # nobody has waited for it yet, so the id is still its own
                    answer = _Answer(pid)
                case _Wait(pid=pid):
                    answer = _Answer(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        except OSError as error:
            answer = _Answer(errno=error.errno)
        socket.send_fds(sock, [msgspec.json.encode(answer)], pidfds)
        for descriptor in (*descriptors, *pidfds):
            os.close(descriptor)


def _fork(sock: socket.socket, start: WorkerStart, descriptors: list[int], run: Callable[[WorkerStart], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    exit_code = 1
    try:
        sock.close()
        control, counters, notices = descriptors
        run(msgspec.structs.replace(start, control=control, counters=counters, notices=notices))
        exit_code = 0
    except SystemExit as leaving:
        exit_code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:  # what is below this on the stack is the fork server's
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)
