"""Logging in with issuers: the parts put together."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from types import TracebackType
from typing import Self

from grpc_chat.oidc.code_login import CodeLogins
from grpc_chat.oidc.device_login import DeviceLogins
from grpc_chat.oidc.issuer import Issuer
from grpc_chat.oidc.provider import Provider
from grpc_chat.oidc.web import http_client


class RelyingParty:
    """This server, as issuers know it.

    ::

        async with RelyingParty(providers) as party:
            login = await party.code.begin("example", "http://127.0.0.1:8400/")

    Issuers are not contacted before somebody wants to log in, so a server can start without them.

    Args:
        providers: With different names.
        clock: Seconds, never going back.
        wall_clock: Seconds since 1970.
        sleep: Waits for so many seconds of ``clock``.
        token: Random text of so many bytes, base64url.
        timeout: Seconds for each request to an issuer.
        own_pages: The addresses of this server's pages that browsers may come back to.
        max_pending: The most unfinished logins of each kind; beyond that the oldest is dropped.

    Attributes:
        providers: As they were given, by name.
        code: Logins with a browser on the client's machine.
        device: Logins without.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        token: Callable[[int], str] = secrets.token_urlsafe,
        timeout: float = 10,
        max_pending: int = 10_000,
        own_pages: Collection[str] = (),
    ) -> None:
        self.providers = {provider.name: provider for provider in providers}
        self._client = http_client()
        issuers = {
            name: Issuer(
                provider, self._client, clock=clock, wall_clock=wall_clock, sleep=sleep, timeout=timeout
            )
            for name, provider in self.providers.items()
        }
        self.code = CodeLogins(
            issuers, clock=clock, token=token, max_pending=max_pending, own_pages=own_pages
        )
        self.device = DeviceLogins(issuers, clock=clock, token=token, max_pending=max_pending)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()
