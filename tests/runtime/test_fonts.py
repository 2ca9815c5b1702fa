"""Fonts for names: the right letters, or a replacement that can be read."""

from __future__ import annotations

import pytest
from PIL import ImageFont

from faceport.runtime import fonts
from faceport.runtime.fonts import fitting_font


def test_plain_names_use_pillows_own_font() -> None:
    font, shown = fitting_font("John Snow 0.71", 20)
    assert shown == "John Snow 0.71"
    assert font.getmask(shown).size == ImageFont.load_default(20).getmask(shown).size


def test_without_system_fonts_accents_go_and_the_rest_is_a_question_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fonts, "SYSTEM_FONTS", ("no such font.ttf",))
    assert fitting_font("José Łukasz 中文", 20)[1] == "Jose ?ukasz ??"


def test_a_system_font_is_used_where_it_has_the_letters() -> None:
    try:
        ImageFont.truetype("DejaVuSans.ttf", 20)
    except OSError:
        pytest.skip("DejaVu Sans is not installed here")
    font, shown = fitting_font("José Łukasz Жанна", 20)
    assert shown == "José Łukasz Жанна"
    missing = font.getmask(fonts.NO_LETTER)
    assert all(bytes(font.getmask(c)) != bytes(missing) for c in "éŁЖ")


@pytest.mark.parametrize("size", [8, 13, 40, 200])
def test_size_is_kept(size: int) -> None:
    font, shown = fitting_font("Hxg", size)
    _, top, _, bottom = font.getbbox(shown)
    assert 0.6 * size < bottom - top < 1.5 * size
