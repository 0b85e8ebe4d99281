"""Clients that connect without a pause, in a process of their own, and say what failed."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

_THREADS = 4


def main(host: str, port: int) -> None:
    """Connect until standard input ends; then print how many connections succeeded, and each failure."""
    stop = threading.Event()
    succeeded: list[int] = []
    failures: list[str] = []

    def connect() -> None:
        count = 0
        while not stop.is_set():
            try:
                with socket.create_connection((host, port), timeout=20) as sock:
                    if sock.recv(2) != b"ok":
                        failures.append("closed without a word")
                count += 1
            except OSError as error:
                failures.append(repr(error))
        succeeded.append(count)

    threads = [threading.Thread(target=connect) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    sys.stdout.write("\n".join([str(sum(succeeded)), *failures]))


class ConnectLoop:
    """`with ConnectLoop(host, port) as loop:`; afterwards `loop.succeeded` and `loop.failures` are known."""

    def __init__(self, host: str, port: int) -> None:
        self._command = [sys.executable, __file__, host, str(port)]
        self.succeeded = 0
        self.failures: list[str] = []

    def __enter__(self) -> ConnectLoop:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *exception: object) -> None:
        output, _ = self._process.communicate(timeout=60)
        lines = output.splitlines()
        self.succeeded, self.failures = int(lines[0]), lines[1:]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
