"""Bad networks for tests: a seeded model, a proxy that carries it out, and network namespaces."""
