"""HTTP/2 for a server, without I/O: bytes in, calls of a handler and bytes out (RFC 9113).

No asyncio and no gRPC in here. See :class:`~grpc_chat.transport.http2.connection.Connection`.
"""
