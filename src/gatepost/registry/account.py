"""Account: somebody who logs in and receives mail. Declaration only; links and addresses are rules between objects. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec

from gatepost.registry.declaration import FormSection, ListView, MenuPlace, ObjectType, Property, declared_properties
from gatepost.registry.kinds import Choice, ObjectId, SecretText, SetOf, UnsignedInt
from gatepost.registry.names import email_address_kind, local_part_kind, remark_kind
from gatepost.values.ids import Id
from gatepost.values.secret import Secret


class Role(Enum):
    """What an account may do in the management API."""

    ADMIN = "admin"
    OPERATOR = "operator"
    USER = "user"


ROLE_LABELS = {
    Role.ADMIN: "Administrator: everything",
    Role.OPERATOR: "Operator: sees everything, changes listeners and certificates",
    Role.USER: "User: the own account",
}


class Account(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An account. `password` is the argon2id hash (PHC string) in what is stored, the password itself while a change of it
    is under way. Only the built-in administrator has no domain."""

    name: Annotated[
        str,
        Property(
            kind=local_part_kind(),
            label="Name",
            help="The part of the address before the @; with the domain it is the login name.",
        ),
    ]
    domain_id: Annotated[
        Id | None,
        Property(
            kind=ObjectId("Domain"),
            label="Domain",
            help="The domain of the address. Only the built-in administrator has none.",
        ),
    ] = None
    password: Annotated[
        Secret,
        Property(
            kind=SecretText(1, 1024, is_hashed=True),
            label="Password",
            help="Kept as an argon2id hash; it cannot be read back. A new one ends the account's sessions of the web UI but the one"
            " that sets it; API keys stay good.",
            may_owner_change=True,
        ),
    ]
    aliases: Annotated[
        tuple[str, ...],
        Property(
            kind=SetOf(email_address_kind()),
            label="Aliases",
            help="Further addresses that lead here and may be sent from.",
        ),
    ] = ()
    role: Annotated[
        Role,
        Property(kind=Choice(Role, ROLE_LABELS), label="Role", help="What the account may do in the management API."),
    ] = Role.USER
    quota: Annotated[
        int | None,
        Property(
            kind=UnsignedInt(1, format="size"),
            label="Quota",
            help="How much mail the account may hold. Empty: as much as there is room for.",
            unit="octets",
        ),
    ] = None
    description: Annotated[
        str | None,
        Property(
            kind=remark_kind(),
            label="Description",
            help="For people.",
            may_owner_change=True,
        ),
    ] = None


ACCOUNT = ObjectType(
    name="Account",
    struct=Account,
    properties=declared_properties(Account),
    description="Somebody who logs in and receives mail.",
    form=(
        FormSection("Account", ("name", "domainId", "password", "role", "description")),
        FormSection("Mail", ("aliases", "quota")),
    ),
    list_view=ListView(
        title="Accounts",
        subtitle="Who logs in and receives mail",
        singular="account",
        plural="accounts",
        label_property="name",
        columns=("name", "domainId", "role", "aliases", "quota", "description"),
        filters=("name", "domainId", "role", "aliases", "description"),
    ),
    menu=MenuPlace("Directory", "users", "Mail", "mail", "Accounts"),
    unique_key=lambda account: f"{account.name.lower()}@{account.domain_id or ''}",
    key_properties=("name", "domainId"),
    owner_property="id",
)
