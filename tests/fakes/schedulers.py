"""Programs with the names of the schedulers', that keep their state in a folder and refuse what the real ones refuse.

What makes one fail is a file: `fail` has lines such as `systemctl restart`, and whatever begins so is refused.
"""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

_HEAD = """#!{python} -ISB
import json, os, sys
STATE = {state!r}
NAME, WORDS = {name!r}, sys.argv[1:]

def path(name):
    return os.path.join(STATE, name)

def load(name, otherwise):
    return json.load(open(path(name))) if os.path.exists(path(name)) else otherwise

def save(name, value):
    json.dump(value, open(path(name), "w"))

def refuse(code, message):
    sys.stderr.write(message + "\\n")
    sys.exit(code)

with open(path("calls"), "a") as calls:
    calls.write(" ".join([NAME, *WORDS]) + "\\n")
if os.path.exists(path("fail")):
    for line in open(path("fail")).read().splitlines():
        if line and " ".join([NAME, *(w for w in WORDS if w != "--user")]).startswith(line):
            refuse(1, NAME + ": refused, as the test wants it")
"""

_CRONTAB = r"""
import re
file = path("crontab")
if os.path.exists(path("denied")):
    refuse(1, "You (you) are not allowed to use this program (crontab)\nSee crontab(1) for more information")
if WORDS == ["-l"]:
    if not os.path.exists(file):
        refuse(1, "no crontab for you")
    sys.stdout.buffer.write(open(file, "rb").read())
elif WORDS == ["-r"]:
    if not os.path.exists(file):
        refuse(1, "no crontab for you")
    os.remove(file)
elif WORDS == ["-"]:
    content = sys.stdin.buffer.read()
    if os.path.exists(path("full")):
        refuse(1, "crontab: error writing to crontab: No space left on device")
    if content and not content.endswith(b"\n"):
        refuse(1, "new crontab file is missing newline before EOF, can't install.")
    for number, line in enumerate(content.decode("utf-8", "surrogateescape").split("\n"), 1):
        text = line.strip()
        when = r"(@\w+|([\d*/,\-]+\s+){4}[\d*/,\-\w]+)\s+\S"
        if text and not text.startswith("#") and not re.match(r"\w+\s*=", text) and not re.match(when, text):
            refuse(1, '"-":%d: bad minute\nerrors in crontab file, can\'t install.' % number)
    open(file, "wb").write(content)
else:
    refuse(1, "crontab: usage error: unrecognized option")
"""

_SYSTEMCTL = r"""
if os.path.exists(path("no_bus")) or "--user" not in WORDS:
    refuse(1, "Failed to connect to bus: No medium found")
words = [word for word in WORDS if word != "--user"]
units = os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.environ["HOME"], ".config"), "systemd/user")
loaded, active = load("loaded", {}), load("active", [])

def on_disk(unit):
    try:
        return open(os.path.join(units, unit)).read()
    except FileNotFoundError:
        return None

def link(unit):
    return os.path.join(units, "timers.target.wants", unit)

def known(unit):
    if unit not in loaded and on_disk(unit) is not None:
        loaded[unit] = on_disk(unit)
    return unit in loaded

def stop(unit):
    if unit in active:
        active.remove(unit)

if words == ["show", "--property=Version"]:
    print("Version=252")
elif words[0] == "daemon-reload":
    loaded = {unit: on_disk(unit) for unit in os.listdir(units) if os.path.isfile(os.path.join(units, unit))}
elif words[0] == "enable" and len(words) == 2:
    if on_disk(words[1]) is None:
        refuse(1, "Failed to enable unit: Unit file %s does not exist." % words[1])
    os.makedirs(os.path.dirname(link(words[1])), exist_ok=True)
    if not os.path.lexists(link(words[1])):
        os.symlink(os.path.join(units, words[1]), link(words[1]))
elif words[:2] == ["disable", "--now"]:
    if on_disk(words[2]) is None and not os.path.lexists(link(words[2])):
        refuse(1, "Failed to disable unit: Unit file %s does not exist." % words[2])
    if os.path.lexists(link(words[2])):
        os.remove(link(words[2]))
    stop(words[2])
elif words[0] in ("start", "restart"):
    unit = words[1]
    if not known(unit):
        refuse(5, "Failed to %s %s: Unit %s not found." % (words[0], unit, unit))
    if "OnCalendar=" not in loaded[unit] or not known(unit.replace(".timer", ".service")):
        refuse(1, "Failed to %s %s: Unit %s has a bad unit file setting." % (words[0], unit, unit))
    if unit not in active:
        active.append(unit)
elif words[0] == "reset-failed":
    if words[1] not in loaded:
        refuse(1, "Failed to reset failed state of unit %s: Unit %s not loaded." % (words[1], words[1]))
elif words[0] == "show":
    unit = words[1]
    is_known = known(unit)
    has_changed = is_known and on_disk(unit) != loaded[unit]
    values = {
        "LoadState": "loaded" if is_known else "not-found",
        "ActiveState": "active" if unit in active else "inactive",
        "UnitFileState": "" if on_disk(unit) is None else "enabled" if os.path.lexists(link(unit)) else "disabled",
        "NeedDaemonReload": "yes" if has_changed else "no",
        "ExecMainCode": "1", "ExecMainStatus": "0", "NextElapseUSecRealtime": "", "LastTriggerUSec": "n/a",
        "ExecMainExitTimestamp": "", "DropInPaths": "",
        **load("said", {}),
    }
    for name in words[2].partition("=")[2].split(","):
        print("%s=%s" % (name, values[name]))
else:
    refuse(1, "Unknown command verb %s." % words[0])
save("loaded", loaded)
save("active", active)
"""

_LAUNCHCTL = r"""
import plistlib
domain = "gui/%d" % os.getuid()
loaded, leaving = load("agents", {}), load("leaving", {})
has_session = not os.path.exists(path("no_gui"))
verb, target = WORDS[0], WORDS[1]
label = target.rpartition("/")[2]
if not has_session:
    refuse(125, "Domain does not support specified action")
if verb == "print" and target == domain:
    print("gui/501 = {\n\ttype = login\n}")
elif verb == "print":
    if label in leaving:  # gone only after a while
        leaving[label] -= 1
        if not leaving[label]:
            del leaving[label], loaded[label]
    elif label not in loaded:
        refuse(113, 'Could not find service "%s" in domain for user gui: %d' % (label, os.getuid()))
    if label in loaded:
        print("%s = {\n\tpath = %s\n\tstate = not running\n" % (target, loaded[label]))
        print("\truns = 3\n\tlast exit code = %s\n}" % load("exit", "(never exited)"))
    else:
        save("agents", loaded), save("leaving", leaving)
        refuse(113, "Could not find service")
elif verb == "bootout":
    if label not in loaded:
        refuse(3, "Boot-out failed: 3: No such process")
    leaving[label] = 2
elif verb == "enable":
    pass
elif verb == "bootstrap":
    with open(WORDS[2], "rb") as file:
        agent = plistlib.load(file)
    if agent["Label"] in loaded or os.stat(WORDS[2]).st_mode & 0o022:
        refuse(5, "Bootstrap failed: 5: Input/output error")
    loaded[agent["Label"]] = WORDS[2]
else:
    refuse(64, "Unrecognized subcommand: %s" % verb)
save("agents", loaded), save("leaving", leaving)
"""

_SCHTASKS = r"""
from xml.etree import ElementTree
tasks = load("tasks", {})
given = {word.upper(): value for word, value in zip(WORDS, WORDS[1:])}
words = [word.upper() for word in WORDS]
name = given["/TN"]
if "/CREATE" in words:
    content = open(given["/XML"], "rb").read()
    if not content.startswith(b"\xff\xfe"):
        refuse(1, "ERROR: The task XML is malformed.\n(1,40)::ERROR: unable to switch the encoding")
    text = content[2:].decode("utf-16-le")
    ElementTree.fromstring(text.partition("?>")[2])
    if name in tasks and "/F" not in words:
        refuse(1, "ERROR: Cannot create a file when that file already exists.")
    # as the real one does, it leaves out what is the default and adds what it likes
    text = text.replace("<Enabled>true</Enabled>", "").replace("<RunLevel>LeastPrivilege</RunLevel>", "")
    text = text.replace("</Description>", "</Description><URI>%s</URI>" % name)
    tasks[name] = text
    print('SUCCESS: The scheduled task "%s" has successfully been created.' % name)
elif name not in tasks:
    refuse(1, "ERROR: The system cannot find the file specified.")
elif "/QUERY" in words and "/XML" in words:
    sys.stdout.buffer.write(tasks[name].encode())
elif "/QUERY" in words:
    print('"PC","%s","26.11.2026 06:00:00","Bereit","Nur interaktiv","25.11.2026 06:00:01","%s"'
          % (name, load("result", 267011)))
elif "/DELETE" in words and "/F" in words:
    del tasks[name]
else:
    refuse(1, "ERROR: Invalid syntax.")
save("tasks", tasks)
"""

_LOGINCTL = """
print("Linger=%s" % load("linger", "no"))
"""

_BODIES = {
    "crontab": _CRONTAB, "systemctl": _SYSTEMCTL, "launchctl": _LAUNCHCTL, "schtasks": _SCHTASKS,
    "loginctl": _LOGINCTL,
}  # fmt: skip


class Schedulers:
    """A folder to be the whole PATH, with some of the programs in it, and what they keep."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.path = folder / "bin"
        self.state = folder / "state"
        self.path.mkdir(parents=True)
        self.state.mkdir()
        for name in names:
            script = self.path / name
            head = _HEAD.format(python=sys.executable, state=str(self.state), name=name)
            script.write_text(head + _BODIES[name], encoding="utf-8")
            script.chmod(script.stat().st_mode | stat.S_IXUSR)

    @property
    def calls(self) -> list[str]:
        """What they were called with, in order."""
        file = self.state / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def crontab(self) -> bytes:
        """The crontab; b"" where there is none."""
        file = self.state / "crontab"
        return file.read_bytes() if file.exists() else b""

    def keeps(self, name: str) -> Any:
        """What one of them keeps under a name."""
        file = self.state / name
        return json.loads(file.read_text()) if file.exists() else None

    def say(self, name: str, value: Any) -> None:
        """Let one of them have something under a name."""
        (self.state / name).write_text(json.dumps(value))

    def touch(self, name: str) -> None:
        """Let something be so: `denied`, `full`, `no_bus`, `no_gui`."""
        (self.state / name).touch()

    def fail(self, *calls: str) -> None:
        """Let calls that begin so be refused; without any, none."""
        (self.state / "fail").write_text("\n".join(calls))
