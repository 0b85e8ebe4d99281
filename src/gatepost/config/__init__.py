"""What must be known before the store can be opened, and plan files.

Pure except where a file says otherwise. May import telemetry and values, nothing else of gatepost.
"""
