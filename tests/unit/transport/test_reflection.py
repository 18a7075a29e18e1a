"""What reflection answers."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from grpc_chat.transport.reflection import Reflection, Request, Response
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.names import api_name, services

REFLECTION = Reflection([*services(), "grpc.health.v1.Health"])
V1 = "grpc.reflection.v1.ServerReflection"
V1_ALPHA = "grpc.reflection.v1alpha.ServerReflection"


def files(response: Response) -> list[FileDescriptorProto]:
    encoded = response.file_descriptor_response.file_descriptor_proto
    return [FileDescriptorProto.FromString(data) for data in encoded]


def file_with(symbol: str) -> str:
    """The name of the file that a symbol is said to be in; empty if it is said not to be there."""
    found = files(REFLECTION.answer(Request(file_containing_symbol=symbol)))
    return found[0].name if found else ""


def test_every_service_is_named() -> None:
    """Reflection itself included, in both versions."""
    response = REFLECTION.answer(Request(host="x", list_services=""))

    found = [service.name for service in response.list_services_response.service]
    assert found == sorted([*services(), "grpc.health.v1.Health", V1, V1_ALPHA])
    assert (response.valid_host, response.original_request) == ("x", Request(host="x", list_services=""))


def test_every_symbol_of_the_api_is_found() -> None:
    """Methods too, which protobuf's pool does not find: ghz and `grpcurl describe` ask for them."""
    file = pb.DESCRIPTOR
    symbols: list[Any] = [
        *file.services_by_name.values(),
        *(method for service in file.services_by_name.values() for method in service.methods),
        *file.message_types_by_name.values(),
        *(field for message in file.message_types_by_name.values() for field in message.fields),
        *(oneof for message in file.message_types_by_name.values() for oneof in message.oneofs),
        *file.enum_types_by_name.values(),
    ]

    found = {name: file_with(name) for name in (api_name(symbol.full_name) for symbol in symbols)}

    assert set(found.values()) == {"chat.proto"}
    assert "chat.v1.MessageService.SendMessages" in found
    assert file_with("chat.v1.ROLE_OWNER") == "chat.proto"


def test_symbols_of_others_are_found() -> None:
    """Those of every service on the server, and of what chat.proto imports."""
    assert file_with("grpc.health.v1.Health.Check") == "grpc_health/v1/health.proto"
    assert file_with("grpc.health.v1.HealthCheckResponse.ServingStatus") == "grpc_health/v1/health.proto"
    assert file_with("google.protobuf.Timestamp") == "google/protobuf/timestamp.proto"
    assert file_with(V1) == "grpc_reflection/v1/reflection.proto"
    assert file_with(f"{V1_ALPHA}.ServerReflectionInfo") == "grpc_reflection/v1alpha/reflection.proto"


@pytest.mark.parametrize("symbol", [*services(), V1, V1_ALPHA, "grpc.health.v1.Health"])
def test_a_file_comes_with_what_it_imports(symbol: str) -> None:
    """A reader needs nothing else to understand a service; fields have their JSON names."""
    pool = DescriptorPool()
    found = files(REFLECTION.answer(Request(file_containing_symbol=symbol)))

    for file in reversed(found):
        pool.Add(file)

    assert pool.FindServiceByName(symbol).full_name == symbol
    assert all(field.json_name for file in found for message in file.message_type for field in message.field)
    by_name = REFLECTION.answer(Request(file_by_filename=found[0].name))
    assert (
        by_name.file_descriptor_response
        == REFLECTION.answer(Request(file_containing_symbol=symbol)).file_descriptor_response
    )


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request(file_containing_symbol="chat.v1.NoService"), 5),
        (Request(file_containing_symbol=""), 5),
        (Request(file_containing_symbol="grpc_chat.wire.chat.v1.Event"), 5),
        (Request(file_by_filename="no.proto"), 5),
        (Request(all_extension_numbers_of_type="chat.v1.Nothing"), 5),
        (Request(file_containing_extension={"containing_type": "chat.v1.Event", "extension_number": 1}), 5),
        (Request(), 3),
    ],
)
def test_what_is_not_there_is_refused(request_: Request, code: int) -> None:
    """The stream goes on: the refusal is the answer to one request."""
    response = REFLECTION.answer(request_)

    assert response.error_response.error_code == code
    assert response.error_response.error_message
    assert response.original_request == request_


def test_messages_have_no_extensions() -> None:
    """A type that is known has an empty list."""
    response = REFLECTION.answer(Request(all_extension_numbers_of_type="chat.v1.Event"))

    assert response.all_extension_numbers_response.base_type_name == "chat.v1.Event"
    assert list(response.all_extension_numbers_response.extension_number) == []
