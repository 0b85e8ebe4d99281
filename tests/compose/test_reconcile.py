"""What runs is brought to what is stored and what stands in the files of certificates; nothing is done where nothing differs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs
from structlog.testing import capture_logs
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key

from gatepost.boot.boot import stored_plan
from gatepost.compose.reconcile import Reconciler
from gatepost.management.applying import ApplyFailure
from gatepost.plan.plan import Plan
from gatepost.registry.certificate import CERTIFICATE, Certificate
from gatepost.registry.change import ChangeCause
from gatepost.store.history import Retention
from gatepost.store.interface import ObjectWrite
from gatepost.store.migrate import migrate
from gatepost.store.sql_store import SqlStore
from gatepost.values.ids import Id
from gatepost.worker.applier import ChannelApplier

ID = Id("c0000000000")


class Server:
    """Runs whatever plan it is given; the port that the reconciler changes it by."""

    def __init__(self, plan: Plan) -> None:
        self.running_plan = plan
        self.turns = 0
        self.activated: list[int] = []
        self.failures: list[ApplyFailure] = []
        self.questions: list[Callable[[], None]] = []  # that come in the middle of the next turn
        self._prepared = plan

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Server]:
        self.turns += 1
        questions, self.questions = self.questions, []
        for ask in questions:
            ask()
        yield self

    async def prepare(self, plan: Plan, *, is_stored: bool = False) -> Sequence[ApplyFailure]:
        assert is_stored
        self._prepared = plan
        return self.failures

    async def activate(self, revision: int) -> None:
        self.activated.append(revision)
        self.running_plan = structs.replace(self._prepared, revision=revision)


class World:
    """A store with one certificate in files, and a server that runs what is stored."""

    def __init__(self, store: SqlStore, server: Server, directory: Path) -> None:
        self.store = store
        self.server = server
        self.directory = directory
        self.reconciler = Reconciler(store.configuration, cast(ChannelApplier, server))

    async def reconcile(self) -> list[dict[str, Any]]:
        """Look once; what was logged."""
        with capture_logs() as logged:
            self.reconciler.start()
            await self.finished()
        return cast(list[dict[str, Any]], logged)

    async def finished(self) -> None:
        task = self.reconciler._task
        assert task is not None
        await asyncio.wait_for(task, 20)

    async def stored(self) -> Certificate:
        (row,) = await self.store.configuration.read_objects(CERTIFICATE.name)
        return CERTIFICATE.from_stored(row.value)


def write_pair(directory: Path, days: int = 30) -> str:
    key, now = new_key(), datetime.now(UTC)
    made = new_certificate(
        "a.example", key, (now - timedelta(days=1), now + timedelta(days=days)), names=("a.example",)
    )
    (directory / "chain.pem").write_text(certificate_pem(made))
    (directory / "key.pem").write_text(key_pem(key))
    return certificate_pem(made)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    write_pair(tmp_path)
    migrate(str(tmp_path))
    store = SqlStore.open(str(tmp_path))
    certificate = Certificate(
        name="mail", certificate_file=str(tmp_path / "chain.pem"), private_key_file=str(tmp_path / "key.pem")
    )
    await store.configuration.commit([ObjectWrite(CERTIFICATE.name, ID, CERTIFICATE.to_stored(certificate), "mail")])
    made = World(store, Server(await stored_plan(store)), tmp_path)
    await made.reconcile()  # fills in what the certificate says
    yield made
    await store.close()


async def test_where_nothing_differs_nothing_is_written_and_nothing_activated(world: World) -> None:
    revision, activated = await world.store.configuration.revision(), list(world.server.activated)
    assert await world.reconcile() == []
    assert await world.store.configuration.revision() == revision
    assert world.server.activated == activated


async def test_a_renewal_is_activated_at_the_revision_in_which_its_facts_are_stored(world: World) -> None:
    chain = write_pair(world.directory, days=90)
    (line,) = await world.reconcile()
    assert (line["event"], line["certificate"]) == ("certificate.loaded", "mail")
    assert world.server.running_plan.certificates[0].chain_pem == chain
    assert world.server.activated[-1] == await world.store.configuration.revision()
    ends = (await world.stored()).not_valid_after
    assert ends is not None
    assert ends > datetime.now(UTC) + timedelta(days=80)


async def test_what_a_new_file_changes_is_in_the_history(world: World) -> None:
    write_pair(world.directory, days=90)
    await world.reconcile()
    history = world.store.configuration.history
    (entry,) = await history.entries((await history.find())[:1])
    record = entry.record
    assert (entry.object_type, entry.object_id, record.kind) == (CERTIFICATE.name, ID, "updated")
    assert record.author.cause is ChangeCause.CERTIFICATE_FILE
    assert record.after is not None
    assert "notValidAfter" in record.after
    assert record.redacted == ()


async def test_what_cannot_be_prepared_is_neither_stored_nor_run(world: World) -> None:
    before, running = await world.stored(), world.server.running_plan
    write_pair(world.directory, days=90)
    world.server.failures = [ApplyFailure(ID, "useTls", "it cannot be built")]
    (line,) = await world.reconcile()
    assert (line["event"], line["reasons"]) == ("plan.not_applied", ["it cannot be built"])
    assert await world.stored() == before
    assert world.server.running_plan == running


async def test_a_commit_of_somebody_else_in_between_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.directory / "key.pem").unlink()
    commit, configuration = world.store.configuration.commit, world.store.configuration

    async def after_another(writes: Sequence[ObjectWrite], *, if_revision: int, retention: Retention) -> int:
        monkeypatch.undo()
        renamed = CERTIFICATE.to_stored(structs.replace(await world.stored(), name="renamed"))
        await commit([ObjectWrite(CERTIFICATE.name, ID, renamed, "renamed")])
        return await commit(writes, if_revision=if_revision, retention=retention)

    monkeypatch.setattr(configuration, "commit", after_another)
    (line,) = await world.reconcile()
    assert (line["event"], line["certificate"]) == ("certificate.not_loaded", "renamed")
    assert (await world.stored()).name == "renamed"


async def test_who_asks_while_it_looks_is_not_forgotten(world: World) -> None:
    turns = world.server.turns
    world.server.questions = [world.reconciler.start, world.reconciler.start]
    await world.reconcile()
    assert world.server.turns == turns + 2
