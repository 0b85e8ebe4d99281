"""The boot process: answers what the server asked in its environment on its standard output."""

from __future__ import annotations

import gc
import os
import signal
import sys

import msgspec

from gatepost.boot.boot import boot
from gatepost.boot.messages import ENVIRONMENT_VARIABLE, BootRequest
from gatepost.supervisor.early_signals import ignore_followed_signals
from gatepost.telemetry import events


def run_boot() -> None:
    """Answer and end."""
    gc.freeze()
    gc.enable()
    events.configure(log_format="text", log_level="info", process="boot")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a terminal sends it to all; whoever started us has words for it
    ignore_followed_signals()  # what a running server does then is the supervisor's to decide
    request = msgspec.json.decode(os.environ.pop(ENVIRONMENT_VARIABLE), type=BootRequest)
    answer = msgspec.msgpack.encode(boot(request))
    try:
        sys.stdout.buffer.write(answer)
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # whoever asked was told to end meanwhile
