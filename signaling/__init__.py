"""The wire: connections, calls, pairing and presence. The only floor that holds live calls."""
