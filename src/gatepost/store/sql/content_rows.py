"""The octets of messages, each stored once. Plain functions on a connection.

Who uses a content is seen from the messages themselves, so that no count of references can go wrong: what no message
points to any more is removed in the transaction that took the last one away.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256

from sqlalchemy import bindparam, delete, exists, insert, select

from gatepost.store.interface import Gone
from gatepost.store.sql.connection import SqlConnection, Statement
from gatepost.store.sql.dialect import Among
from gatepost.store.sql.keys import json_numbers
from gatepost.store.sql.schema import content, message

_READ = Statement(select(content.c.octets).where(content.c.key == bindparam("content")))
_FIND = Statement(select(content.c.key).where(content.c.sha256 == bindparam("digest")))
_INSERT = Statement(
    insert(content).values(sha256=bindparam("sha256"), octets=bindparam("octets")).returning(content.c.key)
)
_DROP_UNUSED = Statement(
    delete(content).where(Among(content.c.key, "contents"), ~exists().where(message.c.content_key == content.c.key))
)


def read_content(connection: SqlConnection, key: int) -> bytes:
    """The octets. Raises Gone."""
    row = connection.row(_READ, content=key)
    if row is None:
        raise Gone("the content does not exist any more")
    return bytes(row[0])


def store_content(connection: SqlConnection, octets: bytes) -> int:
    """The key of these octets, which are stored unless they are already."""
    digest = sha256(octets).digest()
    found = connection.rows(_FIND, digest=digest) or connection.rows(_INSERT, sha256=digest, octets=octets)
    return int(found[0][0])


def drop_unused(connection: SqlConnection, keys: Collection[int]) -> None:
    """Remove those of these contents that no message has any more."""
    if keys:
        connection.run(_DROP_UNUSED, contents=json_numbers(keys))
