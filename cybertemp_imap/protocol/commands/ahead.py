"""Reading ahead: the next page comes from the store while the one before is being sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


async def ahead(pages: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield what ``pages`` yields, with one page always being read or waiting."""
    coming = Deferred.fromCoroutine(_next(pages))
    try:
        while (page := await coming) is not None:
            coming = Deferred.fromCoroutine(_next(pages))
            yield page[0]
    finally:
        # What is under way when the client leaves, or when this one failed, is of no use to anybody.
        coming.addErrback(lambda _failure: None)


async def _next(pages: AsyncIterator[T]) -> tuple[T] | None:
    async for page in pages:
        return (page,)
    return None
