"""What NVIDIA's own programs tell: GPUs (`nvidia-smi`), and a Jetson's power mode (`nvpmodel`)."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

QUERY = "name,driver_version,compute_cap,memory.total,power.limit"
PATIENCE = 20
"""Seconds after which a program that does not answer counts as absent."""


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        name: as the driver tells it.
        driver: version of the kernel's driver.
        compute_capability: `8.7`; None where the driver is too old to tell.
        memory_mib: its own memory, None where it shares the machine's.
        power_limit_w: watts, None where it has none.
    """

    name: str
    driver: str
    compute_capability: str | None
    memory_mib: int | None
    power_limit_w: float | None

    @property
    def text(self) -> str:
        """Return it in one line."""
        parts = [self.name, f"driver {self.driver}"]
        if self.compute_capability:
            parts.append(f"compute capability {self.compute_capability}")
        if self.memory_mib:
            parts.append(f"{self.memory_mib} MiB")
        if self.power_limit_w:
            parts.append(f"limit {self.power_limit_w:g} W")
        return ", ".join(parts)


def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that `nvidia-smi` lists; none where it is missing or fails."""
    output = _output("nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits")
    rows = [[cell.strip() for cell in line.split(",")] for line in output.splitlines()]
    return tuple(_gpu(row) for row in rows if len(row) == QUERY.count(",") + 1)


def power_mode() -> str | None:
    """Return a Jetson's power mode (`MAXN`, `15W`); None elsewhere."""
    for line in _output("nvpmodel", "-q").splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() == "nv power mode":
            return value.strip() or None
    return None


def _gpu(row: list[str]) -> Gpu:
    name, driver, capability, memory, power = row
    return Gpu(
        name,
        driver,
        capability if _number(capability) else None,
        int(megabytes) if (megabytes := _number(memory)) else None,
        _number(power),
    )


def _number(text: str) -> float | None:
    """Return a number, None for `[N/A]`, `[Not Supported]` and the like."""
    try:
        return float(text)
    except ValueError:
        return None


def _output(program: str, *arguments: str) -> str:
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""
