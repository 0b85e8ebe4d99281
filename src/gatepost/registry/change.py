"""Change: one row of the history of the configuration. Declaration only; nobody makes one but the commit that it tells of, and
who creates one with `revertOf` undoes another. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated

import msgspec

from gatepost.registry.declaration import (
    FormSection,
    ListView,
    ObjectType,
    Property,
    Update,
    declared_properties,
)
from gatepost.registry.given_out import PropertyValues, server_set
from gatepost.registry.kinds import Choice, ObjectId, SetOf, Text, UnsignedInt, UtcDateTime
from gatepost.values.ids import Id


class ChangeKind(Enum):
    """What has happened to the object."""

    CREATED = "created"
    UPDATED = "updated"
    DESTROYED = "destroyed"


class ChangeCause(Enum):
    """What the change came from."""

    API = "api"
    PLAN_FILE = "planFile"  # of `serve --plan`
    FIRST_START = "firstStart"
    START = "start"  # GATEPOST_ADMIN, a self-signed certificate that had to be renewed
    CERTIFICATE_FILE = "certificateFile"  # the file of a certificate has changed
    PROGRAM = "program"  # the one that the server runs in


_KIND_LABELS = {
    ChangeKind.CREATED: "Created",
    ChangeKind.UPDATED: "Updated",
    ChangeKind.DESTROYED: "Destroyed",
}
_CAUSE_LABELS = {
    ChangeCause.API: "An account, over the API",
    ChangeCause.PLAN_FILE: "A plan file at start",
    ChangeCause.FIRST_START: "The first start",
    ChangeCause.START: "A start of the server",
    ChangeCause.CERTIFICATE_FILE: "The file of a certificate",
    ChangeCause.PROGRAM: "The program that the server runs in",
}


class Change(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One change of one object. `redacted`: wire names of properties."""

    at: Annotated[datetime, server_set(UtcDateTime(), "When", "When it was committed, in UTC.")]
    revision: Annotated[
        int, server_set(UnsignedInt(), "Revision", "The commit; changes with the same one were made by the same call.")
    ]
    kind: Annotated[
        ChangeKind,
        server_set(Choice(ChangeKind, _KIND_LABELS), "What", "Whether it was created, updated or destroyed."),
    ]
    object_type: Annotated[str, server_set(Text(), "Object type", "The type of the object, as x:NetworkListener.")]
    object_id: Annotated[str, server_set(Text(), "Object id", "The id of the object.")]
    object_name: Annotated[
        str | None, server_set(Text(), "Object", "What the object was called then; null where it has no name.")
    ] = None
    cause: Annotated[
        ChangeCause, server_set(Choice(ChangeCause, _CAUSE_LABELS), "Cause", "What the change came from.")
    ] = ChangeCause.API
    account_id: Annotated[
        Id | None, server_set(ObjectId("Account"), "Account id", "Who made it; null where no account did.")
    ] = None
    account: Annotated[str | None, server_set(Text(), "Account", "The login name of who made it, as it was then.")] = (
        None
    )
    api_key: Annotated[
        str | None,
        server_set(Text(), "API key", "The name of the key that the account was used with; null without one."),
    ] = None
    source_address: Annotated[
        str | None, server_set(Text(format="ipAddress"), "From", "The address that the request came from.")
    ] = None
    listener_id: Annotated[
        Id | None,
        server_set(ObjectId("NetworkListener"), "Listener id", "The listener that the request came through."),
    ] = None
    listener: Annotated[str | None, server_set(Text(), "Listener", "The name of that listener, as it was then.")] = None
    before: Annotated[
        Mapping[str, object] | None,
        server_set(
            PropertyValues(),
            "Before",
            "Of an update the properties that differ, as they were; of a destroyed object all; null of a created one.",
        ),
    ] = None
    after: Annotated[
        Mapping[str, object] | None,
        server_set(
            PropertyValues(),
            "After",
            "Of an update the properties that differ, as they are then; of a created object all; null of a destroyed one.",
        ),
    ] = None
    redacted: Annotated[
        tuple[str, ...],
        server_set(
            SetOf(Text()), "Secrets", "Properties with secrets that were part of the change. Their values are not kept."
        ),
    ] = ()
    revert_of: Annotated[
        Id | None,
        Property(
            kind=ObjectId("Change"),
            label="Revert of",
            help="The change that this one undoes. The only property that is given to create one.",
            update=Update.IMMUTABLE,
        ),
    ] = None


CHANGE = ObjectType(
    name="Change",
    struct=Change,
    properties=declared_properties(Change),
    description="A change of a configuration object: who, when, from where, before and after. Create one with revertOf to undo it.",
    form=(
        FormSection("Change", ("at", "kind", "objectType", "objectName", "objectId", "revision", "revertOf")),
        FormSection("Who", ("cause", "account", "accountId", "apiKey", "sourceAddress", "listener", "listenerId")),
        FormSection("Values", ("before", "after", "redacted")),
    ),
    list_view=ListView(
        title="History",
        subtitle="Who has changed what",
        singular="change",
        plural="changes",
        label_property="objectName",
        columns=("at", "account", "sourceAddress", "kind", "objectType", "objectName", "cause", "revertOf"),
        filters=("objectName", "account", "sourceAddress"),
    ),
    menu=None,
)
