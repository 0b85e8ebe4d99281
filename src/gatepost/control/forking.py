"""How workers come to be: a fork server, which has loaded everything that a worker needs, forks one for each request.

Both sides of the conversation: the supervisor asks (`request_worker`), the fork server serves (`serve_requests`). One packet
each way on a UNIX socket that keeps packets apart: a WorkerStart with the worker's descriptors, and the process id with a
pidfd, or the number of the error that kept it from being made.

The worker is forked from a process that ends at once, so that it becomes a child of the supervisor, which is a subreaper
(prctl(2), PR_SET_CHILD_SUBREAPER): who waits for it learns how it ended.
"""

from __future__ import annotations

import errno
import os
import socket
import traceback
from collections.abc import Callable

import msgspec

from gatepost.control.worker_start import WorkerStart

ENVIRONMENT_VARIABLE = "GATEPOST_FORK_SERVER"  # holds the number of the fork server's socket
_LARGEST_REQUEST = 65536  # octets
_ANSWER = 64


def request_worker(sock: socket.socket, start: WorkerStart) -> tuple[int, int]:
    """Process id and pidfd of a new worker, to which the descriptors in `start` are passed. Raises OSError where it cannot
    be made, ConnectionError where the fork server is gone, TimeoutError as the socket does."""
    request = msgspec.json.encode(start)
    socket.send_fds(sock, [request], [start.control, start.counters, start.notices])
    answer, descriptors, _, _ = socket.recv_fds(sock, _ANSWER, 1, socket.MSG_CMSG_CLOEXEC)
    if not answer:
        raise ConnectionResetError(errno.ECONNRESET, "the fork server is gone")
    number = int(answer)
    if not descriptors:
        raise OSError(number, os.strerror(number))
    return number, descriptors[0]


def serve_requests(sock: socket.socket, run: Callable[[WorkerStart], None]) -> None:
    """Fork a worker for each request; `run` is the worker, in its process. Returns when the supervisor is gone."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(sock, _LARGEST_REQUEST, 3, socket.MSG_CMSG_CLOEXEC)
        if not request:
            return
        try:
            worker = _fork_worker(sock, request, descriptors, run)
            pidfd = os.pidfd_open(worker)  # nobody has waited for it yet, so the id is still its own
        except OSError as error:
            sock.send(str(error.errno).encode())
        else:
            socket.send_fds(sock, [str(worker).encode()], [pidfd])
            os.close(pidfd)
        for descriptor in descriptors:
            os.close(descriptor)


def _fork_worker(
    sock: socket.socket, request: bytes, descriptors: list[int], run: Callable[[WorkerStart], None]
) -> int:
    """The process id of a worker that is the supervisor's child by now. Raises OSError."""
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    try:
        between = os.fork()
        if between == 0:
            _fork_again(sock, (ours, theirs), request, descriptors, run)
        os.waitpid(between, 0)
        os.set_blocking(ours, False)
        answer = int(_read(ours) or -errno.EAGAIN)  # nothing: it was killed
    finally:
        os.close(ours)
        os.close(theirs)
    if answer < 0:
        raise OSError(-answer, os.strerror(-answer))
    return answer


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _ANSWER)
    except BlockingIOError:
        return b""


def _fork_again(
    sock: socket.socket,
    pipe: tuple[int, int],
    request: bytes,
    descriptors: list[int],
    run: Callable[[WorkerStart], None],
) -> None:
    """Never returns: what is below this on the stack is the fork server's."""
    exit_code = 1
    try:
        try:
            worker = os.fork()
        except OSError as error:
            os.write(pipe[1], str(-(error.errno or errno.EAGAIN)).encode())
            return
        if worker:
            os.write(pipe[1], str(worker).encode())
        else:
            sock.close()
            for descriptor in pipe:
                os.close(descriptor)
            control, counters, notices = descriptors
            start = msgspec.json.decode(request, type=WorkerStart)
            run(msgspec.structs.replace(start, control=control, counters=counters, notices=notices))
        exit_code = 0
    except SystemExit as leaving:
        exit_code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(exit_code)
