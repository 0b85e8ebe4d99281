"""Entry point of the processes that `gatepost serve` starts; not for people."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["boot"]:
            from gatepost.compose.boot_process import run_boot

            run_boot()
        case ["worker"]:
            from gatepost.compose.worker_process import run_worker

            run_worker()
        case _:
            sys.exit("gatepost: start the server with: gatepost serve")
