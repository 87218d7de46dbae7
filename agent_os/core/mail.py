"""What there is to send besides the work: messages in outboxes, and pings. A tick asks, and the run that it begins."""

from __future__ import annotations

from .journal import Journal
from .slots import Slots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .db import Database
    from .plan import Setup


def outboxes_due(db: Database, setup: Setup) -> set[str]:
    """The outboxes in which a message waits whose time has come, and those whose last delivery was cut short."""
    return Journal(db).outboxes_due() | Slots(db).cut_short(setup.outboxes)


def is_any_due(db: Database, setup: Setup) -> bool:
    """Whether a message or a ping waits that can be sent, or it is time to say that all is well."""
    if not (setup.outboxes or setup.pings):
        return False
    due = outboxes_due(db, setup)
    if due & set(setup.outboxes):
        return True
    if not setup.pings:
        return False
    from .ping_book import is_silent
    from .pings import OUTBOX

    return OUTBOX in due or is_silent(db, setup.pings)


def next_at(db: Database, setup: Setup) -> str:
    """When the next of them is to be sent, as far as is known now; `""` where none will be by itself."""
    from .schedules import Schedules

    found = [Schedules(db).next_message_at() or ""]
    if setup.pings:
        from .ping_book import all_is_well_at

        found.append(all_is_well_at(db, setup.pings))
    return min(filter(None, found), default="")
