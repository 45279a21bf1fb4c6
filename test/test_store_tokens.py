"""Both stores keep the contract about tokens."""

from __future__ import annotations

from test import store_contract_tokens as contract
from test.test_store_memory import MemoryFixture
from test.test_store_postgres import PostgresFixture


class MemoryLoginsTests(contract.LoginsContract):
    """Records of tokens, in memory."""

    fixture_type = MemoryFixture


class MemoryLimitsTests(contract.LimitsContract):
    """Limits, in memory."""

    fixture_type = MemoryFixture


class MemoryLimitedInboxTests(contract.LimitedInboxContract):
    """The INBOX of a limited token, in memory."""

    fixture_type = MemoryFixture


class MemoryTouchTests(contract.TouchContract):
    """Times of use, in memory."""

    fixture_type = MemoryFixture


class PostgresLoginsTests(contract.LoginsContract):
    """Records of tokens, in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresLimitsTests(contract.LimitsContract):
    """Limits, in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresLimitedInboxTests(contract.LimitedInboxContract):
    """The INBOX of a limited token, in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresTouchTests(contract.TouchContract):
    """Times of use, in PostgreSQL."""

    fixture_type = PostgresFixture
