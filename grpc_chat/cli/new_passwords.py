"""What a new password ends, for the commands that set one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grpc_chat.cli.output import count

if TYPE_CHECKING:
    from grpc_chat.cli.output import Output
    from grpc_chat.sdk.account_models import PasswordChange

end_bot_tokens = click.option(
    "--end-bot-tokens",
    is_flag=True,
    help="End the access tokens of all of the account's bots, too; each then needs a new one.",
)


def tell(
    out: Output, sentence: str, change: PasswordChange, *, sessions: str, revoke: str, **more: object
) -> None:
    """Say that a password has changed, what has ended with it, and what has not.

    Args:
        sessions: The word for one of the ended sessions.
        revoke: The command that ends a bot's tokens.
        more: Further values for programs.
    """
    ended = [
        count(number, what)
        for number, what in (
            (change.revoked_sessions, sessions),
            (change.revoked_bot_tokens, "bot token"),
        )
        if number
    ]
    out.result(
        None,
        sentence + (f"; {' and '.join(ended)} ended" if ended else ""),
        revoked_sessions=change.revoked_sessions,
        revoked_bot_tokens=change.revoked_bot_tokens,
        live_bot_tokens=change.live_bot_tokens,
        **more,
    )
    if change.live_bot_tokens:
        goes = "goes" if change.live_bot_tokens == 1 else "go"
        out.note(
            f"{count(change.live_bot_tokens, 'bot token')} {goes} on working; "
            f"to end them: {revoke}, or give --end-bot-tokens with the next new password"
        )
