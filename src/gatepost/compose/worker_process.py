"""A worker process: the store, the sessions, the management API and the worker that carries them, joined."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Collection
from functools import partial
from pathlib import Path

import uvloop

from gatepost.compose.mail_sessions import give_mail_sessions
from gatepost.control.notices import receive_notices
from gatepost.control.worker_start import WorkerStart
from gatepost.management.state_watch import StateWatch
from gatepost.plan.plan import DRAIN_TIMEOUT_AT_EXIT
from gatepost.session.mailbox_watch import MailboxWatch
from gatepost.store.sql_store import SqlStore
from gatepost.supervisor.early_signals import leave_signals_to_the_supervisor
from gatepost.telemetry import events
from gatepost.telemetry.access_log import LineAccessLog
from gatepost.transport.counter_page import CounterPage
from gatepost.values.ids import Id
from gatepost.worker.file_watch import watch_files
from gatepost.worker.worker import Worker


def run_worker(start: WorkerStart) -> None:
    """Serve until the supervisor says drain. In a process that was forked from one that has loaded this."""
    Path("/proc/self/comm").write_text("gatepost-worker")  # what ps(1) and top(1) show
    events.configure(
        log_format=str(start.settings["log_format"]),
        log_level=str(start.settings["log_level"]),
        process=_process_name(start),
    )
    leave_signals_to_the_supervisor()
    uvloop.run(_work(start))


async def _work(start: WorkerStart) -> None:
    worker = Worker(socket.socket(fileno=start.control), CounterPage(start.counters, start.counter_rows), start.row)
    if events.is_logged("info"):
        worker.access_log = LineAccessLog(log_format=str(start.settings["log_format"]), process=_process_name(start))
    watch = MailboxWatch(worker.neighbours.tell)
    state_watch = StateWatch(worker.neighbours.tell)
    receive_notices(socket.socket(fileno=start.notices), partial(_changed_elsewhere, watch, state_watch))
    store = SqlStore.open(
        str(start.settings["database"]),
        on_mailboxes_changed=watch.changed_here,
        on_types_changed=state_watch.changed_here,
    )
    await give_mail_sessions(worker, store, watch, state_watch)
    beside = (
        asyncio.create_task(watch_files(lambda: _watched_files(worker), worker.reconcile)),
        asyncio.create_task(store.make_room()),
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _drain, worker)
    gc.collect()
    gc.set_threshold(10_000, 20, 20)  # connections leave no cycles behind, so there is little to find
    gc.freeze()  # what is loaded now lives as long as the process: the collector need not look at it again
    asyncio.get_running_loop().set_exception_handler(events.loop_error)
    worker.begin()
    try:
        await worker.is_finished.wait()
    finally:
        for task in beside:
            task.cancel()
        worker.byte_meter.stop()
        await store.close()
        worker.access_log.flush()


def _changed_elsewhere(mailboxes: MailboxWatch, states: StateWatch, names: Collection[Id]) -> None:
    mailboxes.changed_elsewhere(names)
    states.changed_elsewhere(names)


def _watched_files(worker: Worker) -> tuple[str, ...]:
    return () if worker.plan is None or worker.is_retiring else worker.plan.watched_files


def _process_name(start: WorkerStart) -> str:
    return f"worker-{start.index + 1}"


def _drain(worker: Worker) -> None:
    plan = worker.plan
    worker.drain(DRAIN_TIMEOUT_AT_EXIT if plan is None else plan.drain_timeout_at_exit)
