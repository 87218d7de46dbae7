"""FOCUS, the open format of cloud bills: a row for a line, and a checker that knows what the format demands. Pure.

https://focus.finops.org; 1.4 of June 2026 and 1.2, which many programs still read. The default header has the columns
of both. What an estimate comes to is never a billed cost, so no estimate is here.
"""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING

from agent_os import StoreError, inert

from .csv_row import row_of
from .period import day_after, month_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent_os import Line

VERSIONS = ("1.2", "1.4")
NAMES = {  # what a bill calls them: who it is from, and the service
    "openai": ("OpenAI", "OpenAI API"), "anthropic": ("Anthropic", "Claude API"),
    "openrouter": ("OpenRouter", "OpenRouter API"), "cursor": ("Cursor", "Cursor"),
    "github_copilot": ("GitHub", "GitHub Copilot"),
}  # fmt: skip
# Column -> what stands in it: text, decimal, time or one of a list; a ? where it may be empty.
COLUMNS = {
    "BilledCost": "decimal", "BillingAccountId": "text", "BillingAccountName": "text?", "BillingCurrency": "currency",
    "BillingPeriodEnd": "time", "BillingPeriodStart": "time", "ChargeCategory": "category", "ChargeClass": "class?",
    "ChargeDescription": "text?", "ChargeFrequency": "frequency", "ChargePeriodEnd": "time",
    "ChargePeriodStart": "time", "ConsumedQuantity": "decimal?", "ConsumedUnit": "text?", "ContractedCost": "decimal",
    "EffectiveCost": "decimal", "HostProviderName": "text", "InvoiceIssuerName": "text", "ListCost": "decimal",
    "PricingQuantity": "decimal?", "PricingUnit": "text?", "ProviderName": "text", "PublisherName": "text",
    "RegionId": "text?", "ServiceCategory": "service", "ServiceName": "text", "ServiceProviderName": "text",
    "ServiceSubcategory": "text?", "SkuMeter": "text?", "SubAccountId": "text?", "SubAccountName": "text?",
    "SubAccountType": "text?",
}  # fmt: skip
OWN = (
    "x_Provider", "x_Basis", "x_Confidence", "x_Model", "x_Tier", "x_LineId", "x_BatchId", "x_RunId",
    "x_SourceSha256", "x_ObservedAt", "x_DayStatus", "x_Stamp",
)  # fmt: skip
ONLY = {"1.2": ("ProviderName", "PublisherName"), "1.4": ("HostProviderName", "ServiceProviderName")}
ALLOWED = {
    "category": ("Usage", "Purchase", "Tax", "Credit", "Adjustment"),
    "class": ("Correction",),
    "frequency": ("One-Time", "Recurring", "Usage-Based"),
    "service": ("AI and Machine Learning",),
}
PERIODS = ("BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodEnd")
FILLED = (  # in the order of the columns
    "BilledCost", "BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity",
    "ContractedCost", "EffectiveCost", "ListCost", "PricingQuantity", "x_LineId", "x_BatchId", "x_RunId",
    "x_SourceSha256", "x_ObservedAt", "x_DayStatus", "x_Stamp",
)  # fmt: skip
CONFIDENCE = {"reported": "billed", "imported": "imported"}
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")
_TIME = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z")
_CURRENCY = re.compile("[A-Z]{3}")


def header(version: str = "") -> list[str]:
    """The columns of one version, or of both."""
    gone = {name for other in VERSIONS if version and other != version for name in ONLY[other]}
    return [name for name in COLUMNS if name not in gone] + list(OWN)


class FocusRows:
    """Rows of one version, or of both, as CSV. What lines have in common is made and checked once: a row is a template
    that is filled. Raises StoreError for a row that is not as the format demands.
    """

    def __init__(self, version: str = "") -> None:
        self.header = header(version)
        self._day = ("", ("", "", "", ""))
        self._is_new = True  # what the next row is made of: then it is looked over
        self._looker = _Looker(self.header)

    def text(self, line: Line, template: str, *, amount: str, sha: str, tail: Sequence[str]) -> str:
        """The row of a cost line, from the template of its kind. `amount`: its exact decimal; `sha`: that of its pages;
        `tail`: the run, when it was observed, day status and stamp.
        """
        if self._day[0] != line.date:
            self._day, self._is_new = (line.date, _times(line.date)), True
        last, first, end, start = self._day[1]
        quantity = decimal(line.quantity) if line.unit else ""
        run_id, observed_at, status, stamp = tail
        row = template % (
            amount, last, first, end, start, quantity, amount, amount, amount, quantity,
            line.id, line.batch_id, run_id, sha, observed_at, status, stamp,
        )  # fmt: skip
        if self._is_new:
            self._check(row, line)
            self._is_new = False
        return row

    def _check(self, row: str, line: Line) -> None:
        faults = self._looker.faults(next(csv.reader([row])))
        if faults:
            raise StoreError(
                f"line {line.id} makes no row of FOCUS: {faults[0]}",
                hint="nothing was written; look at it with sqlite3",
            )

    def template(self, line: Line) -> str:
        """A row with a %s for all that depends on the day, the figures and where the line comes from."""
        self._is_new = True
        is_negative = (line.amount_nano or 0) < 0
        issuer, service = NAMES.get(line.provider, (line.provider, f"{line.provider} API"))
        unit = "Tokens" if line.unit == "tokens" else line.unit
        unit = unit if line.quantity is not None else ""
        cells = {
            "BillingAccountId": line.account or line.provider,
            "BillingCurrency": line.currency,
            "ChargeCategory": "Adjustment" if is_negative else "Usage",
            "ChargeDescription": line.line_item or line.cost_type,
            "ChargeFrequency": "Usage-Based",
            "ConsumedUnit": unit,
            "PricingUnit": unit,
            "RegionId": line.region,
            "ServiceCategory": "AI and Machine Learning",
            "ServiceName": service,
            "ServiceSubcategory": "Generative AI",
            "SkuMeter": line.token_type or line.cost_type,
            "SubAccountId": line.project,
            "SubAccountType": "project" if line.project else "",
            "x_Provider": line.provider,
            "x_Basis": line.basis,
            "x_Confidence": CONFIDENCE[line.basis],
            "x_Model": line.model,
            "x_Tier": line.tier,
        }
        cells.update(dict.fromkeys((*ONLY["1.2"], *ONLY["1.4"], "InvoiceIssuerName"), issuer))
        return row_of(
            ["%s" if name in FILLED else inert(cells.get(name, "")).replace("%", "%%") for name in self.header]
        )


def _times(day: str) -> tuple[str, str, str, str]:
    """The ends and starts of its billing period and of itself, in the order of the columns."""
    month = day[:7]
    last, first, end = month_after(month), f"{month}-01", day_after(day)
    return f"{last}T00:00:00Z", f"{first}T00:00:00Z", f"{end}T00:00:00Z", f"{day}T00:00:00Z"


def decimal(quantity: object) -> str:
    """A quantity as the format wants it: a whole number ends in ".0"; "" for none."""
    if quantity is None or quantity == "":
        return ""
    text = str(quantity) if isinstance(quantity, int) else format(Decimal(str(quantity)), "f")
    return text if "." in text else f"{text}.0"


def check(rows: Iterable[Sequence[str]]) -> list[str]:
    """What is wrong with a file, its header first: at most ten sentences, none when it is right."""
    lines = iter(rows)
    names = next(lines, [])
    faults = _header_faults(names)
    if faults:
        return faults[:10]
    looker = _Looker(names)
    for number, cells in enumerate(lines, 2):
        if len(cells) != len(names):
            faults.append(f"row {number} has {len(cells)} cells, its header {len(names)}")
        elif not looker.is_right(cells):
            faults += [f"row {number}: {fault}" for fault in looker.faults(cells)]
        if len(faults) >= 10:
            break
    return faults[:10]


class _Looker:
    """Looks rows over. What was right once is known: names and days come again in most rows, figures do not."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._kinds = [COLUMNS.get(name, "") for name in names]
        self._at = {name: place for place, name in enumerate(names)}
        kinds = [kind.rstrip("?") for kind in self._kinds]
        amounts = [place for place, kind in enumerate(kinds) if kind == "decimal"]
        self._amounts = itemgetter(*amounts)
        optional = ["?" * self._kinds[place].endswith("?") for place in amounts]
        self._figures = re.compile(",".join(f"({_DECIMAL.pattern}){each}" for each in optional))
        self._times = itemgetter(*[self._at[name] for name in PERIODS])
        fixed = [place for place, kind in enumerate(kinds) if kind and kind not in ("decimal", "time")]
        self._fixed = itemgetter(*fixed)
        self._known: set[tuple[str, ...]] = set()

    def is_right(self, cells: Sequence[str]) -> bool:
        """Whether nothing is wrong with a row."""
        known, times, fixed = self._known, self._times(cells), self._fixed(cells)
        if self._figures.fullmatch(",".join(self._amounts(cells))) is None:
            return False
        if times in known and fixed in known:
            return True
        if self.faults(cells):
            return False
        if len(known) > 8192:
            known.clear()
        known.update((times, fixed))
        return True

    def faults(self, cells: Sequence[str]) -> list[str]:
        """What is wrong with a row."""
        faults = [
            f"{name} is {cell[:40]!r}"
            for name, kind, cell in zip(self._names, self._kinds, cells)
            if kind and not _fits(kind, cell)
        ]
        first, start, end, last = self._times(cells)
        if not faults and not first <= start < end <= last:
            faults.append("its charge period is not within its billing period")
        return faults


def _header_faults(names: Sequence[str]) -> list[str]:
    """Mandatory columns that are not there, and those that nobody knows."""
    needed = [name for name, kind in COLUMNS.items() if not kind.endswith("?") and name != "ChargeFrequency"]
    needed += [name for name in ("BillingAccountName", "ChargeClass", "ChargeDescription") if name not in needed]
    needed += ["PricingQuantity", "PricingUnit"]
    either = [name for version in VERSIONS for name in ONLY[version]]
    faults = [f"there is no column {name}" for name in needed if name not in names and name not in either]
    if not any(all(name in names for name in ONLY[version]) for version in VERSIONS):
        faults.append(f"there is neither {' and '.join(ONLY['1.2'])} nor {' and '.join(ONLY['1.4'])}")
    faults += [f"{name[:40]!r} is no column of FOCUS" for name in names if name not in COLUMNS and name[:2] != "x_"]
    faults += [f"the column {name[:40]} is there twice" for name in set(names) if names.count(name) > 1]
    return sorted(faults)


def _fits(kind: str, cell: str) -> bool:
    if not cell:
        return kind.endswith("?")
    kind = kind.rstrip("?")
    if kind == "text":
        return True
    pattern = {"decimal": _DECIMAL, "time": _TIME, "currency": _CURRENCY}.get(kind)
    return pattern.fullmatch(cell) is not None if pattern else cell in ALLOWED[kind]
