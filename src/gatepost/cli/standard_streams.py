"""Standard input, output and error as a command finds them: closed, full, or without UTF-8. Called by main and the commands."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from gatepost.cli.failure import FAILED

_STANDARD = ("stdin", "stdout", "stderr")


def prepare_streams() -> None:
    """What is closed leads to /dev/null, and letters that the terminal does not have are written as escapes.

    A closed descriptor would be the next socket's, which would then get what is printed.
    """
    for descriptor, name in enumerate(_STANDARD):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number, so this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def write_utf8(text: str) -> None:
    """To standard output, for a program: in UTF-8 whatever the locale says, as JSON is exchanged (RFC 8259 section 8.1)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)


@contextmanager
def results_written() -> Iterator[None]:
    """Results that cannot be written end the command: with the reason, or silently where a reader has what it wanted."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # lives until exit, which flushes it
        if not isinstance(error, BrokenPipeError):
            typer.echo(f"error: standard output: {error.strerror}", err=True)
        raise typer.Exit(FAILED) from None
