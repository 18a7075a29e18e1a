from __future__ import annotations

import asyncio

import pytest

from grpc_chat import Client


@pytest.mark.parametrize("token", ["gc_abc\n", "gc_abc\r\n", " gc_abc ", "\tgc_abc\n"])
def test_what_files_and_shells_put_around_a_token_is_left_out(token: str) -> None:
    """A token comes from a file or the environment, often with a line end."""
    assert Client("localhost:1", token=token).token == "gc_abc"


@pytest.mark.parametrize("token", ["gc_s3cret\nx", "gc_s3cret\0", "gc_s3cré", "gc s3cret"])
def test_a_token_that_cannot_be_sent_is_refused_at_once(token: str) -> None:
    """When the client is made, by the argument's name and without a word of the token."""
    with pytest.raises(ValueError, match="token must be printable ASCII") as refused:
        Client("localhost:1", token=token)

    assert "s3cr" not in str(refused.value)


def test_a_client_belongs_to_one_event_loop() -> None:
    """Used in another it says so in one sentence, whatever is called."""
    clients: list[Client] = []

    async def first() -> None:
        clients.append(client := Client("localhost:1", token="1"))
        client._link.require_loop()

    async def second() -> None:
        [client] = clients
        for use in (
            client.me(),
            client.send("general", "hello"),
            anext(aiter(client.subscribe("general"))),
            anext(client.rooms()),
        ):
            with pytest.raises(RuntimeError, match="another event loop"):
                await use

    asyncio.run(first())
    asyncio.run(second())
