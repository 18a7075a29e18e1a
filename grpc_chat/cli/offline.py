"""Administering the database of a stopped server, without a network. The requests are those of the API,
checked and carried out by the same code as in a server, but carried by function calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from grpc_chat.api.limits import RequestChecker
from grpc_chat.api.pipeline import Pipeline
from grpc_chat.api.services import services
from grpc_chat.bus.local import LocalBus
from grpc_chat.cli.failures import NOT_FOUND, Failure
from grpc_chat.cli.serve import load_config
from grpc_chat.config import Config
from grpc_chat.core.caller import SYSTEM, Caller
from grpc_chat.core.rates import Rate
from grpc_chat.core.system import ChatSystem
from grpc_chat.errors import StoreInUse, StoreUnavailable
from grpc_chat.node_options import issuers, options, request_limits
from grpc_chat.sdk.admin import AdminCalls
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.sqlite import open_store
from grpc_chat.transport.in_process import InProcess


@asynccontextmanager
async def offline_admin(folder: Path) -> AsyncIterator[AdminCalls]:
    """The calls of administrators, on the database in a folder, which nobody else may use meanwhile.

    Raises:
        Failure: There is no database, a server is using it, or it can't be opened.
    """
    if not (folder / "chat.db").exists():
        raise Failure(
            f"there is no database in {folder}; --data is the folder that the server was given", NOT_FOUND
        )
    try:
        config = load_config(None, data=folder)
    except ValueError as exc:
        raise Failure(str(exc)) from exc
    async with AsyncExitStack() as resources:
        yield AdminCalls(await _open(config, resources))


async def _open(config: Config, resources: AsyncExitStack) -> InProcess:
    """As in :class:`grpc_chat.node.Node`, without anything that faces the network."""
    try:
        store = await asyncio.to_thread(open_store, config.data, readers=1)
    except StoreInUse as error:
        # Only one process may write; the other one can be asked.
        raise Failure(
            f"a server is using {config.data}: leave out --data to ask it, or stop it first"
        ) from error
    except StoreUnavailable as error:
        # Nothing of it passes by itself.
        raise Failure(error.message) from error
    resources.callback(store.close)
    told = options(config)
    told = replace(told, read_threads=1, streams=replace(told.streams, position_check=None))
    system = ChatSystem(store, LocalBus().port(), told, issuers=issuers(config), housekeeping=False)
    await resources.enter_async_context(system)
    pipeline = Pipeline(
        services(system),
        authenticator=_Operator(),
        checker=RequestChecker(request_limits(config)),
        rate=Rate(per_second=0, burst=1),
        metrics=system.metrics,
    )
    # Nobody reads the token, but each call must say who calls.
    link = InProcess(lambda: pipeline, "operator", timeout=None)
    resources.push_async_callback(link.close)
    return link


class _Operator:
    """Anyone who can write to the data folder may do everything, and is not a user of the server: what they
    make is made by no user."""

    def recognise(self, _token: str) -> Caller | None:
        return SYSTEM

    async def authenticate(self, _token: str) -> Caller:
        return SYSTEM

    def require_session(self, _snapshot: Snapshot, _caller: Caller) -> None:
        """There is no session that could end."""
