"""The test suite. Run it with ``python -m twisted.trial test``."""

from test import strict_output

strict_output.install()
