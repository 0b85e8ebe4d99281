"""The administrator that `GATEPOST_ADMIN` names, checked as the API checks an account. Called before anything is stored. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gatepost.registry.account import ACCOUNT
from gatepost.registry.problem import UnfitValueError
from gatepost.values.secret import Secret


class UnfitAdministratorError(ValueError):
    """Why a text cannot be taken; it never holds the password."""


@dataclass(frozen=True, slots=True)
class Administrator:
    """`name` is in the form in which it is stored."""

    name: str
    password: Secret

    @classmethod
    def parse(cls, text: str) -> Administrator:
        """Of `user:password`; the password may have colons in it. Raises UnfitAdministratorError.

        >>> Administrator.parse("Admin:correct horse")
        Administrator(name='admin', password=Secret(***))
        """
        name, colon, password = text.partition(":")
        if not colon:
            raise UnfitAdministratorError("write user:password")
        return cls(_fit("name", name), _fit("password", password))


def _fit(property_name: str, value: str) -> Any:
    try:
        return ACCOUNT.properties[property_name].kind.parse(value)
    except UnfitValueError as error:
        raise UnfitAdministratorError(f"the {property_name} {error}") from None
