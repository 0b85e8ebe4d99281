"""The only room that joins the parts: the server as a whole, and the entry points of its processes, one file each.

`gatepost serve` calls `server.serve`; the processes that it starts are `python -m gatepost.compose boot` and `… fork-server`.
Nothing is imported here: each process loads what it needs, and no more.
"""
