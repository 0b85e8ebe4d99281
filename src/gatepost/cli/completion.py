"""What a shell offers at the tab key: types of objects, and names of objects where the server can be asked without a question.

Silent: what goes wrong here must not show up in somebody's command line. Called by the completion of typer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import typer

from gatepost.cli.client_command import DEFAULT_URL
from gatepost.cli.failure import CommandError

SHELLS = ("bash", "zsh", "fish")
COMPLETE_VARIABLE = "_GATEPOST_COMPLETE"  # set by the script of the shell

_PATIENCE = 2.0  # seconds; who presses the tab key waits for the answer


def completion_script(shell: str) -> str:
    """What the shell has to read once."""
    from typer._completion_shared import get_completion_script

    return get_completion_script(prog_name="gatepost", complete_var=COMPLETE_VARIABLE, shell=shell)


def complete_object_type(incomplete: str) -> list[str]:
    """The object types of this version."""
    from gatepost.registry.catalogue import EVERY_TYPE  # takes half of the time: only where it is asked for

    return _beginning_with(incomplete, EVERY_TYPE)


def complete_object_name(context: typer.Context, incomplete: str) -> list[str]:
    """The names of the objects of the type that stands in front."""
    return _names(context, str(context.params.get("object_name") or ""), incomplete)


def complete_listener(context: typer.Context, incomplete: str) -> list[str]:
    """The names of the listeners."""
    return _names(context, "NetworkListener", incomplete)


def _names(context: typer.Context, type_name: str, incomplete: str) -> list[str]:
    from gatepost.cli.jmap_client import Access, connect

    given = {name: context.params.get(name) or os.environ.get(variable) for name, variable in _GIVEN.items()}
    if not given["api_key"] and not (given["user"] and given["password"]):
        return []
    access = Access(
        url=given["url"] or DEFAULT_URL,
        user=None if given["api_key"] else given["user"],
        password=None if given["api_key"] else given["password"],
        api_key=given["api_key"],
        is_insecure=bool(context.params.get("insecure")),
        ca_file=given["ca_file"],
        patience=_PATIENCE,
    )
    try:
        with connect(access) as client:
            shape = client.shapes.find(type_name)
            labels = (str(item.get(shape.label_property or "id") or "") for item in client.get_all(shape))
            return _beginning_with(incomplete, labels)
    except (CommandError, ValueError):
        return []


_GIVEN = {
    "url": "GATEPOST_URL",
    "user": "GATEPOST_USER",
    "password": "GATEPOST_PASSWORD",
    "api_key": "GATEPOST_TOKEN",
    "ca_file": "GATEPOST_CA_FILE",
}


def _beginning_with(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name and name.startswith(incomplete))
