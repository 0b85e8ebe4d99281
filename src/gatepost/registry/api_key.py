"""ApiKey: with it a program acts for an account, without the account's password. Declaration only. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from gatepost.registry.declaration import (
    Effect,
    FormSection,
    ListView,
    MenuPlace,
    ObjectType,
    Property,
    Update,
    declared_properties,
)
from gatepost.registry.kinds import ObjectId, SecretText, SetOf, Text, UtcDateTime, ip_mask_kind
from gatepost.registry.permissions import PermissionName
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpMask
from gatepost.values.secret import Secret


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key. `secret` is the hash of the token that its holder sends."""

    name: Annotated[
        str,
        Property(
            kind=Text(1, 255),
            label="Name",
            help="What the key is for, so that it can be told from the others of the account.",
        ),
    ]
    account_id: Annotated[
        Id | None,
        Property(
            kind=ObjectId("Account"),
            label="Account",
            help="Whom the key acts for. Left out: the account that creates it. It is removed together with the account.",
            update=Update.IMMUTABLE,
        ),
    ] = None
    secret: Annotated[
        Secret,
        Property(
            kind=SecretText(is_issued=True),
            label="Secret",
            help="Made by the server and shown once, in the answer to the create; only a hash of it is kept. It is sent as "
            "Authorization: Bearer.",
            update=Update.SERVER_SET,
        ),
    ] = Secret("")
    expires_at: Annotated[
        datetime | None,
        Property(
            kind=UtcDateTime(),
            label="Valid until",
            help="From then on the key is refused. Empty: no end.",
            effect=Effect.NOW,
        ),
    ] = None
    allowed_networks: Annotated[
        tuple[IpMask, ...] | None,
        Property(
            kind=SetOf(ip_mask_kind(), min_items=1),
            label="Allowed networks",
            help="Where the key may be used from. Empty: anywhere.",
            effect=Effect.NOW,
        ),
    ] = None
    permissions: Annotated[
        tuple[str, ...] | None,
        Property(
            kind=SetOf(PermissionName(), min_items=1),
            label="Permissions",
            help="What the key may do, of what its account may do at the time. Empty: all of that.",
            effect=Effect.NOW,
        ),
    ] = None


API_KEY = ObjectType(
    name="ApiKey",
    struct=ApiKey,
    properties=declared_properties(ApiKey),
    description="A key with which a program acts for an account.",
    form=(
        FormSection("API key", ("name", "accountId", "secret", "expiresAt")),
        FormSection("Limits", ("permissions", "allowedNetworks")),
    ),
    list_view=ListView(
        title="API keys",
        subtitle="With which programs act for an account",
        singular="API key",
        plural="API keys",
        label_property="name",
        columns=("name", "accountId", "expiresAt", "permissions", "allowedNetworks"),
        filters=("name", "accountId", "expiresAt", "permissions"),
    ),
    menu=MenuPlace("Directory", "users", "Access", "key", "API keys"),
    unique_key=lambda key: f"{key.account_id}/{key.name.casefold()}",
    key_properties=("accountId", "name"),
    owner_property="accountId",
)
