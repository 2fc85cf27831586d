"""Bad networks for tests and benches: a seeded model, a proxy and a wire that carry it out, namespaces, and faults."""
