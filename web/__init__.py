"""Pages, the HTTP API, the command, and the place where everything is put together."""
