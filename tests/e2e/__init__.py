"""The whole server as a process of its own, and independent peers that talk through it."""
