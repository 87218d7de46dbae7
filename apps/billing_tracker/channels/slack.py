"""Slack: plain text to an incoming webhook. It has no ids, so a restated figure is a message of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wording import as_text

if TYPE_CHECKING:
    from agent_os import Context, Message

LONGEST = 12_000  # characters; far below what Slack cuts at


def send(ctx: Context, message: Message) -> None:
    """One message."""
    text = f"{message.body['title']}\n{as_text(message.body)}"[:LONGEST]
    for character, word in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):  # else <!channel> would ring everybody
        text = text.replace(character, word)
    ctx.http.post(ctx.setting("SLACK_WEBHOOK_URL"), json={"text": text})
