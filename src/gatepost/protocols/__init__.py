"""The protocol engines. Pure: bytes in, events and bytes out. No socket, no clock, no log, no store.

Every engine has the shape of `protocols.engine.Engine`, so that one conversation (room `session`) drives all of them.
"""
