"""How an object type is declared: its properties, its form, its list. Each property stands once, in the object's class.

    class Domain(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
        name: Annotated[str, Property(kind=Text(1, 253), label="Name", help="...", update=Update.IMMUTABLE)]

`declared_properties(Domain)` reads the declarations, an `ObjectType` holds them; validation, patches, schema document, form,
list and the wire format come from it. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from gatepost.registry.file_path import FileTexts
from gatepost.registry.kinds import Kind, SecretText
from gatepost.registry.problem import Problem
from gatepost.values.ids import Id

T = TypeVar("T", bound=msgspec.Struct)

SINGLETON_ID = Id("singleton")


class Update(Enum):
    """Who may write a property, and when."""

    MUTABLE = "mutable"
    IMMUTABLE = "immutable"  # on create only
    SERVER_SET = "serverSet"


class Effect(Enum):
    """What a change of a property does to what runs. An open connection is never closed or changed."""

    NOW = "now"  # applied to the open listening socket and to the next connection
    NEXT = "next"  # applies to the next connection
    REBIND = "rebind"  # new sockets are opened first, then the old ones stop accepting
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """The declaration of one property; stands in the annotation of the field."""

    kind: Kind[Any]
    label: str
    help: str
    update: Update = Update.MUTABLE
    effect: Effect = Effect.NONE
    unit: str | None = None
    may_owner_change: bool = False  # the person whose account it is, without further permissions


@dataclass(frozen=True, slots=True)
class DeclaredProperty:
    """A property together with what the class of its object says about it."""

    field_name: str  # in Python
    name: str  # on the wire
    declaration: Property
    is_nullable: bool
    has_default: bool
    default: Any  # a Python value; None also where there is no default

    @property
    def kind(self) -> Kind[Any]:
        return self.declaration.kind

    @property
    def is_secret(self) -> bool:
        """Whether it is taken and never given back."""
        return isinstance(self.kind, SecretText)

    def to_wire(self, value: Any) -> object:
        """The canonical JSON value; null for None."""
        return None if value is None else self.kind.to_wire(value)


@dataclass(frozen=True, slots=True)
class FormSection:
    """A titled group of properties in a form, by wire name."""

    title: str
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListView:
    """How a list of objects is shown. `filters` are the properties that forms offer to narrow it down by."""

    title: str
    subtitle: str
    singular: str
    plural: str
    label_property: str | None
    columns: tuple[str, ...]
    filters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MenuPlace:
    """Where the web UI links to the objects: `section` > `group` > `name`. The icons are names of the icon set."""

    section: str
    section_icon: str
    group: str
    group_icon: str
    name: str


Examination = Callable[[T, datetime, FileTexts], tuple[T, Sequence[Problem]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType(Generic[T]):
    """One type of configuration object. `name` is without the `x:` that it carries on the wire.

    `examine(object, now, files)` fills in what the server sets and reports what is wrong between the properties of one
    object; `files` holds what was read of the files that it names.
    `unique_key(object)`: no two objects of the type share it. `key_properties`: what that key is made of, by wire name; a
    plan file matches objects on them. Empty: on the property that lists show an object by.
    `owner_property`: an account may do more with its own objects than with others, and they go when it goes; an account is
    its own, by its `id`.
    """

    name: str
    struct: type[T]
    properties: Mapping[str, DeclaredProperty]  # by wire name, in order of declaration
    description: str
    form: tuple[FormSection, ...]
    list_view: ListView
    menu: MenuPlace | None  # None: no link
    is_singleton: bool = False
    owner_property: str | None = None  # wire name of the property that says which account an object belongs to
    unique_key: Callable[[T], str | None] = lambda _: None
    key_properties: tuple[str, ...] = ()
    examine: Examination[T] = lambda candidate, _now, _files: (candidate, ())

    @property
    def wire_name(self) -> str:
        """`x:NetworkListener`."""
        return f"x:{self.name}"

    @property
    def permission_prefix(self) -> str:
        """`sysNetworkListener`; a verb (Get, Query, Create, Update, Destroy) makes it a permission."""
        return f"sys{self.name}"

    @property
    def named_by(self) -> tuple[str, ...]:
        """The properties that tell the objects apart, by wire name; empty where there is none."""
        label_property = self.list_view.label_property
        return self.key_properties or ((label_property,) if label_property else ())

    def owner(self, object_id: Id, value: T) -> Id | None:
        """The account that the object belongs to; None where objects of the type belong to nobody."""
        if self.owner_property is None:
            return None
        if self.owner_property == "id":
            return object_id
        owner: Id | None = msgspec.structs.asdict(value)[self.properties[self.owner_property].field_name]
        return owner

    def to_wire(self, value: T) -> dict[str, object]:
        """All properties with their wire names, secrets left out: what a client may see."""
        stored = self.to_stored(value)
        return {name: stored[name] for name, declared in self.properties.items() if not declared.is_secret}

    def to_stored(self, value: T) -> dict[str, object]:
        """All properties with their wire names, secrets included: what the store keeps."""
        fields = msgspec.structs.asdict(value)
        return {name: declared.to_wire(fields[declared.field_name]) for name, declared in self.properties.items()}

    def from_stored(self, stored: Mapping[str, object]) -> T:
        """The object that `to_stored` made. A property that is missing (stored by an older version) has its default;
        one that is not known is passed over. Raises UnfitValueError for a value that cannot be read."""
        fields: dict[str, Any] = {}
        for name, declared in self.properties.items():
            if name in stored:
                wire = stored[name]
                fields[declared.field_name] = None if wire is None else declared.kind.parse(wire)
        return self.struct(**fields)


def declared_properties(struct: type[msgspec.Struct]) -> dict[str, DeclaredProperty]:
    """The properties of an object's class by wire name. Raises TypeError for a field without a declaration."""
    hints = get_type_hints(struct, include_extras=True)
    properties: dict[str, DeclaredProperty] = {}
    for field in msgspec.structs.fields(struct):
        annotated = hints[field.name]
        declarations = [entry for entry in get_args(annotated)[1:] if isinstance(entry, Property)]
        if len(declarations) != 1:
            raise TypeError(f"{struct.__name__}.{field.name} needs exactly one Property in its annotation")
        properties[field.encode_name] = DeclaredProperty(
            field_name=field.name,
            name=field.encode_name,
            declaration=declarations[0],
            is_nullable=_takes_none(get_args(annotated)[0]),
            has_default=not field.required,
            default=None if field.default is msgspec.NODEFAULT else field.default,
        )
    return properties


def _takes_none(hint: Any) -> bool:
    return get_origin(hint) is not None and type(None) in get_args(hint)
