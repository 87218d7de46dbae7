"""The exit codes: a contract with whatever starts the program. New ones may be added; unknown ones mean failure."""

OK = 0  # everything asked was done, or was done already
FAILED = 1  # something failed after its retries; the rest is stored
USAGE = 2  # the command line cannot be meant
CONFIG = 3  # not set up: key, file, rights of a file, schema newer than the program
BUSY = 4  # another run or writer holds the lock; nothing was done
DATA = 6  # the database is damaged, or empty or missing where data was
ENV = 7  # no space, no permission, a limit of the machine
BUG = 70  # a fault in the program; the log has the traceback
SIGNAL = 128  # plus the signal's number, after an orderly stop
PIPE = 141  # the reader of standard output left

NAMES = {
    OK: "OK", FAILED: "FAILED", USAGE: "USAGE", CONFIG: "CONFIG", BUSY: "BUSY", DATA: "DATA", ENV: "ENV", BUG: "BUG",
    PIPE: "PIPE",
}  # fmt: skip
WORST_FIRST = (BUG, DATA, ENV, CONFIG, FAILED, BUSY, OK)


def worst(codes: "list[int]") -> int:
    """The one code that several reasons come to."""
    return min(codes, key=WORST_FIRST.index, default=OK)


def of(error: BaseException) -> int:
    """The code that an error comes to; for one that is not of ours, a fault of the program."""
    from .core.errors import AgentOSError, BusyError, ConfigError, ResourceError, StoreError, UsageError

    codes = ((UsageError, USAGE), (ConfigError, CONFIG), (BusyError, BUSY), (StoreError, DATA), (ResourceError, ENV))
    if not isinstance(error, AgentOSError):
        return BUG
    return next((code for kind, code in codes if isinstance(error, kind)), FAILED)
