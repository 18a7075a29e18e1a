"""A small OpenID issuer on loopback, for tests: it keeps the rules, or breaks those it is told to.

::

    with running_issuer() as issuer:
        issuer.user = {"sub": "248289761001", "preferred_username": "alice"}
        …  # configure a provider with issuer.url, issuer.client_id, issuer.client_secret

A program stands for the person and the browser by following the authorization URL (:func:`browse`), or by
calling :meth:`Issuer.approve` with the code that a device shows.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/jwks"
AUTHORIZE = "/authorize"
TOKEN = "/token"
DEVICE = "/device_authorization"
VERIFY = "/device"
USERINFO = "/userinfo"

Sign = Callable[[Mapping[str, Any], Key], str]
"""Makes a token of claims, with the issuer's newest key."""


@dataclass
class Reply:
    """An HTTP answer; a body in pieces is sent without saying how long it is, one by one."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: object, status: int = 200) -> Reply:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    @classmethod
    def error(cls, code: str, status: int = 400, description: str = "the issuer's own words") -> Reply:
        return cls.of({"error": code, "error_description": description}, status)


@dataclass
class Request:
    """What the issuer was asked."""

    method: str
    path: str
    fields: dict[str, str]
    headers: Mapping[str, str]


@dataclass
class _Code:
    user: dict[str, Any]
    redirect_uri: str
    nonce: str | None
    challenge: str


@dataclass
class _Device:
    user_code: str
    expires: float
    challenge: str
    user: dict[str, Any] | None = None
    denied: bool = False
    last_poll: float | None = None


class Issuer:
    """The issuer.

    Attributes:
        url: Its identifier.
        user: Who is at the browser, as claims; None for somebody who refuses.
        clock: Seconds since 1970.
        requests: Everything it was asked, in order.
        claims: Put over the claims of each ID token; None takes one away.
        metadata: Put over what it says of itself; None takes a member away.
        token_answer: Put over what the token endpoint answers when all is well, in the same way.
        device_answer: The same for the device authorization endpoint.
        userinfo: Put over the user's claims at the user info endpoint.
        pages: Where browsers may come back to besides clients on their machine.
        sign: How ID tokens are signed; see :func:`unsigned` and the like.
        replies: What a path answers instead, whatever it is asked. May wait: each request has a thread.
        iss: The parameter of this name with which browsers come back; None for none.
        checks_pkce: Whether a code is good only for the client that knows the verifier.
        demands_pkce: Whether devices have to send a challenge, as a Keycloak client can be set to.
        refuses_with: What the browser comes back with instead of a code, beside ``state``.
        interval: Seconds between two polls of a device.
        released: Set when the issuer stops, for replies that wait.
    """

    def __init__(self, url: str, *, client_id: str, client_secret: str | None) -> None:
        self.url = url
        self.client_id = client_id
        self.client_secret = client_secret
        self.user: dict[str, Any] | None = {
            "sub": "248289761001",
            "preferred_username": "alice",
            "name": "Alice Liddell",
            "email": "alice@example.com",
            "email_verified": True,
        }
        self.clock: Callable[[], float] = time.time
        self.requests: list[Request] = []
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.token_answer: dict[str, Any] = {}
        self.device_answer: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.pages: list[str] = []
        self.sign: Sign = signed
        self.replies: dict[str, Callable[[Request], Reply]] = {}
        self.iss: str | None = url
        self.checks_pkce = True
        self.demands_pkce = True
        self.refuses_with: dict[str, str] = {}
        self.interval = 5
        self.released = threading.Event()
        self.keys: list[Key] = [_FIRST_KEY]
        self._codes: dict[str, _Code] = {}
        self._devices: dict[str, _Device] = {}
        self._access_tokens: dict[str, dict[str, Any]] = {}

    def rotate(self, *, algorithm: str = "RS256", keep: bool = False) -> None:
        """Sign with a new key from now on.

        Args:
            keep: Whether the old ones are still published.
        """
        parameters: Any = {"kid": secrets.token_hex(4), "alg": algorithm, "use": "sig"}
        key: Key
        curves = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
        if algorithm[:2] in ("RS", "PS"):
            key = RSAKey.generate_key(2048, parameters)
        elif algorithm in curves:
            key = ECKey.generate_key(curves[algorithm], parameters)
        else:
            key = OKPKey.generate_key("Ed25519", parameters)
        self.keys = [*(self.keys if keep else []), key]

    def asked(self, path: str) -> int:
        """How often a path was asked."""
        return sum(request.path == path for request in self.requests)

    def approve(self, user_code: str) -> None:
        """The person types the code in and agrees."""
        self._device(user_code).user = self.user

    def deny(self, user_code: str) -> None:
        """The person types the code in and refuses."""
        self._device(user_code).denied = True

    def id_token(self, user: Mapping[str, Any], nonce: str | None = None) -> str:
        """A token as it would be given out now."""
        now = int(self.clock())
        claims = {"iss": self.url, "aud": self.client_id, "iat": now, "exp": now + 300, **user}
        if nonce is not None:
            claims["nonce"] = nonce
        return self.sign(_over(claims, self.claims), self.keys[-1])

    def reply(self, request: Request) -> Reply:
        """Answer."""
        if request.path in self.replies:
            return self.replies[request.path](request)
        handlers = {
            ("GET", DISCOVERY): self._discovery,
            ("GET", JWKS): self._jwks,
            ("GET", AUTHORIZE): self._authorize,
            ("POST", TOKEN): self._token,
            ("POST", DEVICE): self._device_authorization,
            ("GET", VERIFY): self._verify,
            ("GET", USERINFO): self._userinfo,
        }
        handler = handlers.get((request.method, request.path))
        return handler(request) if handler else Reply(404)

    def _discovery(self, request: Request) -> Reply:
        metadata = {
            "issuer": self.url,
            "authorization_endpoint": self.url + AUTHORIZE,
            "token_endpoint": self.url + TOKEN,
            "jwks_uri": self.url + JWKS,
            "device_authorization_endpoint": self.url + DEVICE,
            "userinfo_endpoint": self.url + USERINFO,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.keys[-1].alg],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return Reply.of(_over(metadata, self.metadata))

    def _jwks(self, request: Request) -> Reply:
        return Reply.of({"keys": [key.as_dict(private=False) for key in self.keys]})

    def _authorize(self, request: Request) -> Reply:
        asked = request.fields
        if asked.get("client_id") != self.client_id or "redirect_uri" not in asked:
            return Reply(400, b"unknown client")
        back = {"state": asked.get("state", "")}
        if self.iss is not None:
            back["iss"] = self.iss
        good = (
            asked.get("response_type") == "code"
            and (is_loopback(asked["redirect_uri"]) or asked["redirect_uri"] in self.pages)
            and "openid" in asked.get("scope", "").split()
            and asked.get("code_challenge_method") == "S256"
            and asked.get("code_challenge")
        )
        if not good:
            back["error"] = "invalid_request"
        elif self.refuses_with:
            back |= self.refuses_with
        elif self.user is None:
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_urlsafe(24)
            self._codes[back["code"]] = _Code(
                self.user, asked["redirect_uri"], asked.get("nonce"), asked["code_challenge"]
            )
        return Reply(302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(back)}"})

    def _token(self, request: Request) -> Reply:
        if not self._is_client(request):
            return Reply.error("invalid_client", 401)
        match request.fields.get("grant_type"):
            case "authorization_code":
                return self._code_grant(request.fields)
            case "urn:ietf:params:oauth:grant-type:device_code":
                return self._device_grant(request.fields)
            case _:
                return Reply.error("unsupported_grant_type")

    def _is_client(self, request: Request) -> bool:
        if self.client_secret is None:
            return request.fields.get("client_id") == self.client_id
        given = request.headers.get("authorization", "")
        if given.startswith("Basic "):
            name, _, secret = base64.b64decode(given[len("Basic ") :]).decode().partition(":")
            name, secret = unquote_plus(name), unquote_plus(secret)
        else:
            name, secret = (request.fields.get(field, "") for field in ("client_id", "client_secret"))
        return name == self.client_id and hmac.compare_digest(secret.encode(), self.client_secret.encode())

    def _code_grant(self, asked: dict[str, str]) -> Reply:
        code = self._codes.pop(asked.get("code", ""), None)
        if code is None or code.redirect_uri != asked.get("redirect_uri"):
            return Reply.error("invalid_grant")
        if self.checks_pkce and code.challenge != _challenge(asked):
            return Reply.error("invalid_grant", description="PKCE verification failed")
        return self._tokens(code.user, code.nonce)

    def _device_grant(self, asked: dict[str, str]) -> Reply:
        device = self._devices.get(asked.get("device_code", ""))
        now = self.clock()
        if device is None:
            return Reply.error("invalid_grant")
        if self.checks_pkce and device.challenge and device.challenge != _challenge(asked):
            return Reply.error("invalid_grant", description="PKCE verification failed")
        early = device.last_poll is not None and now - device.last_poll < self.interval
        device.last_poll = now
        if now >= device.expires:
            return Reply.error("expired_token")
        if early:
            return Reply.error("slow_down")
        if device.denied:
            return Reply.error("access_denied")
        if device.user is None:
            return Reply.error("authorization_pending")
        del self._devices[asked["device_code"]]
        return self._tokens(device.user, None)

    def _tokens(self, user: dict[str, Any], nonce: str | None) -> Reply:
        access_token = secrets.token_urlsafe(24)
        self._access_tokens[access_token] = user
        answer = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self.id_token(user, nonce),
        }
        return Reply.of(_over(answer, self.token_answer))

    def _device_authorization(self, request: Request) -> Reply:
        if not self._is_client(request):
            return Reply.error("invalid_client", 401)
        challenge = request.fields.get("code_challenge", "")
        if self.demands_pkce and (not challenge or request.fields.get("code_challenge_method") != "S256"):
            return Reply.error("invalid_request", description="Missing parameter: code_challenge_method")
        device_code = secrets.token_urlsafe(24)
        user_code = f"{secrets.token_hex(2)}-{secrets.token_hex(2)}".upper()
        self._devices[device_code] = _Device(user_code, self.clock() + 600, challenge)
        answer = {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": self.url + VERIFY,
            "verification_uri_complete": f"{self.url}{VERIFY}?user_code={user_code}",
            "expires_in": 600,
            "interval": self.interval,
        }
        return Reply.of(_over(answer, self.device_answer))

    def _verify(self, request: Request) -> Reply:
        user_code = request.fields.get("user_code", "")
        if self.user is None:
            self.deny(user_code)
        else:
            self.approve(user_code)
        return Reply(200, b"you may close this page")

    def _userinfo(self, request: Request) -> Reply:
        user = self._access_tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        return Reply.of(user | self.userinfo) if user else Reply(401)

    def _device(self, user_code: str) -> _Device:
        return next(device for device in self._devices.values() if device.user_code == user_code)


def _over(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Values with changes, of which None takes one away."""
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def _challenge(asked: Mapping[str, str]) -> str:
    """What the verifier of a request stands for."""
    digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_loopback(uri: str) -> bool:
    """Whether it leads to a client on this machine."""
    return urlsplit(uri).scheme == "http" and urlsplit(uri).hostname in ("127.0.0.1", "::1")


_FIRST_KEY = RSAKey.generate_key(2048, {"kid": "first", "alg": "RS256", "use": "sig"})
"""Made once: it takes a while."""


# How an ID token may be signed


def _compact(header: Mapping[str, Any], claims: Mapping[str, Any], key: Key) -> str:
    if isinstance(key, OKPKey):
        # By hand: joserfc warns of the name "EdDSA", which issuers use.
        text = f"{_part(header)}.{_part(claims)}"
        private = key.private_key
        assert isinstance(private, Ed25519PrivateKey)
        return f"{text}.{base64.urlsafe_b64encode(private.sign(text.encode())).decode().rstrip('=')}"
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    # Without what the key says to be for, or joserfc would not sign with it otherwise.
    bare: Any = type(key)(key.private_key, key.private_key)  # type: ignore[arg-type]
    return jws.serialize_compact(dict(header), json.dumps(claims).encode(), bare, registry=registry)


def signed(claims: Mapping[str, Any], key: Key) -> str:
    """As it should be."""
    return _compact({"alg": key.alg, "kid": key.kid}, claims, key)


def signed_without_kid(claims: Mapping[str, Any], key: Key) -> str:
    """Without saying with which key."""
    return _compact({"alg": key.alg}, claims, key)


def signed_with_header(**header: object) -> Sign:
    """With more in the header, or something else."""
    return lambda claims, key: _compact({"alg": key.alg, "kid": key.kid} | header, claims, key)


def signed_by(stranger: Key) -> Sign:
    """With another key, under the kid of the right one."""
    return lambda claims, key: _compact({"alg": key.alg, "kid": key.kid}, claims, stranger)


def unsigned(claims: Mapping[str, Any], key: Key) -> str:
    """With the algorithm "none"."""
    return f"{_part({'alg': 'none', 'kid': key.kid})}.{_part(claims)}."


def signed_with_the_public_key(claims: Mapping[str, Any], key: Key) -> str:
    """With HS256, and the public key, which all know, for a secret."""
    assert not isinstance(key, OctKey)
    text = f"{_part({'alg': 'HS256', 'kid': key.kid})}.{_part(claims)}"
    mac = hmac.new(key.as_pem(private=False), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def tampered(claims: Mapping[str, Any], key: Key) -> str:
    """Changed after it was signed."""
    header, _, signature = signed(claims, key).split(".")
    return f"{header}.{_part({**claims, 'sub': 'somebody else'})}.{signature}"


def _part(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


# The program that it is


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two packets, and the second would wait 40 ms for the first one's acknowledgement.
    disable_nagle_algorithm = True
    issuer: Issuer

    def do_GET(self) -> None:
        self._answer(urlsplit(self.path).query)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._answer(self.rfile.read(length).decode())

    def _answer(self, query: str) -> None:
        fields = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, urlsplit(self.path).path, fields, headers)
        self.issuer.requests.append(request)
        reply = self.issuer.reply(request)
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if isinstance(reply.body, bytes):
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
            else:
                self.send_header("Connection", "close")
                self.end_headers()
                for piece in reply.body:
                    self.wfile.write(piece)
        except OSError:
            # The client has had enough, as with an answer that is too long.
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Tests read what was asked in ``requests``."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Connections that are kept open have threads that wait for more.
    block_on_close = False


@contextmanager
def running_issuer(
    *,
    client_id: str = "chat",
    client_secret: str | None = "s3cret/with:%signs",
    tls: ssl.SSLContext | None = None,
) -> Iterator[Issuer]:
    """An issuer on a port of its own."""

    class Handler(_Handler):
        pass

    with _Server(("127.0.0.1", 0), Handler) as server, pytest.MonkeyPatch.context() as patch:
        # A folder without authorities: those of the machine take half of what such a test costs to load, and
        # none of them stands behind this issuer.
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(Path(__file__).parent))
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        issuer = Issuer(url, client_id=client_id, client_secret=client_secret)
        Handler.issuer = issuer
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
        thread.start()
        try:
            yield issuer
        finally:
            issuer.released.set()
            server.shutdown()
            thread.join()


def browse(authorization_url: str) -> dict[str, str]:
    """Be the browser and the person: follow the URL, and say with what it comes back to the client."""
    url = urlsplit(authorization_url)
    with closing(HTTPConnection(url.netloc, timeout=20)) as connection:
        connection.request("GET", f"{url.path}?{url.query}")
        response = connection.getresponse()
    assert response.status == 302, response.reason
    query = urlsplit(response.headers["Location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}
