"""The peers' environment, the bundles, and the folders that insightface takes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from faceport.converters import convert
from faceport.exporters import ExportOptions, export_bundle
from faceport.exporters.onnx_import import ImportOptions, import_onnx

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"


@dataclass(frozen=True)
class Files:
    """What the contestants run.

    Attributes:
        detector: bundle of the SCRFD.
        yunet: bundle of the YuNet.
        yunet_onnx: the YuNet's own file.
        embedder: bundle of the recogniser.
        same: folder for insightface: the files of `detector` and `embedder`.
        plain: folder for insightface: the recogniser as torch writes it, before faceport's passes.
    """

    detector: Path
    yunet: Path
    yunet_onnx: Path
    embedder: Path
    same: Path
    plain: Path


def peers_python(folder: Path) -> Path:
    """Make the peers' environment once per list of requirements; return its interpreter."""
    python = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "-r", REQUIREMENTS], check=True)
    stamp.write_text(wanted)
    return python


def make_files(checkpoint: Path, detector: Path, yunet: Path, folder: Path) -> Files:
    """Export and import what is needed, into `folder`.

    Raises:
        FaceportError: a file is of no known family.
    """
    model = convert(checkpoint)
    embedder = export_bundle(model, folder / "mbf.bundle", ExportOptions(formats=("onnx",)))
    plain = ExportOptions(formats=("onnx",), target="tensorrt", simplify=False)
    unmodified = export_bundle(model, folder / "plain.bundle", plain)
    found = import_onnx(detector, folder / "det.bundle", ImportOptions(family="scrfd"))
    other = import_onnx(yunet, folder / "yunet.bundle", ImportOptions(family="yunet"))
    scrfd = found.path / "model.onnx"
    return Files(
        detector=found.path,
        yunet=other.path,
        yunet_onnx=yunet,
        embedder=embedder.path,
        same=_folder(folder / "same", scrfd, embedder.path / "model.onnx"),
        plain=_folder(folder / "plain", scrfd, unmodified.path / "model.onnx"),
    )


def _folder(folder: Path, detector: Path, embedder: Path) -> Path:
    """Fill a model folder: insightface takes recognisers with exactly one output."""
    import onnx

    folder.mkdir()
    shutil.copy(detector, folder / "detector.onnx")
    model = onnx.load(embedder)
    kept = [output for output in model.graph.output if output.name == "embedding"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, folder / "embedder.onnx")
    return folder
