"""Which column of a sheet means what: known by the header of a provider's export, guessed by name, or given. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from .cells import CODES, SIGNS, day
from .consoles import EXPORTS
from .errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Optional

# What a column may mean, in the order in which it is looked for: its name -> what people are told.
MEANINGS = {
    "date": "day (UTC)", "amount": "money", "cents": "money in hundredths", "currency": "currency",
    "account": "account", "project": "project", "model": "model", "api_key": "key", "line_item": "line item",
    "cost_type": "kind of cost", "token_type": "kind of token", "tier": "tier", "context": "size of context",
    "region": "region", "input_all": "input tokens, cached ones included", "input": "input tokens, without cached ones",
    "output": "output tokens", "cache_read": "tokens read from cache", "cache_write": "tokens written to cache",
    "cache_write_5m": "tokens written to cache for 5 min", "cache_write_1h": "tokens written to cache for 1 h",
    "tokens": "tokens", "requests": "requests", "web_searches": "web searches",
}  # fmt: skip
DIMENSIONS = (
    "account", "project", "model", "api_key", "line_item", "cost_type", "token_type", "tier", "context", "region",
)  # fmt: skip
COUNTS = (
    "input", "input_all", "output", "cache_read", "cache_write", "cache_write_5m", "cache_write_1h", "tokens",
    "requests", "web_searches",
)  # fmt: skip
# Names that mean so, the surest first; lower case, _ for whatever is no letter or digit, without a currency.
SYNONYMS = {
    "date": "date day when usage_date_utc usage_date date_utc billing_date invoice_date charge_date created_at created"
    " timestamp time datetime start_time start_time_iso start_date starting_at bucket_start period_start datum tag"
    " fecha jour",
    "amount": "amount cost total_cost amount_value cost_total net_amount amount_due charge charges spend total"
    " total_amount price usage_cost billed betrag kosten summe montant cout importe coste",
    "cents": "cents amount_cents cost_cents total_cents amount_in_cents charged_cents chargedcents totalcents",
    "currency": "currency currency_code amount_currency billing_currency waehrung wahrung devise moneda",
    "account": "account account_name vendor",
    "project": "project project_id project_name workspace workspace_id workspace_name team app app_name projekt",
    "model": "model model_name model_id model_version model_slug slug model_permaslug modell",
    "api_key": "api_key api_key_id api_key_name key key_name key_id",
    "line_item": "line_item description item product product_name service sku beschreibung",
    "cost_type": "cost_type charge_type",
    "token_type": "token_type",
    "tier": "tier service_tier",
    "context": "context_window context",
    "region": "region inference_geo location",
    "input_all": "input_tokens prompt_tokens tokens_prompt",
    "input": "input_uncached_tokens uncached_input_tokens usage_input_tokens_no_cache input_tokens_no_cache"
    " input_tokens prompt_tokens tokens_prompt tokens_in tokens_input input",
    "output": "output_tokens completion_tokens tokens_completion usage_output_tokens tokens_out tokens_output output",
    "cache_read": "cache_read_input_tokens cache_read_tokens usage_input_tokens_cache_read cache_read"
    " input_cached_tokens cached_tokens cached_input_tokens tokens_cached",
    "cache_write": "cache_creation_input_tokens cache_creation_tokens cache_write_tokens cache_write"
    " input_cache_write_tokens",
    "cache_write_5m": "usage_input_tokens_cache_write_5m cache_write_5m",
    "cache_write_1h": "usage_input_tokens_cache_write_1h cache_write_1h",
    "tokens": "tokens total_tokens tokens_total token_count",
    "requests": "requests num_requests request_count num_model_requests api_requests calls",
    "web_searches": "web_search_count web_searches web_search_requests",
}
_WITHIN_INPUT = {"input_cached_tokens", "cached_tokens", "cached_input_tokens", "tokens_cached"}
_RATES = {"unit", "list", "per", "rate", "limit", "type"}


class Headings(NamedTuple):
    """What the columns of one sheet mean: meaning -> place of its column, and what is the same in every row.

    `origin` tells where that comes from: the title of a known export, `given`, `saved`, or `guessed`. `order` is how a
    day like 03/04/2026 is meant, `dmy` or `mdy`, where that was said. `part` is what a known export tells of a
    day where another tells the rest.
    """

    columns: Mapping[str, int]
    constants: Mapping[str, str]
    origin: str
    may_exceed: bool = False
    order: str = ""
    part: str = ""

    def at(self, meaning: str) -> Optional[int]:
        """The place of the column that means this."""
        return self.columns.get(meaning)


def plain(name: str) -> str:
    """A name as synonyms are written."""
    spelled = name.lower().translate({ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue", ord("û"): "u", ord("ô"): "o"})
    return re.sub(r"[^a-z0-9]+", "_", spelled).strip("_")


def currency_of(name: str) -> tuple[str, str]:
    """The plain name without the currency in it, and that currency: "Cost (USD)" is ("cost", "USD").

    A column that is named by nothing but a currency holds amounts of it.
    """
    parts = plain(name).split("_")
    codes = [part.upper() for part in parts if part.upper() in CODES and part != "try"]
    signs = [meant[0] for sign, meant in SIGNS.items() if sign in name and (len(meant) == 1 or sign == "$")]
    rest = "_".join(part for part in parts if part.upper() not in codes)
    return rest or ("amount" if codes else ""), (codes or signs or [""])[0]


def known(header: Sequence[str]) -> Optional[Headings]:
    """What the columns of a provider's export mean; None for any other sheet."""
    names = [plain(name) for name in header]
    for export in EXPORTS:
        if set(export.has.split()) <= set(names):
            columns = {meaning: names.index(name) for meaning, name in export.columns.items() if name in names}
            return Headings(columns, export.constants, export.title, export.may_exceed, part=export.part)
    return None


def guess(header: Sequence[str]) -> Headings:
    """What the columns seem to mean by their names; what nothing is known of is left out."""
    names = [plain(name) for name in header]
    bare = [currency_of(name)[0] for name in header]
    columns: dict[str, int] = {}
    for meaning in MEANINGS:
        if _is_out_of_place(meaning, names, columns):
            continue
        for synonym in SYNONYMS[meaning].split():
            places = [at for at, pair in enumerate(zip(names, bare)) if synonym in pair and at not in columns.values()]
            if places:
                columns[meaning] = places[0]
                break
    for less, more in (("input_all", "input"), ("cents", "amount")):
        if more in columns:
            columns.pop(less, None)
    for meaning, last in (("date", ("date", "day")), ("amount", ("cost", "amount", "spend"))):
        if meaning not in columns and not (meaning == "amount" and "cents" in columns):
            columns.update(_by_last_word(meaning, last, bare, taken=set(columns.values())))
    ordered = {meaning: columns[meaning] for meaning in MEANINGS if meaning in columns}
    return Headings(ordered, _currency_constant(header, columns), "guessed")


def _is_out_of_place(meaning: str, names: Sequence[str], columns: Mapping[str, int]) -> bool:
    """Whether a meaning is not to be looked for among these names, or beside the columns that were found."""
    if meaning == "input_all":
        return not _WITHIN_INPUT & set(names)  # what is read from cache is counted apart, or not at all
    if meaning == "input":
        return "input_all" in columns and "input_uncached_tokens" not in names
    return meaning == "tokens" and "output" in columns


def _by_last_word(meaning: str, last: Sequence[str], bare: Sequence[str], *, taken: set[int]) -> dict[str, int]:
    """The first column whose name ends in one of these words, as "api spend" does; a rate is no amount."""
    for at, name in enumerate(bare):
        parts = name.split("_")
        if at not in taken and parts[-1] in last and not _RATES & set(parts):
            return {meaning: at}
    return {}


def _currency_constant(header: Sequence[str], columns: Mapping[str, int]) -> dict[str, str]:
    """The currency that the name of the column of money tells, where no column does."""
    at = columns.get("amount", columns.get("cents"))
    code = currency_of(header[at])[1] if at is not None and "currency" not in columns else ""
    return {"currency": code} if code else {}


def given(text: str, header: Sequence[str]) -> Headings:
    """The meanings that `--map` gives: `date=Day,amount="Cost (USD)",currency:=EUR`. Raises UsageError.

    MEANING=COLUMN; a column is named, or counted (#3); MEANING:=TEXT is the same text in every row.
    """
    columns: dict[str, int] = {}
    constants: dict[str, str] = {}
    for part in re.findall(r'(?:[^,"]|"[^"]*")+', text):
        meaning, mark, value = part.partition("=")
        is_constant = mark == "=" and meaning.endswith(":")
        meaning, value = meaning.rstrip(":").strip(), value.strip().replace('"', "")
        if not mark or meaning not in MEANINGS or not value:
            raise UsageError(
                f"--map has {part.strip()[:60]!r}", hint=f"write MEANING=COLUMN or MEANING:=TEXT; {_choices(meaning)}"
            )
        if meaning in columns or meaning in constants:
            raise UsageError(f"--map names {meaning} twice", hint="one column has one meaning")
        if is_constant:
            constants[meaning] = value
        else:
            columns[meaning] = _place(value, header)
    if "currency" not in columns and "currency" not in constants:
        constants.update(_currency_constant(header, columns))
    return Headings(columns, constants, "given")


def _choices(meaning: str) -> str:
    from .text import nearest

    close = nearest(meaning, MEANINGS) if meaning not in MEANINGS else None
    return f"did you mean {close}?" if close else f"meanings are {', '.join(MEANINGS)}"


def _place(name: str, header: Sequence[str]) -> int:
    """The place of a column, by its name or as #3. Raises UsageError."""
    if name[:1] == "#" and name[1:].isascii() and name[1:].isdigit() and 0 < int(name[1:]) <= len(header):
        return int(name[1:]) - 1
    places = [at for at, each in enumerate(header) if each == name] or [
        at for at, each in enumerate(header) if each.lower() == name.lower()
    ]
    if len(places) == 1:
        return places[0]
    if places:
        raise UsageError(
            f"{len(places)} columns are named {name!r}", hint=f"count instead: #{places[0] + 1} is the first"
        )
    raise UsageError(f"there is no column {name[:60]!r}", hint=f"there are {', '.join(map(repr, header))}"[:500])


def as_map(headings: Headings, header: Sequence[str]) -> str:
    """The text for `--map` that means the same."""
    parts = []
    for meaning, at in headings.columns.items():
        name = header[at]
        odd = not name or header.count(name) > 1 or '"' in name or name[:1] == "#" or not name.isprintable()
        name = f"#{at + 1}" if odd else name
        parts.append(f'{meaning}="{name}"' if not re.fullmatch(r"[\w#.-]+", name) else f"{meaning}={name}")
    parts += [f"{meaning}:={text}" for meaning, text in headings.constants.items()]
    return ",".join(parts)


def check(headings: Headings, header: Sequence[str]) -> None:
    """Raise UsageError unless a day and a figure are among the meanings, each column has one, and constants can be."""
    has = {*headings.columns, *headings.constants}
    names = ", ".join(map(repr, header))[:300]
    if "date" not in has:
        if any(map(_is_day, header)):
            raise UsageError(
                "the first line has figures where names should be", hint="put a line above it, as date,amount,currency"
            )
        raise UsageError(f"no column of {names} is known to be a day", hint="name it with --map date=COLUMN,...")
    if not has & {"amount", "cents", *COUNTS}:
        raise UsageError(
            f"no column of {names} is known to be money or a count", hint="name it with --map date=...,amount=COLUMN"
        )
    for one, other in (("amount", "cents"), ("input", "input_all")):
        if one in has and other in has:
            raise UsageError(f"both {one} and {other} are given", hint=f"{other} is {MEANINGS[other]}: keep one")
    fixed = set(headings.constants) - {"date", "amount", "cents", "currency", "requests", "web_searches", *DIMENSIONS}
    if fixed:
        raise UsageError(f"{min(fixed)} cannot be the same in every row", hint="name a column: MEANING=COLUMN")
    places = list(headings.columns.values())
    twice = [header[at] for at in places if places.count(at) > 1]
    if twice:
        raise UsageError(f"column {twice[0]!r} is given two meanings", hint="one column has one meaning")


def _is_day(text: str) -> bool:
    try:
        day(text)
    except ValueError:
        return False
    return True


def to_json(headings: Headings) -> dict[str, Any]:
    """Headings as they are kept."""
    return {"columns": dict(headings.columns), "constants": dict(headings.constants), "order": headings.order}


def from_json(value: Any, header: Sequence[str]) -> Optional[Headings]:
    """Headings that were kept for a sheet with this header; None for what cannot be meant any more."""
    try:
        columns = {str(meaning): int(at) for meaning, at in value["columns"].items()}
        constants = {str(meaning): str(text) for meaning, text in value["constants"].items()}
        order = str(value["order"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    is_whole = all(meaning in MEANINGS for meaning in (*columns, *constants))
    is_whole = is_whole and all(0 <= at < len(header) for at in columns.values())
    return Headings(columns, constants, "saved", order=order) if is_whole else None
