"""What an evaluation is asked for: everything that decides its figures, as JSON can hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faceport.benchmarks.accuracy.choosing import RULES, Rule
from faceport.errors import InputError

Fuse = Literal["mean", "norm"]
Failures = Literal["reject", "exclude"]
Gallery = Literal["one", "half"]


@dataclass(frozen=True)
class Settings:
    """Settings of one evaluation.

    Attributes:
        bundle: folder of the embedder's bundle.
        listing: LFW's pairs.txt, an insightface .bin, a CSV, or a folder of identities.
        detector: a detector's bundle or artefact, or `stub`; None where the pictures are crops.
        root: folder of the pictures that a list names.
        aligned: the pictures are crops of the model's size.
        precisions: of the bundle's artefacts; None takes all.
        sessions: labels as `faceport bench` has them (`onnxruntime/cpu`, `openvino/cpu@bf16`);
            None runs each artefact in its first backend.
        threads: inside one operator; None leaves it to the engine.
        detector_backend: None takes the first that the bundle has an artefact for.
        detector_precision: of the detector's artefact.
        score_threshold: overrules the detector's own; likewise the two below.
        nms_threshold: overlap that merges two boxes.
        min_size: least side of a face, pixels of the picture.
        face: which face of several; see `choosing`.
        flip: embed the mirror image too and fuse the two, weighted by norm.
        fuse: how the pictures of a template become one vector; None compares single pictures.
            Needs a set of identities; where it names no templates, each identity's pictures are
            parted into two, at random.
        failures: how pairs without a face count; see `metrics.scores`.
        pairs: most pairs that are made of a set of identities; None makes all.
        gallery: what is enrolled of each identity of a set that has two pictures or more: one that
            is drawn, or half of them. The rest is searched for.
        seed: of everything that is drawn.
        timing_rounds: runs of each artefact that its latency is the median of; 0 measures none.
    """

    bundle: str
    listing: str
    detector: str | None = None
    root: str | None = None
    aligned: bool = False
    precisions: tuple[str, ...] | None = None
    sessions: str | None = None
    threads: int | None = None
    detector_backend: str | None = None
    detector_precision: str = "fp32"
    score_threshold: float | None = None
    nms_threshold: float | None = None
    min_size: float | None = None
    face: Rule = "central"
    flip: bool = False
    fuse: Fuse | None = None
    failures: Failures = "reject"
    pairs: int | None = 1_000_000
    gallery: Gallery = "one"
    seed: int = 0
    timing_rounds: int = 40

    def __post_init__(self) -> None:
        if self.timing_rounds < 0:
            raise InputError("timing_rounds", received=self.timing_rounds, expected="0 or more")
        if self.seed < 0:
            raise InputError("seed", received=self.seed, expected="0 or more")
        if self.face not in RULES:
            raise InputError("face", received=self.face, expected=", ".join(RULES))
