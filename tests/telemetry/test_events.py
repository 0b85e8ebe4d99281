"""The log: one line per event, values that cannot forge a line, and no failure that reaches the server."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest
from tests.python_process import python_environment


def logged(program: str, log_format: str = "text", log_level: str = "info") -> str:
    """What a process writes whose log is set up, and which runs `program`."""
    lines = [
        "from gatepost.telemetry import events",
        "from gatepost.telemetry.events import Event",
        f"events.configure(log_format={log_format!r}, log_level={log_level!r}, process='worker-1')",
        program,
    ]
    finished = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        check=True,
        capture_output=True,
        text=True,
        env=python_environment(),
    )
    assert finished.stdout == ""
    return finished.stderr


def test_an_event_is_a_line_with_its_name_its_process_and_its_values() -> None:
    (line,) = logged("events.info(Event.LOGIN, login='alice', source='192.0.2.1')").splitlines()
    for part in ("login", "worker-1", "alice", "192.0.2.1", "info"):
        assert part in line


def test_events_may_be_json() -> None:
    line = json.loads(logged("events.warning(Event.ACCEPT_PAUSED, reason='full')", "json"))
    assert (line["event"], line["level"], line["process"], line["reason"]) == (
        "accept.paused",
        "warning",
        "worker-1",
        "full",
    )
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_less_important_events_are_left_out(level: str, count: int) -> None:
    names = ("debug", "info", "warning", "error")
    program = "\n".join(f"events.{name}(Event.LOGIN)" for name in names)
    assert len(logged(program, log_level=level).splitlines()) == count


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_value_cannot_forge_a_line(log_format: str) -> None:
    output = logged(r"events.info(Event.LOGIN, login='alice\n2026-01-01 login \x1b[2J forged\r')", log_format)
    assert len(output.splitlines()) == 1
    assert "\x1b" not in output
    assert "\r" not in output


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_value_cannot_speak_to_the_terminal_of_who_reads_the_log(log_format: str) -> None:
    output = logged(r"events.info(Event.LOGIN, login='alice\x1b[2J\x9b\x07\x85\u2028\u202e\udc80')", log_format)
    (line,) = output.splitlines()
    assert line.isprintable()
    assert "alice" in line


def test_a_traceback_keeps_its_lines_and_nothing_else_of_what_a_client_has_said() -> None:
    output = logged(
        r"try: raise ValueError('\x1b[2J')" + "\nexcept ValueError as error: events.error(Event.LOGIN, failure=error)"
    )
    assert r"ValueError: \x1b[2J" in output
    assert "\x1b" not in output
    assert len(output.splitlines()) > 3


def test_a_failure_is_logged_with_its_traceback() -> None:
    output = logged(
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    events.error(Event.STORE_FAILED, failure=error)"
    )
    assert "store.failed" in output
    assert "ZeroDivisionError: division by zero" in output


def test_a_failed_callback_of_the_loop_is_an_event() -> None:
    output = logged(
        "import asyncio\n"
        "async def main():\n"
        "    loop = asyncio.get_running_loop()\n"
        "    loop.set_exception_handler(events.loop_error)\n"
        "    loop.call_soon(lambda: 1 / 0)\n"
        "    await asyncio.sleep(0.01)\n"
        "asyncio.run(main())"
    )
    assert "loop.error" in output
    assert "ZeroDivisionError" in output


def test_a_log_that_nobody_reads_for_a_while_holds_nothing_up_and_has_whole_lines_in_order_afterwards() -> None:
    program = (
        "import os, threading\n"
        "log = os.dup(2)\n"
        "reading, writing = os.pipe(); os.dup2(writing, 2)\n"
        "for number in range(1000): events.error(Event.LOGIN, number=number, filler='x' * 300)\n"
        "def read():\n"
        "    while octets := os.read(reading, 65536): os.write(log, octets)\n"
        "reader = threading.Thread(target=read); reader.start()\n"
        "for number in range(1000, 2000):\n"
        "    while not events.standard_error.takes_more(): pass\n"
        "    events.error(Event.LOGIN, number=number)\n"
        "os.close(writing); os.close(2); reader.join()"
    )
    numbers = [json.loads(line)["number"] for line in logged(program, "json").splitlines()]
    assert numbers == list(range(2000))


def test_what_is_lost_of_a_log_that_nobody_reads_is_whole_lines() -> None:
    program = (
        "import os\n"
        "log = os.dup(2)\n"
        "reading, writing = os.pipe(); os.dup2(writing, 2)\n"
        "events._MOST_WAITING = 20_000\n"
        "for number in range(1000): events.error(Event.LOGIN, number=number, filler='x' * 300)\n"
        "for number in range(1000, 2000):\n"
        "    while not events.standard_error.takes_more(): os.write(log, os.read(reading, 65536))\n"
        "    events.error(Event.LOGIN, number=number)\n"
        "os.close(writing); os.close(2)\n"
        "while octets := os.read(reading, 65536): os.write(log, octets)"
    )
    numbers = [json.loads(line)["number"] for line in logged(program, "json").splitlines()]
    assert numbers == sorted(numbers)
    assert numbers[:150] == list(range(150))
    assert numbers[-1] == 1999


def test_what_had_to_wait_is_written_in_whole_lines_between_which_others_may_write_theirs() -> None:
    program = (
        "import sys\n"
        "class Pieces:\n"
        "    def write(self, text): standard_error.write(repr(text) + '\\n')\n"
        "    def flush(self): pass\n"
        "standard_error, sys.stderr = sys.stderr, Pieces()\n"
        "takes_more, events.standard_error.takes_more = events.standard_error.takes_more, lambda: False\n"
        "for number in range(10): events.error(Event.LOGIN, number=number, filler='x' * 300)\n"
        "events.standard_error.takes_more = takes_more\n"
        "events.error(Event.LOGIN, number=10)"
    )
    pieces = [ast.literal_eval(line) for line in logged(program, "json").splitlines()]
    assert len(pieces) > 1
    assert all(piece.endswith("\n") for piece in pieces)
    assert [json.loads(line)["number"] for line in "".join(pieces).splitlines()] == list(range(11))


def test_a_log_that_cannot_be_written_is_not_the_servers_problem() -> None:
    program = (
        "import os\n"
        "reading, writing = os.pipe(); os.close(reading); os.dup2(writing, 2)\n"
        "for _ in range(3): events.error(Event.LOGIN)\n"
        "os.close(2)\n"
        "for _ in range(3): events.error(Event.LOGIN)\n"
        "os._exit(0)"
    )
    assert logged(program) == ""
