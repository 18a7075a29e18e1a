"""How to know a server, from the command line, an invite's link, a saved server or the environment."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Trust:
    """What a server must show, or that it need not show anything. By default, as in the client: no TLS on
    this machine, and elsewhere a certificate that the system trusts."""

    fingerprint: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    insecure: bool = False

    def __bool__(self) -> bool:
        return self != Trust()

    def arguments(self) -> dict[str, Any]:
        """The same for :class:`grpc_chat.Client`.

        Raises:
            ValueError: These exclude each other, or a file has the wrong contents.
        """
        if not self:
            return {}
        if self.insecure:
            return {"insecure": True}
        from grpc_chat.sdk.tls import Tls

        return {
            "tls": Tls(
                ca=self.ca or None,
                fingerprint=self.fingerprint,
                certificate=self.certificate or None,
                key=self.key or None,
            )
        }

    def record(self) -> dict[str, Any]:
        """In the form for a saved server."""
        return {name: value for name, value in asdict(self).items() if value}


def recorded(record: object) -> Trust:
    """Read what :meth:`Trust.record` made; anything else is ignored."""
    if not isinstance(record, dict):
        return Trust()
    texts = {name: record[name] for name in ("fingerprint", "ca", "certificate", "key") if name in record}
    return Trust(
        **{name: str(value) for name, value in texts.items()}, insecure=record.get("insecure") is True
    )


def trust_options(function: F) -> F:
    """The options of a command that first contacts a server."""
    options = (
        click.option(
            "--fingerprint", metavar="HEX", help="Trust only the certificate with this SHA-256 fingerprint."
        ),
        click.option("--ca", type=_FILE, help="Authorities to trust, in PEM, instead of the system's."),
        click.option("--certificate", type=_FILE, help="Your own certificate, if the server asks for one."),
        click.option("--key", type=_FILE, help="The key of your certificate."),
        click.option("--insecure", is_flag=True, help="Connect to another machine without TLS."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def take(arguments: MutableMapping[str, Any]) -> Trust:
    """Take the options of :func:`trust_options` out of a command's arguments."""
    files = {
        name: str(Path(value).absolute())
        for name in ("ca", "certificate", "key")
        if (value := arguments.pop(name, None))
    }
    return Trust(
        fingerprint=arguments.pop("fingerprint", None) or "",
        insecure=arguments.pop("insecure", False),
        **files,
    )
