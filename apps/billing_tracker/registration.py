"""What the app has for budgets, alerts and limits, put into it. Loads nothing that only a run of it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .channels import NEEDS

if TYPE_CHECKING:
    from agent_os import App, Context, Message

OUTBOX = "alerts_"  # + channel; an app of the user's may have an outbox `discord`


def register(app: App) -> None:
    """The task, the outboxes."""

    @app.task
    def check_budgets(ctx: Context) -> str:
        """Budgets, unusual days and collectors in trouble: send what is worth a message."""
        from .checking import Check

        return Check(ctx).run()

    for channel, needs in NEEDS.items():
        app.outbox(OUTBOX + channel, needs=needs)(_sender(channel))


def _sender(channel: str) -> Any:
    def send(ctx: Context, message: Message) -> Any:
        from importlib import import_module

        return import_module(f".channels.{channel}", __package__).send(ctx, message)

    send.__doc__ = f"An alert by {channel}."
    return send
