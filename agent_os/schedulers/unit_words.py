"""Units of systemd as text: sections, words, specifiers, and commands as a shell would be given them. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Unit = dict[str, list[tuple[str, str]]]
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_CODES = {"x": 2, "u": 4, "U": 8}


class Command:
    """One line of ExecStart=. `words` may hold `$X` still, unless `is_literal`."""

    __slots__ = ("is_literal", "may_fail", "odd", "words")

    def __init__(self, words: Sequence[str], prefixes: str) -> None:
        self.words = tuple(words)
        self.may_fail = "-" in prefixes
        self.is_literal = ":" in prefixes
        self.odd = "".join(sorted(set(prefixes) - {"-", ":"}))  # `@`, `+`, `!`: what we have nothing for

    def plain(self) -> tuple[str, ...]:
        """Its words where no shell is needed, () where one is."""
        if self.is_literal:
            return self.words
        if any("$" in word.replace("$$", "") for word in self.words[1:]):
            return ()
        return (self.words[0], *(word.replace("$$", "$") for word in self.words[1:]))

    def shell(self) -> str:
        """The same for a shell; one that splits `$X` and does not look for files (set -f)."""
        import shlex

        first, *others = self.words
        said = " ".join([shlex.quote(first), *(shlex.quote(w) if self.is_literal else _shell(w) for w in others)])
        return f"{{ {said} || :; }}" if self.may_fail else said


def parse(text: str) -> Unit:
    """Section -> its settings in order. Lines that end in a backslash go on; comments may stand in between."""
    found: Unit = {}
    section: list[tuple[str, str]] = []
    line = ""
    for raw in text.split("\n"):
        bare = raw.strip()
        if bare.startswith(("#", ";")):
            continue
        line += bare
        if line.endswith("\\"):
            line = line[:-1] + " "
            continue
        if line.startswith("[") and line.endswith("]"):
            section = found.setdefault(line[1:-1], [])
        else:
            name, equals, value = line.partition("=")
            if equals:
                section.append((name.strip(), value.strip()))
        line = ""
    return found


def values(unit: Unit, section: str, name: str) -> list[str]:
    """Every value of a setting that may be given many times; an empty one takes those before it back."""
    found: list[str] = []
    for key, value in unit.get(section, ()):
        if key == name:
            found = [*found, value] if value else []
    return found


def last(unit: Unit, section: str, name: str) -> str:
    """The value of a setting of which the last counts; "" where it is not given."""
    return ([""] + [value for key, value in unit.get(section, ()) if key == name])[-1]


def is_yes(value: str) -> bool:
    """A boolean, as systemd reads it."""
    return value.lower() in ("1", "yes", "y", "true", "t", "on")


def words_of(text: str) -> list[str]:
    """The words of a line: quotations are taken off, escapes resolved. ValueError for a quotation that does not end."""
    found: list[str] = []
    word, quote, is_word, place = "", "", False, 0
    while place < len(text):
        letter = text[place]
        place += 1
        if letter == "\\" and place < len(text):
            character, place = _escape(text, place)
            word, is_word = word + character, True
        elif letter == quote:
            quote = ""
        elif not quote and letter in "'\"":
            quote, is_word = letter, True
        elif not quote and letter in " \t\n\r":
            if is_word:
                found.append(word)
            word, is_word = "", False
        else:
            word, is_word = word + letter, True
    if quote:
        raise ValueError("a quotation does not end")  # without the text, which may hold a secret
    return [*found, word] if is_word else found


def _escape(text: str, place: int) -> tuple[str, int]:
    """What stands behind a backslash, and where to go on; one that means nothing is kept."""
    letter = text[place]
    if letter in _ESCAPES:
        return _ESCAPES[letter], place + 1
    if letter in "\\\"'":
        return letter, place + 1
    digits = text[place + 1 : place + 1 + _CODES[letter]] if letter in _CODES else text[place : place + 3]
    try:
        if letter in _CODES:
            return chr(int(digits, 16)), place + 1 + len(digits)
        if len(digits) == 3 and set(digits) <= set("01234567"):
            return chr(int(digits, 8)), place + 3
    except (ValueError, OverflowError):
        pass
    return f"\\{letter}", place + 1


def commands_of(text: str, known: Mapping[str, str]) -> list[Command]:
    """The commands of one ExecStart= line, which a `;` of its own may part. Raises ValueError."""
    found, words, prefixes = [], list[str](), ""
    for raw in [*_raw_words(text), ";"]:
        if raw == ";":
            if words:
                found.append(Command(words, prefixes))
            words, prefixes = [], ""
            continue
        if not words:
            bare = raw.lstrip("-@:+!|")
            prefixes, raw = raw[: len(raw) - len(bare)], bare  # noqa: PLW2901 (without what is no part of it)
        words += [specified(word, known) for word in words_of(";" if raw == "\\;" else raw)]
    return found


def _raw_words(text: str) -> list[str]:
    """The words as they are written, quotations and all."""
    found, word, quote, place = [], "", "", 0
    while place < len(text):
        letter = text[place]
        step = 2 if letter == "\\" else 1
        if letter == quote:
            quote = ""
        elif not quote and letter in "'\"":
            quote = letter
        if letter in " \t" and not quote:
            found.append(word)
            word = ""
        else:
            word += text[place : place + step]
        place += step
    return [each for each in [*found, word] if each]


def unescaped(name: str) -> str:
    r"""A part of a unit's name as it was: `home-ann` is home/ann, `a\x2db` is a-b."""
    found, *parts = name.replace("-", "/").encode().split(b"\\x")
    for part in parts:
        try:
            found += bytes((int(part[:2], 16),)) + part[2:]
        except ValueError:
            found += b"\\x" + part
    return found.decode("utf-8", "surrogateescape")


def specified(text: str, known: Mapping[str, str]) -> str:
    """The text with its specifiers (`%h`, `%i`) replaced. ValueError for one that is not known here."""
    head, *parts = text.split("%")
    found, is_pair = head, False
    for part in parts:
        if is_pair:  # the text between the two of `%%` is empty: this follows the second
            found, is_pair = found + part, False
        elif not part:
            found, is_pair = f"{found}%", True
        elif part[0] in known:
            found += known[part[0]] + part[1:]
        else:
            raise ValueError(f"the specifier %{part[0]} is not known here")
    return found


def _shell(word: str) -> str:
    """One word for a shell: `$X` alone is split, `${X}` is not, `$$` is a dollar."""
    import shlex

    if word.startswith("$") and word[1:].isidentifier():
        return word
    said, plain, left = "", "", word
    while left:
        head, dollar, rest = left.partition("$")
        name, brace, after = rest[1:].partition("}") if rest.startswith("{") else ("", "", "")
        plain += head
        if brace and name.isidentifier():
            said += (shlex.quote(plain) if plain else "") + f'"${{{name}}}"'
            plain, left = "", after
        else:
            plain += dollar
            left = rest.removeprefix("$")  # two are one
    return said + (shlex.quote(plain) if plain or not said else "")
