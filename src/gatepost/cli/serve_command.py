"""serve: the options of the server, handed to `compose.server`, which is loaded only here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatepost.cli.failure import one_of

DataDirectory = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="GATEPOST_DATA",
        readable=False,  # who may not is told whose it is
        help="Data directory. Default: /var/lib/gatepost as root, else $XDG_DATA_HOME/gatepost.",
    ),
]
PlanFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--plan",
        metavar="FILE",
        readable=False,  # not looked at here: a server that takes over need not be able to read it
        help="Operations applied before anything listens; may be repeated.",
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", envvar="GATEPOST_WORKERS", min=1, help="Default: usable cores.")
]
IsDemo = Annotated[bool, typer.Option("--demo", help="Loopback only, high ports, two accounts.")]
LogFormat = Annotated[str, typer.Option("--log-format", envvar="GATEPOST_LOG_FORMAT", help="text or json.")]
LogLevel = Annotated[
    str, typer.Option("--log-level", envvar="GATEPOST_LOG_LEVEL", help="debug, info, warning or error.")
]
RunAs = Annotated[
    str | None,
    typer.Option(
        "--run-as", envvar="GATEPOST_RUN_AS", metavar="USER", help="The user that the server becomes; needs root."
    ),
]


def serve(
    *,
    data: DataDirectory = None,
    plan: PlanFiles = None,
    workers: Workers = None,
    is_demo: IsDemo = False,
    log_format: LogFormat = "text",
    log_level: LogLevel = "info",
    run_as: RunAs = None,
) -> None:
    """Run the server."""
    from gatepost.compose.server import ServeOptions
    from gatepost.compose.server import serve as run_server
    from gatepost.telemetry.events import LOG_FORMATS, LOG_LEVELS

    options = ServeOptions(
        data_directory=data,
        plan_files=tuple(plan or ()),
        workers=workers,
        is_demo=is_demo,
        log_format=one_of("--log-format", log_format, LOG_FORMATS),
        log_level=one_of("--log-level", log_level, LOG_LEVELS),
        run_as=run_as,
    )
    raise typer.Exit(run_server(options))
