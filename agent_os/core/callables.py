"""What a task, a step, an effect or a limit may be: a plain function, which has done its work when its call is over."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, Optional

_GENERATOR, _ASYNCHRONOUS, _MORE = 0x20, 0x80 | 0x200, 0x04  # of co_flags; the last one: it has *args


def why_unfit(fn: Any) -> str:
    """Why a call of this does nothing, or fails; "" for a plain function and whatever else can be called."""
    if not callable(fn):
        return f"is {_shown(fn)}, no function"
    code = _code(fn)
    if code and code.co_flags & _ASYNCHRONOUS:
        return "is not a plain function: it is `async`; call asyncio.run(...) in a plain one"
    if code and code.co_flags & _GENERATOR:
        return "is not a plain function: it has a `yield`, so calling it does nothing; return a list"
    return ""


def why_unfit_for(fn: Any, *given: str) -> str:
    """The same for a function that is called with these arguments and no others, and not to make an object."""
    reason = f"is the class {fn.__name__}, no function" if isinstance(fn, type) else why_unfit(fn)
    code = _code_in(fn)
    if reason or code is None:
        return reason
    bound = 0 if getattr(fn, "__self__", None) is None else 1
    names = code.co_varnames
    takes = names[bound : code.co_argcount]
    required = takes[: max(0, len(takes) - len(fn.__defaults__ or ()))]
    by_name = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    further = [*required[len(given) :], *(name for name in by_name if name not in (fn.__kwdefaults__ or {}))]
    asked = f"def {code.co_name}({', '.join([*names[:bound], *given])})"
    if len(takes) < len(given) and not code.co_flags & _MORE:
        return f"takes {'nothing' if not takes else ', '.join(takes) + ' alone'}; write {asked}"
    if further:
        return f"takes {', '.join(further)} too, which nobody gives; write {asked}"
    return ""


def place_of(fn: Any) -> str:
    """Where a function is written, as `my_app.py, line 7`; "" where that cannot be told."""
    code = _code(fn)
    return f"{os.path.basename(code.co_filename)}, line {code.co_firstlineno}" if code else ""


def doc_of(fn: Any) -> str:
    """The first line of its docstring."""
    doc = getattr(_inner(fn), "__doc__", "")
    return doc.strip().partition("\n")[0] if isinstance(doc, str) else ""


def is_to_come(value: Any) -> bool:
    """Whether this is no result but a call that nobody has made yet: of a coroutine or a generator.

    By its type: a value itself may have any attribute that it is asked for, and then it is one.
    """
    return any(hasattr(type(value), name) for name in ("__await__", "gi_frame", "ag_frame"))


def _code(fn: Any) -> Optional[CodeType]:
    """The code that a call runs: of a function, a method, a `partial` of them, or an object's `__call__`."""
    fn = _inner(fn)
    if isinstance(fn, type):
        return None
    return _code_in(fn) or _code_in(getattr(type(fn), "__call__", None))  # noqa: B004 (the method, not whether)


def _code_in(fn: Any) -> Optional[CodeType]:
    code = getattr(fn, "__code__", None)
    return code if isinstance(code, type(_code_in.__code__)) else None  # not whatever an object gives for any name


def _inner(fn: Any) -> Any:
    while type(fn).__name__ == "partial" and hasattr(fn, "func"):
        fn = fn.func
    return fn


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
