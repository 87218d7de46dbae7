"""Any address that takes JSON. The alert's id goes along as Idempotency-Key: who heeds it is told exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from agent_os import Context, Message


def send(ctx: Context, message: Message) -> None:
    """One POST of the whole message."""
    headers = {"Idempotency-Key": quote(message.key, safe="/:@")}
    ctx.http.post(ctx.setting("ALERT_WEBHOOK_URL"), json=message.body, headers=headers)
