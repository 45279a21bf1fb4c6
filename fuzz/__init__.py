"""Coverage-guided fuzzing of what reads other people's octets: see ``docs/fuzzing.rst``."""
