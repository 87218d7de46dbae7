"""Run by each Python that the file shall start fast on: compiles the modules into one blob, the same bytes each time.

Arguments: the blob to write, and the modules that stay as they are; all others are deflated. Standard input: `module
path` a line, the path from the current folder.
"""

import importlib.util
import marshal
import sys
import zlib

PARTS = ["co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_filename", "co_name", "co_consts"]
PARTS += ["co_lnotab"] if sys.version_info < (3, 10) else ["co_linetable", "co_qualname", "co_exceptiontable"]


def pinned(value, pins):
    """Hold every object of a code object once more.

    marshal marks what is referred to more than once; without this the bytes would tell what else the process holds.
    """
    pins.append(value)
    parts = [getattr(value, part, None) for part in PARTS] if hasattr(value, "co_consts") else value
    if isinstance(parts, (tuple, frozenset, list)):
        for part in parts:
            pinned(part, pins)
    return value


def has_spare_docs(name):
    """Whether nobody reads the docstrings of a module: ours, but for collectors, whose first lines are shown.

    Ours have no `assert` and no `__debug__`, which would go as well; an app may have them.
    """
    return name.startswith("agent_os.") and not name.startswith("agent_os.plugins")


def compiled(path, optimize):
    """The code of one module, marshalled. Its file name is the neutral path; the launcher puts the real one in."""
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True, optimize=optimize)
    pins = []
    return marshal.dumps(pinned(code, pins))


def main(blob, *raw):
    modules = {}
    for line in sys.stdin.read().splitlines():
        name, path = line.split()
        code = compiled(path, 2 if has_spare_docs(name) else 0)
        code = code if name in raw else zlib.compress(code, 9)
        modules[name] = (importlib.util.source_hash(code), code)
    with open(blob, "wb") as file:
        file.write(marshal.dumps(modules, 2))  # version 2 knows no references: the same bytes for equal values


if __name__ == "__main__":
    main(*sys.argv[1:])
