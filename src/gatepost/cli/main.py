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
from gatepost.cli.failure import one_of
from gatepost.cli.history_command import history
from gatepost.cli.object_commands import create, delete, get, query, update
from gatepost.cli.serve_command import serve
from gatepost.cli.snapshot_command import snapshot
from gatepost.cli.standard_streams import prepare_streams
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
app.command(epilog=epilog("serve"))(serve)


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
    typer.echo(completion_script(one_of("SHELL", shell, SHELLS)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed or refused, 2 wrong usage. `arguments` default to the process's own."""
    prepare_streams()
    if COMPLETE_VARIABLE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
    app(args=None if arguments is None else list(arguments), prog_name="gatepost")
