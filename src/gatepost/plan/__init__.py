"""The plan says everything a worker needs to know. Pure: derived from the registry, compared, never run here."""
