"""The database's history: every change of a table is one migration."""
