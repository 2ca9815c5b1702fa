"""What a detector family's authors do: preprocessing, thresholds, licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from faceport.spec import Decoder, PreprocessSpec


@dataclass(frozen=True)
class FamilyDefaults:
    """What holds for a family unless the caller or the file says otherwise.

    Attributes:
        preprocess: as the authors do it. Layout and dtype come from the graph, and so does the
            size unless the graph leaves it open.
        score_threshold: 0 to 1.
        nms_threshold: 0 to 1.
        origin: the code that the outputs' meaning is from.
        license: of the published weights, where the file itself states none.
    """

    preprocess: PreprocessSpec
    score_threshold: float
    nms_threshold: float
    origin: str
    license: str


DETECTORS: Mapping[Decoder, FamilyDefaults] = {
    # insightface's thresholds. It pads at the right and below; centred, as in hpc203/scrfd-opencv,
    # the points of a picture and its mirror image differ by less (1.7 % of the box's width against
    # 1.8 %, on 24 photographs) and are nearer to those of the other families.
    "scrfd": FamilyDefaults(
        PreprocessSpec(
            height=640,
            width=640,
            color_order="rgb",
            mean=(127.5, 127.5, 127.5),
            std=(128.0, 128.0, 128.0),
            geometry="letterbox",
            pad_anchor="center",
        ),
        score_threshold=0.5,
        nms_threshold=0.4,
        origin="deepinsight/insightface, SCRFD",
        license="InsightFace's published weights: non-commercial research only",
    ),
    # OpenCV's NMS threshold; its score threshold of 0.9 loses clear faces (0.89 on a group
    # photograph), and the strongest false alarm on 24 photographs is at 0.53. At a size of 1024 its
    # points are nearest to those of the other families (worst point of a group photograph: 10 % of
    # the box's width, against 17 % at 640); larger, it loses faces that fill the picture.
    "yunet": FamilyDefaults(
        PreprocessSpec(
            height=1024,
            width=1024,
            color_order="bgr",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            geometry="letterbox",
        ),
        score_threshold=0.7,
        nms_threshold=0.3,
        origin="ShiqiYu/libfacedetection.train, YuNet",
        license="MIT",
    ),
    # Ultralytics' 0.25 is for measuring recall; faces on photographs score 0.7 and more.
    "yolov8-face": FamilyDefaults(
        PreprocessSpec(
            height=640,
            width=640,
            color_order="rgb",
            mean=(0.0, 0.0, 0.0),
            std=(255.0, 255.0, 255.0),
            geometry="letterbox",
            pad_value=114,
            pad_anchor="center",
        ),
        score_threshold=0.5,
        nms_threshold=0.45,
        origin="ultralytics/ultralytics, YOLOv8 pose head",
        license="not stated in the file; Ultralytics' models are AGPL-3.0",
    ),
}
"""Detector family to its defaults."""
