"""Listening sockets: making them, setting and reading their options, handing them to another process.

Called by the supervisor (makes, keeps, retires) and by workers (receive). Knows nothing of protocols or plans' origins.
"""
