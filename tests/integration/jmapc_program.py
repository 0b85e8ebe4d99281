"""A program of jmapc, a JMAP client library that was not written here: signs in, makes, finds, changes and removes a domain, and
hears of the change. Started by `test_foreign_jmap_client.py` in a process of its own: jmapc is GPL, and nothing that is shipped
may import it.

Arguments: host:port, user; the password comes on standard input. Prints one JSON object of what it has seen.
"""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import dataclass, field
from typing import Any, ClassVar

from dataclasses_json import config
from jmapc import Client, Error, Ref
from jmapc.client import EventSourceConfig
from jmapc.methods import CoreEcho
from jmapc.methods.base import (
    Changes,
    ChangesResponse,
    Get,
    GetResponse,
    Query,
    QueryResponse,
    Set,
    SetResponse,
)


class Domains:
    """The namespace of the methods below, as jmapc wants it."""

    method_namespace: ClassVar[str | None] = "x:Domain"
    using: ClassVar[set[str]] = {"urn:stalwart:jmap"}


@dataclass
class DomainGet(Domains, Get):
    """x:Domain/get"""


@dataclass
class DomainGetResponse(Domains, GetResponse):
    """Its response."""

    data: list[dict[str, Any]] = field(metadata=config(field_name="list"))


@dataclass
class DomainQuery(Domains, Query):
    """x:Domain/query"""

    filter: dict[str, Any] | None = None


@dataclass
class DomainQueryResponse(Domains, QueryResponse):
    """Its response."""


@dataclass
class DomainSet(Domains, Set):
    """x:Domain/set"""


@dataclass
class DomainSetResponse(Domains, SetResponse):
    """Its response."""


@dataclass
class DomainChanges(Domains, Changes):
    """x:Domain/changes"""


@dataclass
class DomainChangesResponse(Domains, ChangesResponse):
    """Its response."""


def main() -> None:
    """Do it all once."""
    host, user = sys.argv[1:]
    client = Client.create_with_password(
        host, user, sys.stdin.readline().rstrip("\n"), event_source_config=EventSourceConfig(types="x:Domain")
    )
    seen: dict[str, Any] = {"api_url": client.jmap_session.api_url, "account_id": client.account_id}
    seen["echo"] = client.request(CoreEcho(data={"hello": "there"}), raise_errors=True).data  # type: ignore[union-attr]
    before = client.request(DomainGet(ids=[]), raise_errors=True)
    assert isinstance(before, DomainGetResponse)
    events: list[str] = []
    listening = threading.Thread(target=listen, args=(client, events), daemon=True)
    listening.start()
    made = client.request(DomainSet(create={"d": {"name": "jmapc.example"}}), raise_errors=True)
    assert isinstance(made, DomainSetResponse)
    assert made.created is not None
    domain_id = made.created["d"]["id"]
    query = DomainQuery(filter={"name": "JMAPC"}, calculate_total=True)
    found = client.request([query, DomainGet(ids=Ref("/ids"))], raise_errors=True)
    objects = found[1].response
    assert isinstance(objects, DomainGetResponse)
    seen["found"] = [each["name"] for each in objects.data]
    client.request(DomainSet(update={domain_id: {"description": "by jmapc"}}), raise_errors=True)
    changes = client.request(DomainChanges(since_state=str(before.state)), raise_errors=True)
    assert isinstance(changes, DomainChangesResponse)
    seen["created"] = changes.created == [domain_id]
    refused = client.request(DomainSet(create={"d": {"name": "no domain!"}}), raise_errors=True)
    assert isinstance(refused, DomainSetResponse)
    assert refused.not_created is not None
    seen["refused"] = refused.not_created["d"].type
    mismatch = client.request(DomainSet(if_in_state="no state", destroy=[domain_id]))
    assert isinstance(mismatch, Error)
    seen["mismatch"] = mismatch.type
    for number in range(100):  # until the stream is open and an event has come
        if events:
            break
        client.request(DomainSet(update={domain_id: {"description": f"change {number}"}}), raise_errors=True)
        listening.join(0.2)
    removed = client.request(DomainSet(destroy=[domain_id]), raise_errors=True)
    assert isinstance(removed, DomainSetResponse)
    seen["destroyed"] = removed.destroyed == [domain_id]
    seen["events"] = events
    print(json.dumps(seen))  # noqa: T201


def listen(client: Client, events: list[str]) -> None:
    """Wait for one event."""
    for event in client.events:
        events.append(str(event.id))
        return


if __name__ == "__main__":
    main()
