"""What the named faults are made of: functions of a request and its proper reply.

They touch nothing else; the tree of the reply, which is theirs alone, may be changed in place.
"""

from __future__ import annotations

import copy
import gzip
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Callable, Optional

from . import anthropic, cursor, github, openai, openrouter
from .exchange import Literal, Refusal, Reply, Request, Wire, render

Spoil = Callable[[Request, Reply], Optional[Reply]]

# The types of Anthropic's errors; OpenAI has one for nearly all of them.
_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_AGAIN = "page_QWdhaW5BbmRBZ2Fpbg"


def status(number: int, *headers: tuple[str, str]) -> Spoil:
    """An error of that status in the provider's own words."""
    return lambda request, reply: _error(request, reply, (number, headers))


def rate_limited_until(*, seconds: int) -> Spoil:
    """429 with a date to wait for."""

    def spoil(request: Request, reply: Reply) -> Reply:
        until = (request.received_at + timedelta(seconds=seconds)).astimezone(timezone.utc)
        return _error(request, reply, (429, (("retry-after", format_datetime(until, usegmt=True)),)))

    return spoil


def html(number: int, text: str) -> Spoil:
    """A page for people, as gateways and captive portals send it."""
    return lambda _, reply: Reply(number, headers=reply.headers, raw=text.encode(), media_type="text/html")


def key_revoked(request: Request, reply: Reply) -> Optional[Reply]:
    """401 from the second page on."""
    return None if request.get("page") is None else _error(request, reply, (401, ()))


def redirect(request: Request, reply: Reply) -> Reply:
    """302 to the same port under another host name; the journal shows who followed it, and with which headers."""
    port = request.headers.get("host", "").rpartition(":")[2]
    return Reply(302, {}, (*reply.headers, ("location", f"http://localhost:{port}/elsewhere")))


def wire(**how: Any) -> Spoil:
    """The proper reply, badly sent."""
    return lambda _, reply: replace(reply, wire=Wire(**how))


def body(change: Callable[[bytes], bytes]) -> Spoil:
    """Other bytes, with the length that is theirs."""
    return lambda _, reply: replace(reply, raw=change(reply.body()))


def cut_json(_: Request, reply: Reply) -> Reply:
    """Half a page that claims to be whole: the length is right, the JSON ends too early."""
    whole = reply.body()
    return replace(reply, raw=whole[: len(whole) // 2])


def gzipped(_: Request, reply: Reply) -> Reply:
    """A compressed body that nobody asked for."""
    headers = (*reply.headers, ("content-encoding", "gzip"))
    return replace(reply, raw=gzip.compress(reply.body(), mtime=0), headers=headers)


def member(name: str, text: str) -> Spoil:
    """The page has that member, as literal JSON."""
    return _on_page(lambda page: page.update({name: Literal(text)}))


def without(name: str) -> Spoil:
    """The page lacks that member."""
    return _on_page(lambda page: page.pop(name))


def has_more_without_token(_: Request, reply: Reply) -> Optional[Reply]:
    """More is promised, and no way to get it."""
    return _changed(reply, lambda page: page.update(has_more=True, next_page=None))


def repeated_token(request: Request, reply: Reply) -> Optional[Reply]:
    """From the second page on every page is empty and names itself as the next one."""
    if request.get("page") == _AGAIN:
        page = {"data": [], "has_more": True, "next_page": _AGAIN}
        return Reply(200, {"object": "page", **page} if request.provider == "openai" else page, reply.headers)
    return _changed(reply, lambda page: page.update(has_more=True, next_page=_AGAIN))


def missing_bucket(_: Request, reply: Reply) -> Optional[Reply]:
    """A day in the middle is not mentioned."""
    data = _data(reply)
    if len(data) < 2:
        return None
    del data[len(data) // 2]
    return reply


def missing_last_bucket(_: Request, reply: Reply) -> Optional[Reply]:
    """The last day, perhaps one that is not over, is not mentioned."""
    data = _data(reply)
    if not data:
        return None
    del data[-1]
    return reply


def duplicate_bucket(_: Request, reply: Reply) -> Optional[Reply]:
    """The first day that has rows stands there twice."""
    bucket = _first_full(reply)
    if bucket is None:
        return None
    _data(reply).append(bucket)
    return reply


def moved_bucket(*, days: float) -> Spoil:
    """The last bucket begins and ends so many days later than it should."""

    def spoil(_: Request, reply: Reply) -> Optional[Reply]:
        if not _data(reply):
            return None
        bucket = _data(reply)[-1]
        for name in ("start_time", "end_time", "starting_at", "ending_at"):
            if name in bucket:
                bucket[name] = _moved(bucket[name], days)
        return reply

    return spoil


def duplicate_row(_: Request, reply: Reply) -> Optional[Reply]:
    """One row stands in its bucket twice."""
    bucket = _first_full(reply)
    if bucket is None:
        return None
    bucket["results"].append(copy.deepcopy(bucket["results"][0]))
    return reply


def no_results(_: Request, reply: Reply) -> Optional[Reply]:
    """A bucket says null where its rows should be."""
    if not _data(reply):
        return None
    _data(reply)[0]["results"] = None
    return reply


def duplicate_members(_: Request, reply: Reply) -> Optional[Reply]:
    """The first row names its amount, or its first count, twice: the second time it is 7."""
    bucket = _first_full(reply)
    if bucket is None:
        return None
    row = bucket["results"][0]
    name, value = _first_number(row)
    again = Literal("7") if not isinstance(value, dict) else {**value, "value": Literal("7")}
    bucket["results"][0] = Literal(f'{render(row)[:-1]},"{name}":{render(again)}}}')
    return reply


def number(text: str) -> Spoil:
    """The first amount, or the first count of a usage row, is that literal JSON."""

    def change(row: dict[str, Any]) -> None:
        name, value = _first_number(row)
        if isinstance(value, dict):
            value["value"] = Literal(text)
        else:
            row[name] = Literal(text)

    return _on_row(lambda _: True, change)


def count(text: str) -> Spoil:
    """The first count of a usage row is that literal JSON; a cost report is left alone."""
    return _on_row(lambda row: "amount" not in row, lambda row: row.update({_first_number(row)[0]: Literal(text)}))


def currency(text: Optional[str]) -> Spoil:
    """The first cost row's currency is that literal JSON, or not there."""

    def change(row: dict[str, Any]) -> None:
        holder = row["amount"] if isinstance(row["amount"], dict) else row
        if text is None:
            del holder["currency"]
        else:
            holder["currency"] = Literal(text)

    return _on_row(lambda row: "amount" in row, change)


def name(text: str) -> Spoil:
    """The first cost row is of a kind, and has a name, that nobody knew: what a vendor's users may type comes back."""

    def change(row: dict[str, Any]) -> None:
        row.update({key: text for key in ("line_item", "description", "cost_type") if key in row})

    return _on_row(lambda row: "amount" in row, change)


def escaped_name(escape: str) -> Spoil:
    """The first cost row's name is that JSON escape."""
    return name(Literal(f'"{escape}"'))


def _error(request: Request, reply: Reply, fault: tuple[int, tuple[tuple[str, str], ...]]) -> Reply:
    number, headers = fault
    code = "rate_limit_exceeded" if number == 429 else None
    kind = _KINDS.get(number, "api_error" if number >= 500 else "invalid_request_error")
    message = f"This is the sandbox's scripted answer with status {number}."
    others = {"openrouter": openrouter.error, "cursor": cursor.error, "github": github.error}
    if request.provider in others:
        content = others[request.provider](Refusal(number, message))
    elif request.provider == "openai":
        kind = "requests" if number == 429 else "server_error" if number >= 500 else "invalid_request_error"
        content = openai.error(Refusal(number, message, kind=kind, code=code))
    else:
        content = anthropic.error(Refusal(number, message, kind=kind), request.id)
    return Reply(number, content, reply.headers + headers)


def _on_page(change: Callable[[dict[str, Any]], object]) -> Spoil:
    return lambda _, reply: _changed(reply, change)


def _changed(reply: Reply, change: Callable[[dict[str, Any]], object]) -> Optional[Reply]:
    if reply.status != 200 or "data" not in reply.content:
        return None
    change(reply.content)
    return reply


def _on_row(is_meant: Callable[[dict[str, Any]], bool], change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Change the first row that is meant."""

    def spoil(_: Request, reply: Reply) -> Optional[Reply]:
        bucket = _first_full(reply)
        if bucket is None or not is_meant(bucket["results"][0]):
            return None
        change(bucket["results"][0])
        return reply

    return spoil


def _data(reply: Reply) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = reply.content.get("data", []) if reply.status == 200 else []
    return found


def _first_full(reply: Reply) -> Optional[dict[str, Any]]:
    return next((bucket for bucket in _data(reply) if bucket["results"]), None)


def _first_number(row: dict[str, Any]) -> tuple[str, Any]:
    return next((key, value) for key, value in row.items() if key == "amount" or type(value) is int)


def _moved(moment: Any, days: float) -> Any:
    if isinstance(moment, int):
        return moment + int(days * 86_400)
    form = "%Y-%m-%dT%H:%M:%SZ"
    return (datetime.strptime(moment, form).replace(tzinfo=timezone.utc) + timedelta(days=days)).strftime(form)
