"""Small immutable values that every room shares: addresses, networks, durations, ids, secrets.

Pure: nothing here reads a clock, a file or a socket. Imports nothing of gatepost.
"""
