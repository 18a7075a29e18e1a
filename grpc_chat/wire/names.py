"""The names of the API, which differ from those of the package's own messages.

All generated code of a Python process shares one pool of descriptors, in which each file name and each full
name exists once. The package's messages are therefore there as ``grpc_chat.wire.chat.v1.Event`` of the file
``grpc_chat/wire/chat.proto``, beside any ``chat.proto`` of a program. Everybody else knows them as
``chat.v1.Event`` of ``chat.proto``: paths of methods, errors, reflection and documents use these names.

The package's own pool would also work, but for the well-known types: a Timestamp of one pool can't be copied
into a message of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from grpc_chat.wire import chat_pb2 as pb

_OURS = "grpc_chat.wire."


def api_name(full_name: str) -> str:
    """The public name of something in chat.proto, such as ``chat.v1.Event``, by its descriptor's full
    name."""
    return full_name.removeprefix(_OURS)


def method_path(method: MethodDescriptor) -> str:
    """The path of a method, such as ``/chat.v1.RoomService/GetRoom``."""
    return f"/{api_name(method.containing_service.full_name)}/{method.name}"


def services() -> list[str]:
    """The full names of the API's services."""
    return [api_name(service.full_name) for service in pb.DESCRIPTOR.services_by_name.values()]


def api_file() -> FileDescriptorProto:
    """The contents of chat.proto, without comments."""
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    return renamed(file, "chat.proto", package=file.package.removeprefix(_OURS))


def renamed(file: FileDescriptorProto, name: str, *, package: str) -> FileDescriptorProto:
    """The same file under another name and in another package."""
    copy = FileDescriptorProto()
    copy.CopyFrom(file)
    copy.name, copy.package = name, package
    old, new = f".{file.package}.", f".{package}."

    def moved(type_name: str) -> str:
        return new + type_name.removeprefix(old) if type_name.startswith(old) else type_name

    for message in _messages(copy.message_type):
        for field in message.field:
            if field.type_name:
                field.type_name = moved(field.type_name)
    for service in copy.service:
        for method in service.method:
            method.input_type, method.output_type = moved(method.input_type), moved(method.output_type)
    return copy


def with_json_names(file: FileDescriptorProto) -> FileDescriptorProto:
    """The same file with the name that each field has in JSON, as protoc gives it to other languages.

    Python's generated code leaves them out; readers such as grpcurl then write ``room_id`` for ``roomId``.
    """
    copy = FileDescriptorProto()
    copy.CopyFrom(file)
    for message in _messages(copy.message_type):
        for field in message.field:
            field.json_name = field.json_name or _camel_case(field.name)
    return copy


def _messages(messages: Iterable[DescriptorProto]) -> Iterator[DescriptorProto]:
    for message in messages:
        yield message
        yield from _messages(message.nested_type)


def _camel_case(name: str) -> str:
    """As protobuf does: underscores are removed, and the letter after each becomes a capital."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)
