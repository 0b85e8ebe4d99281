"""Plan files: parsed, resolved against the objects that exist, carried out, compared; snapshots, which are plans too.

Pure except where a file says otherwise. May import telemetry and values, nothing else of gatepost.
"""
