"""Run a server until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import shlex
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pydantic
from pydantic_settings import SettingsError

from grpc_chat._version import __version__
from grpc_chat.cli.terminal import visible
from grpc_chat.config import Config
from grpc_chat.errors import ChatError
from grpc_chat.node import Node
from grpc_chat.ops import logging as logs
from grpc_chat.ops.dev_certificate import dev_certificate
from grpc_chat.ops.reference import example
from grpc_chat.transport.certificates import Certificates
from grpc_chat.wire.address import is_loopback, is_wildcard, join
from grpc_chat.wire.links import invite_link

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

log = logging.getLogger(__name__)


def load_config(file: Path | None, **flags: Any) -> Config:
    """Read the settings from all sources.

    Raises:
        ValueError: Settings are wrong; it has a sentence for each mistake.
    """
    try:
        return Config.load(file, **flags)
    except pydantic.ValidationError as exc:
        lines = []
        for error in exc.errors(include_url=False):
            lines.append(f"{_source_of(error['loc'], flags)}: {_words(error)}")
        raise ValueError("; ".join(lines)) from exc
    except SettingsError as exc:
        # A value that should be JSON is not repeated.
        found = re.search(r'field "(\w+)"', str(exc))
        raise ValueError(f"GRPC_CHAT_{found[1].upper() if found else '…'}: must be JSON") from exc
    except (OSError, ValueError) as exc:
        raise ValueError(f"{file}: {exc}" if file else str(exc)) from exc


def _words(error: ErrorDetails) -> str:
    """What is wrong with a setting, and an example of what would be right."""
    words = error["msg"].removeprefix("Value error, ")
    if error["type"].endswith(("_parsing", "_type")) and (shown := example(Config, error["loc"])):
        words += f", as {shown}"
    return words


def _source_of(place: tuple[int | str, ...], flags: dict[str, Any]) -> str:
    """The name of the place of a mistake: the environment variable that it is in, or the setting."""
    names = {name.upper() for name in os.environ}
    parts = [str(part) for part in place]
    if parts and not _is_given(place, flags):
        if parts[0].upper() in names:
            # A variable that is not a setting.
            return parts[0].upper()
        for count in range(len(parts), 0, -1):
            if (variable := "GRPC_CHAT_" + "__".join(parts[:count]).upper()) in names:
                return ".".join([variable, *parts[count:]])
    return ".".join(parts) or "settings"


def _is_given(place: tuple[int | str, ...], flags: dict[str, Any]) -> bool:
    """Whether the value there comes from the command line."""
    value: Any = flags
    for part in place:
        value = value.get(part) if isinstance(value, dict) else value
    return value is not None


def check_certificates(config: Config) -> list[str]:
    """Check that a server with these settings could show its certificate.

    Returns:
        What clients might refuse in it, in a sentence each.

    Raises:
        ChatError: A file is wrong; the error names the setting.
    """
    tls = config.tls
    if tls.certificate and tls.key:
        return Certificates(tls.certificate, tls.key, client_ca=tls.client_ca).warnings()
    if tls.dev_certificate:
        # Its own certificate is made, or replaced, at the start; here nothing is written.
        with TemporaryDirectory() as folder:
            certificate, key = dev_certificate(Path(folder), config.host)
            Certificates(certificate, key, client_ca=tls.client_ca)
    return []


_SWITCH_SECONDS = 0.0005
"""How long one thread may keep the interpreter from another. With Python's own 5 ms, the event loop would
wait that long several times for each call, while another thread reads or commits."""


def run(config: Config) -> int:
    """Serve until SIGINT or SIGTERM. On SIGHUP, look for newer certificates.

    Returns:
        The exit code: 0 when told to stop, 1 if it could not start or continue.
    """
    logs.configure(config.log_level, config.log_format)
    # Only the owner may read the files that SQLite makes, whatever the shell's mask.
    os.umask(0o077)
    sys.setswitchinterval(_SWITCH_SECONDS)
    return asyncio.run(_serve(config))


async def _serve(config: Config) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask_to_stop() -> None:
        if stop.is_set():
            # The second time: somebody does not want to wait.
            os._exit(130)
        stop.set()

    # A server that was started in a terminal, and not with nohup, ends with it.
    ends_with_terminal = _on_terminal() and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
    node = Node(config)

    def reload() -> None:
        if ends_with_terminal and not _on_terminal():
            stop.set()
        elif node.certificates is None:
            log.info("SIGHUP: there is nothing to reload, as the server has no certificate")
        else:
            log.info("SIGHUP: looking for a newer certificate")
            node.certificates.look_soon()

    loop.add_signal_handler(signal.SIGHUP, reload)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask_to_stop)
    try:
        async with node:
            if config.trusted_ids:
                log.warning(
                    "ids are trusted without a password: anyone who can reach this port can use any of them;"
                    " only for trying things out"
                )
            elif not config.tls.enabled and not is_loopback(config.host):
                log.warning(
                    "insecure: without TLS, anyone on the network between clients and %s can read passwords"
                    " and messages",
                    join(config.host, node.port),
                )
            print(f"grpc-chat {__version__} listening on {join(config.host, node.port)}", flush=True)
            if node.web_url:
                print(f"for browsers: {node.web_url}", flush=True)
            print(f"database {node.store_place}", flush=True)
            if config.tls.dev_certificate and node.certificates:
                print(f"certificate's SHA-256 fingerprint: {node.certificates.fingerprint}", flush=True)
            for line in _next(config, node):
                print(line, flush=True)
            if is_wildcard(config.host) and not node.public_address:
                log.warning(
                    "links of invites have the address that their maker uses, perhaps localhost: set "
                    "public_address to the address at which others reach this server"
                )
            node.failed.add_done_callback(lambda _: stop.set())
            _spare_the_collector()
            await stop.wait()
            if node.failed.done():
                return 1
            log.info("stopping")
        return 0
    except ChatError as error:
        print(f"error: {visible(str(error))}", file=sys.stderr)
        return 1


def _on_terminal() -> bool:
    """Whether there is a terminal to read from. A closed one does not count."""
    return os.isatty(0)


def _spare_the_collector() -> None:
    """Make the garbage collector look at less, and less often.

    Every message makes a few objects that stay, and for them the collector went through all the modules:
    about 4 us of each delivery (perf, 100 members).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _next(config: Config, node: Node) -> list[str]:
    """What the person who started the server can do next, in another terminal."""
    local = is_wildcard(config.host) or is_loopback(config.host)
    host = "localhost" if local else config.host
    # Clients can't verify a certificate of our own making by themselves.
    own = node.certificates if config.tls.dev_certificate else None
    if node.first_invite:
        address = node.public_address or join(host, node.port)
        link = invite_link(address, node.first_invite, fingerprint=own.fingerprint if own else "")
        return [
            "No accounts yet. Anyone who registers with this invite becomes the server's administrator:",
            f"  code: {node.first_invite}",
            f"  link: {link}",
            *([f"  in a browser: {node.web_url}#{node.first_invite}"] if node.web_url else []),
            f"next: grpc-chat register YOUR-NAME --invite {shlex.quote(link)}",
        ]
    if node.certificates:
        # client.py has no TLS.
        command = f"grpc-chat health {join(host, node.port)}"
        return [f"next: {command} --fingerprint {node.certificates.fingerprint}"]
    if config.trusted_ids:
        client_id = shlex.quote(config.trusted_ids[0])
        command = f"python3 client.py -client_id {client_id} -server_ip {host} -port {node.port}"
        return [f'next: {command} -message "Hello"']
    return [f"next: grpc-chat login YOUR-NAME --server {join(host, node.port)}"]
