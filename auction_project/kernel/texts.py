"""Texts that people type: what is kept of them, in every app. Pure.

Invisible controls (bidirectional overrides, zero-width spaces, byte order marks) are removed, because two titles
that look alike must be alike, a title must not turn the text beside it around, and an address is printed. The joiners stay: scripts and
emoji are written with them. A text that must be there needs a character that can be seen.
"""

import unicodedata

_JOINERS = "\u200c\u200d"
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and symbols that show nothing
_INVISIBLE = (
    "Cc",
    "Cf",
    "Cs",
    "Co",
    "Cn",
)  # controls, format characters, surrogates, private use, unassigned


def line(text: str) -> str:
    """A text of one line: without invisible controls, with single blanks."""
    return " ".join(_without_controls(" ".join(text.split())).split())


def paragraphs(text: str) -> str:
    """A text of several lines: without invisible controls; line breaks and tabs stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join("\t".join(map(_without_controls, one.split("\t"))) for one in lines).strip()


def is_visible(text: str) -> bool:
    """Whether anything of it can be seen: a letter, a digit, a sign."""
    return any(
        unicodedata.category(character)[0] in "LNPS" and character not in _BLANK_LETTERS for character in text
    )


def folded(sku: str) -> str:
    """The form in which a SKU is unique: wide and small letters, case and blanks around it make no difference."""
    once = unicodedata.normalize("NFKC", line(sku)).casefold()
    return line(unicodedata.normalize("NFKC", once))


def _without_controls(text: str) -> str:
    return "".join(
        character
        for character in text
        if character in _JOINERS or unicodedata.category(character) not in _INVISIBLE
    )
