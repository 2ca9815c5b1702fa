from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from faceport.rates import allowed_accepts, supports, trials_needed


def test_rates_are_decimal_numbers_not_their_nearest_binary_ones() -> None:
    # 1e-6 × 3e7 is a little below 30 in binary.
    assert allowed_accepts(30_000_000, 1e-6) == 30
    assert [allowed_accepts(n, 0.1) for n in (9, 10, 29, 30)] == [0, 1, 2, 3]
    assert allowed_accepts(7, 0.999) == 6
    assert trials_needed(1e-3) == 30_000
    assert not supports(29_999, 1e-3)
    assert supports(30_000, 1e-3)


@given(st.integers(1, 10**9), st.integers(1, 9), st.integers(1, 6))
def test_they_equal_exact_fractions(count: int, digit: int, places: int) -> None:
    target = float(f"{digit}e-{places}")
    exact = count * Fraction(digit, 10**places)
    assert allowed_accepts(count, target) == exact // 1
    assert supports(count, target) == (exact >= 30)
    needed = trials_needed(target)
    assert supports(needed, target)
    assert not supports(needed - 1, target)
