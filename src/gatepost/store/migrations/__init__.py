"""Alembic's folder: `env.py` runs the files of `versions/` on the connection that `migrate.py` gives it."""
