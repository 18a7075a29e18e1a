"""Browsers behind the four proxies, with the configurations that serve gRPC at the same address."""

from __future__ import annotations

import asyncio
import importlib
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from grpc_chat import Tls, new_message_id, trusted_token
from grpc_chat.testing import PASSWORD, RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.certificates import issue
from tests.proxies.proxies import AUTHORITY, Edit, Envoy, HaProxy, Nginx, Proxy, before
from tests.support import metric, until
from tests.web import WEB, bearer, browser, enveloped, envelopes

# A server loads it with its first connection, for which a proxy of these tests may have too little patience.
importlib.import_module("grpc_chat.transport.web_application")

pytestmark = pytest.mark.timeout(120)

BEHIND: dict[str, Any] = {
    "grpc": {"trusted_proxies": ["127.0.0.1/32"]},
    "subscribe": {"heartbeat": "PT0.5S"},
    "web": WEB,
}
TLS = Tls(ca=AUTHORITY.pem)
ALICE = bearer(trusted_token("alice"))
SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"
EVERYTHING = pb.SubscribeRequest(all_rooms=True, start=pb.START_BEGINNING, include_own=True)


@asynccontextmanager
async def page(proxy: Proxy, *, http2: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that calls through a proxy; most speak HTTP/2 to it."""
    context = ssl.create_default_context(cadata=AUTHORITY.pem.decode())
    async with browser(base_url=f"https://{proxy.address}", verify=context, http2=http2) as client:
        yield client


def behind(node: RunningNode, kind: type[Proxy], folder: Path, edits: Sequence[Edit] = ()) -> Any:
    return before(kind, node.address, folder, browsers=node.node.web_port, edits=edits)


async def send(client: httpx.AsyncClient, text: str) -> httpx.Response:
    message = {"roomId": "general", "clientMessageId": new_message_id(), "text": text}
    return await client.post(
        "/chat.v1.MessageService/SendMessages", json={"messages": [message]}, headers=ALICE
    )


@asynccontextmanager
async def stream(client: httpx.AsyncClient) -> AsyncIterator[AsyncIterator[pb.SubscribeResponse]]:
    """A stream of everything, over Connect."""

    async def responses(response: httpx.Response) -> AsyncIterator[pb.SubscribeResponse]:
        async with aclosing(envelopes(response)) as messages:
            async for flags, data in messages:
                assert flags == 0, data
                yield pb.SubscribeResponse.FromString(data)

    content = enveloped(EVERYTHING.SerializeToString())
    headers = {"Content-Type": "application/connect+proto", **ALICE}
    async with client.stream("POST", SUBSCRIBE, content=content, headers=headers) as response:
        assert response.status_code == 200
        yield responses(response)


async def test_browsers_and_grpc_have_one_address(kind: type[Proxy], tmp_path: Path) -> None:
    """A page, calls and a stream by HTTP/2 and HTTP/1.1, and a client of gRPC beside them."""
    async with running_node("alice", "bob", **BEHIND) as node, behind(node, kind, tmp_path) as proxy:
        for http2 in (True, False):
            async with page(proxy, http2=http2) as tab, stream(tab) as responses:
                assert (await anext(responses)).HasField("started")
                found = await tab.get("/")
                assert (found.status_code, found.http_version) == (200, "HTTP/2" if http2 else "HTTP/1.1")
                assert "text/html" in found.headers["content-type"]
                # What the stream brings does not wait for more.
                for text in ("one", "two"):
                    assert (await send(tab, text)).status_code == 200
                    while text not in [e.message.text for e in (await anext(responses)).events]:
                        pass
        async with node.client("bob", address=proxy.address, tls=TLS) as bob:
            sent = await bob.send("general", "by gRPC")

    assert sent.seq == 5


async def test_a_quiet_stream_stays_open(kind: type[Proxy], tmp_path: Path) -> None:
    """Nothing is said for longer than the proxy waits, but for heartbeats."""
    async with (
        running_node("alice", **BEHIND) as node,
        behind(node, kind, tmp_path, kind.quick) as proxy,
        page(proxy) as tab,
        stream(tab) as responses,
    ):
        count = 0
        while count < 8:
            count += (await anext(responses)).HasField("heartbeat")


@pytest.mark.parametrize("kind", [Nginx, HaProxy, Envoy], ids=lambda kind: kind.__name__)
async def test_a_silent_stream_is_cut(kind: type[Proxy], tmp_path: Path) -> None:
    """The time-outs of these tests are in force."""
    silent = BEHIND | {"subscribe": {"heartbeat": "PT1H"}}
    async with (
        running_node("alice", **silent) as node,
        behind(node, kind, tmp_path, kind.quick) as proxy,
        page(proxy) as tab,
        asyncio.timeout(60),
    ):
        # Some say that it broke off, and some only leave out the message that ends it.
        with suppress(httpx.HTTPError):
            async with stream(tab) as responses:
                async for response in responses:
                    assert not response.HasField("heartbeat")


@pytest.mark.parametrize("http2", [True, False], ids=["HTTP/2", "HTTP/1.1"])
async def test_a_closed_tab_ends_its_stream(kind: type[Proxy], http2: bool, tmp_path: Path) -> None:
    """The server is told at once, though nothing is being sent."""
    # On a busy machine HAProxy now and then notices an end over HTTP/1.1 only when something is sent.
    heartbeat = "PT0.5S" if kind is HaProxy and not http2 else "PT1H"
    quiet = BEHIND | {"subscribe": {"heartbeat": heartbeat}}
    async with running_node("alice", **quiet) as node, behind(node, kind, tmp_path) as proxy:
        async with page(proxy, http2=http2) as tab, stream(tab) as responses:
            assert (await anext(responses)).HasField("started")
            assert metric(node.node.metrics, "grpc_chat_streams") == 1
        await until(lambda: metric(node.node.metrics, "grpc_chat_streams") == 0)


async def test_large_answers_come_whole(kind: type[Proxy], tmp_path: Path) -> None:
    """As many octets of JSON as a page of history has."""
    texts = [f"{n} " + "ä" * 15_000 for n in range(30)]
    async with running_node("alice", **BEHIND) as node, behind(node, kind, tmp_path) as proxy:
        alice = node.client("alice")
        for text in texts:
            await alice.send("general", text)
        async with page(proxy) as tab:
            answer = await tab.post(
                "/chat.v1.MessageService/ListMessages",
                json={"roomId": "general", "afterSeq": 0, "pageSize": 500},
                headers=ALICE,
            )

    events = [event["message"]["text"] for event in answer.json()["events"] if "message" in event]
    assert events == texts


async def test_nobody_makes_up_an_address_or_a_scheme(kind: type[Proxy], tmp_path: Path) -> None:
    """Guesses of one browser are counted as such, and its cookies are Secure, whatever it says."""
    async with running_node(accounts=True, **BEHIND) as node, behind(node, kind, tmp_path) as proxy:
        await node.register("alice")
        async with page(proxy) as tab:
            login = {"userId": "alice", "password": PASSWORD, "deviceName": "test"}
            path = "/chat.v1.AuthService/LogIn"
            headers = {"X-Chat-Session": "cookie", "X-Forwarded-Proto": "http", "Origin": str(tab.base_url)}
            begun = await tab.post(path, json=login, headers=headers)
            outcomes = []
            for n in range(15):
                told = {"X-Forwarded-For": f"203.0.113.{n}"}
                outcomes.append(
                    (await tab.post(path, json=login | {"password": "a wrong one"}, headers=told)).status_code
                )

    assert begun.status_code == 200, begun.text
    cookie = begun.headers["set-cookie"]
    assert cookie.startswith("__Host-chat=")
    assert "Secure" in cookie
    assert outcomes == [401] * 10 + [429] * 5


async def test_the_server_behind_speaks_tls(kind: type[Proxy], tmp_path: Path) -> None:
    """The proxy checks its certificate at this port, too."""
    files = issue(by=AUTHORITY).write(tmp_path / "server")
    roots = tmp_path / "roots.pem"
    roots.write_bytes(AUTHORITY.pem)
    edits = [(old, new.replace("CA", str(roots))) for old, new in kind.tls_behind]
    async with (
        running_node("alice", tls=files, **BEHIND) as node,
        behind(node, kind, tmp_path, edits) as proxy,
        page(proxy) as tab,
    ):
        assert (await send(tab, "encrypted twice")).status_code == 200
