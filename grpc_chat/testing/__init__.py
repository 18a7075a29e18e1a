"""Real servers for tests: our own, and those of bot authors.

::

    async with running_node("alice", "bob") as node:
        alice = node.client("alice")
        await alice.send("general", "hello")

With a :class:`FaultyProxy` in between, the network becomes as bad as a test needs.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from grpc_chat.api.pipeline import Pipeline
from grpc_chat.config import Config
from grpc_chat.core.caller import SYSTEM
from grpc_chat.node import Node
from grpc_chat.sdk.client import Client
from grpc_chat.sdk.network import nobody_there
from grpc_chat.sdk.tls import Tls
from grpc_chat.testing.proxy import Direction, FaultyProxy
from grpc_chat.transport.in_process import InProcess
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.trusted import trusted_token

__all__ = ["PASSWORD", "Direction", "FaultyProxy", "RunningNode", "running_node"]

PASSWORD = "correct horse battery staple"
"""The password of the accounts that :meth:`RunningNode.register` makes."""

# The engine of servers whose test does not name one; None for the default.
_ENGINE: str | None = None

# As little work as hashing a password can be.
# The least memory that settings may name would take 4 ms, a hundred times as long.
_QUICK = {"password_memory_kib": 64, "password_passes": 1}


class _Given(Config):
    """The settings that a test gives. What the environment of the person who runs it says must not count."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class RunningNode:
    """A server in this process, with its own port and database.

    Attributes:
        config: Its settings.
        node: The server; another one after every :meth:`restart`.
        address: Where it listens, the same after a restart; empty without a network.
    """

    def __init__(self, config: Config, *, network: bool = True) -> None:
        self.config = config
        self._network = network
        self._pipeline: Pipeline | None = None
        self._clients = AsyncExitStack()
        self.node = Node(config, network=network)
        self.address = ""

    @property
    def tls(self) -> Tls | None:
        """How clients know this server: by the certificate that it has now; None without TLS."""
        certificates = self.node.certificates
        return Tls(fingerprint=certificates.fingerprint) if certificates else None

    async def start(self) -> None:
        """Start the server; on the port it had before, if it had one."""
        self.node = Node(self.config, network=self._network)
        await self.node.__aenter__()
        self._pipeline = self.node.pipeline
        if self._network:
            self.config = self.config.model_copy(update={"port": self.node.port})
            self.address = f"{self.config.host}:{self.node.port}"

    async def stop(self) -> None:
        """Stop the server; its clients stay, and reconnect when it is back."""
        self._pipeline = None
        await self.node.__aexit__(None, None, None)

    async def restart(self) -> None:
        """Stop it and start it again."""
        await self.stop()
        await self.start()

    async def put_room(self, room_id: str, members: Mapping[str, str]) -> None:
        """Make a room, or change its members to exactly these.

        Args:
            members: Their roles by their ids: ``owner``, ``admin``, ``member`` or ``reader``.
        """
        roles = {user_id: pb.Role.Value(f"ROLE_{role.upper()}") for user_id, role in members.items()}
        await self.node.committer.transact(
            SYSTEM, lambda transaction: transaction.put_room(room_id, room_id, roles)
        )

    def client(
        self,
        trusted_id: str,
        *,
        address: str = "",
        timeout: timedelta = timedelta(seconds=10),
        tls: Tls | None = None,
    ) -> Client:
        """A client that is closed when the test ends.

        Args:
            address: Where it connects, if not directly to the server: for a :class:`FaultyProxy`.
            tls: How it knows the server, if not by :attr:`tls`.
        """
        token = trusted_token(trusted_id)
        if not address and not self._network:
            return self.client_within(token=token, timeout=timeout)
        client = Client(address or self.address, token=token, timeout=timeout, tls=tls or self.tls)
        self._clients.push_async_callback(client.aclose)
        return client

    def client_within(
        self, trusted_id: str = "", *, token: str = "", timeout: timedelta = timedelta(seconds=10)
    ) -> Client:
        """A client without a network: the same API, requests and errors, carried by function calls. It costs
        about a third of a connection and its calls, and is for tests of a program's behaviour. It is closed
        when the test ends.

        Args:
            token: Instead of an id: a session's token. Without either, use :meth:`Client.log_in`.
        """
        token = token or (trusted_token(trusted_id) if trusted_id else "")
        client = Client.over(InProcess(self._reached, token, timeout=timeout))
        self._clients.push_async_callback(client.aclose)
        return client

    def _reached(self) -> Pipeline:
        if self._pipeline is None:
            raise nobody_there("the server is stopped", "refused", "")
        return self._pipeline

    def _guest(self) -> Client:
        """A client that is not logged in."""
        if not self._network:
            return self.client_within()
        client = Client(self.address, tls=self.tls)
        self._clients.push_async_callback(client.aclose)
        return client

    async def register(self, user_id: str, *, admin: bool = False, password: str = PASSWORD) -> Client:
        """Make an account with this name and a client that is logged in to it, on a server with accounts.

        Args:
            admin: Whether it is an administrator of the server.
        """
        client = self._guest()
        _, invite = await self.node.invites.create_for_server(None, makes_admin=admin)
        await client.register(user_id, password, invite=invite, device_name="test")
        return client

    async def log_in(self, user_id: str, *, password: str = PASSWORD) -> Client:
        """A client with another session of an account."""
        client = self._guest()
        await client.log_in(user_id, password, device_name="test")
        return client

    async def aclose(self) -> None:
        """Close the clients, then the server."""
        await self._clients.aclose()
        await self.stop()


@asynccontextmanager
async def running_node(
    *trusted_ids: str,
    accounts: bool | Mapping[str, Any] = False,
    network: bool = True,
    **settings: Any,
) -> AsyncIterator[RunningNode]:
    """A server with these trusted ids, on a free port, with a database that is removed afterwards.

    Args:
        accounts: Use accounts instead of trusted ids: True, or their settings. See
            :meth:`RunningNode.register`.
        network: Whether it listens on a port. Without, its clients are those of
            :meth:`RunningNode.client_within`, and a test has no socket that could be taken or slow.
        settings: Any of :class:`grpc_chat.config.Config`, as ``limits={"text_bytes": 100}``.
    """
    with tempfile.TemporaryDirectory(prefix="grpc-chat-") as folder:
        given: dict[str, Any] = {"data": Path(folder) / "data", "port": 0, "web": {"port": "off"}}
        if accounts:
            given["accounts"] = dict(accounts) if isinstance(accounts, Mapping) else {}
        else:
            given["trusted_ids"] = trusted_ids or ("1", "2", "3")
        if _ENGINE:
            settings["grpc"] = {"engine": _ENGINE} | settings.get("grpc", {})
        config = _Given.model_validate(given | settings)
        quick = {
            name: value for name, value in _QUICK.items() if name not in config.accounts.model_fields_set
        }
        # What is copied is not validated again.
        config = config.model_copy(update={"accounts": config.accounts.model_copy(update=quick)})
        node = RunningNode(config, network=network)
        await node.start()
        try:
            yield node
        finally:
            await node.aclose()
