"""Bringing what runs back to what is stored: after a crash between the two, when certificates' files have changed, or when
somebody asks for it (SIGHUP)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import structs

from gatepost.compose.certificates_in_files import FilesRead, read_again
from gatepost.management.applying import ApplyError
from gatepost.management.certificate_files import read_files
from gatepost.management.recording import object_write, retention_of
from gatepost.management.stored_configuration import load_configuration
from gatepost.plan.certificate_files import files_of
from gatepost.plan.derive import derive
from gatepost.registry.certificate import CERTIFICATE, Certificate
from gatepost.registry.change import ChangeCause
from gatepost.registry.configuration import Configuration, ObjectRef
from gatepost.store.history import Author
from gatepost.store.interface import ConfigurationStore, Moved, ObjectWrite, StoreError
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.values.ids import Id
from gatepost.worker.applier import ChannelApplier


class Reconciler:
    """One per worker; the supervisor asks one of them, and each watches the files of certificates."""

    def __init__(self, store: ConfigurationStore, applier: ChannelApplier) -> None:
        self._store = store
        self._applier = applier
        self._task: asyncio.Task[None] | None = None
        self._has_to_look_again = False

    def start(self) -> None:
        """Look, in a task of its own. Where one is looking already, it looks once more: it may have seen the old state."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        else:
            self._has_to_look_again = True

    async def _run(self) -> None:
        self._has_to_look_again = True
        while self._has_to_look_again:
            self._has_to_look_again = False
            try:
                await self._reconcile()
            except Moved:
                self._has_to_look_again = True  # what was read is no longer so
            except (ApplyError, StoreError) as error:
                events.error(Event.PLAN_NOT_APPLIED, reason=str(error))

    async def _reconcile(self) -> None:
        async with self._applier.change() as change:
            revision, configuration = await load_configuration(self._store)
            files = await read_files(files_of(configuration.certificates.values()))
            read = read_again(configuration.certificates, files, change.running_plan.certificates, datetime.now(UTC))
            plan = derive(_with(configuration, read.changed), revision, read.pairs)
            is_running = structs.replace(plan, revision=change.running_plan.revision) == change.running_plan
            if not is_running and (failures := await change.prepare(plan, is_stored=True)):
                reasons = [failure.description for failure in failures]
                events.error(Event.PLAN_NOT_APPLIED, revision=revision, reasons=reasons)
                return
            if read.changed:
                writes = _writes(configuration.certificates, read.changed)
                retention = retention_of(configuration.settings, datetime.now(UTC))
                revision = await self._store.commit(writes, if_revision=revision, retention=retention)
            if not is_running:
                await change.activate(revision)
            _tell(configuration.certificates, read)


def _with(configuration: Configuration, changed: Mapping[Id, Certificate]) -> Configuration:
    for certificate_id, certificate in changed.items():
        configuration = configuration.replace(ObjectRef(CERTIFICATE.name, certificate_id), certificate)
    return configuration


def _writes(before: Mapping[Id, Certificate], changed: Mapping[Id, Certificate]) -> list[ObjectWrite]:
    author = Author(at=datetime.now(UTC), cause=ChangeCause.CERTIFICATE_FILE)
    return [object_write(author, CERTIFICATE, key, before[key], value) for key, value in changed.items()]


def _tell(before: Mapping[Id, Certificate], read: FilesRead) -> None:
    """One line for what has become of each certificate, and none for one whose state is as it was."""
    for certificate_id in read.loaded:
        certificate = read.changed.get(certificate_id, before[certificate_id])
        name, files = certificate.name or certificate_id, sorted(set(certificate.files or ()))
        until = None if certificate.not_valid_after is None else certificate.not_valid_after.isoformat()
        events.info(Event.CERTIFICATE_LOADED, certificate=name, files=files, not_valid_after=until)
    for certificate_id, certificate in read.changed.items():
        if certificate.file_problem is not None:
            served = "what was served before" if certificate_id in read.pairs else "another certificate"
            events.error(
                Event.CERTIFICATE_NOT_LOADED,
                certificate=certificate.name or certificate_id,
                reason=certificate.file_problem,
                served_meanwhile=served,
            )
