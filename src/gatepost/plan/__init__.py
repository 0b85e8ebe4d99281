"""The plan: a plain value that says everything a worker needs to know. Pure: derived from the registry, compared, never run here."""
