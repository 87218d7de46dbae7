"""A loopback server that answers as the providers' billing APIs do, from invented data: for `demo` and the tests.

Nothing of the kernel imports it; it reaches no network and knows no real key.
"""

from __future__ import annotations

from .faults import FAULTS
from .ledger import Ledger
from .server import Entry, Sandbox

__all__ = ["FAULTS", "Entry", "Ledger", "Sandbox"]
