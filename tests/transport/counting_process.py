"""A worker that does nothing but count connections, for the tests of the counter page.

Arguments: descriptor, worker count, worker, slot, and what to do; see `main`. A line on standard input is the signal to start.
"""

from __future__ import annotations

import fcntl
import sys
import time
from ipaddress import ip_address

from gatepost.transport.counter_page import ConnectionCounter, CounterPage


def main() -> None:
    descriptor, rows, worker, slot = (int(text) for text in sys.argv[1:5])
    page = CounterPage(descriptor, rows)
    counter = ConnectionCounter(page, slot, worker)
    say("ready")
    sys.stdin.readline()
    match sys.argv[5:]:
        case ["admit", count]:  # as fast as it goes; prints how many were admitted
            say(str(sum(counter.admit() is None for _ in range(int(count)))))
        case ["churn", count]:  # admits and lets go; prints the largest sum that it saw while it had one admitted
            say(str(churn(page, counter, slot, int(count))))
        case ["hold-lock", count]:  # admits, then takes the lock and keeps it until it is killed
            for _ in range(int(count)):
                counter.admit()
            fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, 0)
            say("locked")
            time.sleep(600)
        case ["enter", address, cap, count]:  # as fast as it goes; prints how many of the address were let in
            octets = ip_address(address).packed
            say(str(sum(counter.enter_address(octets, int(cap)) is not None for _ in range(int(count)))))
        case ["come-and-go", addresses, cap, count]:  # in turn; prints how many were let in
            say(str(come_and_go(counter, addresses.split(","), int(cap), int(count))))
    sys.stdin.readline()


def churn(page: CounterPage, counter: ConnectionCounter, slot: int, count: int) -> int:
    admitted = 0
    for _ in range(count):
        if counter.admit() is None:
            admitted += 1
            counter.leave()
    return admitted


def come_and_go(counter: ConnectionCounter, addresses: list[str], cap: int, count: int) -> int:
    entered = 0
    for number in range(count):
        entry = counter.enter_address(ip_address(addresses[number % len(addresses)]).packed, cap)
        if entry is not None:
            entered += 1
            counter.leave_address(entry)
    return entered


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
