"""Server reflection: clients such as grpcurl ask the server for its API instead of needing chat.proto."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable, Iterator
from typing import Any, cast

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from grpc_chat.transport.calls import OpenCalls, write
from grpc_chat.wire.names import api_file, renamed, with_json_names

Request = reflection_pb2.ServerReflectionRequest
Response = reflection_pb2.ServerReflectionResponse
Context = grpc.aio.ServicerContext[bytes, bytes]

VERSIONS = ("grpc.reflection.v1", "grpc.reflection.v1alpha")
"""The packages in which clients look for the service. Their messages differ only in the name."""

NO_REQUEST = "the request must be an encoded ServerReflectionRequest whose text is UTF-8"


class Reflection:
    """Answers ``grpc.reflection.v1`` and ``v1alpha``.

    grpcio-reflection serves v1alpha alone. It uses protobuf's pool of descriptors, which finds no methods and
    has no JSON names, so ``grpcurl describe`` of a method and every call of ghz failed.

    Args:
        services: The full names of all services on this server, except reflection itself.
        open_: Where open calls are counted, to be cut off if nobody reads them.

    Attributes:
        stopped: Set by :meth:`stop`.
    """

    def __init__(self, services: Iterable[str], open_: OpenCalls | None = None) -> None:
        self._open = open_ or OpenCalls()
        self._writing: set[Context] = set()
        self._services = sorted([*services, *(f"{version}.ServerReflection" for version in VERSIONS)])
        self.stopped = asyncio.Event()

    def stop(self) -> None:
        """End the streams that clients still have open: many keep one for as long as they run."""
        self.stopped.set()

    def handlers(self) -> Iterator[grpc.GenericRpcHandler]:
        """For ``add_generic_rpc_handlers``."""
        # Bytes in and out, as for the API's own methods: grpc answers UNKNOWN if it can't decode a request.
        handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(
            cast("Any", self._info)
        )
        for version in VERSIONS:
            service = f"{version}.ServerReflection"
            yield grpc.method_handlers_generic_handler(service, {"ServerReflectionInfo": handler})

    async def _info(self, _: object, context: Context) -> None:
        self._open.begin(context, watches=True)
        answering = asyncio.ensure_future(self._answer_all(context))
        stopped = asyncio.ensure_future(self.stopped.wait())
        try:
            await asyncio.wait((answering, stopped), return_when=asyncio.FIRST_COMPLETED)
            if context in self._writing:
                # An answer is under way. Returning would put the status behind it, which may never be read.
                await asyncio.wait((answering,))
            if answering.done():
                answering.result()
        finally:
            self._writing.discard(context)
            answering.cancel()
            stopped.cancel()

    async def _answer_all(self, context: Context) -> None:
        while not self.stopped.is_set() and (data := await self._read(context)) is not None:
            try:
                request = Request.FromString(data)
            except DecodeError:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, NO_REQUEST)
            self._writing.add(context)
            await write(context, self.answer(request).SerializeToString())
            self._writing.discard(context)

    async def _read(self, context: Context) -> bytes | None:
        # Its type does not say that EOF may come instead.
        data: Any = await context.read()
        return None if data is grpc.aio.EOF else data

    def answer(self, request: Request) -> Response:
        """The answer to one request."""
        symbols = _symbols()
        response = Response(valid_host=request.host, original_request=request)
        match request.WhichOneof("message_request"):
            case "list_services":
                for service in self._services:
                    response.list_services_response.service.add(name=service)
            case "file_by_filename":
                _give_file(symbols, request.file_by_filename, response)
            case "file_containing_symbol":
                name = symbols.file_of.get(request.file_containing_symbol, "")
                _give_file(symbols, name, response)
            case "all_extension_numbers_of_type" if request.all_extension_numbers_of_type in symbols.messages:
                # proto3 has no extensions, except of options.
                numbers = response.all_extension_numbers_response
                numbers.base_type_name = request.all_extension_numbers_of_type
            case "file_containing_extension" | "all_extension_numbers_of_type":
                _refuse(response, grpc.StatusCode.NOT_FOUND, "not found")
            case _:
                _refuse(
                    response,
                    grpc.StatusCode.INVALID_ARGUMENT,
                    "the request must ask for something that this server knows",
                )
        return response


class _Symbols:
    """Which file each name is in."""

    def __init__(self) -> None:
        self.files: dict[str, FileDescriptorProto] = {}
        self.file_of: dict[str, str] = {}
        self.messages: set[str] = set()

    def add(self, file: FileDescriptorProto) -> None:
        if file.name in self.files:
            return
        self.files[file.name] = with_json_names(file)
        for message in file.message_type:
            self._add_message(file.name, file.package, message)
        for enum in file.enum_type:
            self._add_enum(file.name, file.package, enum)
        for service in file.service:
            self.file_of[f"{file.package}.{service.name}"] = file.name
            for method in service.method:
                self.file_of[f"{file.package}.{service.name}.{method.name}"] = file.name
        for name in file.dependency:
            self.add(_file(name))

    def _add_message(self, file: str, scope: str, message: DescriptorProto) -> None:
        name = f"{scope}.{message.name}"
        self.messages.add(name)
        self.file_of[name] = file
        for member in (
            *(field.name for field in message.field),
            *(oneof.name for oneof in message.oneof_decl),
        ):
            self.file_of[f"{name}.{member}"] = file
        for nested in message.nested_type:
            self._add_message(file, name, nested)
        for enum in message.enum_type:
            self._add_enum(file, name, enum)

    def _add_enum(self, file: str, scope: str, enum: EnumDescriptorProto) -> None:
        self.file_of[f"{scope}.{enum.name}"] = file
        for value in enum.value:
            # As in C++, a value belongs to the scope of its enum.
            self.file_of[f"{scope}.{value.name}"] = file


@functools.cache
def _symbols() -> _Symbols:
    # Made when a client asks for the first time. Few servers are ever asked, and it takes some 10 ms.
    symbols = _Symbols()
    alpha = _file(reflection_pb2.DESCRIPTOR.name)
    v1_file = renamed(alpha, alpha.name.replace("v1alpha", "v1"), package=VERSIONS[0])
    for file in (api_file(), _file(health_pb2.DESCRIPTOR.name), alpha, v1_file):
        symbols.add(file)
    return symbols


def _give_file(symbols: _Symbols, name: str, response: Response) -> None:
    """The file and all its imports: not every client asks for those by itself."""
    if name not in symbols.files:
        _refuse(response, grpc.StatusCode.NOT_FOUND, "not found")
        return
    wanted = [name]
    for each in wanted:
        wanted += [other for other in symbols.files[each].dependency if other not in wanted]
    files = [symbols.files[each].SerializeToString() for each in wanted]
    response.file_descriptor_response.file_descriptor_proto.extend(files)


def _file(name: str) -> FileDescriptorProto:
    """A file of Python's own pool."""
    file = FileDescriptorProto()
    descriptor_pool.Default().FindFileByName(name).CopyToProto(file)
    return file


def _refuse(response: Response, code: grpc.StatusCode, message: str) -> None:
    response.error_response.error_code = code.value[0]
    response.error_response.error_message = message
