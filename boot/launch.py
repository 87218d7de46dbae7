"""What __main__.py runs, in its name space: find our own modules in place, then hand over to agent_os.main.

`held` is the bytecode of our modules made by this very Python, name -> (hash, code); empty for one that has none.
"""

import importlib.util
import marshal
import os
import sys
import zipimport

import _imp  # isort: skip

ARCHIVE = os.path.abspath(__loader__.archive)
HOME = os.path.join(ARCHIVE, "site-packages")

# A closed stream would give its number to the next file opened, the database say; a stray print would then write there.
for number in (0, 1, 2):
    try:
        os.fstat(number)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
for name in ("stdin", "stdout", "stderr"):
    if getattr(sys, name) is None:
        setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115 for good


def arranged(entries):
    """Ours, then the standard library, then what PYTHONPATH and site add; never the current folder."""
    rest = [entry for entry in entries if entry not in ("", __loader__.archive, ARCHIVE)]
    starts = (
        os.path.dirname(os.__file__),
        "python%d%d.zip" % sys.version_info[:2],
        "python%d%dt.zip" % sys.version_info[:2],
    )
    first = 0
    while first < len(rest) and rest[first] not in starts and os.path.basename(rest[first]) not in starts:
        first += 1
    after = first
    while after < len(rest) and not rest[after].endswith("-packages"):
        after += 1
    asked = rest[:first]
    if asked:
        try:
            here = os.getcwd()
            asked = [entry for entry in asked if os.path.abspath(entry) != here]
        except OSError:  # the current folder is gone
            pass
    return [HOME, *rest[first:after], *asked, *rest[after:]]


class Archive(zipimport.zipimporter):
    """A zipimporter that takes a module's bytecode from memory where there is some, and its source from the file."""

    held = held

    def get_filename(self, fullname):
        place = os.path.join(self.archive, self.prefix) + fullname.rpartition(".")[2]
        return os.path.join(place, "__init__.py") if self.is_package(fullname) else place + ".py"

    def find_spec(self, fullname, target=None):
        try:
            place = self.get_filename(fullname)
        except zipimport.ZipImportError:
            return None
        folders = [os.path.dirname(place)] if self.is_package(fullname) else None
        return importlib.util.spec_from_file_location(fullname, place, loader=self, submodule_search_locations=folders)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, fullname):
        digest, code = self.held.get(fullname, (None, b""))
        if digest != importlib.util.source_hash(code):
            return zipimport.zipimporter.get_code(self, fullname)
        if code[:1] == b"x":  # as zlib begins, and no code does
            import zlib

            code = zlib.decompress(code)
        code = marshal.loads(code)
        _imp._fix_co_filename(code, self.get_filename(fullname))
        return code


def hook(entry):
    if entry == HOME or entry.startswith(HOME + os.sep):
        return Archive(entry)
    raise ImportError(entry)


sys.path_hooks.insert(0, hook)
sys.path[:] = arranged(sys.path)
sys.argv[0] = ARCHIVE

from agent_os.main import main

sys.exit(main())
