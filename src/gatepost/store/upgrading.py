"""The migrations, carried out by Alembic. Called by `migrate` where a store is of an earlier version, and loaded only then:
loading Alembic takes longer than anything else in a start."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from gatepost.store.interface import Broken

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def alembic_config() -> Config:
    """Where Alembic finds the migrations: inside the package."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def upgrade(connection: Connection) -> None:
    """Bring the schema up to date, in the transaction that the connection is in. Raises Broken for a store of a later
    version, and the driver's errors."""
    config = alembic_config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Broken(f"the store is not of this version of gatepost: {error}") from error
