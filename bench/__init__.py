"""Measurements beside their baselines; each file says how it is run."""
