"""A worker that does nothing but fail, for the tests of the table of failures.

Arguments: descriptor, rows, and what to do; see `main`. A line on standard input is the signal to start.
"""

from __future__ import annotations

import sys
import time

from gatepost.transport.counter_page import CounterPage
from gatepost.transport.failures_by_key import FailuresByKey


def main() -> None:
    failures = CounterPage(*(int(text) for text in sys.argv[1:3])).failures
    say("ready")
    sys.stdin.readline()
    match sys.argv[3:]:
        case ["fail", count, *keys]:  # each key as often, as fast as it goes
            for _ in range(int(count)):
                for key in keys:
                    fail(failures, key.encode())
        case ["hold"]:  # takes the lock, and keeps it until it is killed
            with failures.held():
                say("held")
                time.sleep(600)
    say("done")
    sys.stdin.readline()


def fail(failures: FailuresByKey, key: bytes) -> None:
    """Each failure makes its key wait a second longer."""
    with failures.held():
        record = failures.add(key, 0.0, -1.0)
        failures.set_free_at(record, failures.free_at(record) + 1.0)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
