"""The boot process: from a data directory and some options to the first plan."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gatepost.boot.first_objects import FirstObjects
from gatepost.boot.messages import BootAnswer, BootRequest
from gatepost.management.stored_configuration import load_configuration
from gatepost.plan.derive import derive
from gatepost.plan.plan import Plan
from gatepost.store.interface import StoreError
from gatepost.store.migrate import migrate
from gatepost.store.sql_store import SqlStore

_RUN_TIME_FAILURE, _WRONG_CONFIGURATION = 1, 2


def boot(request: BootRequest) -> BootAnswer:
    """Do everything that comes before the sockets. Blocks."""
    try:
        migrate(request.database)
        return asyncio.run(_boot(request))
    except StoreError as error:
        return BootAnswer(problems=(f"the store cannot be used: {error}",), exit_code=_RUN_TIME_FAILURE)


async def _boot(request: BootRequest) -> BootAnswer:
    store = SqlStore.open(request.database)
    try:
        first = await FirstObjects.begin(store)
        await _add_what_is_missing(first, request)
        problems = await _apply_plan_files(store, request)
        if problems:
            return BootAnswer(problems=problems, exit_code=_WRONG_CONFIGURATION)
        return BootAnswer(plan=await stored_plan(store), notes=tuple(first.notes))
    finally:
        await store.close()


async def _add_what_is_missing(first: FirstObjects, request: BootRequest) -> None:
    is_first_start = first.is_first_start
    first.settings()
    first.self_signed_certificate()
    if request.is_demo:
        await first.demonstration(Path(request.data_directory), has_admin=request.admin is not None)
    if request.admin is not None or not request.is_demo:
        first.admin(request.admin)
    if is_first_start and not request.plan_files:
        first.listeners(is_demo=request.is_demo)
    await first.save()


async def _apply_plan_files(store: SqlStore, request: BootRequest) -> tuple[str, ...]:
    if not request.plan_files:
        return ()
    from gatepost.boot.plan_files import NothingRuns, apply_plan_files
    from gatepost.management.local_calls import LocalCalls

    calls = LocalCalls(store.configuration, NothingRuns(await stored_plan(store)), store.mail.delete_account)
    paths = [Path(path) for path in request.plan_files]
    return await apply_plan_files(paths, calls)


async def stored_plan(store: SqlStore) -> Plan:
    """The plan of what is stored."""
    revision, configuration = await load_configuration(store.configuration)
    return derive(
        revision=revision,
        settings=configuration.settings,
        listeners=configuration.listeners,
        certificates=configuration.certificates,
    )
