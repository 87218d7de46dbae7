"""ntfy: text to a topic. What is longer than a message may be would become an attachment, so it is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wording import as_text

if TYPE_CHECKING:
    from agent_os import Context, Message

MOST_BYTES = 4096


def send(ctx: Context, message: Message) -> Any:
    """One message; the receipt holds its id."""
    body = message.body
    text = f"{body['title']}\n{as_text(body)}".encode()
    if len(text) > MOST_BYTES:
        end = f"…\nalert {body['id']}".encode()
        text = text[: MOST_BYTES - len(end)].decode("utf-8", "ignore").encode() + end
    headers = {"Tags": "moneybag"}
    token = ctx.setting("NTFY_TOKEN")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    answer = ctx.http.post(
        ctx.setting("NTFY_URL"), data=text, content_type="text/plain; charset=utf-8", headers=headers
    )
    return {"id": answer.data.get("id")} if isinstance(answer.data, dict) else None
