"""Administering the database of a server that is stopped, without a network.

The requests are those of the API, checked and carried out by the same code as in a server; only what carries
them is another: a call of a function.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from google.protobuf.message import Message

from grpc_chat.api.admin import AdminService
from grpc_chat.api.limits import Limits, RequestChecker
from grpc_chat.bus.local import LocalBus
from grpc_chat.cli.failures import NOT_FOUND, Failure
from grpc_chat.cli.serve import load_config
from grpc_chat.config import Config
from grpc_chat.core.admin import Admin
from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.commit import Committer
from grpc_chat.core.hub import Hub
from grpc_chat.core.identities import Identities, known_issuers
from grpc_chat.core.invites import Invites
from grpc_chat.core.ownership import Ownership
from grpc_chat.core.page_token import Pages, PageTokens
from grpc_chat.core.passwords import Passwords
from grpc_chat.core.reads import Readers
from grpc_chat.core.sessions import Policy, Sessions
from grpc_chat.errors import StoreInUse, StoreUnavailable
from grpc_chat.metrics import Metrics
from grpc_chat.sdk.admin import AdminCalls
from grpc_chat.store.sqlite import open_store
from grpc_chat.wire import chat_pb2 as pb

Response = TypeVar("Response", bound=Message)

# Nobody of the server's: what it makes by itself is made by no user.


@asynccontextmanager
async def offline_admin(folder: Path) -> AsyncIterator[AdminCalls]:
    """What administrators can do, done to the database in a folder; nobody else may use it meanwhile.

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
        yield AdminCalls(_Local(await _open(config, resources)))


async def _open(config: Config, resources: AsyncExitStack) -> AdminService:
    """As :class:`grpc_chat.node.Node` does it, without anything that faces the network."""
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
    metrics = Metrics()
    readers = Readers(store)
    resources.callback(readers.close)
    hub = Hub(
        readers=readers, bus=LocalBus().port(), epoch=store.epoch, metrics=metrics, random=random.random
    )
    committer = Committer(
        store,
        publish=hub.publish,
        rewritten=hub.rewritten,
        on_failure=lambda: None,
        metrics=metrics,
    )
    resources.push_async_callback(committer.close)
    pages = Pages(PageTokens(store.secret))
    policy = Policy(idle=config.accounts.session_idle, most=config.accounts.session_lifetime)
    sessions = Sessions(committer, readers, hub, policy)
    passwords = Passwords(
        memory_kib=config.accounts.password_memory_kib, passes=config.accounts.password_passes
    )
    resources.callback(passwords.close)
    invites = Invites(committer, readers, pages, most=config.limits.invites_per_room)
    ownership = Ownership(committer, readers, sessions, hub, pages, max_bots=config.accounts.bots)
    issuers = known_issuers((issuer.name, issuer.issuer, issuer.label) for issuer in config.oidc)
    identities = Identities(committer, readers, sessions, issuers)
    admin = Admin(committer, readers, sessions, passwords, pages)
    return AdminService(admin, ownership, invites, identities)


class _Local:
    """Stands in for a connection: see :class:`grpc_chat.sdk.calls.Way`."""

    closed = False

    def __init__(self, service: AdminService) -> None:
        self._service = service
        self._checker = RequestChecker(Limits())

    async def call(self, path: str, request: Message, response: type[Response]) -> Response:
        """Carry out a method of AdminService."""
        method = path.rpartition("/")[2]
        descriptor = pb.DESCRIPTOR.services_by_name["AdminService"].methods_by_name[method]
        self._checker.plan(descriptor.input_type)
        self._checker.check(request)
        function: Any = getattr(self._service, re.sub(r"(?<!^)([A-Z])", r"_\1", method).lower())
        return cast(Response, await function(SYSTEM, request))
