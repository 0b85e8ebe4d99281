"""The options that every client command has, before or after its name, and how a command is run with them.

An option after the command's name counts before one in front of it, that before the environment.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.cli.failure import CommandError, usage_error
from gatepost.cli.output import Output
from gatepost.cli.standard_streams import results_written

if TYPE_CHECKING:
    from gatepost.cli.jmap_client import JmapClient

DEFAULT_URL = "http://127.0.0.1:8080"
_PANEL = "Connection and output"

DryRun = Annotated[bool, typer.Option("--dry-run", help="Let the server check it and show what would happen.")]
AllowLockOut = Annotated[
    bool, typer.Option("--allow-lock-out", help="Carry it out even if it takes away the way to this server.")
]


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """The options as given; None or False where they were not."""

    url: str | None = None
    user: str | None = None
    password: str | None = None
    api_key: str | None = None
    ca_file: str | None = None
    insecure: bool = False
    no_color: bool = False
    json: bool = False

    def over(self, outer: ClientOptions) -> ClientOptions:
        """These options where they are given, the outer ones where not."""
        names = self.__dataclass_fields__
        return ClientOptions(**{name: getattr(self, name) or getattr(outer, name) for name in names})


def _option(*names: str, help_text: str) -> Any:
    return typer.Option(*names, help=help_text, show_default=False, rich_help_panel=_PANEL)


def client_options(  # noqa: PLR0913 - one parameter for each option
    *,
    url: Annotated[str | None, _option("--url", help_text=f"Of the server (GATEPOST_URL), else {DEFAULT_URL}.")] = None,
    user: Annotated[str | None, _option("--user", help_text="Account (GATEPOST_USER).")] = None,
    password: Annotated[
        str | None, _option("--password", help_text="Of the account (GATEPOST_PASSWORD); a terminal is asked for it.")
    ] = None,
    api_key: Annotated[
        str | None, _option("--api-key", help_text="Instead of user and password (GATEPOST_TOKEN).")
    ] = None,
    ca_file: Annotated[
        str | None,
        _option("--ca-file", help_text="PEM file of the authority to trust, or of the certificate (GATEPOST_CA_FILE)."),
    ] = None,
    insecure: Annotated[
        bool, _option("--insecure", "-k", help_text="Do not check the certificate; allow passwords in clear.")
    ] = False,
    no_color: Annotated[bool, _option("--no-color", help_text="Plain text (NO_COLOR).")] = False,
    json: Annotated[bool, _option("--json", help_text="JSON on stdout, for programs.")] = False,
) -> ClientOptions:
    """The one declaration of these options: its parameters become those of every client command."""
    return ClientOptions(url, user, password, api_key, ca_file, insecure, no_color, json)


_OPTION_PARAMETERS = list(inspect.signature(client_options, eval_str=True).parameters.values())
_OPTION_NAMES = {parameter.name for parameter in _OPTION_PARAMETERS}


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a client command works with."""

    client: JmapClient
    output: Output


def client_command(command: Callable[..., None]) -> Callable[..., None]:
    """Give the command, whose first parameter is an Invocation, the client options.

    A CommandError becomes lines on stderr and the exit code.
    """
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @functools.wraps(command)
    def run(context: typer.Context, **values: Any) -> None:
        given, arguments = _split(values)
        outer = context.obj if isinstance(context.obj, ClientOptions) else ClientOptions()
        _run(command, given.over(outer), arguments)

    return _with_signature(run, own)


def takes_client_options(callback: Callable[..., None]) -> Callable[..., None]:
    """Give the callback in front of the commands the client options, and hand them on to the command."""
    own = list(inspect.signature(callback, eval_str=True).parameters.values())

    @functools.wraps(callback)
    def run(context: typer.Context, **values: Any) -> None:
        context.obj, arguments = _split(values)
        callback(**arguments)

    return _with_signature(run, own)


def _with_signature(run: Callable[..., None], own: Sequence[inspect.Parameter]) -> Callable[..., None]:
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    parameters = [context, *keywords, *_OPTION_PARAMETERS]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what inspect.signature reads
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _split(values: Mapping[str, Any]) -> tuple[ClientOptions, dict[str, Any]]:
    """The client options and the command's own arguments."""
    given = client_options(**{name: value for name, value in values.items() if name in _OPTION_NAMES})
    return given, {name: value for name, value in values.items() if name not in _OPTION_NAMES}


def _run(command: Callable[..., None], options: ClientOptions, arguments: Mapping[str, Any]) -> None:
    has_color = not options.no_color and not os.environ.get("NO_COLOR")
    output = Output(is_json=options.json, has_color=has_color)
    with results_written():
        try:
            with _client(options) as client:
                command(Invocation(client, output), **arguments)
        except CommandError as error:
            output.error(error.lines)
            raise typer.Exit(error.exit_code) from None


def _client(options: ClientOptions) -> JmapClient:
    from gatepost.cli.jmap_client import Access, connect  # here: `serve` need not wait until an HTTP client is loaded

    environment = os.environ
    api_key = options.api_key or (None if options.user else environment.get("GATEPOST_TOKEN"))
    user = options.user or environment.get("GATEPOST_USER")
    if options.api_key and options.user:
        raise usage_error("--api-key: stands instead of --user and --password; give one or the other")
    access = Access(
        url=options.url or environment.get("GATEPOST_URL") or DEFAULT_URL,
        user=None if api_key else user,
        password=None if api_key else _password(options, user),
        api_key=api_key,
        is_insecure=options.insecure,
        ca_file=options.ca_file or environment.get("GATEPOST_CA_FILE"),
    )
    return connect(access)


def _password(options: ClientOptions, user: str | None) -> str | None:
    password = options.password or os.environ.get("GATEPOST_PASSWORD")
    if user is None and options.password:
        raise usage_error("--user: is missing; --password needs it")
    if user is None or password is not None:
        return password
    if not sys.stdin.isatty():
        raise usage_error(f"--password: is missing for the user {user}; give it, or set GATEPOST_PASSWORD")
    return str(typer.prompt(f"Password of {user}", hide_input=True, err=True))
