"""Finds out whether gRPC can use a certificate, by making it do so."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import grpc
from cryptography.hazmat.primitives.serialization import Encoding

from grpc_chat.wire.certificates import Pair, names_of

_SECONDS = 5.0


def try_handshake(pair: Pair, *, answer: bool = True) -> None:
    """Serve a certificate to a client that trusts it, on a port of this machine. Takes some 5 ms; blocks.

    A list of what gRPC accepts would be long, and wrong after its next version: it checks the kind of the
    key, its length and its usage, and never says why it refuses.

    Args:
        answer: Whether to check the client's side too, which fails with a certificate that is not valid at
            this time.

    Raises:
        ValueError: There was no handshake, and so there will be none with others.
    """
    leaf = pair.chain[0]
    server = grpc.server(ThreadPoolExecutor(1))
    try:
        try:
            # The client trusts the certificate itself; those behind it would lead it astray.
            ports = [
                server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pair.key, chain)]))
                for chain in (pair.pem, leaf.public_bytes(Encoding.PEM))
            ]
        except RuntimeError as exc:
            raise ValueError("gRPC can't serve it, and does not say why") from exc
        if not answer:
            return
        server.start()
        options = [
            ("grpc.enable_http_proxy", 0),
            ("grpc.ssl_target_name_override", names_of(leaf)[0].replace("*", "any")),
        ]
        credentials = grpc.ssl_channel_credentials(leaf.public_bytes(Encoding.PEM))
        with grpc.secure_channel(f"127.0.0.1:{ports[-1]}", credentials, options=options) as channel:
            try:
                cast("Callable[..., bytes]", channel.unary_unary("/handshake"))(b"", timeout=_SECONDS)
            except grpc.RpcError as error:
                # The server has no methods: to be told so, the client needs a handshake.
                if error.code() is grpc.StatusCode.UNAVAILABLE:
                    raise ValueError(f"gRPC clients can't check it: {error.details()}") from None
    finally:
        server.stop(None).wait()
