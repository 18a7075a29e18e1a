#!/usr/bin/env bash
# gRPC compares the name in a server's certificate twice, by two rules. While it connects, the common name counts
# where the alternative names hold no DNS name; with each call it does not count, where there is an alternative
# name (here an IP address). So with CN=localhost and the alternative name 127.0.0.1 a channel to `localhost` becomes
# READY, and every call on it ends with UNAUTHENTICATED, "call host does not match SSL server name", which programs
# take for a refused token. A certificate that is for another name by both rules never gets so far: UNAVAILABLE,
# "Hostname Verification Check failed".
#
# Output seen on 2026-11-28, with Python 3.11 and OpenSSL 3.0:
#   grpcio 1.83.2
#   both, ready, UNIMPLEMENTED, Method not found!
#   ip-only, ready, UNAUTHENTICATED, call host does not match SSL server name
#   neither, not ready, UNAVAILABLE, Hostname Verification Check failed.
# Exits with 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install grpcio==1.83.2
for kind in both:localhost:DNS:localhost ip-only:localhost:IP:127.0.0.1 neither:example.org:DNS:example.org; do
  IFS=: read -r name common alternative <<< "$kind"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$common" \
    -addext "subjectAltName=$alternative" -keyout "$folder/$name.key" -out "$folder/$name.crt" 2> /dev/null
done
GRPC_VERBOSITY=NONE "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import grpc

print(f"grpcio {version('grpcio')}")
folder = Path(sys.argv[1])
seen = {}
for kind in ("both", "ip-only", "neither"):
    certificate, key = (folder / f"{kind}.crt").read_bytes(), (folder / f"{kind}.key").read_bytes()
    server = grpc.server(ThreadPoolExecutor(1))
    # A server without methods: UNIMPLEMENTED is its answer to a call that arrived.
    port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(key, certificate)]))
    server.start()
    credentials = grpc.ssl_channel_credentials(certificate)
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.secure_channel(f"localhost:{port}", credentials, options=options) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=5)
            ready = "ready"
        except grpc.FutureTimeoutError:
            ready = "not ready"
        try:
            channel.unary_unary("/no.such/Method")(b"", timeout=5)
        except grpc.RpcError as error:
            seen[kind] = (ready, error.code().name, error.details().rpartition(": ")[2])
    server.stop(0).wait()
    print(kind, *seen[kind], sep=", ")
wrong_name = ("ready", "UNAUTHENTICATED", "call host does not match SSL server name")
raise SystemExit(seen["ip-only"] != wrong_name or seen["neither"][0] == "ready")
PYTHON
