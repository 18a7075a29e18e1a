#!/usr/bin/env bash
# grpcio-reflection does not find methods. The reflection protocol defines file_containing_symbol for a name of
# the form <package>.<service>[.<method>] or <package>.<type>, but grpcio-reflection asks
# DescriptorPool.FindFileContainingSymbol, which in protobuf for Python (upb and pure Python alike) knows services,
# messages and fields, and no methods; FindMethodByName knows them. So `ghz --call` and `grpcurl describe` of a
# method fail with "Symbol not found" on every Python server. grpc-go finds them.
#
# Output seen on 2026-11-28, with Python 3.11:
#   grpcio-reflection 1.83.2, protobuf 7.36.2 (upb)
#   grpc.health.v1.Health: grpc_health/v1/health.proto
#   grpc.health.v1.Health.Check: error 5, not found
#   FindMethodByName: grpc.health.v1.Health.Check
# Exits with 1 if the method is found.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install \
  grpcio==1.83.2 grpcio-reflection==1.83.2 grpcio-health-checking==1.83.2 protobuf==7.36.2
"$folder/venv/bin/python" - <<'PYTHON'
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.internal import api_implementation
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

print(f"grpcio-reflection {version('grpcio-reflection')}, protobuf {version('protobuf')} ({api_implementation.Type()})")
server = grpc.server(ThreadPoolExecutor(2))
health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
reflection.enable_server_reflection([health.SERVICE_NAME, reflection.SERVICE_NAME], server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
found = {}
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    for symbol in ("grpc.health.v1.Health", "grpc.health.v1.Health.Check"):
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
        [answer] = stub.ServerReflectionInfo(iter([request]), timeout=20)
        if answer.HasField("error_response"):
            found[symbol] = f"error {answer.error_response.error_code}, {answer.error_response.error_message}"
        else:
            file = FileDescriptorProto.FromString(answer.file_descriptor_response.file_descriptor_proto[0])
            found[symbol] = file.name
        print(f"{symbol}: {found[symbol]}")
server.stop(0).wait()
print("FindMethodByName:", descriptor_pool.Default().FindMethodByName("grpc.health.v1.Health.Check").full_name)
service, method = found.values()
raise SystemExit(not (service.endswith("health.proto") and method.startswith("error 5")))
PYTHON
