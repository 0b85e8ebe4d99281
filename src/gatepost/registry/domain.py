"""Domain: a mail domain whose addresses are ours. Declaration only. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gatepost.registry.declaration import (
    FormSection,
    ListView,
    MenuPlace,
    ObjectType,
    Property,
    Update,
    declared_properties,
)
from gatepost.registry.names import domain_name_kind, remark_kind


class Domain(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A domain. `name` is lower-case."""

    name: Annotated[
        str,
        Property(
            kind=domain_name_kind(),
            label="Name",
            help="The part of its addresses behind the @.",
            update=Update.IMMUTABLE,
        ),
    ]
    description: Annotated[str | None, Property(kind=remark_kind(), label="Description", help="For people.")] = None


DOMAIN = ObjectType(
    name="Domain",
    struct=Domain,
    properties=declared_properties(Domain),
    description="A mail domain whose addresses are delivered here.",
    form=(FormSection("Domain", ("name", "description")),),
    list_view=ListView(
        title="Domains",
        subtitle="Mail domains whose addresses are delivered here",
        singular="domain",
        plural="domains",
        label_property="name",
        columns=("name", "description"),
        filters=("name", "description"),
    ),
    menu=MenuPlace("Directory", "users", "Mail", "mail", "Domains"),
    unique_key=lambda domain: domain.name.lower(),
)
