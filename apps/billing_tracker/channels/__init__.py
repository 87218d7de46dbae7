"""The ways to a person: where they are reached, and by which settings. Each has a module with `send`."""

from __future__ import annotations

# Where each is reached by itself; any other host is allowed by AGENT_OS_ALLOWED_HOSTS.
HOSTS = ("discord.com", ".discord.com", "discordapp.com", "hooks.slack.com", "ntfy.sh")
# Channel -> the settings that it cannot do without; the first one says that it is wanted.
NEEDS = {
    "discord": ("DISCORD_WEBHOOK_URL",),
    "slack": ("SLACK_WEBHOOK_URL",),
    "ntfy": ("NTFY_URL",),
    "email": ("SMTP_HOST", "SMTP_FROM", "SMTP_TO"),
    "webhook": ("ALERT_WEBHOOK_URL",),
}
MODULES = {"email": "mail"}  # that are not named like their channel
