"""Stores for the tests: an empty one per test, copied from one that was migrated once.

The contract tests ask for `mail`, `configuration` and `scripts` and know nothing but the ports. To run them on another
implementation, add it to the parameters of these fixtures.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.store.accounts import give_accounts

from gatepost.store.interface import ConfigurationStore, MailStore, ScriptStore
from gatepost.store.migrate import migrate
from gatepost.store.sql_store import SqlStore


@pytest.fixture(scope="session")
def migrated_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("store") / "data"
    migrate(directory)
    return directory


@pytest.fixture
def data_directory(migrated_directory: Path, tmp_path: Path) -> Path:
    """A data directory with an empty store."""
    return Path(shutil.copytree(migrated_directory, tmp_path / "data"))


@pytest.fixture
async def store(data_directory: Path) -> AsyncIterator[SqlStore]:
    store = SqlStore.open(data_directory)
    yield store
    await store.close()


@pytest.fixture
async def mail(store: SqlStore) -> MailStore:
    await give_accounts(store.configuration)
    return store.mail


@pytest.fixture
def configuration(store: SqlStore) -> ConfigurationStore:
    return store.configuration


@pytest.fixture
async def second_configuration(data_directory: Path) -> AsyncIterator[ConfigurationStore]:
    """Another one over the same database, as another process has it."""
    store = SqlStore.open(data_directory)
    yield store.configuration
    await store.close()


@pytest.fixture
async def scripts(store: SqlStore) -> ScriptStore:
    await give_accounts(store.configuration)
    return store.scripts
