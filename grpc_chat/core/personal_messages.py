"""The messages that users keep for themselves: begun, saved, and to be sent later."""

from __future__ import annotations

from collections.abc import Callable

from grpc_chat.core.context import Context
from grpc_chat.core.message_drafts import MessageDrafts
from grpc_chat.core.messages import Messages
from grpc_chat.core.personal import PersonalLimits
from grpc_chat.core.saved import SavedMessages
from grpc_chat.core.scheduled import ScheduledMessages
from grpc_chat.core.sending_later import SendingLater


class PersonalMessages:
    """See ``PersonalService`` in chat.proto.

    Args:
        page_bytes: The approximate size of the largest page.
        alone: See :class:`SendingLater`.
        dropped: See :class:`ScheduledMessages`.
    """

    def __init__(
        self,
        context: Context,
        messages: Messages,
        *,
        limits: PersonalLimits,
        page_bytes: int,
        alone: bool,
        dropped: Callable[[], None],
    ) -> None:
        self.drafts = MessageDrafts(context, limits=limits, page_bytes=page_bytes)
        self.saved = SavedMessages(context, limits=limits, page_bytes=page_bytes)
        self.sending_later = SendingLater(context, messages, alone=alone)
        self.scheduled = ScheduledMessages(
            context,
            messages,
            limits=limits,
            page_bytes=page_bytes,
            look_soon=self.sending_later.look_soon,
            dropped=dropped,
        )
