"""Entry point of the processes that `gatepost serve` starts; not for people."""

from __future__ import annotations

import gc
import sys

from gatepost.supervisor import privileges

if __name__ == "__main__":
    try:
        privileges.renounce()  # before anything is read, and before there is a second thread
    except privileges.PrivilegesKept as error:
        sys.exit(f"gatepost: {error}")
    gc.disable()  # what modules make while they are loaded lives as long as the process: looking at it takes 0.1 s
    match sys.argv[1:]:
        case ["boot"]:
            from gatepost.compose.boot_process import run_boot

            run_boot()
        case ["fork-server"]:
            from gatepost.compose.fork_server_process import run_fork_server

            run_fork_server()
        case _:
            sys.exit("gatepost: start the server with: gatepost serve")
