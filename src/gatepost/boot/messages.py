"""What the boot process is asked, and what it answers. JSON in its environment, MessagePack on its standard output."""

from __future__ import annotations

import msgspec

from gatepost.plan.plan import Plan

ENVIRONMENT_VARIABLE = "GATEPOST_BOOT"


class BootRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is known before the store is open. `plan_descriptors`: those of `plan_files`, where they are open
    already, or None. `admin`: `user:password` from the environment, or None."""

    database: str  # a URL, or the data directory
    data_directory: str
    plan_files: tuple[str, ...]
    plan_descriptors: tuple[int | None, ...] = ()
    is_demo: bool
    is_upgrade: bool = False  # another server runs on this store: bring its schema up to date, change nothing else
    admin: str | None


class BootAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`plan` with `notes` for standard output, or `problems` with the exit code that they mean."""

    plan: Plan | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    exit_code: int = 0
