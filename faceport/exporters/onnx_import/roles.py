"""Which output plays which role, told by shapes. Names do not matter; what is ambiguous is refused.

`FamilyRoles` is called with what a batch of one picture gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from faceport.errors import ExportError
from faceport.runtime.detectors.levels import Grid
from faceport.spec import Decoder

Shapes = Mapping[str, tuple[int, ...]]

LEVELS = {3: (8, 16, 32), 5: (8, 16, 32, 64, 128)}
"""Number of levels to their strides, as insightface has them; YuNet has three."""

YOLO_STRIDES = ((8, 16, 32), (4, 8, 16, 32), (8, 16, 32, 64))
"""The usual three, and Ultralytics' P2 and P6 variants."""

MAP_KEYPOINTS = {65: 0, 75: 5, 80: 5}
"""Channels of a raw map (64 bins, 1 class, points) to keypoints."""

ROW_KEYPOINTS = {5: 0, 15: 5, 20: 5}
"""Channels of the concatenated output (4 sides, 1 class, points) to keypoints."""


@dataclass(frozen=True)
class Roles:
    """What the outputs are: see `DetectorSpec`."""

    strides: tuple[int, ...]
    outputs: Mapping[str, tuple[str, ...]]
    anchors_per_cell: int = 1
    keypoints: int = 5


class FamilyRoles(Protocol):
    """Finds the roles of one family's outputs."""

    def __call__(self, shapes: Shapes, height: int, width: int) -> Roles:
        """Find them for an input of a height and width in pixels.

        Raises:
            ExportError: the outputs do not have the family's shapes, or two could be one role.
        """


def scrfd_roles(shapes: Shapes, height: int, width: int) -> Roles:
    """Find SCRFD's outputs; see `FamilyRoles`."""
    expected = (
        "a stride (8, 16, 32), with or without a batch axis: scores (N, 1), boxes (N, 4), "
        f"landmarks (N, 10) if any; N at {height}×{width} is "
        + _counts(height, width, LEVELS[3])
        + " times the anchors a cell (1 or 2)"
    )
    roles = {1: ("scores",), 4: ("boxes",), 10: ("landmarks",)}
    return _levelled("scrfd", shapes, height, width, roles=roles, expected=expected, most_anchors=2)


def yunet_roles(shapes: Shapes, height: int, width: int) -> Roles:
    """Find YuNet's outputs; see `FamilyRoles`."""
    expected = (
        "a stride (8, 16, 32): class scores (1, N, 1), objectness (1, N, 1), boxes (1, N, 4), "
        f"landmarks (1, N, 10); N at {height}×{width} is " + _counts(height, width, LEVELS[3])
    )
    # Class score and objectness have one shape, and the face's score is their geometric mean: which
    # is which makes no difference. The graph's order is kept.
    roles = {1: ("scores", "objectness"), 4: ("boxes",), 10: ("landmarks",)}
    return _levelled("yunet", shapes, height, width, roles=roles, expected=expected, most_anchors=1)


def yolov8_face_roles(shapes: Shapes, height: int, width: int) -> Roles:
    """Find YOLOv8-face's outputs, raw maps or the concatenated one; see `FamilyRoles`."""
    for strides in YOLO_STRIDES:
        grids = [Grid.of(height, width, stride) for stride in strides]
        roles = _maps(shapes, grids) or _concatenated(shapes, grids)
        if roles is not None:
            return roles
    maps = ", ".join(f"({g.rows}, {g.columns})" for g in _grids(height, width, LEVELS[3]))
    cells = sum(grid.cells for grid in _grids(height, width, LEVELS[3]))
    raise _misfit(
        "yolov8-face",
        shapes,
        f"at {height}×{width}: three raw maps (1, C, rows, columns) of {maps} with C of 65, 75 or "
        f"80; or one output (1, C, {cells}) with C of 5, 15 or 20; one class, no NMS in the graph",
    )


ROLES: Mapping[Decoder, FamilyRoles] = {
    "scrfd": scrfd_roles,
    "yunet": yunet_roles,
    "yolov8-face": yolov8_face_roles,
}
"""Detector family to what finds its outputs."""


def listed(shapes: Shapes) -> str:
    """Name outputs with their shapes, for messages."""
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def _levelled(
    family: Decoder,
    shapes: Shapes,
    height: int,
    width: int,
    *,
    roles: Mapping[int, tuple[str, ...]],
    expected: str,
    most_anchors: int,
) -> Roles:
    """Sort outputs (N, values) by their values into roles and by N into strides."""
    tables: dict[int, dict[int, list[str]]] = {}
    for name, shape in shapes.items():
        rows = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
        if len(rows) != 2 or rows[1] not in roles:
            raise _misfit(family, shapes, expected)
        tables.setdefault(rows[1], {}).setdefault(rows[0], []).append(name)
    counts = sorted(tables.get(1, {}), reverse=True)
    strides = LEVELS.get(len(counts), ())
    grids = _grids(height, width, strides)
    anchors = counts[0] // grids[0].cells if grids else 0
    whole = [grid.cells * anchors for grid in grids] == counts and 1 <= anchors <= most_anchors
    complete = {1, 4} <= set(tables) and all(
        sorted(table, reverse=True) == counts
        and all(len(names) == len(roles[values]) for names in table.values())
        for values, table in tables.items()
    )
    if not (whole and complete):
        raise _misfit(family, shapes, expected)
    outputs = {
        role: tuple(table[count][place] for count in counts)
        for values, table in tables.items()
        for place, role in enumerate(roles[values])
    }
    return Roles(strides, outputs, anchors, 5 if 10 in tables else 0)


def _maps(shapes: Shapes, grids: list[Grid]) -> Roles | None:
    by_size = {shape[2:]: name for name, shape in shapes.items() if len(shape) == 4}
    sizes = [(grid.rows, grid.columns) for grid in grids]
    channels = {shape[1] for shape in shapes.values() if len(shape) > 1}
    if len(shapes) != len(grids) or set(by_size) != set(sizes) or len(channels) != 1:
        return None
    keypoints = MAP_KEYPOINTS.get(channels.pop())
    if keypoints is None:
        return None
    names = tuple(by_size[size] for size in sizes)
    return Roles(tuple(grid.stride for grid in grids), {"maps": names}, keypoints=keypoints)


def _concatenated(shapes: Shapes, grids: list[Grid]) -> Roles | None:
    if len(shapes) != 1:
        return None
    ((name, shape),) = shapes.items()
    cells = sum(grid.cells for grid in grids)
    if len(shape) != 3 or shape[2] != cells or shape[1] not in ROW_KEYPOINTS:
        return None
    strides = tuple(grid.stride for grid in grids)
    return Roles(strides, {"concatenated": (name,)}, keypoints=ROW_KEYPOINTS[shape[1]])


def _grids(height: int, width: int, strides: tuple[int, ...]) -> list[Grid]:
    return [Grid.of(height, width, stride) for stride in strides]


def _counts(height: int, width: int, strides: tuple[int, ...]) -> str:
    return ", ".join(str(grid.cells) for grid in _grids(height, width, strides))


def _misfit(family: str, shapes: Shapes, expected: str) -> ExportError:
    return ExportError(
        f"the outputs are not those of the {family} family",
        received=listed(shapes),
        expected=expected,
        fix="check --family; of a model with other outputs, export the ones named",
    )
