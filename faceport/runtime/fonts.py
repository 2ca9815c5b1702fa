"""A font that has the letters of a name: Pillow's own, or one of the system's.

Pillow brings a scalable font with the letters of ASCII. Names have more than those, so well-known
fonts of the system are tried when they are needed; a letter that none of them has is replaced by
its base letter (é by e), or by a question mark.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

Font: TypeAlias = "FreeTypeFont | ImageFont"

SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "wqy-zenhei.ttc",
    "msyh.ttc",
    "PingFang.ttc",
)
"""File names as Linux, macOS and Windows have them, found by Pillow in the system's folders."""

# A code point that will never be a letter: what is drawn for it is drawn for any missing one.
NO_LETTER = "\U0010ffff"


def fitting_font(text: str, size: int) -> tuple[Font, str]:
    """Return the first font that has all letters of a text, and the text.

    Args:
        text: one line.
        size: of the letters, pixels.

    Returns:
        The font, or the one that lacks the fewest letters; and the text with those replaced.
    """
    best: tuple[int, Font, str] | None = None
    for font in _fonts(size):
        lacking = {letter for letter in text if not _has(font, letter)}
        shown = "".join(_replaced(c, font) if c in lacking else c for c in text)
        if best is None or len(lacking) < best[0]:
            best = (len(lacking), font, shown)
        if not lacking:
            break
    # Pillow's own font is always there.
    _, font, shown = best or (0, next(_fonts(size)), text)
    return font, shown


def _fonts(size: int) -> Iterator[Font]:
    from PIL import ImageFont

    yield ImageFont.load_default(size)
    for name in SYSTEM_FONTS:
        try:
            yield ImageFont.truetype(name, size)
        except OSError:
            continue


def _has(font: Font, letter: str) -> bool:
    if letter.isspace():
        return True
    drawn, missing = font.getmask(letter), font.getmask(NO_LETTER)
    return drawn.size != missing.size or bytes(drawn) != bytes(missing)


def _replaced(letter: str, font: Font) -> str:
    plain = "".join(
        c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c)
    )
    return plain if plain and all(_has(font, c) for c in plain) else "?"
