"""Alembic runs this for every command; the connection and its transaction are the caller's."""

from alembic import context

from grpc_chat.store import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    render_as_batch=True,
)
context.run_migrations()
