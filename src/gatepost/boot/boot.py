"""The boot process: from a data directory and some options to the first plan."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gatepost.boot.administrator import Administrator, UnfitAdministratorError
from gatepost.boot.first_objects import FirstObjects
from gatepost.boot.messages import BootAnswer, BootRequest
from gatepost.config.plan_file import Operation, PlanError
from gatepost.config.read_plans import UnreadablePlanError, read_plans
from gatepost.management.certificate_files import read_files
from gatepost.management.stored_configuration import load_configuration
from gatepost.plan.certificate_files import files_of, pairs_in_use
from gatepost.plan.derive import derive
from gatepost.plan.plan import Plan
from gatepost.store.interface import StoreError, WrongLocation
from gatepost.store.migrate import migrate
from gatepost.store.sql_store import SqlStore

_RUN_TIME_FAILURE, _WRONG_CONFIGURATION = 1, 2


def boot(request: BootRequest) -> BootAnswer:
    """Do everything that comes before the sockets. Blocks. What cannot be read is told before anything is stored."""
    try:
        operations = read_plans(request.plan_files, request.plan_descriptors)
        admin = None if request.admin is None else Administrator.parse(request.admin)
        refused = _refused_directory(request)
        if refused is not None:
            return BootAnswer(problems=(refused,), exit_code=_RUN_TIME_FAILURE)
        migrate(request.database)
        return asyncio.run(_boot(request, operations, admin))
    except PlanError as error:
        return _wrong_configuration(*(str(problem) for problem in error.problems))
    except UnreadablePlanError as error:
        return _wrong_configuration(str(error))
    except UnfitAdministratorError as error:
        return _wrong_configuration(f"GATEPOST_ADMIN: {error}")
    except WrongLocation as error:
        return _wrong_configuration(f"GATEPOST_DATABASE_URL: {error}")
    except StoreError as error:
        return BootAnswer(problems=(f"the store cannot be used: {error}",), exit_code=_RUN_TIME_FAILURE)


def _refused_directory(request: BootRequest) -> str | None:
    """Words for a data directory that another user's is: this process has no capability, so root is no exception."""
    directory = Path(request.data_directory)
    if request.database != request.data_directory or not directory.is_dir():
        return None
    number = directory.stat().st_uid
    if number == os.geteuid() or os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return None
    owner, here = _user_name(number), _user_name(os.geteuid())
    who = "root" if number == 0 else f"{owner} (as root: --run-as {owner})"
    advice = f"start the server as {who}, or give it away: chown -R {here} {directory}"
    return f"the data directory {directory} belongs to {owner}, and the server runs as {here}, who may not write it: {advice}"


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _wrong_configuration(*problems: str, notes: Sequence[str] = ()) -> BootAnswer:
    return BootAnswer(problems=problems, notes=tuple(notes), exit_code=_WRONG_CONFIGURATION)


async def _boot(request: BootRequest, operations: Sequence[Operation], admin: Administrator | None) -> BootAnswer:
    store = SqlStore.open(request.database)
    try:
        if request.is_upgrade:
            return BootAnswer(plan=await stored_plan(store))
        first = await FirstObjects.begin(store)
        await _add_what_is_missing(first, request, admin)
        problems = await _apply(operations, store, first.notes)
        if problems:
            return _wrong_configuration(*problems, notes=first.notes)
        plan = await stored_plan(store)
        if not plan.listeners:
            first.notes.append("there is no listener, so nobody can connect: give a plan with one (--plan)")
        return BootAnswer(plan=plan, notes=tuple(first.notes))
    finally:
        await store.close()


async def _add_what_is_missing(first: FirstObjects, request: BootRequest, admin: Administrator | None) -> None:
    first.settings()
    first.self_signed_certificate()
    if request.is_demo:
        first.demonstration(Path(request.data_directory), has_admin=admin is not None)
    if admin is not None or not request.is_demo:
        first.admin(admin)
    if not first.had_listeners and not request.plan_files:
        first.listeners(is_demo=request.is_demo)
    await first.save()


async def _apply(operations: Sequence[Operation], store: SqlStore, notes: list[str]) -> tuple[str, ...]:
    if not operations:
        return ()
    from gatepost.boot.plan_files import NothingRuns, apply_operations
    from gatepost.management.local_calls import LocalCalls

    calls = LocalCalls(store.configuration, NothingRuns(await stored_plan(store)), store.mail.delete_account)
    return await apply_operations(operations, calls, notes)


async def stored_plan(store: SqlStore) -> Plan:
    """The plan of what is stored. A certificate whose files cannot be used is not in it; the workers look again when they
    start, say what is wrong, and serve it as soon as it is right."""
    revision, configuration = await load_configuration(store.configuration)
    certificates = configuration.certificates
    files = await read_files(files_of(certificates.values()))
    return derive(configuration, revision, pairs_in_use(certificates, files, (), datetime.now(UTC)))
