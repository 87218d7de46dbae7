"""The first code that runs in the built file. It is compiled, twice, at every start: so it only fetches launch.py.

Python 2 must be able to parse it, so that an old Python answers with a sentence.
"""

import sys

if sys.version_info < (3, 9):
    if sys.stderr:
        version = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write("Agent OS needs Python 3.9 or newer; this is %s at %s\n" % (version, sys.executable))
    sys.exit(3)

import _signal

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # Ctrl-C while we load ends us without a traceback

import marshal
from importlib.util import MAGIC_NUMBER, source_hash

held, launch = {}, None
if not sys.flags.optimize:
    try:
        held = marshal.loads(__loader__.get_data("bytecode/%d.bin" % (MAGIC_NUMBER[0] + 256 * MAGIC_NUMBER[1])))
        digest, code = held["launch"]
        launch = marshal.loads(code) if source_hash(code) == digest else None
    except Exception:  # none for this Python, or damaged (self-check says which): then from the sources
        held = {}
exec(launch or __loader__.get_data("launch.py"))
