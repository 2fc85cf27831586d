"""Bad networks for tests and benches: a seeded model, what carries it out, and a script of faults."""
