"""The service takes as many descriptors as it may have."""

from __future__ import annotations

import resource
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap import descriptors
from cybertemp_imap.config import Settings
from cybertemp_imap.service import ImapService

_KIND = resource.RLIMIT_NOFILE


class DescriptorTests(SynchronousTestCase):
    """``RLIMIT_NOFILE``."""

    def setUp(self) -> None:
        """Begin with a soft limit below the hard one."""
        before = resource.getrlimit(_KIND)
        self.hard = before[1]
        self.addCleanup(resource.setrlimit, _KIND, before)
        resource.setrlimit(_KIND, (self.hard - 1, self.hard))

    def test_raised(self) -> None:
        """The soft limit is raised to the hard one, which stays."""
        self.assertEqual(descriptors.raise_limit(), self.hard)
        self.assertEqual(resource.getrlimit(_KIND), (self.hard, self.hard))
        self.assertEqual(descriptors.raise_limit(), self.hard)

    def test_by_the_service(self) -> None:
        """The service does so before it listens."""
        service = ImapService(Settings(bind=None), mock.Mock())
        service.privilegedStartService()
        self.assertEqual(resource.getrlimit(_KIND)[0], self.hard)

    def test_not_allowed(self) -> None:
        """Where it cannot be raised the service goes on with what there is."""

        def refused(*arguments: Any) -> None:
            raise ValueError("not allowed to raise maximum limit")

        self.patch(resource, "setrlimit", refused)
        self.assertEqual(descriptors.raise_limit(), self.hard - 1)
