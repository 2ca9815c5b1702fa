"""1:1 figures of a set of pairs, all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faceport.benchmarks.accuracy.metrics.folds import FoldAccuracy, fold_accuracy
from faceport.benchmarks.accuracy.metrics.operating_points import (
    REPLICATES,
    TARGETS,
    OperatingPoint,
    operating_points,
)
from faceport.benchmarks.accuracy.metrics.roc import EqualError, area_under_roc, equal_error
from faceport.benchmarks.accuracy.metrics.scores import Failures, PairScores
from faceport.rates import LEAST_ERRORS


@dataclass(frozen=True)
class Verification:
    """1:1 figures.

    Attributes:
        pairs, genuine, impostor: numbers of pairs that the figures rest on.
        failed_genuine, failed_impostor: pairs of the list with a picture without a face.
        failures: how those count: as rejected, or not at all.
        accuracy: over folds; None where there are not both kinds of pairs, twice.
        auc: area under the ROC; None without both kinds of pairs.
        eer: equal error rate; None without both kinds of pairs.
        points: TAR at each FAR asked for.
    """

    pairs: int
    genuine: int
    impostor: int
    failed_genuine: int
    failed_impostor: int
    failures: Failures
    accuracy: FoldAccuracy | None
    auc: float | None
    eer: EqualError | None
    points: tuple[OperatingPoint, ...]


def verify(
    scores: PairScores,
    *,
    failures: Failures = "reject",
    targets: Sequence[float] = TARGETS,
    seed: int = 0,
    replicates: int = REPLICATES,
    least_errors: int = LEAST_ERRORS,
) -> Verification:
    """Compute all 1:1 figures.

    Args:
        scores: of the pairs (`scores_of`).
        failures: how pairs without a face count; see `metrics/scores.py`.
        targets: false accept rates, each above 0 and below 1.
        seed: of the folds that are drawn where the list has none, and of the bootstrap.
        replicates: of the bootstrap.
        least_errors: false accepts that a figure must rest on; see `operating_points`.

    Raises:
        InputError: an argument is out of its range.
    """
    used = scores if failures == "reject" else scores.without_failures()
    genuine, impostor = used.scores[used.same], used.scores[~used.same]
    both = len(genuine) > 0 and len(impostor) > 0
    return Verification(
        pairs=len(used.same),
        genuine=len(genuine),
        impostor=len(impostor),
        failed_genuine=int((scores.failed & scores.same).sum()),
        failed_impostor=int((scores.failed & ~scores.same).sum()),
        failures=failures,
        accuracy=fold_accuracy(used.scores, used.same, used.folds, seed=seed),
        auc=area_under_roc(genuine, impostor) if both else None,
        eer=equal_error(genuine, impostor) if both else None,
        points=operating_points(
            genuine,
            impostor,
            targets=targets,
            genuine_people=None if used.people is None else used.people[used.same],
            impostor_people=None if used.people is None else used.people[~used.same],
            seed=seed,
            replicates=replicates,
            least_errors=least_errors,
        ),
    )
