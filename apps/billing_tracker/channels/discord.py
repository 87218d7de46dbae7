"""Discord: an embed to a webhook, within its limits; a restated figure edits the message that told it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_os import PermanentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_os import Context, Message

# Discord's limits, in characters; the last one over all of a message.
TITLE, DESCRIPTION, FIELDS, NAME, VALUE, FOOTER, TOTAL = 256, 4096, 25, 256, 1024, 2048, 6000
COLOURS = {"actual": 0xD9534F, "forecast": 0xF0AD4E, "spike": 0xF0AD4E, "collector": 0x777777, "restated": 0x5BC0DE}
UNKNOWN_MESSAGE = 404


def send(ctx: Context, message: Message) -> Any:
    """Send or edit; the receipt holds the id of the message."""
    url, body = ctx.setting("DISCORD_WEBHOOK_URL"), content(message.body)
    head, _, tail = url.partition("?")  # of a thread
    query = [("wait", "true")]
    known = ctx.receipt(message.body["edits"]) if message.body["edits"] else None
    if known and known.get("id"):
        edited = f"{head.rstrip('/')}/messages/{known['id']}" + (f"?{tail}" if tail else "")
        try:
            ctx.http.patch(edited, json=body)
        except PermanentError as error:
            if error.status != UNKNOWN_MESSAGE:
                raise
        else:
            return {"id": known["id"], "edited": True}
    answer = ctx.http.post(url, query=query, json=body)
    data = answer.data
    if answer.status != 200 or not isinstance(data, dict) or not isinstance(data.get("id"), str):
        raise PermanentError(  # sent or not: to send it again could make two
            f"Discord answered {answer.status} without the id of a message",
            hint="look there; `alerts resend` repeats it",
        )
    return {"id": data["id"]}


def content(body: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of a message: one embed, cut so that no limit is exceeded, and nobody is rung."""
    title, footer = cut(body["title"], TITLE), cut(f"alert {body['id']}", FOOTER)
    fields = [
        {"name": cut(name, NAME), "value": cut(value, VALUE), "inline": False}
        for name, value in (*body["facts"], ("again", f"`billing_tracker.pyz {body['command']}`"))
        if name and value
    ][:FIELDS]
    while fields and TOTAL - units(title) - units(footer) - _size(fields) < DESCRIPTION // 4:
        fields.pop(-2 if len(fields) > 1 else 0)  # the command stays as long as anything does
    room = TOTAL - units(title) - units(footer) - _size(fields)
    embed = {
        "title": title, "description": cut(body["text"], min(DESCRIPTION, room)), "fields": fields,
        "footer": {"text": footer}, "color": COLOURS.get(body["kind"], 0),
    }  # fmt: skip
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _size(fields: list[dict[str, Any]]) -> int:
    return sum(units(each["name"]) + units(each["value"]) for each in fields)


def cut(text: str, most: int) -> str:
    """The text, its end left out where it is too long. Discord counts UTF-16 units: what is beyond counts twice."""
    if units(text) <= most:
        return text
    kept, size = [], 1
    for letter in text:
        size += units(letter)
        if size > most:
            break
        kept.append(letter)
    return "".join(kept) + "…"


def units(text: str) -> int:
    """How many UTF-16 units a text has."""
    return len(text) + sum(letter > "\uffff" for letter in text)
