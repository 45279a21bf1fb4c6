"""The test suite. Run it with ``python -m twisted.trial test``."""

from hypothesis import settings

from test import strict_output

strict_output.install()

# How long an example takes depends on what else the machine does; what may take how long is measured in bench/.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
