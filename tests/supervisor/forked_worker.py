"""A fork server whose workers do what their settings say: `{"do": "exit 3" | "descriptors" | "wait" | "fail"}`."""

from __future__ import annotations

import os
import socket
import sys
import time

from gatepost.control.forking import ENVIRONMENT_VARIABLE, serve_requests
from gatepost.control.worker_start import WorkerStart


def work(start: WorkerStart) -> None:
    control = socket.socket(fileno=start.control)
    match str(start.settings["do"]).split():
        case ["exit", code]:
            sys.exit(int(code))
        case ["descriptors"]:
            kinds = [os.readlink(f"/proc/self/fd/{number}") for number in range(256) if _is_open(number)]  # noqa: PTH115 - descriptors
            control.send("\n".join(kinds).encode())
        case ["fail"]:
            raise ZeroDivisionError
        case ["wait"]:
            control.send(b"here")
            time.sleep(600)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    serve_requests(socket.socket(fileno=int(os.environ.pop(ENVIRONMENT_VARIABLE))), work)
