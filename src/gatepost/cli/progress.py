"""A bar for work that takes a while: on a terminal, for people, where there is much to do. Nothing elsewhere. Called by apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_WORTH_A_BAR = 20  # steps; fewer are over before anybody has read it


class ProgressBar:
    """Use it as a context manager. Lines that are printed to the same console meanwhile stand above the bar."""

    def __init__(self, console: Console, title: str, *, is_wanted: bool) -> None:
        self._console = console
        self._title = title
        self._is_wanted = is_wanted and console.is_terminal
        self._bar: Progress | None = None

    def start(self, steps: int) -> None:
        """The work is known: so many steps."""
        if not self._is_wanted or steps < _WORTH_A_BAR:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._bar.add_task(self._title, total=steps)
        self._bar.start()

    def advance(self) -> None:
        """A step is done."""
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0])

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
