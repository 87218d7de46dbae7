"""Keeps secrets out of whatever is written or shown. Knows no file and no log."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SHORTEST_SECRET = 6  # a shorter one would blank ordinary words
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_KINDS = r"sk-(?:admin|proj|ant-admin01|ant-api03)-\.\.\.(?![A-Za-z0-9_*.-])"  # names of kinds, as our hints write them
_GAP_BEGIN, _GAP_END = "[... ", " left out ...]\n"  # around how much of an output is not kept
_TELLING_PART = 4  # so many characters of a secret that was cut in two; fewer tell nothing
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")


class Redactor:
    """Replaces secrets by `***`: those it was given, in every spelling they travel in, and what looks like one."""

    def __init__(self) -> None:
        self._spellings: tuple[str, ...] = ()

    def add(self, secret: str) -> None:
        """Hide `secret` from now on, URL-encoded and in base64 too; shorter than six characters it is no secret."""
        secret = secret.strip()
        if len(secret) >= _SHORTEST_SECRET:
            self._spellings = tuple(sorted({*self._spellings, *_spellings(secret)}))

    def knows(self, s: str) -> bool:
        """Whether `s` holds a secret that was given, in any spelling."""
        return any(spelling in s for spelling in self._spellings)

    def text(self, s: str) -> str:
        """`s` without secrets: those it was given, keys as vendors echo them (`sk-...`), the end of a
        webhook's URL and of a ping's.
        """
        for spelling in self._spellings:
            if spelling in s:
                s = _blanked(s, self._spellings)
                break
        if _GAP_END in s:
            s = self._without_parts(s)
        if "sk-" in s or "/webhooks/" in s or "hc-ping.com/" in s:
            import re

            s = re.sub(rf"(?<![A-Za-z0-9])(?!{_KINDS})sk-[A-Za-z0-9_*.\u2022\u2026-]{{4,}}", "sk-***", s)
            s = re.sub(r"/webhooks/[^\s\"'<>]+", "/webhooks/***", s)
            s = re.sub(r"hc-ping\.com/[^\s\"'<>]+", "hc-ping.com/***", s)
        return s

    def _without_parts(self, s: str) -> str:
        """`s`, an output of which the middle was left out, without what a gap has left of a secret."""
        pieces = s.split(f"\n{_GAP_BEGIN}")
        for number, piece in enumerate(pieces[1:], 1):
            told, end, after = piece.partition(_GAP_END)
            if end:
                pieces[number - 1] = _ending_before(pieces[number - 1], self._spellings)
                pieces[number] = told + end + _beginning_after(after, self._spellings)
        return f"\n{_GAP_BEGIN}".join(pieces)


def gap(what: str) -> str:
    """The line that stands for what was left out of an output: `what` says how much that is."""
    return f"\n{_GAP_BEGIN}{what}{_GAP_END}"


def _ending_before(s: str, spellings: Iterable[str]) -> str:
    """`s` without the beginning of a secret at its end."""
    sizes = (size for each in spellings for size in range(_TELLING_PART, len(each)) if s.endswith(each[:size]))
    size = max(sizes, default=0)
    return f"{s[:-size]}***" if size else s


def _beginning_after(s: str, spellings: Iterable[str]) -> str:
    """`s` without the end of a secret at its beginning."""
    sizes = (size for each in spellings for size in range(_TELLING_PART, len(each)) if s.startswith(each[-size:]))
    size = max(sizes, default=0)
    return f"***{s[size:]}" if size else s


def _blanked(s: str, spellings: Iterable[str]) -> str:
    """`s` with `***` for each stretch that spellings cover; those that overlap make one stretch, so no end stays."""
    spans: list[tuple[int, int]] = []
    for spelling in spellings:
        at = s.find(spelling)
        while at >= 0:
            spans.append((at, at + len(spelling)))
            at = s.find(spelling, at + 1)
    parts, done = [], 0
    for start, end in sorted(spans):
        if start >= done:
            parts += [s[done:start], "***"]
        done = max(done, end)
    return "".join((*parts, s[done:]))


def _spellings(secret: str) -> set[str]:
    """The secret as it stands, as URLs, JSON and Python write it, and inside any base64 (`Authorization: Basic`)."""
    data = secret.encode("utf-8", "surrogatepass")
    found = {secret, ascii(secret)[1:-1], secret.replace("/", "\\/")}
    found.add(secret.replace("\\", "\\\\").replace('"', '\\"'))
    for kept in () if _UNRESERVED.issuperset(data) else (_UNRESERVED, _UNRESERVED | {ord("/")}):
        for digits in ("02X", "02x"):
            encoded = "".join(chr(byte) if byte in kept else f"%{byte:{digits}}" for byte in data)
            found |= {encoded, encoded.replace("%20", "+")}
    for ahead, unsure in ((0, 0), (1, 2), (2, 3)):  # bytes before it in its group of three, digits that they touch
        encoded = _base64(bytes(ahead) + data)[unsure:]
        found |= {encoded, encoded.replace("+", "-").replace("/", "_")}
    return found


def _base64(data: bytes) -> str:
    """The base64 digits that `data` alone decides: without padding and the last, partial one."""
    number, bits = int.from_bytes(data, "big"), 8 * len(data)
    return "".join(_BASE64[number >> place & 63] for place in range(bits - 6, -1, -6))
