"""What commands print: tables and lines for people, JSON for programs; results on stdout, errors on stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gatepost.cli.progress import ProgressBar
from gatepost.cli.standard_streams import write_utf8
from gatepost.config.object_shape import ObjectShape, PropertyShape
from gatepost.values.duration import format_duration

_UNBOUNDED_WIDTH = 10_000  # into a pipe or file a line stays one line
_LONGEST_WORD = 40  # that is not broken, in columns of the terminal
_GAP = 3  # between the columns of a table
_NOTHING = "-"
_ORDER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # controls but tab and line end; bidi


class Output:
    """Prints for people or, with `is_json`, for programs; a command gives both and does not ask which is wanted."""

    def __init__(self, *, is_json: bool = False, has_color: bool = True) -> None:
        self.is_json = is_json
        self._console = _console(has_color, is_error=False)
        self._errors = _console(has_color, is_error=True)

    def result(self, value: Any) -> None:
        """The whole result as one JSON document; nothing without --json."""
        if self.is_json:
            write_utf8(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def line(self, text: str, style: str = "") -> None:
        """A line for people."""
        if not self.is_json:
            self._console.print(_text(text, style))

    def paragraph(self, text: str, *, indent: int) -> None:
        """Text for people, all its lines indented."""
        if not self.is_json:
            self._console.print(Padding(_text(text), (0, 0, 0, indent), expand=False))

    def plain(self, text: str) -> None:
        """Text that another program will read as it is, without --json too."""
        write_utf8(text)

    def document(self, value: Any) -> None:
        """One of many results, as JSON on a line of its own; nothing without --json."""
        if self.is_json:
            write_utf8(json.dumps(value, ensure_ascii=False) + "\n")
            sys.stdout.flush()

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table for people."""
        if not self.is_json:
            self._console.print(_table(titles, rows, self._console.width), crop=False)

    @contextmanager
    def redrawn(self) -> Iterator[Callable[[Sequence[str], Iterable[Sequence[str]], str], None]]:
        """A way to print a table with a line below it that, on a terminal, takes the place of the one before."""
        if self.is_json or not self._console.is_terminal or self._console.is_dumb_terminal:
            yield self._print_below
            return
        from rich.console import Group
        from rich.live import Live

        with Live(console=self._console, auto_refresh=False) as live:
            yield lambda titles, rows, text: live.update(
                Group(_table(titles, rows, self._console.width), _text(text)), refresh=True
            )

    def _print_below(self, titles: Sequence[str], rows: Iterable[Sequence[str]], text: str) -> None:
        self.table(titles, rows)
        self.line(text)

    def pairs(self, rows: Iterable[tuple[str, str]]) -> None:
        """Names and values, one a line, for people."""
        if self.is_json:
            return
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(_text(name), _text(value))
        self._console.print(table)

    def progress(self, title: str) -> ProgressBar:
        """A bar, on a terminal."""
        return ProgressBar(self._console, title, is_wanted=not self.is_json)

    def error(self, lines: Iterable[str]) -> None:
        """Lines on stderr, the first one marked as an error."""
        for position, text in enumerate(lines):
            prefix = Text("error: ", style="bold red") if position == 0 else Text("  ")
            self._errors.print(prefix + _text(text))

    def warning(self, text: str) -> None:
        """A line on stderr that does not end the command."""
        self._errors.print(Text("warning: ", style="bold yellow") + _text(text))


def _text(text: str, style: str = "") -> Text:
    """What clients and others have written may end up here: it must not give orders to a terminal, or turn text around."""
    return Text(_ORDER.sub(lambda found: found[0].encode("unicode_escape").decode(), text), style=style)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], width: int) -> Table:
    """No word of it is broken: an address or an id in pieces cannot be read, or copied. Where that is too much for the
    terminal, lines are longer than it."""
    cells = [[_text(cell) for cell in row] for row in (titles, *rows)]
    widths = _column_widths(cells, width)
    whole = sum(widths) + _GAP * (len(widths) - 1)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, width=whole)
    for title, column_width in zip(cells[0], widths, strict=True):
        table.add_column(title, overflow="fold", width=column_width)
    for row in cells[1:]:
        table.add_row(*row)
    return table


def _column_widths(rows: Sequence[Sequence[Text]], width: int) -> list[int]:
    """Each as wide as its longest line where all fit, else as its longest word and a share of what is left."""
    columns = [[cell.plain for cell in column] for column in zip(*rows, strict=True)]
    most = [max(cell_len(line) for text in column for line in text.split("\n")) for column in columns]
    words = [max((cell_len(word) for text in column for word in text.split()), default=0) for column in columns]
    least = [min(longest, _LONGEST_WORD) for longest in words]
    spare = max(0, width - sum(least) - _GAP * (len(columns) - 1))
    wanted = [full - needed for full, needed in zip(most, least, strict=True)]
    if sum(wanted) <= spare:
        return most
    return [needed + spare * more // sum(wanted) for needed, more in zip(least, wanted, strict=True)]


def _console(has_color: bool, *, is_error: bool) -> Console:
    stream = sys.stderr if is_error else sys.stdout
    width = None if stream.isatty() else _UNBOUNDED_WIDTH
    return Console(
        file=stream,
        no_color=None if has_color else True,
        highlight=False,
        markup=False,
        width=width,
        soft_wrap=is_error,
    )


def value_text(declared: PropertyShape | None, value: Any) -> str:
    """A wire value for people: durations as `1m`, sets as a list, null as a dash."""
    match value:
        case None:
            return _NOTHING
        case True | False:
            return "yes" if value else "no"
        case int() if declared is not None and declared.is_duration:
            return format_duration(value)
        case {} if declared is not None and declared.is_set:
            return ", ".join(value) or _NOTHING
        case str() | int() | float():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def counted(number: int, thing: str) -> str:
    """`1 operation`, `2 operations`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def object_rows(shape: ObjectShape, item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The properties of an object, the id first, then in the order of the schema, then what the schema does not know."""
    names = ["id", *shape.properties, *(name for name in item if name not in shape.properties and name != "id")]
    return [(name, value_text(shape.properties.get(name), item[name])) for name in names if name in item]
