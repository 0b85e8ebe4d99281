"""The server as a whole: options to data directory, boot process, supervisor. What becomes the supervisor's process."""

from __future__ import annotations

import asyncio
import os
import pwd
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import msgspec

from gatepost.boot import messages as boot_messages
from gatepost.boot.messages import BootAnswer, BootRequest
from gatepost.plan.plan import Plan
from gatepost.sockets.listening_socket import InheritedSockets, inherited_sockets
from gatepost.supervisor import control_socket, privileges
from gatepost.supervisor.early_signals import held_back, remember_early_signals
from gatepost.supervisor.fork_server import ForkServer
from gatepost.supervisor.legacy import Legacy
from gatepost.supervisor.predecessor import PredecessorGone, predecessor_in, receive_legacy
from gatepost.supervisor.supervisor import Openings, Supervisor
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.values.socket_address import SocketAddress

_RUN_TIME_FAILURE, _WRONG_USAGE = 1, 2

# -P: what lies in the current directory is not imported.
_PROCESS = (sys.executable, "-P", "-m", "gatepost.compose")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """The options of `gatepost serve`; None where the default depends on the machine."""

    data_directory: Path | None = None
    plan_files: tuple[Path, ...] = ()
    workers: int | None = None
    is_demo: bool = False
    log_format: str = "text"
    log_level: str = "info"
    run_as: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """What `serve` has found out and given up before the first process is started."""

    options: ServeOptions
    data_directory: Path
    database: str
    plan_files: tuple[int | None, ...]
    admin: str | None
    predecessor: socket.socket | None
    legacy: Legacy | None
    control: socket.socket | OSError | None
    early_signals: Collection[int]


def serve(options: ServeOptions) -> int:
    """Run a server until it is told to stop; the exit code (0 fine, 1 failed at run time, 2 wrong configuration)."""
    events.configure(log_format=options.log_format, log_level=options.log_level, process="supervisor")
    early_signals = remember_early_signals()
    predecessor = predecessor_in(cast(dict[str, str], os.environ))
    if predecessor is not None:  # it has become that user already, and what is in plan files is in the store
        options = replace(options, run_as=None, plan_files=())
    if options.run_as is not None and os.geteuid() != 0:
        return _complain("--run-as needs the server to be started as root", _WRONG_USAGE)
    if options.run_as is not None and not _is_user(options.run_as):
        return _complain(f"--run-as: there is no user {options.run_as!r} on this machine", _WRONG_USAGE)
    try:
        data_directory = _prepare_data_directory(options)
    except OSError as error:
        return _complain(f"the data directory {error.filename} cannot be used: {_words_of(error)}", _RUN_TIME_FAILURE)
    plan_files = _open_plan_files(options.plan_files)
    try:
        _give_up_privileges(options.run_as)
        legacy = None if predecessor is None else receive_legacy(predecessor)
        control = _control_socket(data_directory) if legacy is None else legacy.control
    except (privileges.PrivilegesKept, PredecessorGone, control_socket.AnotherServer) as error:
        return _complain(str(error), _RUN_TIME_FAILURE)
    start = _Start(
        options=options,
        data_directory=data_directory,
        database=os.environ.get("GATEPOST_DATABASE_URL") or str(data_directory),
        plan_files=plan_files,
        admin=os.environ.pop("GATEPOST_ADMIN", None),  # a password: for the boot process alone
        predecessor=predecessor,
        legacy=legacy,
        control=control,
        early_signals=early_signals,
    )
    settings = {"database": start.database, "log_format": options.log_format, "log_level": options.log_level}
    with closing(ForkServer((*_PROCESS, "fork-server"), settings)) as fork_server:
        return _boot_and_supervise(start, fork_server)


def _boot_and_supervise(start: _Start, fork_server: ForkServer) -> int:
    options, legacy = start.options, start.legacy
    _allow_many_descriptors()
    try:
        fork_server.start()  # it loads what workers need while the boot process works
        answer = _boot(start)
    except OSError as error:
        who = f"the user {options.run_as}" if options.run_as else "this user"
        return _complain(f"{who} cannot run {sys.executable}: {error.strerror}", _RUN_TIME_FAILURE)
    for note in answer.notes:  # even when it goes no further: a password is shown this once
        _announce(note)
    if answer.plan is None:
        for problem in answer.problems:
            _complain(problem, answer.exit_code)
        return answer.exit_code or _RUN_TIME_FAILURE
    # The default of a server that takes over may be another one.
    os.environ["GATEPOST_DATA"] = str(start.data_directory)
    if isinstance(start.control, OSError):
        _unreachable(start.control)
    openings = Openings(
        upgrade_command=(sys.executable, "-P", "-m", "gatepost", *sys.argv[1:]),
        control=None if isinstance(start.control, OSError) else start.control,
        passed=_passed_sockets(answer.plan),
        predecessor=start.predecessor,
        legacy=legacy,
        early_signals=start.early_signals,
    )
    return asyncio.run(_supervise(answer.plan, fork_server, options.workers or len(os.sched_getaffinity(0)), openings))


async def _supervise(plan: Plan, fork_server: ForkServer, worker_count: int, openings: Openings) -> int:
    return await Supervisor(plan, fork_server, worker_count, openings, _announce).run()


def _passed_sockets(plan: Plan) -> Mapping[SocketAddress, socket.socket]:
    inherited = inherited_sockets(os.environ, os.getpid())
    for reason in (*inherited.left_alone, *_not_listened_on(inherited, plan)):
        events.warning(Event.SOCKET_LEFT_ALONE, reason=reason)
    for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)  # not for workers
    return inherited.by_address


def _not_listened_on(inherited: InheritedSockets, plan: Plan) -> list[str]:
    bound = {address for listener in plan.listeners for address in listener.addresses}
    words = "was passed by the service manager, and clients wait in it until a listener binds it"
    return [f"{address} {words}" for address in inherited.by_address if str(address) not in bound]


def _control_socket(data_directory: Path) -> socket.socket | OSError:
    """Before anything is read or written there: two servers would not hear of each other's changes. Raises AnotherServer;
    another error may have better words when the directory is used."""
    try:
        return control_socket.listen(data_directory)
    except OSError as error:
        return error


def _unreachable(error: OSError) -> None:
    reason = f"no socket for `gatepost upgrade` in the data directory: {error}; SIGUSR2 works"
    events.warning(Event.UPGRADE_UNREACHABLE, reason=reason)


def _announce(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _complain(problem: str, exit_code: int) -> int:
    sys.stderr.write(f"gatepost: {problem}\n")
    return exit_code


def _words_of(error: OSError) -> str:
    """strerror(3), but for what it would say of a file where the directory should be; and what to do."""
    is_file = isinstance(error, FileExistsError | NotADirectoryError)
    return f"{'a file is in its place' if is_file else error.strerror}; give another --data"


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _prepare_data_directory(options: ServeOptions) -> Path:
    directory = options.data_directory or default_data_directory(is_demo=options.is_demo)
    directory = directory.expanduser().absolute()
    is_new = not directory.exists()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_new and options.run_as is not None:
        user = pwd.getpwnam(options.run_as)
        os.chown(directory, user.pw_uid, user.pw_gid)
    return directory


def default_data_directory(*, is_demo: bool) -> Path:
    """Where a server that this user starts has its files."""
    name = "gatepost-demo" if is_demo else "gatepost"
    if os.geteuid() == 0:
        return Path("/var/lib") / name
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / name


def _give_up_privileges(run_as: str | None) -> None:
    """After everything that may need root, before anything else. Raises PrivilegesKept."""
    if run_as is not None:
        privileges.become(run_as)
    elif os.geteuid() == 0:
        words = "workers have no capability, but may write whatever root owns: start with --run-as USER"
        events.warning(Event.SERVER_RUNS_AS_ROOT, reason=words)
    else:
        privileges.keep_what_was_given()


def _open_plan_files(paths: tuple[Path, ...]) -> tuple[int | None, ...]:
    """Their descriptors: whoever starts the server may read them, the user that it runs as need not. None for one that
    cannot be opened; the boot process says why."""
    return tuple(_opened(path) for path in paths)


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _allow_many_descriptors() -> None:
    """Every connection takes one, here and in the workers, which inherit the limit: take what the system lets us have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _boot(start: _Start) -> BootAnswer:
    """In a process of its own: the supervisor never opens the store."""
    request = BootRequest(
        database=start.database,
        data_directory=str(start.data_directory),
        plan_files=tuple(str(path.absolute()) for path in start.options.plan_files),
        plan_descriptors=start.plan_files,
        is_demo=start.options.is_demo,
        is_upgrade=start.legacy is not None,
        admin=start.admin,
    )
    opened = tuple(descriptor for descriptor in start.plan_files if descriptor is not None)
    with held_back():
        finished = subprocess.run(  # noqa: S603 - the arguments are our own
            (*_PROCESS, "boot"),
            env={**os.environ, boot_messages.ENVIRONMENT_VARIABLE: msgspec.json.encode(request).decode()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=opened,
            check=False,
        )
    for descriptor in opened:
        os.close(descriptor)
    if finished.returncode != 0:
        return BootAnswer(problems=(_words_of_failed_boot(finished.returncode),), exit_code=_RUN_TIME_FAILURE)
    return msgspec.msgpack.decode(finished.stdout, type=BootAnswer)


def _words_of_failed_boot(exit_code: int) -> str:
    if exit_code < 0:
        return (
            f"starting failed: the process that reads the configuration was ended by {signal.Signals(-exit_code).name}"
        )
    return "starting failed; the reason is above"
