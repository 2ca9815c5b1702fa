"""Roles told by shapes: whatever the names and the order, and never a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.errors import ExportError
from faceport.exporters.onnx_import.roles import (
    ROLES,
    Roles,
    scrfd_roles,
    yolov8_face_roles,
    yunet_roles,
)

CELLS = {8: 6400, 16: 1600, 32: 400}
Shapes = dict[str, tuple[int, ...]]


def tables(values: tuple[int, ...], anchors: int = 1, batch_axis: bool = True) -> Shapes:
    """Outputs at 640×640, named by what they are, strides inside."""
    lead = (1,) if batch_axis else ()
    return {
        f"{number}#{place}@{stride}": (*lead, cells * anchors, number)
        for place, number in enumerate(values)
        for stride, cells in CELLS.items()
    }


def shuffled(shapes: Shapes) -> st.SearchStrategy[Shapes]:
    return st.permutations(list(shapes.items())).map(dict)


@pytest.mark.parametrize("anchors", [1, 2])
@pytest.mark.parametrize("batch_axis", [True, False])
def test_scrfd(anchors: int, batch_axis: bool) -> None:
    roles = scrfd_roles(tables((1, 4, 10), anchors, batch_axis), 640, 640)
    assert roles == Roles(
        strides=(8, 16, 32),
        outputs={
            "scores": ("1#0@8", "1#0@16", "1#0@32"),
            "boxes": ("4#1@8", "4#1@16", "4#1@32"),
            "landmarks": ("10#2@8", "10#2@16", "10#2@32"),
        },
        anchors_per_cell=anchors,
        keypoints=5,
    )


@given(shuffled(tables((1, 4, 10), 2)))
def test_scrfd_in_any_order(shapes: Shapes) -> None:
    assert scrfd_roles(shapes, 640, 640) == scrfd_roles(tables((1, 4, 10), 2), 640, 640)


def test_scrfd_without_landmarks() -> None:
    roles = scrfd_roles(tables((1, 4), 2), 640, 640)
    assert roles.keypoints == 0
    assert set(roles.outputs) == {"scores", "boxes"}


def test_scrfd_of_five_levels() -> None:
    sizes = {8: 6400, 16: 1600, 32: 400, 64: 100, 128: 25}
    shapes = {f"{v}@{s}": (n, v) for v in (1, 4) for s, n in sizes.items()}
    assert scrfd_roles(shapes, 640, 640).strides == (8, 16, 32, 64, 128)


def test_sides_that_do_not_divide() -> None:
    cells = {8: 13 * 9, 16: 7 * 5, 32: 4 * 3}
    shapes = {f"{v}@{s}": (1, n * 2, v) for v in (1, 4) for s, n in cells.items()}
    assert scrfd_roles(shapes, 100, 70).anchors_per_cell == 2


@given(shuffled(tables((1, 1, 4, 10))))
def test_yunet_in_any_order(shapes: Shapes) -> None:
    roles = yunet_roles(shapes, 640, 640)
    for role, number in (("boxes", 4), ("landmarks", 10)):
        place = 2 if number == 4 else 3
        assert roles.outputs[role] == tuple(f"{number}#{place}@{stride}" for stride in CELLS)
    # Class score and objectness have one shape; at each stride they are the two of it.
    pairs = zip(roles.outputs["scores"], roles.outputs["objectness"], strict=True)
    for (score, objectness), stride in zip(pairs, CELLS, strict=True):
        assert {score, objectness} == {f"1#0@{stride}", f"1#1@{stride}"}


@pytest.mark.parametrize(
    ("channels", "keypoints"), [(80, 5), (75, 5), (65, 0)], ids=["80", "75", "65"]
)
def test_yolov8_maps(channels: int, keypoints: int) -> None:
    shapes = {"c": (1, channels, 20, 20), "a": (1, channels, 80, 80), "b": (1, channels, 40, 40)}
    roles = yolov8_face_roles(shapes, 640, 640)
    assert roles == Roles((8, 16, 32), {"maps": ("a", "b", "c")}, keypoints=keypoints)


@pytest.mark.parametrize(
    ("channels", "keypoints"), [(20, 5), (15, 5), (5, 0)], ids=["20", "15", "5"]
)
def test_yolov8_rows(channels: int, keypoints: int) -> None:
    roles = yolov8_face_roles({"output0": (1, channels, 8400)}, 640, 640)
    assert roles == Roles((8, 16, 32), {"concatenated": ("output0",)}, keypoints=keypoints)


@pytest.mark.parametrize(
    ("anchors", "strides"), [(33600 + 400, (4, 8, 16, 32)), (8400 + 100, (8, 16, 32, 64))]
)
def test_yolov8_of_four_levels(anchors: int, strides: tuple[int, ...]) -> None:
    assert sum((640 // stride) ** 2 for stride in strides) == anchors
    assert yolov8_face_roles({"o": (1, 20, anchors)}, 640, 640).strides == strides


def changed(shapes: Shapes, name: str, shape: tuple[int, ...] | None) -> Shapes:
    rest = {key: value for key, value in shapes.items() if key != name}
    return rest if shape is None else {**rest, name: shape}


SCRFD = tables((1, 4, 10), 2)
YUNET = tables((1, 1, 4, 10))
MAPS: Shapes = {"a": (1, 80, 80, 80), "b": (1, 80, 40, 40), "c": (1, 80, 20, 20)}


@pytest.mark.parametrize(
    ("family", "shapes"),
    [
        ("scrfd", YUNET),
        ("scrfd", MAPS),
        ("scrfd", {}),
        ("scrfd", {"embedding": (1, 512)}),
        ("scrfd", changed(SCRFD, "1#0@8", None)),
        ("scrfd", changed(SCRFD, "4#1@16", None)),
        ("scrfd", changed(SCRFD, "extra", (1, 12800, 1))),
        ("scrfd", changed(SCRFD, "extra", (1, 12800, 2))),
        ("scrfd", changed(SCRFD, "1#0@8", (1, 12801, 1))),
        ("scrfd", {name: (2, *shape[1:]) for name, shape in SCRFD.items()}),
        ("scrfd", tables((4, 10), 2)),
        ("scrfd", tables((1, 10), 2)),
        ("yunet", SCRFD),
        ("yunet", tables((1, 1, 4, 10), 2)),
        ("yunet", tables((1, 4, 10))),
        ("yunet", tables((1, 1, 1, 4, 10))),
        ("yolov8-face", SCRFD),
        ("yolov8-face", {}),
        ("yolov8-face", changed(MAPS, "c", None)),
        ("yolov8-face", changed(MAPS, "c", (1, 80, 40, 40))),
        ("yolov8-face", changed(MAPS, "c", (1, 75, 20, 20))),
        ("yolov8-face", changed(MAPS, "d", (1, 20, 8400))),
        ("yolov8-face", {name: (1, 144, *shape[2:]) for name, shape in MAPS.items()}),
        ("yolov8-face", {"o": (1, 84, 8400)}),
        ("yolov8-face", {"o": (1, 8400, 20)}),
        ("yolov8-face", {"o": (1, 300, 6)}),
        ("yolov8-face", {"o": (1, 20, 8400), "p": (1, 20, 8400)}),
    ],
)
def test_what_does_not_fit_is_listed(family: str, shapes: Shapes) -> None:
    with pytest.raises(ExportError) as caught:
        ROLES[family](shapes, 640, 640)
    text = str(caught.value)
    assert f"not those of the {family} family" in text
    assert all(f"{name} {shape}" in text for name, shape in shapes.items())
    assert "6400" in text or "8400" in text


def test_the_size_of_the_input_matters() -> None:
    with pytest.raises(ExportError, match="at 320×320"):
        scrfd_roles(SCRFD, 320, 320)
