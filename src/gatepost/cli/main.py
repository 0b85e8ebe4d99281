"""The command `gatepost`: what there is, and the options in front of a command's name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from gatepost import __version__
from gatepost.cli.apply_command import apply
from gatepost.cli.check_command import check
from gatepost.cli.client_command import client_command, takes_client_options
from gatepost.cli.completion import COMPLETE_VARIABLE, SHELLS, completion_script
from gatepost.cli.connections_command import connections
from gatepost.cli.describe_command import describe
from gatepost.cli.diff_command import diff
from gatepost.cli.examples import epilog
from gatepost.cli.history_command import history
from gatepost.cli.object_commands import create, delete, get, query, update
from gatepost.cli.snapshot_command import snapshot
from gatepost.cli.status_command import status

_CLIENTS = "Commands for a running server"

app = typer.Typer(
    name="gatepost",
    help="A mail and web server whose network listeners change while it runs.",
    no_args_is_help=True,
    add_completion=False,  # `gatepost completion` gives the script, for the shell that is named
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"gatepost {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.callback()(takes_client_options(_root))
for _command in (get, query, create, update, delete, describe, apply, snapshot, diff, status, connections, history):
    app.command(rich_help_panel=_CLIENTS, epilog=epilog(_command.__name__))(client_command(_command))
app.command(epilog=epilog("check"))(check)


@app.command(epilog=epilog("serve"))
def serve(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            envvar="GATEPOST_DATA",
            readable=False,  # who may not is told whose it is
            help="Data directory. Default: /var/lib/gatepost as root, else $XDG_DATA_HOME/gatepost.",
        ),
    ] = None,
    plan: Annotated[
        list[Path] | None,
        typer.Option(
            "--plan",
            metavar="FILE",
            readable=False,  # not looked at here: a server that takes over need not be able to read it
            help="Operations applied before anything listens; may be repeated.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", envvar="GATEPOST_WORKERS", min=1, help="Default: usable cores.")
    ] = None,
    is_demo: Annotated[bool, typer.Option("--demo", help="Loopback only, high ports, two accounts.")] = False,
    log_format: Annotated[
        str, typer.Option("--log-format", envvar="GATEPOST_LOG_FORMAT", help="text or json.")
    ] = "text",
    log_level: Annotated[
        str, typer.Option("--log-level", envvar="GATEPOST_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
    run_as: Annotated[
        str | None,
        typer.Option(
            "--run-as", envvar="GATEPOST_RUN_AS", metavar="USER", help="The user that the server becomes; needs root."
        ),
    ] = None,
) -> None:
    """Run the server."""
    from gatepost.compose.server import ServeOptions
    from gatepost.compose.server import serve as run_server
    from gatepost.telemetry.events import LOG_FORMATS, LOG_LEVELS

    chosen_format = _one_of("--log-format", log_format, LOG_FORMATS)
    chosen_level = _one_of("--log-level", log_level, LOG_LEVELS)

    options = ServeOptions(
        data_directory=data,
        plan_files=tuple(plan or ()),
        workers=workers,
        is_demo=is_demo,
        log_format=chosen_format,
        log_level=chosen_level,
        run_as=run_as,
    )
    raise typer.Exit(run_server(options))


@app.command(epilog=epilog("upgrade"))
def upgrade(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            envvar="GATEPOST_DATA",
            readable=False,
            help="Data directory of the server. Default: that of serve.",
        ),
    ] = None,
    is_demo: Annotated[bool, typer.Option("--demo", help="The server that was started with --demo.")] = False,
) -> None:
    """Have the server on this machine go over to the code that is installed now; no connection is lost."""
    from gatepost.cli.upgrade_command import upgrade as run_upgrade
    from gatepost.compose.server import default_data_directory

    raise typer.Exit(run_upgrade(data or default_data_directory(is_demo=is_demo)))


@app.command(epilog=epilog("completion"))
def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", autocompletion=lambda: SHELLS)],
) -> None:
    """Print the script by which a shell completes commands, options, object types and names of objects."""
    typer.echo(completion_script(_one_of("SHELL", shell, SHELLS)))


def _one_of(option: str, given: str, known: Sequence[str]) -> str:
    if given.casefold() not in known:
        raise typer.BadParameter(f"{given!r} is not one of {', '.join(known)}", param_hint=f"'{option}'")
    return given.casefold()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed or refused, 2 wrong usage. `arguments` default to the process's own."""
    if COMPLETE_VARIABLE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
    app(args=None if arguments is None else list(arguments), prog_name="gatepost")
