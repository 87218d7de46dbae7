"""The file agent_os.ini: read whole or refused, with the line and what was probably meant. Knows no task.

Only there when the file is: configparser takes longer to import than most starts take.
"""

from __future__ import annotations

from itertools import takewhile

from .errors import ConfigError
from .text import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from configparser import Error as IniError
    from typing import Optional

NAME = "agent_os.ini"
SECTION = "agent_os"  # the settings
PREFIXES = ("task", "account", "price")  # of sections that are one of many: [task:NAME]
_LARGEST = 1_000_000
_SETTING = "AGENT_OS_"
_HEADER = r"\[(?P<header>[^]]+)\]\s*([#;].*)?$"


def read(path: str) -> dict[str, dict[str, str]]:
    """Section -> option -> value, of a file that is there. Options are in small letters, but for the X of `env.X`.

    A line that begins with # is a comment, and one that begins with ; too, unless it is the `;;` of a shell's `case`.
    Raises ConfigError, never with a value in it.
    """
    import re
    from configparser import ConfigParser
    from configparser import Error as IniError

    parser = ConfigParser(interpolation=None, default_section="", comment_prefixes=("#",))
    parser.optionxform = _option  # type: ignore[method-assign, assignment]  # the documented way to keep names
    parser.SECTCRE = re.compile(_HEADER)  # documented too; left alone, it is another one before Python 3.10
    try:
        parser.read_file(_lines(_text(path)), path)
    except IniError as error:
        raise ConfigError(f"{path}, {_mistake(error)}", hint="correct the file") from None  # it quotes values
    sections = {section: dict(parser.items(section)) for section in parser.sections()}
    _refuse_unknown(path, sections)
    return sections


def settings_of(
    options: Mapping[str, str], *, path: str, known: Iterable[str], is_free: Callable[[str], bool]
) -> dict[str, str]:
    """The options of [agent_os] under the full names of settings: AGENT_OS_ may be left out there.

    `known` are the full names; `is_free` says whether one that is not among them may be set all the same. Raises
    ConfigError that names all others, with the nearest right names.
    """
    short = {name[len(_SETTING) :].lower(): name for name in known}
    found, wrong, meant = {}, [], []
    for option, value in options.items():
        bare = option[len(_SETTING) :] if option.startswith(_SETTING.lower()) else option
        if bare in short:
            found[short[bare]] = value
        elif is_free(option.upper()):
            found[option.upper()] = value
        else:
            wrong.append(option)
            meant.append(nearest(bare, short))
    if wrong:
        which = "which is no setting" if len(wrong) == 1 else "which are no settings"
        raise ConfigError(f"{path} sets {_listed(wrong)}, {which}", hint=_advice(meant, "`config` lists the settings"))
    return found


def _option(name: str) -> str:
    head, dot, rest = name.partition(".")
    return f"env.{rest}" if dot and head.lower() == "env" else name.lower()


def _text(path: str) -> str:
    """What the file holds. Raises ConfigError for one that cannot be read, or that is no text."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(_LARGEST + 1)
    except UnicodeDecodeError:
        raise ConfigError(f"{path} cannot be read: it is not UTF-8 text", hint="save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="check its rights") from error
    if len(text) > _LARGEST:
        raise ConfigError(f"{path} is larger than a megabyte", hint="check that it is the file with your settings")
    if "\0" in text:
        raise ConfigError(f"{path} holds a NUL character (perhaps it is UTF-16)", hint="save it as UTF-8")
    return text


def _lines(text: str) -> Iterator[str]:
    """The lines as configparser is to see them: with # for every comment that we take for one."""
    for line in text.split("\n"):
        bare = line.lstrip()
        is_comment = bare.startswith(";") and (bare is line or bare[1:2] not in (";", "&"))
        yield "#" if is_comment else line


def _mistake(error: IniError) -> str:
    """What is wrong with the first line that could not be read, without what it holds."""
    from configparser import DuplicateOptionError, DuplicateSectionError, MissingSectionHeaderError, ParsingError

    line = getattr(error, "lineno", None)
    if isinstance(error, DuplicateSectionError):
        what = f"[{error.section[:80]}] is there already"
    elif isinstance(error, DuplicateOptionError):
        what = f"[{error.section[:80]}] has {error.option[:80]} already"
    elif isinstance(error, MissingSectionHeaderError):
        what = f"it stands above the first section; begin with [{SECTION}]"
    else:
        what = "it is neither a [section] nor `name = value`"
        line = error.errors[0][0] if isinstance(error, ParsingError) and error.errors else line
    return f"line {line}: {what}"


def _refuse_unknown(path: str, sections: Iterable[str]) -> None:
    """What can be nobody's section, or is nearly one of ours. Others, as [WORD:NAME], may be an app's."""
    known = tuple(f"{each}:" for each in PREFIXES)
    odd = [name for name in sections if name != SECTION and not name.startswith(known)]
    refuse(path, [name for name in odd if not _may_be_an_apps(name) or _meant(name)])


def _may_be_an_apps(section: str) -> bool:
    word, colon, name = section.partition(":")
    return bool(colon and name.strip() and word.isascii() and word.isidentifier())


def refuse(path: str, wrong: Sequence[str]) -> None:
    """Raise ConfigError for sections that are nobody's, if there are any."""
    if wrong:
        which = "the unknown section" if len(wrong) == 1 else "the unknown sections"
        otherwise = f"settings stand in [{SECTION}], " + ", ".join(f"{_a(each)} in [{each}:NAME]" for each in PREFIXES)
        names = _listed([f"[{name[:80]}]" for name in wrong])
        raise ConfigError(f"{path} has {which} {names}", hint=_advice(map(_meant, wrong), otherwise))


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _meant(section: str) -> Optional[str]:
    """The section that was probably meant."""
    head = "".join(takewhile(lambda letter: letter.isalnum() or letter == "_", section))
    close = nearest(head, (SECTION, *PREFIXES))
    if close in PREFIXES:
        return f"[{close}:{section[len(head) :].strip(' :.-') or 'NAME'}]"
    return f"[{close}]" if close else None


def _advice(meant: Iterable[Optional[str]], otherwise: str) -> str:
    close = [each for each in meant if each]
    return f"did you mean {_listed(close)}?" if close else otherwise


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name[:100] for name in names)
