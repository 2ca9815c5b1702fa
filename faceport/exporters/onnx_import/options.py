"""What the caller says about an ONNX file, where the file itself does not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceport.errors import InputError
from faceport.spec import Anchor, ColorOrder, Geometry, Layout, PreprocessSpec, Triple

Family = Literal["scrfd", "yunet", "yolov8-face", "recogniser"]
FAMILIES: tuple[Family, ...] = ("scrfd", "yunet", "yolov8-face", "recogniser")

DETECTOR_ONLY = ("score_threshold", "nms_threshold", "max_faces", "min_size", "pad_value")
RECOGNISER_ONLY = ("embedding_output",)


@dataclass(frozen=True)
class ImportOptions:
    """How an ONNX file is to be understood.

    A detector family has its authors' preprocessing as the default. A recogniser has none: colour
    order, mean and std must come from here, from `preprocess` or from `spec_file`. The single
    values overrule the other two; a size that the graph fixes must not be contradicted.

    Attributes:
        family: what the outputs mean.
        preprocess: the whole preprocessing.
        spec_file: JSON of a `PreprocessSpec` or of a whole `ModelSpec`.
        color_order: of the input's channels.
        mean: per channel in `color_order`, 0-255 pixel units.
        std: per channel in `color_order`, 0-255 pixel units.
        height: of the input, where the graph leaves it open.
        width: of the input, where the graph leaves it open.
        geometry: how a face gets the input's size (recogniser).
        layout: of the input, where the graph's shape does not tell.
        pad_value: 0 to 255, of the letterbox (detector).
        pad_anchor: where the letterbox puts the picture (detector).
        score_threshold: default of the detector, 0 to 1.
        nms_threshold: default of the detector, 0 to 1.
        max_faces: default of the detector; 0 is no limit.
        min_size: default of the detector, pixels of the picture.
        embedding_output: name of the embedding among several outputs (recogniser).
        open_size: let the input follow each picture's shape although the file fixes its size
            (detector).
    """

    family: Family
    preprocess: PreprocessSpec | None = None
    spec_file: Path | None = None
    color_order: ColorOrder | None = None
    mean: Triple | None = None
    std: Triple | None = None
    height: int | None = None
    width: int | None = None
    geometry: Geometry | None = None
    layout: Layout | None = None
    pad_value: int | None = None
    pad_anchor: Anchor | None = None
    score_threshold: float | None = None
    nms_threshold: float | None = None
    max_faces: int | None = None
    min_size: float | None = None
    embedding_output: str | None = None
    open_size: bool = False

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise InputError("no such family", received=self.family, expected=", ".join(FAMILIES))
        if self.preprocess is not None and self.spec_file is not None:
            raise InputError("give `preprocess` or `spec_file`, not both")
        recogniser = self.family == "recogniser"
        foreign = (*DETECTOR_ONLY, "pad_anchor") if recogniser else RECOGNISER_ONLY
        given = [name for name in foreign if getattr(self, name) is not None]
        if given:
            raise InputError(
                f"options that a {self.family} model does not have", received=", ".join(given)
            )
