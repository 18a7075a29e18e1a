"""The tables, once, for every database.

Types are the ones all databases agree on: times are whole microseconds since 1970 UTC, ids are text, payloads
are bytes. Numbers of the log are given by the store, never by the database: a sequence leaves gaps when a
transaction is rolled back.
"""

from __future__ import annotations

# With stars, so that a further table stands in one place only.
from grpc_chat.store.schema.accounts import *  # noqa: F403
from grpc_chat.store.schema.attention import *  # noqa: F403
from grpc_chat.store.schema.base import meta as meta
from grpc_chat.store.schema.base import metadata as metadata
from grpc_chat.store.schema.files import *  # noqa: F403
from grpc_chat.store.schema.messages import *  # noqa: F403
from grpc_chat.store.schema.personal import *  # noqa: F403
from grpc_chat.store.schema.receipts import *  # noqa: F403
from grpc_chat.store.schema.rooms import *  # noqa: F403
from grpc_chat.store.schema.threads import *  # noqa: F403
from grpc_chat.store.schema.traces import *  # noqa: F403
