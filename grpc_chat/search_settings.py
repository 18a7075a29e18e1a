"""Settings of search."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from grpc_chat.setting_types import Group

Count = Annotated[int, Field(ge=1)]


class Search(Group):
    """Looking for messages."""

    enabled: bool = Field(True, description="Whether members can search what they may read.")
    memory_bytes: Count = Field(
        32 * 1024 * 1024,
        ge=1024 * 1024,
        description="About how much memory the newest messages may take, which are not in the index on the "
        "disk yet, in bytes.",
    )
