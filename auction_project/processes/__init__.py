"""The processes: the table of roles, how one runs, what it needs, and whether it is alive and ready."""
