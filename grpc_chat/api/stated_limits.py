"""The limits of requests as GetServerInfo states them."""

from __future__ import annotations

import re

from grpc_chat.api.limits import Limits
from grpc_chat.api.table import RULES, TERMS
from grpc_chat.core.uploads import FileLimits
from grpc_chat.wire import chat_pb2 as pb


def stated(limits: Limits | None = None, files: FileLimits | None = None) -> pb.RequestLimits:
    """What clients are told: the settings, and the numbers that chat.proto states, which are those that are
    checked."""
    limits, files = limits or Limits(), files or FileLimits()
    return pb.RequestLimits(
        id_bytes=limits.id_bytes,
        text_bytes=limits.text_bytes,
        name_bytes=limits.name_bytes,
        topic_bytes=limits.topic_bytes,
        messages=limits.messages,
        cursors=limits.cursors,
        files=limits.files,
        file_bytes=files.file_bytes if files.uploads else 0,
        cards=_number(r"at most ([\d,]+) entries", RULES["OutgoingMessage.cards"]),
        poll_options=_number(r"to ([\d,]+) entries", RULES["Poll.options"]),
        option_bytes=_number(r"to ([\d,]+) bytes", TERMS["an option"]),
        file_name_bytes=_number(r"to ([\d,]+) bytes", TERMS["a file name"]),
        page_size=limits.max_page,
    )


def _number(form: str, sentence: str) -> int:
    found = re.search(form, sentence)
    if not found:
        raise ValueError(f"no number in {sentence!r}")
    return int(found[1].replace(",", ""))
