"""A store that lives as long as an embedded mail server: a directory that is removed with everything in it."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from gatepost.management.recording import object_write
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.change import ChangeCause
from gatepost.registry.configuration import Configuration
from gatepost.store.history import Author
from gatepost.store.interface import ObjectWrite
from gatepost.store.sql.dialect import DATABASE_FILE

_MEMORY = Path("/dev/shm")  # noqa: S108 - tmpfs (shm_overview(7)): nothing is to survive, so nothing has to wait for a disk
_only_one = threading.Lock()


@contextmanager
def temporary_store() -> Iterator[Path]:
    """A data directory with an empty store in it. Blocks for some ten milliseconds the first time in a process."""
    with _only_one:  # several servers may be started at once, in several threads
        empty = _empty_database()
    with tempfile.TemporaryDirectory(
        prefix="gatepost-embedded-", dir=_place(), ignore_cleanup_errors=True
    ) as directory:
        (Path(directory) / DATABASE_FILE).write_bytes(empty)
        yield Path(directory)


@cache
def _empty_database() -> bytes:
    """The file of an empty store."""
    from gatepost.store.migrate import migrate  # the database library is loaded for this alone

    with tempfile.TemporaryDirectory(prefix="gatepost-embedded-", dir=_place()) as directory:
        migrate(directory)
        return (Path(directory) / DATABASE_FILE).read_bytes()


def _place() -> Path | None:
    """Memory where there is some, else where temporary files are."""
    return _MEMORY if os.access(_MEMORY, os.R_OK | os.W_OK | os.X_OK) else None


def writes_of(configuration: Configuration) -> list[ObjectWrite]:
    """All objects, as a store takes them."""
    author = Author(at=datetime.now(UTC), cause=ChangeCause.PROGRAM)
    return [
        object_write(author, object_type, object_id, None, value)
        for name, object_type in OBJECT_TYPES.items()
        for object_id, value in configuration.objects[name].items()
    ]
