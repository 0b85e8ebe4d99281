"""A worker that does nothing but count connections, for the tests of the counter page.

Arguments: descriptor, worker count, worker, slot, and what to do; see `main`. A line on standard input is the signal to start.
"""

from __future__ import annotations

import fcntl
import mmap
import random
import select
import sys
import time
from ipaddress import ip_address

from gatepost.transport import counts_by_key
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
        case ["witnessed", witness, addresses, cap, seed]:  # comes and goes at random until a line on standard input
            say(" ".join(map(str, witnessed(counter, int(witness), worker, addresses.split(","), int(cap), int(seed)))))
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


def witnessed(
    counter: ConnectionCounter, witness: int, worker: int, addresses: list[str], cap: int, seed: int
) -> tuple[int, int, int]:
    """How often an address was let in and refused, and the most connections that one ever had, as the witness saw it: a file
    with a cell for each worker and address, read and written under a lock of its own, which the counts know nothing of."""
    # All addresses share a bucket, and there are more of them than slots.
    counts_by_key._BUCKETS, counts_by_key._ENTRIES = 1, counts_by_key._SLOTS
    octets = [ip_address(each).packed for each in addresses]
    choose = random.Random(seed)
    held: list[tuple[int, int]] = []  # address and entry
    seen = mmap.mmap(witness, 0)
    say("going")
    let_in = refused = most = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        if held and choose.random() < 0.5:
            which, entry = held.pop(choose.randrange(len(held)))
            note(witness, seen, worker * len(octets) + which, -1, len(octets))
            counter.leave_address(entry)
            continue
        which = choose.randrange(len(octets))
        mine = counter.enter_address(octets[which], cap)
        if mine is None:
            refused += 1
            continue
        let_in += 1
        held.append((which, mine))
        most = max(most, note(witness, seen, worker * len(octets) + which, 1, len(octets))[which])
    for which, entry in held:
        note(witness, seen, worker * len(octets) + which, -1, len(octets))
        counter.leave_address(entry)
    return let_in, refused, most


def note(witness: int, seen: mmap.mmap, cell: int, step: int, addresses: int) -> list[int]:
    """Write it down; how many connections each address has now."""
    fcntl.lockf(witness, fcntl.LOCK_EX)
    try:
        seen[cell] += step
        return [sum(seen[which::addresses]) for which in range(addresses)]
    finally:
        fcntl.lockf(witness, fcntl.LOCK_UN)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
