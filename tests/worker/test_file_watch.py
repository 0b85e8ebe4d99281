"""Watching files by looking at them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.transport.loopback import until

from gatepost.worker.file_watch import watch_files

INTERVAL = 0.01


class Watched:
    """The paths that are watched, and how often a change was told."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.told = 0
        self.looks = 0
        self.growing: Path | None = None

    def wanted(self) -> list[str]:
        self.looks += 1
        if self.growing is not None:
            with self.growing.open("a") as file:
                file.write("x")
        return self.paths

    def changed(self) -> None:
        self.told += 1

    async def until_told(self, count: int) -> None:
        await until(lambda: self.told == count)

    async def some_looks(self, count: int = 6) -> None:
        enough = self.looks + count
        await until(lambda: self.looks >= enough)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    made = Watched()
    task = asyncio.create_task(watch_files(made.wanted, made.changed, INTERVAL))
    yield made
    task.cancel()


async def test_without_files_nothing_is_ever_told(watched: Watched) -> None:
    await watched.some_looks()
    assert watched.told == 0


async def test_files_are_told_once_at_first_and_then_at_each_change(watched: Watched, tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    file.write_text("one")
    watched.paths = [str(file)]
    await until(lambda: watched.told == 1)
    await watched.some_looks()
    assert watched.told == 1
    for count, text in enumerate(("two!", "three", "four!!"), 2):
        file.write_text(text)
        await watched.until_told(count)


async def test_a_file_that_goes_and_comes_back_is_a_change_each_time(watched: Watched, tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    watched.paths = [str(file)]
    await until(lambda: watched.told == 1)
    file.write_text("one")
    await until(lambda: watched.told == 2)
    file.unlink()
    await until(lambda: watched.told == 3)


async def test_a_link_that_leads_elsewhere_is_a_change(watched: Watched, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("the same")
    (tmp_path / "live").symlink_to("a")
    watched.paths = [str(tmp_path / "live")]
    await until(lambda: watched.told == 1)
    (tmp_path / "next").symlink_to("b")
    (tmp_path / "next").rename(tmp_path / "live")
    await until(lambda: watched.told == 2)


async def test_a_file_that_is_being_written_is_told_when_it_is_at_rest(watched: Watched, tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    file.write_text("")
    watched.paths = [str(file)]
    await watched.until_told(1)
    watched.growing = file  # at every look it is another than at the one before
    await watched.some_looks(20)
    assert watched.told == 1
    watched.growing = None
    await watched.until_told(2)


async def test_files_that_are_no_longer_watched_are_not_told(watched: Watched, tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    file.write_text("one")
    watched.paths = [str(file)]
    await until(lambda: watched.told == 1)
    watched.paths = []
    await watched.some_looks()
    file.write_text("other")
    await watched.some_looks()
    assert watched.told == 1
