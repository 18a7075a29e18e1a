"""FileService."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from grpc_chat.core.caller import Caller
from grpc_chat.core.system import ChatSystem
from grpc_chat.core.uploads import file_told
from grpc_chat.core.writing import Write
from grpc_chat.errors import Unavailable
from grpc_chat.wire import chat_pb2 as pb

_READ_SECONDS = 60.0
"""How long a client may take to read a piece: until then it has one of its user's places."""


class FileService:
    """See ``FileService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._uploads = system.uploads
        self._files = system.files
        self._links = system.file_links

    async def create_upload(self, caller: Caller, request: pb.CreateUploadRequest) -> pb.CreateUploadResponse:
        return pb.CreateUploadResponse(upload=await self._uploads.create(caller, request))

    async def get_upload(self, caller: Caller, request: pb.GetUploadRequest) -> pb.GetUploadResponse:
        return pb.GetUploadResponse(upload=await self._uploads.get(caller, request.upload_id))

    async def list_uploads(self, caller: Caller, request: pb.ListUploadsRequest) -> pb.ListUploadsResponse:
        page = await self._uploads.list_(caller, request)
        return pb.ListUploadsResponse(uploads=page.entries, next_page_token=page.next_page_token)

    async def upload_part(self, caller: Caller, request: pb.UploadPartRequest) -> pb.UploadPartResponse:
        return pb.UploadPartResponse(offset=await self._uploads.put(caller, request))

    async def finish_upload(self, caller: Caller, request: pb.FinishUploadRequest) -> pb.FinishUploadResponse:
        return pb.FinishUploadResponse(file=await self._uploads.finish(caller, request.upload_id))

    async def cancel_upload(self, caller: Caller, request: pb.CancelUploadRequest) -> pb.CancelUploadResponse:
        await self._uploads.cancel(caller, request.upload_id)
        return pb.CancelUploadResponse()

    async def download_file(self, caller: Caller, request: pb.DownloadFileRequest, write: Write) -> None:
        preview = request.preview
        with self._files.one_download(caller):
            file = await self._files.find(caller, request.file_id, preview=preview)
            await write(pb.DownloadFileResponse(file=file_told(file)).SerializeToString())
            pieces = self._files.pieces(caller, file, request.offset, request.length, preview=preview)
            async with aclosing(pieces):
                async for data in pieces:
                    # The next piece is read when this one has been taken.
                    try:
                        async with asyncio.timeout(_READ_SECONDS):
                            await write(pb.DownloadFileResponse(data=data).SerializeToString())
                    except TimeoutError:
                        raise Unavailable("nobody read this download; go on where it ended") from None

    async def create_download_link(
        self, caller: Caller, request: pb.CreateDownloadLinkRequest
    ) -> pb.CreateDownloadLinkResponse:
        url, expire_time = await self._links.make(caller, request)
        response = pb.CreateDownloadLinkResponse(url=url)
        response.expire_time.FromDatetime(expire_time)
        return response
