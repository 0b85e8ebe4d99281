"""The boot process: answers what the server asked in its environment on its standard output."""

from __future__ import annotations

import os
import sys

import msgspec

from gatepost.boot.boot import boot
from gatepost.boot.messages import ENVIRONMENT_VARIABLE, BootRequest
from gatepost.telemetry import events


def run_boot() -> None:
    """Answer and end."""
    events.configure(log_format="text", log_level="info", process="boot")
    request = msgspec.json.decode(os.environ.pop(ENVIRONMENT_VARIABLE), type=BootRequest)
    sys.stdout.buffer.write(msgspec.msgpack.encode(boot(request)))
