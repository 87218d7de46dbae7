"""Invents what an OpenAI organisation did on a day. Every name, model and price here is made up."""

from __future__ import annotations

from decimal import Decimal
from typing import Optional

from .day import EXACT, CostLine, Day, Dimensions, Traffic, plain
from .draw import Draw

_Who = dict[str, object]

# project, key, user. A row without a project is spend of the organisation itself.
_CALLERS: tuple[tuple[Optional[str], Optional[str], Optional[str]], ...] = (
    ("proj_sandboxAtlas", "key_sandboxAtlas1", "user-sandboxAda"),
    ("proj_sandboxAtlas", "key_sandboxAtlas2", "user-sandboxBen"),
    ("proj_sandboxBeacon", "key_sandboxBeacon1", "user-sandboxAda"),
    ("proj_sandboxBeacon", "key_sandboxBeacon2", "user-sandboxCleo"),
    ("proj_sandboxCedar", "key_sandboxCedar1", "user-sandboxCleo"),
    (None, None, None),
)
# USD a token: uncached input, cached input, cache write, output. The odd last digits are there to meet rounding ties.
_CHAT = {
    "gpt-5.4-mini-2026-03-17": ("0.00000037", "0.0000000365", "0.00000041", "0.0000014505"),
    "gpt-5.8-sand-2026-08-02": ("0.0000023", "0.0000002275", "0.0000025", "0.0000118"),
    "gpt-6-dune-2026-10-09": ("0.0000061", "0.0000006125", "0.0000067", "0.0000295"),
    "gpt-audio-sand-2026-05-12": ("0.0000041", "0.00000043", "0.0000045", "0.0000179"),
}
_TIERS = (None, None, "default", "default", "flex", "priority")
_PARTS = ("input", "cached input", "cache writes", "output")
_COUNTS_OF = {
    "input": ("uncached_text", "uncached_audio", "uncached_image"),
    "cached input": ("cached_text", "cached_audio", "cached_image"),
    "cache writes": ("write_30m", "write_12h"),
    "output": ("output_text", "output_audio", "output_image"),
}


def invent(seed: int, day: str) -> Day:
    """The day as it ends: a function of seed and day alone. One day in nine nobody worked."""
    draw = Draw(seed, "openai", day)
    if draw.once_in(9):
        return Day()
    bursts = [_completion(draw) for _ in range(3 + draw.below(6))]
    result = Day(tuple(bursts), tuple(line for burst in bursts for line in _chat_lines(draw, burst)))
    for sibling in (_embeddings, _moderations, _images, _speeches, _transcriptions, _stores, _sessions, _files, _webs):
        for _ in range(draw.below(3)):
            result = result.and_also(sibling(draw))
    return result.and_also(Day(lines=_extras(draw)))


def more(seed: int, day: str, turn: int) -> Day:
    """What one more hour of that day adds: never nothing."""
    draw = Draw(seed, "openai", day, "more", turn)
    burst = _completion(draw)
    return Day((burst,), tuple(_chat_lines(draw, burst)))


def _completion(draw: Draw) -> Traffic:
    who = _who(draw)
    who["model"] = model = draw.pick(tuple(_CHAT))
    who["batch"] = draw.once_in(4)
    who["service_tier"] = draw.pick(_TIERS)
    counts = {name: 0 for part in _PARTS for name in _COUNTS_OF[part]}
    counts.update(uncached_text=100 + draw.below(90_000), output_text=10 + draw.below(20_000))
    if draw.once_in(2):
        counts["cached_text"] = draw.below(150_000)
        counts["write_30m"] = draw.below(2_000)
        counts["write_12h"] = draw.below(900)
    if "audio" in model:
        counts.update(uncached_audio=draw.below(5_000), cached_audio=draw.below(700), output_audio=draw.below(4_000))
    elif draw.once_in(5):
        counts["uncached_image"] = draw.below(3_000)
    counts["num_model_requests"] = 1 + draw.below(300)
    return Traffic("completions", draw.below(1440), who, counts)


def _chat_lines(draw: Draw, burst: Traffic) -> list[CostLine]:
    """One line for each part that has tokens. One burst in ten is complimentary: lines of zero."""
    prices = ("0",) * len(_PARTS) if draw.once_in(10) else _CHAT[str(burst.dimensions["model"])]
    lines = []
    for part, price in zip(_PARTS, prices):
        count = sum(burst.counts[name] for name in _COUNTS_OF[part])
        if count:
            lines.append(
                _priced(draw, burst, f"{_prefix(burst)}{burst.dimensions['model']}, {part}", sale=(count, price))
            )
    return lines


def _prefix(burst: Traffic) -> str:
    if burst.dimensions["batch"]:
        return "batch | "
    return "priority | " if burst.dimensions["service_tier"] == "priority" else ""


def _priced(draw: Draw, burst: Traffic, item: str, *, sale: tuple[int, str], unit: str = "tokens") -> CostLine:
    """The line of so many units at such a price; one in six carries a tail far below a nano-dollar."""
    count, price = sale
    amount = EXACT.multiply(Decimal(count), Decimal(price))
    if amount and draw.once_in(6):
        amount = EXACT.add(amount, Decimal(1 + draw.below(99)).scaleb(-20))
    return CostLine(plain(amount), _payer(burst.dimensions, item), count, unit)


def _payer(who: Dimensions, item: str) -> _Who:
    dimensions = {name: who.get(name) for name in ("project_id", "user_id", "api_key_id", "api_source")}
    return {**dimensions, "line_item": item}


def _who(draw: Draw) -> _Who:
    project, key, user = draw.pick(_CALLERS)
    source = draw.pick(("unlabeled", "unlabeled", "agents_api"))
    return {"project_id": project, "api_key_id": key, "user_id": user, "api_source": source}


def _sold(draw: Draw, burst: Traffic, item: str, *, sale: tuple[int, str], unit: str) -> Day:
    return Day((burst,), (_priced(draw, burst, item, sale=sale, unit=unit),))


def _embeddings(draw: Draw) -> Day:
    counts = {"input_tokens": draw.below(400_000) + 1, "num_model_requests": 1 + draw.below(90)}
    burst = Traffic("embeddings", draw.below(1440), {**_who(draw), "model": "text-embedding-sand-2"}, counts)
    return _sold(
        draw, burst, "text-embedding-sand-2, input", sale=(counts["input_tokens"], "0.0000000215"), unit="tokens"
    )


def _moderations(draw: Draw) -> Day:
    counts = {"input_tokens": 1 + draw.below(9_000), "num_model_requests": 1 + draw.below(40)}
    return Day((Traffic("moderations", draw.below(1440), {**_who(draw), "model": "omni-moderation-sand"}, counts),))


def _images(draw: Draw) -> Day:
    size, source = draw.pick(("1024x1024", "1536x1024")), draw.pick(("image.generation", "image.edit"))
    who = {**_who(draw), "model": "gpt-image-sand-2", "size": size, "source": source}
    counts = {"images": 1 + draw.below(12), "num_model_requests": 1 + draw.below(9)}
    burst = Traffic("images", draw.below(1440), who, counts)
    return _sold(draw, burst, "gpt-image-sand-2 image, output", sale=(counts["images"], "0.0365"), unit="images")


def _speeches(draw: Draw) -> Day:
    counts = {"characters": 1 + draw.below(30_000), "num_model_requests": 1 + draw.below(20)}
    burst = Traffic("audio_speeches", draw.below(1440), {**_who(draw), "model": "tts-sand-1"}, counts)
    return _sold(draw, burst, "tts-sand-1", sale=(counts["characters"], "0.0000135"), unit="characters")


def _transcriptions(draw: Draw) -> Day:
    counts = {"seconds": 1 + draw.below(7_200), "num_model_requests": 1 + draw.below(20)}
    burst = Traffic("audio_transcriptions", draw.below(1440), {**_who(draw), "model": "scribe-sand-1"}, counts)
    return _sold(draw, burst, "scribe-sand-1", sale=(counts["seconds"], "0.000095"), unit="duration_seconds")


def _stores(draw: Draw) -> Day:
    burst = Traffic("vector_stores", draw.below(1440), _who(draw), {"usage_bytes": 1 + draw.below(900_000_000)})
    return _sold(draw, burst, "Vector storage", sale=(1 + draw.below(40), "0.0041"), unit="gibibyte_hours")


def _sessions(draw: Draw) -> Day:
    burst = Traffic("code_interpreter_sessions", draw.below(1440), _who(draw), {"num_sessions": 1 + draw.below(15)})
    return _sold(draw, burst, "code interpreter sessions", sale=(burst.counts["num_sessions"], "0.029"), unit="other")


def _files(draw: Draw) -> Day:
    who = {**_who(draw), "vector_store_id": draw.pick(("vs_sandbox1", "vs_sandbox2"))}
    burst = Traffic("file_search_calls", draw.below(1440), who, {"num_requests": 1 + draw.below(60)})
    return _sold(draw, burst, "file search tool calls", sale=(burst.counts["num_requests"], "0.0024"), unit="other")


def _webs(draw: Draw) -> Day:
    who = {**_who(draw), "model": draw.pick(tuple(_CHAT)), "context_level": draw.pick(("low", "medium", "high"))}
    counts = {"num_requests": 1 + draw.below(25), "num_model_requests": 1 + draw.below(25)}
    burst = Traffic("web_search_calls", draw.below(1440), who, counts)
    return _sold(draw, burst, "web search tool calls", sale=(counts["num_requests"], "0.0115"), unit="other")


def _extras(draw: Draw) -> tuple[CostLine, ...]:
    """Money that no usage report shows: tool calls billed to the organisation, and credits, which are negative."""
    lines = []
    if draw.once_in(3):
        lines.append(CostLine(plain(Decimal(1 + draw.below(40)).scaleb(-2)), _payer({}, "web search tool calls")))
    if draw.once_in(6):
        credit = Decimal(-(1 + draw.below(90_000))).scaleb(-6)
        lines.append(CostLine(plain(credit), _payer({}, "Promotional credit")))
    return tuple(lines)
