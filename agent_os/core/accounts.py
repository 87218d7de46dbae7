"""Several accounts of one provider: each section [account:NAME] of agent_os.ini is a collector of its own.

It asks as its provider's collector does, with its own key, and is a provider of its own name in every table. What
stands in the section is a setting called `[account:NAME] option`, so it is found, and a key hidden, as any other is.
"""

from __future__ import annotations

import os

from . import ini_file
from .config import ACCOUNT, REFERENCE
from .spec import LONGEST_NAME, Task, is_name
from .text import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .collector import Collector
    from .config import Settings

OPTIONS = ("provider", "key", "base_url", "path", "doc")


def accounts_of(settings: Settings, tasks: Mapping[str, Task]) -> list[Task]:
    """The tasks of the accounts, in the order of the file. Never raises: their faults say what is wrong.

    `tasks` are all others: an account is of a provider that one of them collects from, and has a name that none has.
    """
    kinds = {task.collector.name: task.collector for task in tasks.values() if task.collector}
    found: list[Task] = []
    for section, options in settings.sections.items():
        if section.startswith(ACCOUNT):
            task = _account(section, options, settings=settings, kinds=kinds)
            name = section[len(ACCOUNT) :]
            if name in kinds or name in tasks or name in ("run_all", "export"):
                task.fault(f"the name {name} is taken by a {'provider' if name in kinds else 'task'}; choose another")
            found.append(task)
    return found


def _account(
    section: str, options: Mapping[str, str], *, settings: Settings, kinds: Mapping[str, type[Collector]]
) -> Task:
    """One account. Without a provider it is a task without a collector, which its fault keeps from being used."""
    name, provider = section[len(ACCOUNT) :], options.get("provider", "").strip()
    source = f"{os.path.join(settings.home, ini_file.NAME)} [{section}]"
    task = Task(f"fetch_{name}", kind="collector", source=source)
    if not is_name(name):
        task.fault(f"{name[:40]!r} is no name for an account: letters, digits, _, - and . (a letter first)")
    kind = kinds.get(provider)
    if kind is None:
        close = nearest(provider, kinds)
        what = f"provider is {provider[:40]!r}" if provider else "it has no provider"
        task.fault(f"{what}; " + (f"did you mean {close}?" if close else f"it is one of {', '.join(sorted(kinds))}"))
        return task
    known = (*OPTIONS, *(each.lower() for each in kind.settings))
    for option in options:
        if option not in known:
            close = nearest(option, known)
            task.fault(f"{option[:40]} is no option" + (f"; did you mean {close}?" if close else ""))
    if "path" in options and not kind.is_local:
        task.fault(f"path means nothing to {provider}, which reads no folder")
    if kind.is_local and not options.get("path", "").strip():
        task.fault(f"it has no path; without one it would count what {provider} counts")
    needs = _needs(task, section, options, kind)
    own_url = options.get("base_url", "").strip()
    doc = options.get("doc", "").strip() or f"The account {name[:LONGEST_NAME]} of {provider}."
    task.doc = doc
    task.collector = type(
        f"{kind.__name__}_{name}", (kind,),
        {
            "__module__": kind.__module__, "__doc__": doc, "name": name, "needs": needs, "section": section,
            "is_expected": True,
            "base_url": (setting_of(section, "base_url"), kind.base_url[1]) if own_url else kind.base_url,
            "path": settings.path(setting_of(section, "path")),
        },
    )  # fmt: skip
    return task


def setting_of(section: str, option: str) -> str:
    """The name under which the settings have what stands in a section."""
    return f"[{section}] {option}"


def _needs(task: Task, section: str, options: Mapping[str, str], kind: type[Collector]) -> tuple[str, ...]:
    """The setting that holds the key: the one that is named, or what stands in the section itself."""
    key = options.get("key", "").strip()
    if not kind.needs:
        if key:
            task.fault(f"key means nothing to {kind.name}, which needs none")
        return ()
    if not key.startswith(REFERENCE):
        if not key:
            task.fault(f"it has no key; write key = {REFERENCE}NAME, and NAME=... into .env")
        return (setting_of(section, "key"),)
    name = key[len(REFERENCE) :].strip()
    if not (name.isascii() and name.isidentifier()):
        task.fault(f"key begins with {REFERENCE} and names no setting; write key = {REFERENCE}NAME")
    return (name,)
