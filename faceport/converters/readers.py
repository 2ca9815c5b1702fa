"""Families whose files are not told by keys and shapes alone: each reads them in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from faceport.converters import torchvision_style, yolo_face
from faceport.converters.conversion import ConvertOptions, Plan
from faceport.converters.locate import CheckpointFile

if TYPE_CHECKING:
    from faceport.converters.state import NetworkState


class FamilyReader(Protocol):
    """Reads a checkpoint of one family."""

    def __call__(
        self, file: CheckpointFile, options: ConvertOptions, /
    ) -> tuple[Plan, NetworkState]:
        """Return what is exported and the tensors that fill it.

        Raises:
            InputError: an option does not fit the family.
            CheckpointError: the file is not of this family, is damaged, or is not trusted.
            MissingDependencyError: a package of the family's extra is not installed.
        """


READERS: Mapping[str, FamilyReader] = {
    torchvision_style.FAMILY: torchvision_style.plan_torchvision,
    yolo_face.FAMILY: yolo_face.plan_yolo_face,
}
"""By the name that `--family` takes; used only when that is given."""
