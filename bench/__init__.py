"""The load generator and the comparison benchmarks. Each runs alone: ``python -m bench.NAME``."""
