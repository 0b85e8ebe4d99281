"""What is wrong with a script."""

from __future__ import annotations


class SieveError(ValueError):
    """A fault in a script: `line` counts from 1; `text` is for the person who wrote the script."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line}: {text}")
        self.line = line
        self.text = text
