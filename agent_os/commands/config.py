"""`config`: every setting, its value and where it comes from; secrets are never shown."""

from __future__ import annotations

from .. import exits
from . import emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser

    from ..arguments import Arguments


def add_arguments(parser: ArgumentParser) -> None:
    """No options of its own."""


def execute(args: Arguments) -> int:
    """List the settings that the kernel, the collectors and the files of this home know."""
    from ..core.config import is_secret
    from ..plugins import load

    home = args.open()
    settings = home.settings
    names = set(settings.names())
    for collector in load():
        names.update((*collector.needs, *collector.settings, collector.base_url[0]))
        names.add(getattr(collector, "folder_setting", ""))  # of a local log: where it lies
    names.discard("")
    rows = [("home", settings.home, "flag" if args.home else "AGENT_OS_HOME or the current directory")]
    for name in sorted(names):
        value, source = settings.find(name)
        shown = "set, not shown" if value and is_secret(name) else value
        rows.append((name, home.redactor.text(shown), source))
    if args.json:
        emit_json([dict(zip(("name", "value", "source"), row)) for row in rows])
    else:
        emit_table(("setting", "value", "from"), rows)
    return exits.OK
