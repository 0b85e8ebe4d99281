"""Faults in the processes of a real server: put in front of its packages by `fault_injection`, read by Python as it starts.

A process looks for the file `<GATEPOST_FAULTS>/<its pid>` whenever a message goes over its channel. The file names one
moment and what happens then, and is removed when that has happened: `sends ActivateChange die`. Deeds: `die` (SIGKILL),
`stop` (SIGSTOP), `drop` (the message is lost), `break` (the channel is shut down), `note` (nothing: the test waits for the
moment). `builds TlsContext fail` is the moment of building a TLS context. While the file `no-tls` names a protocol, nobody can
build a context for it. Deadlines of the product are shortened, so that a test need not wait for minutes.
"""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any


def _strikes(moment: str) -> str | None:
    """The deed of this moment, once."""
    order = Path(os.environ["GATEPOST_FAULTS"]) / str(os.getpid())
    try:
        words = order.read_text().rpartition(" ")
    except FileNotFoundError:
        return None
    if words[0] != moment:
        return None
    order.unlink()
    return words[2]


def _is_lost(moment: str, sock: socket.socket) -> bool:
    """Whether the message must not go on its way."""
    match _strikes(moment):
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "drop":
            return True
        case "break":
            sock.shutdown(socket.SHUT_RDWR)
    return False


def _has_no_tls(protocol: str) -> bool:
    try:
        return (Path(os.environ["GATEPOST_FAULTS"]) / "no-tls").read_text() == protocol
    except FileNotFoundError:
        return False


def _put_faults_in() -> None:
    from gatepost.control import channel
    from gatepost.transport import tls_contexts

    send, deliver, build = channel.Channel.send, channel.Channel._deliver, tls_contexts._build

    def faulty_send(self: Any, message: Any, descriptors: Any = ()) -> None:
        if not _is_lost(f"sends {type(message).__name__}", self._sock):
            send(self, message, descriptors)

    def faulty_deliver(self: Any, payload: bytes, descriptors: list[int]) -> None:
        name = type(self._decoder.decode(payload)).__name__
        if _is_lost(f"receives {name}", self._sock):
            for descriptor in descriptors:
                os.close(descriptor)
        else:
            deliver(self, payload, descriptors)

    def faulty_build(policy: Any, protocol: Any, certificates: Any) -> Any:
        if _strikes("builds TlsContext") is not None or _has_no_tls(protocol.value):
            raise tls_contexts.UnusableTls("out of memory, says the test")
        return build(policy, protocol, certificates)

    channel.Channel.send = faulty_send  # type: ignore[method-assign]  # the point of this file
    channel.Channel._deliver = faulty_deliver  # type: ignore[method-assign]  # as above
    tls_contexts._build = faulty_build  # as above


def _shorten_deadlines() -> None:
    from gatepost.supervisor import changes, fleet
    from gatepost.worker import applier

    fleet._ANSWER_DEADLINE = 2.0
    fleet._LONG_LIFE = 0.0  # workers die in a row here, and each is replaced at once
    changes._TURN_DEADLINE = 3.0
    applier._TURN_DEADLINE = 4.0
    applier._ANSWER_DEADLINE = 3.0
    applier._ACTIVATION_DEADLINE = 6.0


if "GATEPOST_FAULTS" in os.environ:
    _put_faults_in()
    _shorten_deadlines()
