"""The pure parts of the benches: what they send and what they print."""
