"""A thousand listeners: made by one plan with the command line, found page by page, destroyed; how long each takes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.api import Api
from bench.commanding import command_environment
from bench.ports import Port
from bench.rig import NotMeasurable, Rig
from bench.servers import ENTRY_POINT, api, gatepost
from bench.table import Row

_PAGE = 200
_MOST_IN_SET = 500  # maxObjectsInSet
_PROTOCOLS = ("smtp", "lmtp", "imap", "pop3", "manageSieve")


def multiplying(rig: Rig, *, listeners: int, rounds: int) -> Iterator[Row]:
    """Two workers, not pinned. One port at as many addresses of 127/8."""
    plan = rig.directory / "many.ndjson"
    plan.write_text(_plan(rig, listeners), encoding="utf-8")
    taken: dict[str, list[float]] = {}
    with gatepost(rig, workers=2), api(rig) as calls:
        for _ in range(rounds + 1):
            _note(taken, "gatepost apply", lambda: _apply(rig, plan))
            _note(taken, f"query, pages of {_PAGE}", lambda: _paged(calls, listeners))
            ids = _paged(calls, listeners)
            _note(taken, "destroy", partial(_destroy, calls, ids))
    for what, seconds in taken.items():
        after_warm_up = sorted(seconds[1:])
        middle = after_warm_up[len(after_warm_up) // 2]
        shown = f"{middle:.2f} ({after_warm_up[0]:.2f}-{after_warm_up[-1]:.2f})"
        yield Row(f"{listeners} listeners, 2 workers: {what}: s", shown, f"{rounds} times")


def _note(taken: dict[str, list[float]], what: str, step: Callable[[], object]) -> None:
    began = time.perf_counter()
    step()
    taken.setdefault(what, []).append(time.perf_counter() - began)


def _plan(rig: Rig, listeners: int) -> str:
    port = Port.MANY.of(rig)
    value = {
        f"l{number}": {
            "name": f"many-{number:04}",
            "protocol": _PROTOCOLS[number % len(_PROTOCOLS)],
            "bind": {f"127.9.{number // 250}.{number % 250 + 1}:{port}": True},
        }
        for number in range(listeners)
    }
    operation = {"@type": "upsert", "object": "NetworkListener", "matchOn": ["name"], "value": value}
    return json.dumps(operation) + "\n"


def _apply(rig: Rig, plan: Path) -> None:
    """Raises NotMeasurable."""
    command = (sys.executable, "-c", ENTRY_POINT, "apply", str(plan))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=command_environment(rig))
    if done.returncode != 0:
        raise NotMeasurable(f"gatepost apply failed:\n{done.stderr[-2000:]}")


def _paged(calls: Api, listeners: int) -> list[str]:
    """The ids of all of them. Raises NotMeasurable where some are missing."""
    ids: list[str] = []
    while page := calls.call(
        "x:NetworkListener/query",
        filter={"name": "many-"},
        sort=[{"property": "name"}],
        position=len(ids),
        limit=_PAGE,
    )["ids"]:
        ids += page
    if len(set(ids)) != listeners:
        raise NotMeasurable(f"{len(set(ids))} listeners were found, not {listeners}")
    return ids


def _destroy(calls: Api, ids: list[str]) -> None:
    for start in range(0, len(ids), _MOST_IN_SET):
        some = ids[start : start + _MOST_IN_SET]
        answer = calls.call("x:NetworkListener/set", destroy=some)
        if answer["destroyed"] != some:
            raise NotMeasurable(f"listeners were not destroyed: {answer['notDestroyed']}")
