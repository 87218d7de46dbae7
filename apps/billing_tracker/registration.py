"""What the app has for budgets, alerts and limits, put into it. Loads nothing that only a run of it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .channels import MODULES, NEEDS

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from agent_os import App, Context, Message, OpenHome

OUTBOX = "alerts_"  # + channel; an app of the user's may have an outbox `discord`


def register(app: App) -> None:
    """The tasks, the limits, the verb and the outboxes."""

    @app.task(after="run_all", after_failure="run")
    def check_budgets(ctx: Context) -> str:
        """Budgets, unusual days and collectors in trouble: send what is worth a message."""
        from .checking import Check

        return Check(ctx).run()

    @app.task
    def send_alert(ctx: Context) -> str:
        """Send an alert again, or a test: what `alerts resend` and `alerts test` have asked for."""
        order = ctx.state.pop(ctx.slot, None) or {"channels": [], "body": {}}
        for channel in order["channels"]:
            ctx.send(OUTBOX + channel, order["body"]["id"], order["body"])
        return ", ".join(order["channels"])

    @app.limits_from("limit")
    def limits(sections: dict[str, dict[str, str]]) -> Any:
        from .limits import limits_of

        return limits_of(sections)

    @app.verb("alerts", arguments=_arguments)
    def alerts(home: OpenHome, args: Any) -> int:
        """What was alerted and what is armed; `test CHANNEL` and `resend ID` send."""
        from .alerts import execute

        return execute(home, args)

    for channel, needs in NEEDS.items():
        app.outbox(OUTBOX + channel, needs=needs)(_sender(channel))


def _arguments(parser: ArgumentParser) -> None:
    parser.usage = "%(prog)s [list] [--json]\n       alerts test CHANNEL\n       alerts resend ID"
    parser.add_argument("words", nargs="*", metavar="list | test CHANNEL | resend ID", help="what to do")


def _sender(channel: str) -> Any:
    def send(ctx: Context, message: Message) -> Any:
        from importlib import import_module

        return import_module(f".channels.{MODULES.get(channel, channel)}", __package__).send(ctx, message)

    send.__doc__ = f"An alert by {channel}."
    return send
