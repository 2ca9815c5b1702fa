"""Which error rates a number of trials can show."""

from __future__ import annotations

import math

LEAST_ERRORS = 30
"""Doddington's rule of 30 (Doddington et al., 2000, "The NIST speaker recognition evaluation"): an
error rate seen in independent trials is within 30 % of the true one, 90 times in 100, once 30
errors were seen."""

ROUNDING = 1e-12
"""Relative; so that 30 of 30,000 is a rate of 1e-3 whatever a product of floats says."""


def allowed_accepts(count: int, target: float) -> int:
    """Return how many of `count` impostors a false accept rate allows."""
    return math.floor(count * target * (1 + ROUNDING))


def trials_needed(target: float, least_errors: int = LEAST_ERRORS) -> int:
    """Return how many trials a rate needs, so that it allows `least_errors` errors."""
    return math.ceil(least_errors / target * (1 - ROUNDING))


def supports(count: int, target: float, least_errors: int = LEAST_ERRORS) -> bool:
    """Say whether `count` trials are enough for a rate, by the rule of 30."""
    return count * target * (1 + ROUNDING) >= least_errors
