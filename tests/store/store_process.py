"""A program of its own that uses a store, for tests that need another process or one that dies.

store_process.py append DIRECTORY ACCOUNT COUNT     append COUNT messages (0: for ever), 8 at a time; says each uid
store_process.py lock DIRECTORY ACCOUNT             hold the maildrop lock until standard input ends; says `locked`
store_process.py turn FILE                          take the turn to write until standard input ends; says `taken`
store_process.py migrate DIRECTORY                  migrate; says `migrated`
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from gatepost.store.interface import NewMessage, ObjectWrite
from gatepost.store.migrate import migrate
from gatepost.store.sql.write_turn import WriteTurn
from gatepost.store.sql_store import SqlStore
from gatepost.values.ids import Id


def say(words: str) -> None:
    os.write(1, words.encode() + b"\n")


async def append(directory: str, account: str, count: int) -> None:
    store = SqlStore.open(directory)
    await store.configuration.commit([ObjectWrite("Account", Id(account), {"name": account})])
    inbox = await store.mail.mailbox(Id(account), "INBOX")
    assert inbox is not None
    numbers = iter(range(count or sys.maxsize))

    async def one_after_the_other() -> None:
        for number in numbers:
            content = f"{os.getpid()} {number}".encode()
            (uid,) = await store.mail.append([NewMessage(inbox.id, content)])
            say(f"{uid} {content.decode()}")

    await asyncio.gather(*(one_after_the_other() for _ in range(8)))
    await store.close()


async def lock(directory: str, account: str) -> None:
    store = SqlStore.open(directory)
    async with store.mail.maildrop_lock(Id(account)):
        say("locked")
        sys.stdin.read()
    await store.close()


def turn(file: str) -> None:
    WriteTurn(Path(file), patience_s=10).take()
    say("taken")
    sys.stdin.read()


def main(command: str, *words: str) -> None:
    match command:
        case "append":
            asyncio.run(append(words[0], words[1], int(words[2])))
        case "lock":
            asyncio.run(lock(*words))
        case "turn":
            turn(*words)
        case "migrate":
            migrate(words[0])
            say("migrated")


if __name__ == "__main__":
    main(*sys.argv[1:])
