"""The commands for people. All but `serve` are clients that speak JMAP over HTTP like any other.

Nothing imports this room. Client commands import no server code, so that they start fast.
"""
