"""What a measurement ran on: processor, memory, GPUs, board, and the libraries' versions."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from faceport.benchmarks.machine.nvidia import Gpu, gpus, power_mode
from faceport.runtime import device
from faceport.version import __version__

PACKAGES = (
    *("numpy", "opencv-python-headless", "opencv-python", "pillow"),
    *("onnxruntime", "onnxruntime-gpu", "openvino", "torch", "onnx"),
    *("tensorrt", "tensorrt-cu12", "tensorrt-cu13", "tensorrt-rtx-cu13", "cuda-bindings"),
)
"""Distributions whose version may change a figure."""


@dataclass(frozen=True)
class Machine:
    """One machine.

    Attributes:
        device: its name, as `faceport.runtime.device.device_id` makes it.
        system: operating system with its release, as `os-release` tells it.
        kernel: release.
        architecture: `x86_64`, `aarch64`.
        cpu: the processor's name.
        cores: that this process may use.
        logical_cores: that the machine has.
        cpu_flags: extensions that inference engines have kernels for.
        memory_bytes: that this process may use at most, 0 where it is not known.
        gpus: NVIDIA's, empty without one.
        board: a Jetson's (or other board's) name, None on a PC.
        power_mode: a Jetson's, None elsewhere.
        python: version.
        versions: distribution name to version, of those installed, and faceport's own.
    """

    device: str
    system: str
    kernel: str
    architecture: str
    cpu: str
    cores: int
    logical_cores: int
    cpu_flags: tuple[str, ...]
    memory_bytes: int
    gpus: tuple[Gpu, ...]
    board: str | None
    power_mode: str | None
    python: str
    versions: Mapping[str, str]

    def lines(self) -> list[str]:
        """Return it for a report, one fact a line."""
        flags = f" ({', '.join(self.cpu_flags)})" if self.cpu_flags else ""
        memory = f", {self.memory_bytes / 1e9:.1f} GB" if self.memory_bytes else ""
        found = [f"{self.cores} of {self.logical_cores} cores of {self.cpu}{flags}{memory}"]
        found += [gpu.text for gpu in self.gpus]
        if self.board:
            mode = f", power mode {self.power_mode}" if self.power_mode else ""
            found.append(f"{self.board}{mode}")
        found.append(f"{self.system}, kernel {self.kernel}, {self.architecture}")
        packages = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return [*found, f"Python {self.python}, {packages}"]


def describe_machine(root: Path = device.ROOT) -> Machine:
    """Describe this machine as far as it tells of itself; what it does not tell is left empty."""
    return Machine(
        device=device.device_id(root),
        system=_system(root),
        kernel=platform.release(),
        architecture=platform.machine(),
        cpu=device.cpu_model(root),
        cores=device.usable_cores(root),
        logical_cores=device.logical_cores(),
        cpu_flags=device.cpu_flags(root),
        memory_bytes=device.usable_memory(root),
        gpus=gpus(),
        board=device.board_model(root),
        power_mode=power_mode(),
        python=platform.python_version(),
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Return the versions of faceport and of those of `PACKAGES` that are installed."""
    found = {"faceport": __version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _system(root: Path) -> str:
    try:
        text = (root / "etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"{platform.system()} {platform.release()}"
    facts = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return facts.get("PRETTY_NAME", platform.system()).strip("\"'")
