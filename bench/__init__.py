"""Measures the server beside others on one machine; see ``docs/bench.rst``."""
