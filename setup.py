"""The package is described in setup.cfg; here is what cannot be said there."""

from setuptools import find_packages, setup

setup(
    # twisted.plugins is no package (it has no __init__.py): it is listed so that its one module comes into a wheel.
    packages=[*find_packages(include=["cybertemp_imap*"]), "cybertemp_imap.schema", "twisted.plugins"],
)
