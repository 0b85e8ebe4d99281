"""Files are read to their end or not at all, and nothing that stands at a path can hold the server up."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from gatepost.management.certificate_files import read_files
from gatepost.registry.file_path import Unreadable


async def test_texts_come_by_path(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("first\n")
    other.write_bytes(b"\xff")
    assert await read_files([str(one), str(other)]) == {str(one): "first\n", str(other): "\N{REPLACEMENT CHARACTER}"}
    assert await read_files([]) == {}


async def test_why_a_file_is_not_read_is_said(tmp_path: Path) -> None:
    fifo, big, loop = tmp_path / "fifo", tmp_path / "big", tmp_path / "loop"
    os.mkfifo(fifo)
    big.write_bytes(b"x" * (256 * 1024 + 1))
    loop.symlink_to(loop)
    paths = [str(each) for each in (tmp_path / "none", tmp_path, fifo, big, loop)] + ["/dev/zero"]
    read = await asyncio.wait_for(read_files(paths), 20)
    assert [each.reason if isinstance(each, Unreadable) else each for each in read.values()] == [
        "No such file or directory (ENOENT)",
        "is not a regular file",
        "is not a regular file",
        "has more than 262144 octets",
        "Too many levels of symbolic links (ELOOP)",
        "is not a regular file",
    ]


async def test_the_largest_file_is_read_whole(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"x" * (256 * 1024))
    assert await read_files([str(big)]) == {str(big): "x" * (256 * 1024)}


async def test_a_file_that_may_not_be_read_says_who_has_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(path: str, _flags: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr("gatepost.management.certificate_files.os.open", deny)
    (read,) = (await read_files(["/etc/ssl/private/mail.key"])).values()
    assert isinstance(read, Unreadable)
    assert read.reason.startswith("Permission denied (EACCES); the user that the workers run as")


async def test_a_file_system_that_does_not_answer_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()

    def hang(path: str, _flags: int) -> int:
        is_over.wait(30)
        raise FileNotFoundError(errno.ENOENT, "", path)

    monkeypatch.setattr("gatepost.management.certificate_files.os.open", hang)
    monkeypatch.setattr("gatepost.management.certificate_files._DEADLINE", 0.05)
    assert await read_files(["/mnt/a", "/mnt/b"]) == dict.fromkeys(
        ("/mnt/a", "/mnt/b"), Unreadable("could not be read within 0.05 s")
    )
    is_over.set()
