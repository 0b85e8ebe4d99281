"""The only room that joins the parts: the server as a whole, and the entry points of its processes, one file each.

`gatepost serve` calls `serve`; the processes that it starts are `python -m gatepost.compose boot` and `… worker`.
"""

from gatepost.compose.server import ServeOptions, serve

__all__ = ["ServeOptions", "serve"]
