"""The test suite. Run it with ``python -m twisted.trial test``."""
