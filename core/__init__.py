"""Configuration, clock, database, ids, errors, logs: what every other floor stands on."""
