"""What a shell offers at the tab key: types of objects, and names of objects where the server can be asked without a question.

Silent: what goes wrong here must not show up in somebody's command line. Called by the completion of typer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import typer

from gatepost.cli.client_command import DEFAULT_URL
from gatepost.cli.failure import CommandError

if TYPE_CHECKING:
    from gatepost.registry.declaration import DeclaredProperty

SHELLS = ("bash", "zsh", "fish")
COMPLETE_VARIABLE = "_GATEPOST_COMPLETE"  # set by the script of the shell

_NO_SPACE_BEHIND_EQUALS = """    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    return 0"""
_PATIENCE = 2.0  # seconds; who presses the tab key waits for the answer


def completion_script(shell: str) -> str:
    """What the shell has to read once."""
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="gatepost", complete_var=COMPLETE_VARIABLE, shell=shell)
    return script.replace("    return 0", _NO_SPACE_BEHIND_EQUALS)  # bash's alone


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


def complete_field(context: typer.Context, incomplete: str) -> list[str]:
    """The properties that can be written, of the type that stands in front."""
    from gatepost.registry.declaration import Update

    declared = _properties(context).items()
    return _beginning_with(
        incomplete, (f"{name}=" for name, each in declared if each.declaration.update is not Update.SERVER_SET)
    )


def complete_condition(context: typer.Context, incomplete: str) -> list[str]:
    """All its properties, for --where."""
    return _beginning_with(incomplete, (f"{name}=" for name in _properties(context)))


def complete_columns(context: typer.Context, incomplete: str) -> list[str]:
    """The same, for a list of them: the last one."""
    given, comma, last = incomplete.rpartition(",")
    return [f"{given}{comma}{name}" for name in _beginning_with(last, _properties(context))]


def complete_sort(context: typer.Context, incomplete: str) -> list[str]:
    """The same, for one; what begins with a dash is an option to a shell."""
    return _beginning_with(incomplete, _properties(context))


def complete_protocol(incomplete: str) -> list[str]:
    """What a listener may speak."""
    from gatepost.registry.network_listener import NetworkListenerProtocol

    return _beginning_with(incomplete, (each.value for each in NetworkListenerProtocol))


def _properties(context: typer.Context) -> Mapping[str, DeclaredProperty]:
    from gatepost.registry.catalogue import EVERY_TYPE

    # An option without its value is a mistake, behind which arguments are left as they came.
    wanted = str(context.params.get("object_name") or next(iter(context.args), "")).removeprefix("x:").casefold()
    found = next((each for name, each in EVERY_TYPE.items() if name.casefold() == wanted), None)
    return {} if found is None else found.properties


def _names(context: typer.Context, type_name: str, incomplete: str) -> list[str]:
    from gatepost.cli.jmap_client import Access, connect

    outer = {} if context.parent is None else context.parent.params  # options in front of the command's name
    given = {
        name: context.params.get(name) or outer.get(name) or os.environ.get(variable)
        for name, variable in _GIVEN.items()
    }
    if not given["api_key"] and not (given["user"] and given["password"]):
        return []
    access = Access(
        url=given["url"] or DEFAULT_URL,
        user=None if given["api_key"] else given["user"],
        password=None if given["api_key"] else given["password"],
        api_key=given["api_key"],
        is_insecure=bool(context.params.get("insecure") or outer.get("insecure")),
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
