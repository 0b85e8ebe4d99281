"""Workers that do what the test says: real in how they are made and in their channel, scripted in what they answer.

The setting `script` of the worker command names its behaviour for each plan; see `ScriptedWorker`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys

from gatepost.control.channel import Channel
from gatepost.control.forking import ENVIRONMENT_VARIABLE, serve_requests
from gatepost.control.messages import (
    ApplyPlan,
    BeginChange,
    ChangeGranted,
    ChangePrepared,
    Drain,
    FromSupervisor,
    NeighbourCame,
    NeighbourLeft,
    PlanApplied,
    PrepareChange,
    Reconcile,
    ReleaseSockets,
    Retire,
    SocketsReleased,
    TlsFailure,
    TlsTried,
    TryTls,
)
from gatepost.control.worker_start import WorkerStart


class ScriptedWorker:
    """Scripts: `obedient`; `mute` (never answers a plan behind the first); `dies-at-start`; `refuses` (plans behind the first);
    `cannot` (not even the first); `garbage` (behind the first plan); `dies-when-prepared` (asks for the turn, prepares the plan
    it has, and dies)."""

    def __init__(self, start: WorkerStart) -> None:
        self.script = str(start.settings["script"])
        self.plans = 0
        self.finished = asyncio.Event()
        self.log = str(start.settings["log"])
        self.sock = socket.socket(fileno=start.control)
        self.channel: Channel[FromSupervisor] = Channel(
            self.sock,
            FromSupervisor,  # type: ignore[arg-type]  # a union of types is decoded
            self.received,
            self.finished.set,
        )

    def note(self, word: str) -> None:
        """For the test to read."""
        with open(self.log, "a") as file:  # noqa: PTH123 - one line
            file.write(f"{os.getpid()} {word}\n")

    def received(self, message: FromSupervisor, descriptors: list[int]) -> None:
        match message:
            case ApplyPlan():
                self.plans += 1
                self.note(f"plan {message.plan.revision} sockets {len(message.sockets)} attached {len(descriptors)}")
                self.apply(message)
            case TryTls(number=number, plan=plan):
                self.note(f"try TLS of {len(plan.listeners)} listeners")
                if self.script != "mute":
                    failures = [TlsFailure(listener_id=each.id, text="no room") for each in plan.listeners if each.tls]
                    self.channel.send(
                        TlsTried(number=number, failures=() if self.script != "refuses" else tuple(failures))
                    )
            case ReleaseSockets(number=number, sockets=sockets):
                self.note(f"release {len(sockets)}")
                self.channel.send(SocketsReleased(number=number))
            case ChangeGranted(running_plan=plan):
                self.channel.send(PrepareChange(number=2, plan=plan))
            case ChangePrepared():
                os._exit(3)
            case Reconcile():
                self.note("reconcile")
            case NeighbourCame(row=row):
                os.close(descriptors[0])
                self.note(f"neighbour {row}")
            case NeighbourLeft(row=row):
                self.note(f"no neighbour {row}")
            case Retire():
                self.note("retire")
                self.finished.set()
            case Drain():
                self.note("drain")
                if self.script != "stays":
                    self.finished.set()

    def apply(self, message: ApplyPlan) -> None:
        is_first = self.plans == 1
        if self.script == "mute" and not is_first:
            return
        if self.script == "garbage" and not is_first:
            self.sock.send(b"\xff" * 100)
            return
        if self.script == "dies-when-prepared" and not is_first:
            self.channel.send(BeginChange(number=1))
        is_refused = self.script == "cannot" or (self.script == "refuses" and not is_first)
        error = "no room" if is_refused else None
        self.channel.send(PlanApplied(number=message.number, error=error))


async def work(start: WorkerStart) -> None:
    if start.settings["script"] == "dies-at-start":
        sys.exit(4)
    await ScriptedWorker(start).finished.wait()


if __name__ == "__main__":
    serve_requests(
        socket.socket(fileno=int(os.environ.pop(ENVIRONMENT_VARIABLE))), lambda start: asyncio.run(work(start))
    )
