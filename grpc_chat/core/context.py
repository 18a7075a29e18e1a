"""What all parts of a chat system need."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from grpc_chat.core.commit import Committer
from grpc_chat.core.page_token import Pages
from grpc_chat.core.reads import Readers


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Writing to a store, reading from it, and the time.

    Attributes:
        epoch: The store's epoch.
        clock: Seconds since 1970.
        monotonic: Seconds, never set.
    """

    committer: Committer
    readers: Readers
    pages: Pages
    epoch: str
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
