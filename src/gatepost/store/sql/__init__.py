"""The store in a relational database: SQLAlchemy Core writes the SQL, the driver runs it on threads of the store's own."""
