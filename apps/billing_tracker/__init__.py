"""The billing tracker: what AI has cost, exactly, and what is not known. Uses the public API of `agent_os` alone.

Each task and verb imports what it needs when it is called, so that loading the app costs a start next to nothing.
"""

from __future__ import annotations

from agent_os import App

from .channels import HOSTS
from .registration import register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from agent_os import Context, OpenHome

app = App("billing_tracker", hosts=HOSTS, sections=("budget",))
register(app)


@app.task
def billing_summary(ctx: Context) -> str:
    """Cost and tokens by provider: this month so far, the last one, a forecast, and what is missing."""
    from .months import billing_summary as summary

    return summary(ctx)


@app.task(after=("run_all", "check_budgets"), after_failure="run")
def daily_report(ctx: Context) -> str:
    """Collect from everywhere, then tell what failed and what it all comes to."""
    from .months import daily_report as report

    return report(ctx)


def _summary_arguments(parser: ArgumentParser) -> None:
    from .summary import add_arguments

    add_arguments(parser)


@app.verb("summary", arguments=_summary_arguments)
def _summary(home: OpenHome, args: Namespace) -> None:
    """Tokens and money by day, week, month, provider, project, model, line or key."""
    from .summary import execute

    execute(home, args)


def _statement_arguments(parser: ArgumentParser) -> None:
    from .statement import add_arguments

    add_arguments(parser)


@app.verb("statement", arguments=_statement_arguments)
def _statement(home: OpenHome, args: Namespace) -> int:
    """What a month or year has cost, as files that prove their own sum."""
    from .statement import state

    return state(home, args)


def _focus_arguments(parser: ArgumentParser) -> None:
    from .statement import add_focus_arguments

    add_focus_arguments(parser)


@app.verb("focus", arguments=_focus_arguments)
def _focus(home: OpenHome, args: Namespace) -> int:
    """Check a file in the format FOCUS."""
    from .statement import check_focus

    return check_focus(home, args)


def _invoice_arguments(parser: ArgumentParser) -> None:
    from .invoices import add_arguments

    add_arguments(parser)


@app.verb("invoice", arguments=_invoice_arguments)
def _invoice(home: OpenHome, args: Namespace) -> None:
    """What a provider's invoice asks for, typed in: invoice add PROVIDER MONTH AMOUNT, list, remove."""
    from .invoices import execute

    execute(home, args)


def _reconcile_arguments(parser: ArgumentParser) -> None:
    from .reconcile import add_arguments

    add_arguments(parser)


@app.verb("reconcile", arguments=_reconcile_arguments)
def _reconcile(home: OpenHome, args: Namespace) -> int:
    """A month three ways, tokens at list prices, reported and invoiced, and what is between them."""
    from .reconcile import execute

    return execute(home, args)
