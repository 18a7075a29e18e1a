"""nginx, HAProxy, Envoy and Caddy with the configurations of docs/how-to/proxies.md.

A test changes in them only what it has to: addresses, files, and time-outs that would take minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import ClassVar

import pytest

from tests.certificates import Issued, authority, issue
from tests.programs import ROOT, Program, free_port, start

EXAMPLES = ROOT / "examples" / "proxies"
WHEELS = ROOT / ".venv-proxies" / "bin"

AUTHORITY = authority()

Edit = tuple[str, str]
"""What stands in a configuration, and what the test has there instead."""


class Proxy(ABC):
    """One of the four, in front of a server.

    Args:
        folder: For what it writes.
        server: The port of the server, on 127.0.0.1.
        browsers: The server's port for browsers, likewise.
        issued: Its certificate; None for plain text.
        edits: Further changes of the configuration.
    """

    file: ClassVar[str]
    program: ClassVar[str]
    debian: ClassVar[str] = ""
    """The package that brings it, if not a wheel."""

    quick: ClassVar[Sequence[Edit]]
    """Silence of more than two seconds is too long, as it is after a minute or more with the defaults."""

    reloads: ClassVar[int] = 2
    """How often in a row it can be reloaded without cutting the streams of the first process."""

    tls_behind: ClassVar[Sequence[Edit]]
    """The server behind speaks TLS itself; ``CA`` is what it is known by."""

    def __init__(
        self, folder: Path, server: int, browsers: int, issued: Issued, edits: Sequence[Edit] = ()
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self._server = server
        self._browsers = browsers
        self._edits = edits
        self._program: Program | None = None
        files = issued.write(folder / "tls")
        self._certificate, self._key = (str(files[name]) for name in ("certificate", "key"))
        self._config = folder / self.file
        self._config.write_text(self._edited())

    @property
    def address(self) -> str:
        """For clients."""
        return f"localhost:{self.port}"

    @classmethod
    def executable(cls) -> str | None:
        """Its path; None where it is not installed."""
        wheel = WHEELS / cls.program
        # Debian's are not on everybody's path.
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
        return str(wheel) if wheel.exists() else shutil.which(cls.program, path=path)

    @classmethod
    def missing(cls) -> str:
        """Why it can't be tried; empty if it can."""
        if cls.executable():
            return ""
        how = f"apt-get install {cls.debian}" if cls.debian else "make .venv-proxies"
        return f"{cls.program} is not installed; for this test: {how}"

    @property
    def running(self) -> Program:
        assert self._program
        return self._program

    async def start(self) -> None:
        """Run it until it listens."""
        self._program = await start(*self.command(), env={"HOME": str(self.folder), **self.environment()})
        await self._listening()

    async def _listening(self) -> None:
        for _ in range(2000):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            if self.running.process.returncode is not None:
                break
            await asyncio.sleep(0.01)
        pytest.fail(f"{self.program} did not start: {self._program!r}")

    def configure(self, old: str, new: str) -> None:
        """Change the configuration that the next start, or the next reload, reads."""
        text = self._config.read_text()
        assert old in text, f"{self.file} has no {old!r}"
        self._config.write_text(text.replace(old, new))

    async def stop(self) -> None:
        """End it, and everything it started."""
        if self._program:
            await self._program.kill()

    def _edited(self) -> str:
        text = (EXAMPLES / self.file).read_text()
        for old, new in (*self._edits, *self.edits()):
            assert old in text, f"{self.file} has no {old!r}"
            text = text.replace(old, new)
        return text

    def environment(self) -> dict[str, str]:
        return {}

    @abstractmethod
    def edits(self) -> Sequence[Edit]:
        """What every test changes."""

    @abstractmethod
    def command(self) -> list[str]:
        """What runs it in the foreground."""

    @abstractmethod
    async def reload(self) -> None:
        """Have it read its configuration again, and wait until the new one is in force."""


class Nginx(Proxy):
    file, program, debian = "nginx.conf", "nginx", "nginx-light"
    quick = (
        ("# gRPC itself", "grpc_read_timeout 2s; grpc_send_timeout 2s; # gRPC itself"),
        ("proxy_pass http", "proxy_read_timeout 2s; proxy_send_timeout 2s; proxy_pass http"),
    )
    tls_behind = (
        ("grpc_pass grpc://grpc-chat;", "grpc_pass grpcs://grpc-chat;"),
        (
            "proxy_pass http://browsers;",
            "grpc_ssl_trusted_certificate CA; grpc_ssl_verify on; grpc_ssl_name localhost; "
            "proxy_pass https://browsers; "
            "proxy_ssl_trusted_certificate CA; proxy_ssl_verify on; proxy_ssl_name localhost;",
        ),
    )
    with_site = (
        (
            "location / {",
            'location / { return 200 "a web site"; } location ~ ^/(chat\\.v1|grpc\\.health\\.v1)\\. {',
        ),
    )
    """The same host has a web site as well."""

    def edits(self) -> Sequence[Edit]:
        temporary = "".join(
            f"{name}_temp_path {self.folder / name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return (
            ("worker_rlimit_nofile 20000;", f"daemon off; pid {self.folder / 'pid'}; error_log stderr;"),
            ("worker_connections 8192", "worker_connections 512"),
            ("http {", f"http {{ access_log off; {temporary}"),
            ("127.0.0.1:50051", f"127.0.0.1:{self._server}"),
            ("127.0.0.1:8080", f"127.0.0.1:{self._browsers}"),
            ("listen 443 ssl http2;", f"listen {self.port} ssl http2;"),
            ("/etc/letsencrypt/live/chat.example.org/fullchain.pem", self._certificate),
            ("/etc/letsencrypt/live/chat.example.org/privkey.pem", self._key),
        )

    def command(self) -> list[str]:
        return [str(self.executable()), "-p", str(self.folder), "-c", str(self._config), "-e", "stderr"]

    def _workers(self) -> set[int]:
        path = Path(f"/proc/{self.running.process.pid}/task/{self.running.process.pid}/children")
        return {int(pid) for pid in path.read_text().split()}

    async def reload(self) -> None:
        before = self._workers()
        self.running.signal(signal.SIGHUP)
        while not self._workers() - before:  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.01)


class HaProxy(Proxy):
    file, program, debian = "haproxy.cfg", "haproxy", "haproxy"
    quick = (("timeout client 60s", "timeout client 2s"), ("timeout server 60s", "timeout server 2s"))
    tls_behind = (
        (" proto h2", " ssl verify required ca-file CA verifyhost localhost alpn h2"),
        ("127.0.0.1:8080", "127.0.0.1:8080 ssl verify required ca-file CA verifyhost localhost"),
    )

    def edits(self) -> Sequence[Edit]:
        both = self.folder / "both.pem"
        both.write_bytes(Path(self._certificate).read_bytes() + Path(self._key).read_bytes())
        return (
            ("127.0.0.1:50051", f"127.0.0.1:{self._server}"),
            ("127.0.0.1:8080", f"127.0.0.1:{self._browsers}"),
            ("maxconn 20000", "maxconn 500"),
            ("bind :443", f"bind 127.0.0.1:{self.port}"),
            ("/etc/haproxy/chat.example.org.pem", str(both)),
        )

    def command(self) -> list[str]:
        return [str(self.executable()), "-W", "-db", "-f", str(self._config)]

    async def reload(self) -> None:
        assert self._program
        said = str(self._program).count("Loading success")
        self.running.signal(signal.SIGUSR2)
        await self._program.until(lambda: str(self._program).count("Loading success") > said)


class HaProxyTcp(HaProxy):
    """HAProxy that leaves TLS to the server."""

    file = "haproxy-tcp.cfg"

    def edits(self) -> Sequence[Edit]:
        there = (EXAMPLES / self.file).read_text()
        return tuple(edit for edit in super().edits() if edit[0] in there)


class Envoy(Proxy):
    file, program = "envoy.yaml", "envoy"
    # There are two processes at most: the next one ends the first.
    reloads = 1
    quick = (("stream_idle_timeout: 60s", "stream_idle_timeout: 2s"),)
    tls_behind = (
        (
            "      # By default no more than 1024 streams",
            "      transport_socket:\n"
            "        name: envoy.transport_sockets.tls\n"
            "        typed_config:\n"
            '          "@type": type.googleapis.com/'
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext\n"
            "          sni: localhost\n"
            "          common_tls_context:\n"
            "            alpn_protocols: [h2]\n"
            "            validation_context:\n"
            "              trusted_ca: {filename: CA}\n"
            "              match_typed_subject_alt_names:\n"
            "                - {san_type: DNS, matcher: {exact: localhost}}\n"
            "      # By default no more than 1024 streams",
        ),
        (
            "      # Each open stream of a browser",
            "      transport_socket:\n"
            "        name: envoy.transport_sockets.tls\n"
            "        typed_config:\n"
            '          "@type": type.googleapis.com/'
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext\n"
            "          sni: localhost\n"
            "          common_tls_context:\n"
            "            validation_context:\n"
            "              trusted_ca: {filename: CA}\n"
            "              match_typed_subject_alt_names:\n"
            "                - {san_type: DNS, matcher: {exact: localhost}}\n"
            "      # Each open stream of a browser",
        ),
    )

    def __init__(
        self, folder: Path, server: int, browsers: int, issued: Issued, edits: Sequence[Edit] = ()
    ) -> None:
        super().__init__(folder, server, browsers, issued, edits)
        self._base = random.randrange(1, 2**24)
        self._epoch = 0
        self._before: list[Program] = []

    def edits(self) -> Sequence[Edit]:
        return (
            ("port_value: 50051", f"port_value: {self._server}"),
            ("port_value: 8080", f"port_value: {self._browsers}"),
            ('{address: "0.0.0.0", port_value: 443}', f"{{address: 127.0.0.1, port_value: {self.port}}}"),
            ("/etc/letsencrypt/live/chat.example.org/fullchain.pem", self._certificate),
            ("/etc/letsencrypt/live/chat.example.org/privkey.pem", self._key),
        )

    def command(self) -> list[str]:
        options = ["--concurrency", "1", "--log-level", "warning", "--base-id", str(self._base)]
        options += ["--restart-epoch", str(self._epoch), "--parent-shutdown-time-s", "600"]
        return [str(self.executable()), "-c", str(self._config), *options]

    async def reload(self) -> None:
        """A new process takes the sockets over; the old one lives on for its streams."""
        assert self._program
        self._before.append(self._program)
        self._epoch += 1
        await self.start()

    async def stop(self) -> None:
        await super().stop()
        for program in self._before:
            await program.kill()


class Caddy(Proxy):
    file, program = "Caddyfile", "caddy"
    quick = ()
    tls_behind = (
        (
            "h2c://127.0.0.1:50051",
            "https://127.0.0.1:50051 {\n"
            "\t\ttransport http {\n"
            "\t\t\tversions 2\n"
            "\t\t\ttls_server_name localhost\n"
            "\t\t\ttls_trust_pool file CA\n"
            "\t\t}\n"
            "\t}",
        ),
        (
            "reverse_proxy 127.0.0.1:8080",
            "reverse_proxy https://127.0.0.1:8080 {\n"
            "\t\ttransport http {\n"
            "\t\t\ttls_server_name localhost\n"
            "\t\t\ttls_trust_pool file CA\n"
            "\t\t}\n"
            "\t}",
        ),
    )

    def edits(self) -> Sequence[Edit]:
        self._admin = f"127.0.0.1:{free_port()}"
        ours = f"{{\n\tadmin {self._admin}\n\tauto_https disable_redirects\n\tskip_install_trust\n}}\n"
        files = f"{self._certificate} {self._key}"
        return (
            ("127.0.0.1:50051", f"127.0.0.1:{self._server}"),
            ("127.0.0.1:8080", f"127.0.0.1:{self._browsers}"),
            (
                "chat.example.org {",
                f"{ours}https://localhost:{self.port} {{\n\tbind 127.0.0.1\n\ttls {files}",
            ),
        )

    def environment(self) -> dict[str, str]:
        return {"XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}

    def command(self) -> list[str]:
        return [str(self.executable()), "run", "--config", str(self._config), "--adapter", "caddyfile"]

    async def reload(self) -> None:
        command = [str(self.executable()), "reload", "--config", str(self._config), "--adapter", "caddyfile"]
        program = await start(*command, "--force", "--address", self._admin, env=self.environment())
        assert await program.ended() == 0, program


ALL: tuple[type[Proxy], ...] = (Nginx, HaProxy, Envoy, Caddy)


@asynccontextmanager
async def before(
    kind: type[Proxy], server: str | int, folder: Path, *, browsers: int = 9, edits: Sequence[Edit] = ()
) -> AsyncIterator[Proxy]:
    """The proxy in front of a server, by its address or port, and its port for browsers if it has one."""
    if missing := kind.missing():
        pytest.skip(missing)
    port = int(str(server).rpartition(":")[2])
    proxy = kind(folder / "proxy", port, browsers, issue(by=AUTHORITY), edits)
    try:
        await proxy.start()
        yield proxy
    finally:
        await proxy.stop()
