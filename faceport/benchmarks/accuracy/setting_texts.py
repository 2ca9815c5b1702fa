"""What an evaluation was done with, in sentences."""

from __future__ import annotations

from faceport.benchmarks.accuracy.markdown import cell
from faceport.benchmarks.accuracy.results import Evaluation


def facts(evaluation: Evaluation) -> list[str]:
    """Return what was evaluated, on what, and how, one line a fact, for Markdown."""
    model, listed = evaluation.model, evaluation.listed
    people = "" if listed.people is None else f" of {listed.people} people"
    lines = [
        f"model: {cell(model.family)} {cell(model.arch)}, {model.dim} numbers, "
        f"fingerprint {model.fingerprint[:16]}",
        f"list: {cell(listed.name)}, {listed.pictures} pictures{people}, {pairs_text(evaluation)}",
        f"faces: {_faces(evaluation)}",
        f"accuracy: {_folds(evaluation)}",
        f"pairs with a picture without a face: {_failures(evaluation)}",
    ]
    lines += [f"mirrored: {'yes, fused by norm' if evaluation.settings.flip else 'no'}"]
    if evaluation.settings.fuse is not None:
        how = "mean" if evaluation.settings.fuse == "mean" else "weighted by norm"
        lines.append(f"templates: the pictures of each are fused ({how})")
    return [*lines, f"made {evaluation.created}, in {evaluation.seconds:.0f} s"]


def pairs_text(evaluation: Evaluation) -> str:
    """Return how many pairs the figures rest on, and of how many they were drawn."""
    used = next((one.verification for one in evaluation.artefacts if one.verification), None)
    if used is None:
        return "no artefact ran"
    count = used.pairs + (0 if used.failures == "reject" else _failed(evaluation))
    sample = ""
    if count < evaluation.possible_pairs:
        sample = f", drawn of {evaluation.possible_pairs:,} with seed {evaluation.settings.seed}"
    return f"{used.genuine:,} pairs of one person and {used.impostor:,} of two{sample}"


def _faces(evaluation: Evaluation) -> str:
    listed, settings = evaluation.listed, evaluation.settings
    if not evaluation.detector:
        return f"the pictures are crops; {listed.found} of {listed.pictures} could be used"
    several = ""
    if listed.several:
        rule = {
            "central": "the largest and most central",
            "largest": "the largest",
            "best": "the one with the highest score",
        }[settings.face]
        several = f"; {listed.several} pictures have several, of which {rule} was taken"
    found = f"found on {listed.found} of {listed.pictures} pictures"
    return f"{found} by {cell(evaluation.detector)}{several}"


def _folds(evaluation: Evaluation) -> str:
    for one in evaluation.artefacts:
        accuracy = None if one.verification is None else one.verification.accuracy
        if accuracy is not None:
            count = len(accuracy.accuracies)
            origin = "of the list" if accuracy.folds == "list" else "drawn here"
            return (
                f"mean ± standard deviation over {count} folds {origin}, "
                "each with the threshold that is best on the others"
            )
    return "none: too few pairs"


def _failures(evaluation: Evaluation) -> str:
    rejected = evaluation.settings.failures == "reject"
    how = "count as rejected" if rejected else "do not count"
    return f"{_failed(evaluation)}, which {how}"


def _failed(evaluation: Evaluation) -> int:
    used = next((one.verification for one in evaluation.artefacts if one.verification), None)
    return 0 if used is None else used.failed_genuine + used.failed_impostor
