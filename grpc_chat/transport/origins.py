"""Whose pages a request to the web server comes from, and what they may.

Browsers send requests that their users know nothing of: any page can have them do it. They say which page it
was (Origin, Sec-Fetch-Site) and under which name they found the server (Host), which no page can change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from grpc_chat.wire.address import host_of, is_loopback, read_ip

_HOST = re.compile(r"(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)

_CALL_HEADERS = (
    "Authorization, Connect-Protocol-Version, Connect-Timeout-Ms, Content-Type, Grpc-Timeout, X-Grpc-Web, "
    "X-Request-Id, X-User-Agent"
)
"""What pages of other sites may send: not the header that cookies need."""

_TOLD_HEADERS = "Grpc-Message, Grpc-Status, Grpc-Status-Details-Bin"


class Refused(Exception):
    """A request that is not to be answered.

    Attributes:
        status: The HTTP status that says so.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a request says it comes from.

    Attributes:
        own: The origin of the server's own pages, as the browser knows it; empty if the request does not say.
        secure: Whether the browser's connection is encrypted, to here or to a proxy.
        origin: The origin of the page that sends it, if it is another one and may; otherwise empty.
        is_own: Whether it is a page of the server's own, as far as the request says.
    """

    own: str
    secure: bool
    origin: str = ""
    is_own: bool = True


class Origins:
    """Tells the server's own pages, those that it was told to let in, and all others.

    Args:
        allowed: Origins of other sites whose pages may call the API.
        public_url: The server's own origin, where a proxy has it; empty otherwise.
        names: Other names that it is reached by.
        local: Whether it listens on this machine only.
        is_proxy: Whether an address is that of a proxy that is trusted.
    """

    def __init__(
        self,
        allowed: Iterable[str],
        *,
        public_url: str,
        names: Iterable[str],
        local: bool,
        is_proxy: Callable[[str], bool],
    ) -> None:
        self._allowed = frozenset(allowed)
        self._public_url = public_url
        self._names = {name.lower() for name in names if name}
        if public_url:
            self._names.add(host_of(public_url.partition("://")[2]))
        self._local = local
        self._is_proxy = is_proxy

    def visit(self, headers: Mapping[str, str], ip: str, *, secure: bool) -> Visit:
        """See where a request comes from.

        Args:
            headers: By their names in lower case.
            ip: Who is at the other end of the connection.
            secure: Whether the connection is encrypted.

        Raises:
            Refused: From nowhere that may send any.
        """
        host = headers.get("host", "").lower()
        if host and not _HOST.fullmatch(host):
            raise Refused(400, "the Host header must be a name or an IP address, perhaps with a port")
        by_proxy = self._is_proxy(ip)
        if by_proxy:
            # The nearest proxy is the one that is known.
            scheme = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
            secure = secure or (scheme or self._public_url.partition(":")[0]) == "https"
        elif host and self._local and not self._is_ours(host_of(host)):
            # A page may have a name of its own lead to this machine, and is then the server's own for a
            # browser. What listens on this machine only has no other names than the machine's.
            raise Refused(
                421,
                f"this server does not know that it is called {host_of(host)}: its settings public_address "
                "and web.public_url say so, or grpc.trusted_proxies if a proxy in front sends this",
            )
        own = f"{'https' if secure else 'http'}://{host}" if host else ""
        if self._public_url and by_proxy:
            own = self._public_url
        return Visit(own, secure)

    def page(self, visit: Visit, headers: Mapping[str, str]) -> Visit:
        """See which page a request comes from, if it is a page's.

        Raises:
            Refused: One that may not call the API.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        if origin is None:
            if site not in ("same-origin", "none"):
                raise Refused(403, "pages of other sites can't call this server without saying what they are")
            return visit
        origin = origin.lower()
        if origin in self._allowed:
            return Visit(visit.own, visit.secure, origin, is_own=False)
        if origin == visit.own and site in ("same-origin", "none"):
            return visit
        raise Refused(
            403, "pages of this origin can't call this server; its setting web.origin lists those that can"
        )

    def _is_ours(self, host: str) -> bool:
        return host in self._names or is_loopback(host) or read_ip(host) is not None


def preflight(visit: Visit) -> dict[str, str]:
    """The headers that let a page of another site go on."""
    return told(visit) | {
        "Access-Control-Allow-Headers": _CALL_HEADERS,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Max-Age": "7200",
    }


def told(visit: Visit) -> dict[str, str]:
    """The headers that let a page of another site read an answer."""
    if not visit.origin:
        return {}
    return {
        "Access-Control-Allow-Origin": visit.origin,
        "Access-Control-Expose-Headers": _TOLD_HEADERS,
        "Vary": "Origin",
    }
