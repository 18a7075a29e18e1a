"""TLS on the port: who is trusted, who is refused, and that nobody is told anything before that."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import ssl
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from grpc_chat import Client, Tls, errors
from grpc_chat.sdk import look, tls
from grpc_chat.sdk.look import Seen, shown_by
from grpc_chat.sdk.tls import connector_to
from grpc_chat.testing import PASSWORD, FaultyProxy, RunningNode, running_node
from grpc_chat.transport.grpc_server import verified_names
from grpc_chat.wire.certificates import fingerprint
from grpc_chat.wire.trusted import trusted_token
from tests.certificates import Issued, authority, issue
from tests.programs import Program, free_port, python, start
from tests.raw import UnaryUnary
from tests.support import metric, until

COMMAND = Path(sys.executable).with_name("grpc-chat")
LOOKING_OFTEN = "PT0.02S"
SECRET = "SECRET-TOKEN-0123456789"
TRUSTED = authority("The authority of these tests")
OTHER = authority("Another authority")
DAY = timedelta(days=1)


@asynccontextmanager
async def node_with(issued: Issued, folder: Path, **settings: Any) -> AsyncIterator[RunningNode]:
    """A server with this certificate."""
    files: dict[str, Any] = {**issued.write(folder), "reload": LOOKING_OFTEN}
    async with running_node("1", "2", tls=files | settings) as node:
        yield node


async def ask(node: RunningNode, how: Tls | None, *, host: str = "127.0.0.1") -> str:
    """Who the server says one is; raises what the client does."""
    client = node.client("1", address=f"{host}:{node.node.port}", tls=how)
    async with asyncio.timeout(30):
        return (await client.me()).user_id


async def refusal(node: RunningNode, how: Tls, *, host: str = "127.0.0.1") -> errors.ChatError:
    """Why the client does not talk to the server; of all three, a call, a send and a stream, the same."""
    client = node.client("1", address=f"{host}:{node.node.port}", tls=how)
    found = []
    ways: list[Callable[[], Awaitable[object]]] = [
        client.me,
        lambda: client.send("general", "x"),
        lambda: anext(aiter(client.subscribe("general"))),
    ]
    for way in ways:
        async with asyncio.timeout(30):
            with pytest.raises(errors.ChatError) as caught:
                await way()
        found.append(caught.value)
    assert len({str(error) for error in found}) == 1
    assert all(error.definite and not error.retryable for error in found)
    return found[0]


# Trust


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_certificate_from_a_trusted_authority_is_enough(tmp_path: Path, host: str) -> None:
    """The authority comes from a file or as bytes, and messages go both ways."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(TRUSTED.pem)
    async with node_with(issue(by=TRUSTED), tmp_path) as node:
        assert await ask(node, Tls(ca=ca), host=host) == "1"
        bob = node.client("2", tls=Tls(ca=TRUSTED.pem))
        await node.client("1").send("general", "hello")
        async with bob.subscribe("general") as subscription:
            assert (await anext(aiter(subscription))).text == "hello"


WRONG: dict[str, tuple[Callable[[], Issued], str]] = {
    "self-signed": (issue, "is signed by itself, and not trusted here"),
    "another authority's": (lambda: issue(by=OTHER), "is from an authority that is not trusted here"),
    "another host's": (
        lambda: issue(names=["chat.example.org"], by=TRUSTED),
        "is not for 127.0.0.1, but for chat.example.org",
    ),
    "expired": (lambda: issue(by=TRUSTED, ends=-DAY), "has expired"),
    "not yet valid": (lambda: issue(by=TRUSTED, begins=DAY), "is not valid yet"),
}


@pytest.mark.parametrize("kind", WRONG)
async def test_a_wrong_certificate_is_refused_and_said_why(tmp_path: Path, kind: str) -> None:
    """At once and for good, in a sentence that names the server and the certificate's fingerprint."""
    make, why = WRONG[kind]
    issued = make()

    async with node_with(issued, tmp_path) as node:
        error = await refusal(node, Tls(ca=TRUSTED.pem))

        assert isinstance(error, errors.ServerNotTrusted)
        assert node.address in str(error)
        assert why in str(error)
        assert error.metadata == {"fingerprint": issued.fingerprint}


async def test_a_name_that_only_grpc_itself_compares_is_refused_in_the_same_words(tmp_path: Path) -> None:
    """With a common name that fits and alternative ones that do not, grpc connects, and refuses each call."""
    issued = issue("localhost", names=["127.0.0.1"], by=TRUSTED)
    async with node_with(issued, tmp_path) as node:
        error = await refusal(node, Tls(ca=TRUSTED.pem), host="localhost")

    assert isinstance(error, errors.ServerNotTrusted)
    assert "is not for localhost, but for 127.0.0.1 (" in str(error)


async def test_what_has_expired_is_named(tmp_path: Path) -> None:
    """It may be a certificate behind the server's, whose own is still valid."""
    old = issue("Old", (), authority=True, by=TRUSTED, ends=-DAY)
    issued = issue(by=old)
    files = issued.write(tmp_path)
    files["certificate"].write_bytes(issued.pem + old.pem)
    async with running_node("1", tls=files) as node:
        error = await refusal(node, Tls(ca=TRUSTED.pem))

    assert f"a certificate with which that of the server at {node.address} was signed has expired" in str(
        error
    )


async def test_a_key_that_grpc_cannot_check_is_named(tmp_path: Path) -> None:
    """A server of ours does not start with it, but something in front of one may show it."""
    issued = issue(private=ed25519.Ed25519PrivateKey.generate())
    files = issued.write(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["certificate"], files["key"])
    context.set_alpn_protocols(["h2"])
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Client(address, token=SECRET, tls=Tls(ca=issued.pem)) as client:
            with pytest.raises(errors.ServerNotTrusted, match="its key is of the type Ed25519") as caught:
                await client.me()

    assert caught.value.metadata == {"fingerprint": issued.fingerprint}


REFUSED_BY_ANOTHER = (
    "failed to connect to all addresses; last error: UNKNOWN: ipv6:%5B::1%5D:1: "
    "Failed to connect to remote host: connect: Connection refused (111)"
)


async def test_of_several_addresses_the_most_telling_error_is_told(tmp_path: Path) -> None:
    """A server on 127.0.0.1 is not on ::1, and of `localhost` grpc tells what happened last."""
    async with node_with(issue(by=OTHER), tmp_path) as node:
        address = f"localhost:{node.node.port}"
        ways = {
            "is from an authority that is not trusted here": connector_to(
                address, tls=Tls(ca=TRUSTED.pem), insecure=False
            ),
            "expects TLS, and this client used none": connector_to(address, tls=None, insecure=False),
        }
        for words, way in ways.items():
            error = await way.explain(REFUSED_BY_ANOTHER, look=True)
            assert words in str(error)
            # Of an address that is one, it is what it says.
            one = connector_to("127.0.0.1:1", tls=Tls(ca=TRUSTED.pem), insecure=False)
            assert await one.explain(REFUSED_BY_ANOTHER, look=True) is None

    for words, way in ways.items():
        assert await way.explain(REFUSED_BY_ANOTHER, look=True) is None, words


async def test_the_authorities_of_the_system_are_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What openssl and everybody else trusts on this machine, and no more."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(OTHER.pem)
    monkeypatch.delenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    async with node_with(issue(by=TRUSTED), tmp_path) as node:
        before = await refusal(node, Tls())
        bundle.write_bytes(OTHER.pem + TRUSTED.pem)
        after = await ask(node, Tls())

    assert "is from an authority that is not trusted here" in str(before)
    assert after == "1"


async def test_a_name_can_be_given_for_the_host(tmp_path: Path) -> None:
    """Where the address is not what the certificate is for."""
    async with node_with(issue(names=["chat.example.org"], by=TRUSTED), tmp_path) as node:
        assert await ask(node, Tls(ca=TRUSTED.pem, server_name="chat.example.org")) == "1"


# Pins


@pytest.mark.parametrize(
    "issued",
    [
        issue(),
        issue(by=TRUSTED),
        issue(names=["chat.example.org"], by=TRUSTED),
        issue(names=["*.example.org"]),
        issue(names=["10.1.2.3"]),
        issue("only-a-common-name", names=[]),
    ],
    ids=["self-signed", "signed", "another host", "wildcard", "address", "common name"],
)
async def test_the_right_fingerprint_is_enough(tmp_path: Path, issued: Issued) -> None:
    """No matter who signed it and what it is for, the one certificate is trusted."""
    spelled = ":".join(re.findall("..", issued.fingerprint.upper()))
    async with node_with(issued, tmp_path) as node:
        assert await ask(node, Tls(fingerprint=spelled)) == "1"


async def test_a_wrong_fingerprint_is_refused(tmp_path: Path) -> None:
    """Also where the certificate would be trusted otherwise; the error names both."""
    issued, other = issue(by=TRUSTED), issue(by=TRUSTED)
    async with node_with(issued, tmp_path) as node:
        error = await refusal(node, Tls(fingerprint=other.fingerprint))

    assert isinstance(error, errors.ServerNotTrusted)
    assert f"fingerprint is {issued.fingerprint}, and must be {other.fingerprint}" in str(error)
    assert error.metadata == {"fingerprint": issued.fingerprint}


async def test_an_expired_certificate_is_refused_with_the_right_fingerprint(tmp_path: Path) -> None:
    """A pin says which certificate, not for how long."""
    issued = issue(ends=-DAY)
    async with node_with(issued, tmp_path) as node:
        error = await refusal(node, Tls(fingerprint=issued.fingerprint))

    assert isinstance(error, errors.ServerNotTrusted)
    assert "has expired" in str(error)


@pytest.mark.parametrize("how", ["pin", "authority"])
async def test_a_stream_over_tls_comes_back_after_a_cut(tmp_path: Path, how: str) -> None:
    """And after a restart of the server: nothing missed, nothing twice."""
    issued = issue(by=TRUSTED)
    trust = Tls(fingerprint=issued.fingerprint) if how == "pin" else Tls(ca=TRUSTED.pem)
    async with node_with(issued, tmp_path) as node, FaultyProxy(node.address) as middle:
        writer = node.client("1", address=middle.address, tls=trust)
        reader = node.client("2", address=middle.address, tls=trust)
        async with reader.subscribe("general") as subscription:
            received = []
            for number in range(3):
                await writer.send("general", f"{number}")
                received.append((await anext(aiter(subscription))).text)
                middle.cut()
                if number == 1:
                    await node.restart()

    assert received == ["0", "1", "2"]


async def test_a_certificate_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    """Its names are anybody's words; those that are no names of hosts are not repeated."""
    issued = issue(names=["a\x1b[2Jb", "good.example.org", "x" * 300], by=TRUSTED)
    async with node_with(issued, tmp_path) as node:
        error = await refusal(node, Tls(ca=TRUSTED.pem))

    assert ", but for good.example.org (" in str(error)
    assert str(error).isprintable()


async def test_showing_the_right_certificate_is_no_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that passes on the first look to the right server, then takes the connection, is refused."""
    real, false = issue(), issue()
    looks: list[str] = []

    async with (
        node_with(real, tmp_path / "real") as node,
        node_with(false, tmp_path / "false") as imposter,
        FaultyProxy(node.address) as middle,
    ):

        async def look_and_swap(*arguments: Any, **options: Any) -> Seen:
            seen = await look_at(*arguments, **options)
            looks.append(fingerprint(seen.certificate))
            middle.target = imposter.address
            return seen

        look_at = look.look_at
        monkeypatch.setattr(tls, "look_at", look_and_swap)
        client = node.client("1", address=middle.address, tls=Tls(fingerprint=real.fingerprint))
        with pytest.raises(errors.ServerNotTrusted) as caught:
            await client.me()
        get_me = "/chat.v1.AuthService/GetMe"
        answered = metric(imposter.node.metrics, "grpc_chat_calls_total", method=get_me, code="OK")

    assert looks == [real.fingerprint, false.fingerprint]
    assert f"fingerprint is {false.fingerprint}, and must be {real.fingerprint}" in str(caught.value)
    assert not answered


# Plain text


class Listener:
    """A port that writes down what it is sent, and answers what it is told to."""

    def __init__(self, answer: bytes = b"") -> None:
        self.heard = bytearray()
        self.connections = 0
        self._answer = answer
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Listener:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await until(lambda: not self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        writer.write(self._answer)
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                self.heard += data
        writer.close()
        self._open.discard(writer)


# What a server that speaks HTTP/2 in plain text begins with.
SETTINGS = bytes(3) + b"\x04" + bytes(5)


@pytest.mark.parametrize(
    "how", [Tls(), Tls(ca=TRUSTED.pem), Tls(fingerprint="0" * 64)], ids=["system", "ca", "pin"]
)
async def test_a_listener_in_plain_text_never_hears_the_token(how: Tls) -> None:
    """A proxy that takes the TLS away gets a TLS greeting, and the client says that it is no TLS server."""
    async with Listener(SETTINGS) as listener:
        address = f"127.0.0.1:{listener.port}"
        async with Client(address, token=SECRET, tls=how) as client:
            with pytest.raises(errors.ServerNotTrusted, match=f"{address} does not speak TLS"):
                await client.me()
            with pytest.raises(errors.ServerNotTrusted):
                await client.send("general", "TEXT-MARKER")

    assert listener.connections
    # A TLS record, the handshake's.
    assert listener.heard.startswith(b"\x16\x03")
    for words in (b"PRI * HTTP/2.0", SECRET.encode(), b"TEXT-MARKER", b"Bearer"):
        assert words not in listener.heard


async def test_another_host_is_spoken_to_in_tls_without_being_told_so() -> None:
    """Only addresses of this machine are spoken to in plain text; 0.0.0.0 leads here too, but is none."""
    async with Listener(SETTINGS) as listener:
        address = f"0.0.0.0:{listener.port}"
        async with Client(address, token=SECRET) as client:
            with pytest.raises(errors.ServerNotTrusted, match="use insecure=True"):
                await client.me()
        assert listener.heard.startswith(b"\x16\x03")
        assert SECRET.encode() not in listener.heard

        async with Client(address, token=SECRET, insecure=True) as client:
            asking = asyncio.create_task(client.me())
            await until(lambda: SECRET.encode() in listener.heard)
            asking.cancel()


async def test_this_machine_is_not_asked_through_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without TLS one goes straight to the server: a proxy of the environment is another host."""
    async with (
        Listener() as proxy,
        running_node("1") as plain,
        node_with(issue(by=TRUSTED), tmp_path) as node,
    ):
        for name in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)

        assert await ask(plain, None) == "1"
        for host in ("127.0.0.1", "localhost"):
            assert await ask(node, Tls(ca=TRUSTED.pem), host=host) == "1"

    assert proxy.connections == 0


async def test_a_client_in_plain_text_is_told_that_the_server_wants_tls(tmp_path: Path) -> None:
    """Instead of being tried again without end."""
    async with (
        node_with(issue(), tmp_path) as node,
        Client(node.address, token=trusted_token("1")) as client,
    ):
        with pytest.raises(errors.FailedPrecondition, match=f"{node.address} expects TLS"):
            await client.me()
        with pytest.raises(errors.FailedPrecondition, match="expects TLS"):
            await anext(aiter(client.subscribe("general")))


async def test_an_unreachable_server_is_still_only_unreachable() -> None:
    """With a pin too, which needs a look at the server first."""
    address = f"127.0.0.1:{free_port()}"
    for how in (Tls(ca=TRUSTED.pem), Tls(fingerprint="0" * 64), None):
        async with Client(address, token="1", tls=how) as client:
            with pytest.raises(errors.Unavailable, match="can't be reached: Connection refused"):
                await client.me()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_of_tls_are_refused(tmp_path: Path) -> None:
    """1.2 and 1.3 are spoken, 1.0 and 1.1 are not."""
    spoken = {}
    async with node_with(issue(), tmp_path) as node:
        for version in (
            ssl.TLSVersion.TLSv1,
            ssl.TLSVersion.TLSv1_1,
            ssl.TLSVersion.TLSv1_2,
            ssl.TLSVersion.TLSv1_3,
        ):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            # openssl itself offers the old ones only so.
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", node.node.port, ssl=context)
            except (ssl.SSLError, ConnectionError):
                spoken[version.name] = False
            else:
                spoken[version.name] = True
                writer.transport.abort()

    assert spoken == {"TLSv1": False, "TLSv1_1": False, "TLSv1_2": True, "TLSv1_3": True}


# Renewal


async def shown(node: RunningNode) -> str:
    """The fingerprint of the certificate that new connections are shown."""
    return await shown_by(node.address, timedelta(seconds=20))


async def shows(node: RunningNode, issued: Issued) -> None:
    """Wait until new connections get this certificate."""
    async with asyncio.timeout(20):
        while await shown(node) != issued.fingerprint:  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.01)


async def test_a_renewed_certificate_is_taken_without_disturbing_open_streams(tmp_path: Path) -> None:
    """New connections get it; a stream that is open goes on, on the connection it has."""
    old, new = issue(by=TRUSTED), issue(by=OTHER)
    async with node_with(old, tmp_path) as node:
        reader = node.client("2", tls=Tls(ca=TRUSTED.pem))
        writer = node.client("1", tls=Tls(ca=TRUSTED.pem))
        seen: list[str] = []

        async def follow() -> None:
            async for update in reader.subscribe("general").updates():
                seen.append(getattr(update, "text", type(update).__name__))

        following = asyncio.create_task(follow())
        await writer.send("general", "before")
        await until(lambda: "before" in seen)
        new.write(tmp_path)
        await shows(node, new)

        with pytest.raises(errors.ServerNotTrusted):
            await ask(node, Tls(ca=TRUSTED.pem))
        assert await ask(node, Tls(ca=OTHER.pem)) == "1"
        await writer.send("general", "after")
        await until(lambda: "after" in seen)
        assert not following.done()
        following.cancel()

    assert seen.count("Connected") == 1
    assert "Disconnected" not in seen


BAD: dict[str, Callable[[Path], object]] = {
    "no certificate file": lambda folder: (folder / "cert.pem").unlink(),
    "no key file": lambda folder: (folder / "key.pem").unlink(),
    "half a certificate": lambda folder: (folder / "cert.pem").write_bytes(issue().pem[:200]),
    "no key in it": lambda folder: (folder / "key.pem").write_text("nothing"),
    "another key": lambda folder: (folder / "key.pem").write_bytes(issue().key),
    "empty": lambda folder: (folder / "cert.pem").write_bytes(b""),
}


@pytest.mark.parametrize("kind", BAD)
async def test_bad_newer_files_keep_the_old_certificate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """They are logged once, as an error, however many connections come; good ones are taken afterwards."""
    old, new = issue(by=TRUSTED), issue(by=TRUSTED)

    def complaints() -> list[str]:
        return [r.getMessage() for r in caplog.records if "the certificate stays as it was" in r.message]

    async with node_with(old, tmp_path) as node:
        assert node.node.certificates
        BAD[kind](tmp_path)
        await until(lambda: bool(complaints()))
        for _ in range(3):
            assert await ask(node, Tls(ca=TRUSTED.pem)) == "1"
            node.node.certificates.look()
        assert await shown(node) == old.fingerprint
        assert len(complaints()) == 1
        assert "tls.certificate: " in complaints()[0] or "tls.key: " in complaints()[0]

        new.write(tmp_path)
        await shows(node, new)


async def test_renewal_by_moving_a_folder_is_seen(tmp_path: Path) -> None:
    """As certbot and Kubernetes do it: the files stay where they are, as links to others."""
    old, new = issue(), issue()
    live = tmp_path / "live"
    for number, issued in enumerate((old, new)):
        issued.write(tmp_path / str(number))
    live.symlink_to(tmp_path / "0")
    files = {"certificate": live / "cert.pem", "key": live / "key.pem", "reload": LOOKING_OFTEN}
    async with running_node("1", tls=files) as node:
        assert await shown(node) == old.fingerprint
        (tmp_path / "next").symlink_to(tmp_path / "1")
        (tmp_path / "next").replace(live)
        await shows(node, new)


async def test_a_certificate_that_nobody_renews_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the last tenth of its time, by the start or while the server runs."""
    async with node_with(issue(begins=-90 * DAY, ends=DAY), tmp_path) as node:
        assert node.node.certificates
        node.node.certificates.look()

    warnings_ = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len([text for text in warnings_ if "expires on" in text]) == 1


# Clients' certificates


async def test_a_client_with_a_certificate_is_let_in(tmp_path: Path) -> None:
    """Where the server asks for one; the client's files may be renewed as well."""
    ca = tmp_path / "clients.pem"
    ca.write_bytes(OTHER.pem)
    mine = issue("alice", ["alice.example.org"], by=OTHER)
    async with node_with(issue(by=TRUSTED), tmp_path, client_ca=ca) as node:
        by_bytes = Tls(ca=TRUSTED.pem, certificate=mine.pem, key=mine.key)
        files: dict[str, Any] = {**mine.write(tmp_path / "alice")}
        by_path = Tls(fingerprint=await shown(node), **files)
        assert await ask(node, by_bytes) == "1"
        assert await ask(node, by_path) == "1"


async def test_a_certificate_is_as_good_as_a_password_where_that_is_said(tmp_path: Path) -> None:
    """Its client logs in as the user it names, as no other, and not at all where that is not said."""
    ca = tmp_path / "clients.pem"
    ca.write_bytes(OTHER.pem)
    issued = issue(by=TRUSTED).write(tmp_path / "server")
    tls = {"certificate": issued["certificate"], "key": issued["key"], "client_ca": ca}
    mine = issue("alice", ["robot"], by=OTHER)
    how = Tls(ca=TRUSTED.pem, certificate=mine.pem, key=mine.key)
    folder = tmp_path / "data"
    taking = running_node(accounts=True, data=folder, tls=tls | {"certificate_login": True})
    async with taking as node, Client(node.address, tls=how) as client:
        for name in ("alice", "bob"):
            _, code = await node.node.invites.create_for_server(None)
            await client.register(name, PASSWORD, invite=code)
        login = await client.log_in("alice")
        await client.create_bot("robot")
        for name in ("bob", "robot"):
            with pytest.raises(errors.LoginFailed):
                await client.log_in(name)
        with pytest.raises(errors.LoginFailed):
            await client.log_in("nobody")
    other = running_node(accounts=True, data=folder, tls=tls)
    async with other as node, Client(node.address, tls=how) as client:
        with pytest.raises(errors.InvalidRequest, match="password must not be empty"):
            await client.log_in("alice")

    assert login.user.user_id == "alice"


STRANGERS: dict[str, tuple[Callable[[], Issued] | None, str]] = {
    "none": (None, "it seems to ask for a client certificate"),
    "another authority's": (
        lambda: issue("alice", by=TRUSTED),
        "seems not to accept this client's certificate",
    ),
    "self-signed": (lambda: issue("alice"), "seems not to accept this client's certificate"),
    "expired": (lambda: issue("alice", by=OTHER, ends=-DAY), "seems not to accept this client's certificate"),
}


@pytest.mark.parametrize("kind", STRANGERS)
async def test_a_client_without_the_right_certificate_is_refused(tmp_path: Path, kind: str) -> None:
    """Before it can call anything, and told so instead of trying again without end."""
    ca = tmp_path / "clients.pem"
    ca.write_bytes(OTHER.pem)
    make, why = STRANGERS[kind]
    own: dict[str, Any] = {}
    if make:
        issued = make()
        own = {"certificate": issued.pem, "key": issued.key}
    async with node_with(issue(by=TRUSTED), tmp_path, client_ca=ca) as node:
        error = await refusal(node, Tls(ca=TRUSTED.pem, **own))
        with_pin = await refusal(node, Tls(fingerprint=await shown(node), **own))

    assert isinstance(error, errors.Unauthenticated)
    assert why in str(error)
    assert str(with_pin) == str(error)


async def test_a_newer_authority_of_clients_is_taken(tmp_path: Path) -> None:
    """Files for clients are looked at as well."""
    ca = tmp_path / "clients.pem"
    ca.write_bytes(TRUSTED.pem)
    mine = issue("alice", by=OTHER)
    how = Tls(ca=TRUSTED.pem, certificate=mine.pem, key=mine.key)
    async with node_with(issue(by=TRUSTED), tmp_path, client_ca=ca) as node:
        await refusal(node, how)
        ca.write_bytes(TRUSTED.pem + OTHER.pem)
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await ask(node, how) == "1"
                    break
                except errors.Unauthenticated:
                    continue


async def names_seen(secure: bool, client_ca: bytes | None, mine: Issued | None) -> tuple[str, ...]:
    """What a handler is told of a client, over a real connection."""
    server_side = issue(by=TRUSTED)
    seen: list[tuple[str, ...]] = []

    async def whoami(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        seen.append(verified_names(context))
        return b""

    server = grpc.aio.server()
    handlers: dict[str, Any] = {"WhoAmI": grpc.unary_unary_rpc_method_handler(whoami)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", handlers),))
    if secure:
        pair = [(server_side.key, server_side.pem)]
        credentials = grpc.ssl_server_credentials(pair, client_ca, require_client_auth=client_ca is not None)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        own = (mine.key, mine.pem) if mine else (None, None)
        channel = grpc.aio.secure_channel(
            f"127.0.0.1:{port}", grpc.ssl_channel_credentials(TRUSTED.pem, *own)
        )
    else:
        port = server.add_insecure_port("127.0.0.1:0")
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    await server.start()
    try:
        async with channel:
            await cast(UnaryUnary, channel.unary_unary("/test/WhoAmI"))(b"", timeout=20)
    finally:
        await server.stop(None)
    return seen[0]


async def test_verified_names_are_those_of_a_verified_certificate() -> None:
    """The common name and the others, once each; nothing where nothing was asked for, or without TLS."""
    mine = issue("alice", ["alice.example.org", "alice", "10.0.0.7"], by=OTHER)

    assert await names_seen(True, OTHER.pem, mine) == ("alice", "alice.example.org", "10.0.0.7")
    assert await names_seen(True, None, mine) == ()
    assert await names_seen(True, None, None) == ()
    assert await names_seen(False, None, None) == ()


# Starting


@asynccontextmanager
async def serving(*arguments: str | Path, **environment: str) -> AsyncIterator[Program]:
    """``grpc-chat serve`` on a free port, once it listens."""
    program = await start(COMMAND, "serve", "--port", "0", *arguments, env=environment)
    try:
        await program.shows("next: ")
        yield program
    finally:
        await program.kill()


async def ended(*arguments: str | Path, **environment: str) -> Program:
    """A command that ends by itself."""
    program = await start(COMMAND, *arguments, env=environment)
    await program.ended()
    return program


def port_of(program: Program) -> int:
    (line,) = [line for line in program.lines if "listening on" in line]
    return int(line.rpartition(":")[2])


async def test_beyond_this_machine_needs_tls_or_many_words(tmp_path: Path) -> None:
    """Else the server does not start, says what to do, and leaves no database behind."""
    program = await ended("serve", "--host", "0.0.0.0", "--port", "0", "--data", tmp_path / "data")

    assert program.process.returncode == 1
    (line,) = program.errors
    assert line.startswith("error: without TLS, others could read")
    for flag in ("--certificate", "--dev-certificate", "--insecure"):
        assert flag in line
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["::", "192.0.2.1", "chat.example.org", ""])
async def test_whatever_is_not_this_machine_is_beyond_it(tmp_path: Path, host: str) -> None:
    """All addresses, one of them, a name that is not looked up, and none."""
    with pytest.raises(errors.InvalidRequest, match="without TLS") as caught:
        async with running_node(trusted_ids=(), host=host, data=tmp_path / "data"):
            pass

    assert caught.value.field == "insecure"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("said", ["flag", "environment"])
async def test_insecure_is_taken_at_its_word(tmp_path: Path, said: str) -> None:
    """The server listens in plain text to all, and warns of it once."""
    flags = ["--insecure"] if said == "flag" else []
    environment = {} if said == "flag" else {"GRPC_CHAT_INSECURE": "true"}
    folder: list[str | Path] = ["--data", tmp_path / "data"]
    async with serving(*folder, "--host", "0.0.0.0", *flags, **environment) as program:
        async with Client(f"127.0.0.1:{port_of(program)}") as guest:
            assert (await guest.server_info()).password_login
        program.signal(signal.SIGHUP)
        await program.said("SIGHUP: there is nothing to reload")
        assert await program.leave() == 0

    assert sum("insecure: without TLS" in line for line in program.errors) == 1


async def test_trusted_ids_need_no_further_word(tmp_path: Path) -> None:
    """They are no secret, and to name the host is to say it: the quick start in a container."""
    folder: list[str | Path] = ["--data", tmp_path / "data", "--trusted-ids", "1,2"]
    async with serving(*folder, "--host", "0.0.0.0") as program:
        address = f"127.0.0.1:{port_of(program)}"
        async with Client(address, token=trusted_token("1")) as client:
            assert (await client.me()).user_id == "1"
        assert await program.leave() == 0

    assert sum("ids are trusted without a password" in line for line in program.errors) == 1


async def test_the_quick_start_goes_on_between_hosts(tmp_path: Path) -> None:
    """As in two containers: the server is told by GRPC_CHAT_HOST, and the client speaks plain text to it."""
    folder, ids = ("-data", f"{tmp_path}/data"), ("-client_ids", "1")
    server = await start(*python("server.py", *ids, "-port", "0", *folder), env={"GRPC_CHAT_HOST": "0.0.0.0"})
    try:
        await server.shows("next: ")
        port = f"{port_of(server)}"
        client = await start(*python("client.py", "-client_id", "1", "-server_ip", "0.0.0.0", "-port", port))
        await client.said("joined as 1")
        assert await client.leave() == 0
    finally:
        await server.kill()


@pytest.mark.parametrize(
    ("setting", "files", "why"),
    [
        ("tls.certificate", {"certificate": None}, "No such file"),
        ("tls.key", {"key": None}, "No such file"),
        ("tls.certificate", {"certificate": b"nothing"}, "must have a certificate in PEM"),
        ("tls.key", {"key": b"nothing"}, "must be a private key in PEM"),
        ("tls.key", {"key": issue().key}, "must belong to the certificate"),
        ("tls.client_ca", {"client_ca": b"nothing"}, "must have a certificate in PEM"),
        ("tls.client_ca", {"client_ca": None}, "No such file"),
    ],
)
async def test_wrong_files_are_named_at_the_start(
    tmp_path: Path, setting: str, files: dict[str, bytes | None], why: str
) -> None:
    """With the setting, the path, and what is wrong with it; no database is made."""
    paths: dict[str, Path] = issue().write(tmp_path)
    for name, contents in files.items():
        paths[name] = tmp_path / f"other-{name}.pem"
        if contents is not None:
            paths[name].write_bytes(contents)

    with pytest.raises(errors.InvalidRequest) as caught:
        async with running_node("1", data=tmp_path / "data", tls=paths):
            pass

    assert caught.value.field == setting
    assert str(caught.value).startswith(f"{setting}: ")
    assert str(paths[setting.removeprefix("tls.")]) in str(caught.value)
    assert why in str(caught.value)
    assert not (tmp_path / "data").exists()


async def test_a_server_with_a_certificate_from_files(tmp_path: Path) -> None:
    """Flags, environment and a file are one, and `grpc-chat health` asks it as told.

    SIGHUP has it look for newer ones at once, however seldom it would look by itself.
    """
    issued, newer = issue(by=TRUSTED), issue(by=TRUSTED)
    files = issued.write(tmp_path)
    ca = tmp_path / "ca.pem"
    ca.write_bytes(TRUSTED.pem)
    command: list[str | Path] = [
        "--data",
        tmp_path / "data",
        "--trusted-ids",
        "1",
        "--certificate",
        files["certificate"],
    ]

    environment = {"GRPC_CHAT_TLS__KEY": str(files["key"]), "GRPC_CHAT_TLS__RELOAD": "PT1H"}
    async with serving(*command, **environment) as program:
        address = f"127.0.0.1:{port_of(program)}"
        right, pinned, here, wrong, wrong_pin = await asyncio.gather(
            ended("health", address, "--ca", ca),
            ended("health", address, "--fingerprint", issued.fingerprint),
            ended("health", address),
            ended("health", address, "--server-name", "localhost"),
            ended("health", address, "--fingerprint", "0" * 64),
        )
        newer.write(tmp_path)
        program.signal(signal.SIGHUP)
        await program.said("new connections get the newer certificate")
        assert await shown_by(address, timedelta(seconds=20)) == newer.fingerprint
        assert await program.leave() == 0

    for program in (right, pinned, here):
        assert (program.lines, program.process.returncode) == (["SERVING"], 0), program
    for program, why in (
        (wrong, "not trusted here"),
        (wrong_pin, "a certificate other than the one to trust"),
    ):
        assert program.process.returncode == 1
        assert program.lines[0].startswith(f"no answer from {address}: ")
        assert why in program.lines[0]


async def test_health_options_that_make_no_sense_are_named(tmp_path: Path) -> None:
    """As an error of the command line."""
    short, both = await asyncio.gather(
        ended("health", "--fingerprint", "abc"), ended("health", "--fingerprint", "0" * 64, "--insecure")
    )

    assert (short.process.returncode, both.process.returncode) == (2, 2)
    assert "'abc' must be a SHA-256 fingerprint" in short.errors[0]
    assert "insecure must not be given" in both.errors[0]


# A certificate of the server's own making


async def test_a_dev_certificate_is_made_once_and_its_fingerprint_printed(tmp_path: Path) -> None:
    """Clients that were given it are at home, also after a restart, and other machines may be served."""
    data = tmp_path / "data"
    command: list[str | Path] = [
        "--data",
        data,
        "--trusted-ids",
        "1",
        "--dev-certificate",
        "--host",
        "0.0.0.0",
    ]
    printed = []
    for _ in range(2):
        async with serving(*command) as program:
            line = await program.shows("SHA-256 fingerprint: ")
            printed.append(line.rpartition(" ")[2])
            address = f"127.0.0.1:{port_of(program)}"
            async with Client(address, token=trusted_token("1"), tls=Tls(fingerprint=printed[0])) as client:
                assert (await client.me()).user_id == "1"
            next_line = await program.shows("next: ")
            suggested = next_line.removeprefix("next: grpc-chat ").split()
            assert (await ended(*suggested)).lines == ["SERVING"]
            assert await program.leave() == 0

    assert printed[0] == printed[1]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.glob("dev-*")}
    assert modes == {"dev-certificate.pem": 0o600, "dev-key.pem": 0o600}


async def test_running_node_with_a_dev_certificate() -> None:
    """Tests of bots get TLS with one setting."""
    async with running_node("1", "2", tls={"dev_certificate": True}) as node:
        await node.client("1").send("general", "hello")
        await node.restart()
        assert await ask(node, Tls(ca=node.config.data / "dev-certificate.pem"), host="localhost") == "1"
        async with node.client("2").subscribe("general") as subscription:
            assert (await anext(aiter(subscription))).text == "hello"
