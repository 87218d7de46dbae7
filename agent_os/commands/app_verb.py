"""A verb that an app brings: it is handed the home and what was parsed, prints, and says how it ended."""

from __future__ import annotations

from .. import exits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def execute(args: Any) -> int:
    """Call the app's function."""
    from ..api import OpenHome
    from ..core.errors import ConfigError

    folder = args.open().settings.home
    with OpenHome(folder, app=args.app, quiet=args.quiet, as_asked=args) as home:
        code = args.app_verb.function(home, args)
    if code is not None and code not in exits.NAMES:
        raise ConfigError(f"the verb {args.verb} ended with {code!r:.40}", hint="an app's verb returns an exit code")
    return int(code or exits.OK)
