"""The result as Markdown."""

from __future__ import annotations

from typing import Any

COLUMNS = {
    "whole_ms": "pipeline ms",
    "detector_ms": "bare detector ms",
    "embedder_ms": "bare embedder ms",
    "cold_ms": "cold start ms",
    "process_ms": "whole process ms",
    "peak_mb": "peak MB",
    "cold_peak_mb": "peak MB, cold",
}
AGREED = {
    "faces": "faces",
    "matched": "found by both",
    "cosine": "least cosine, own landmarks",
    "cosine_same_landmarks": "least cosine, the peer's landmarks for both",
}


def tables(result: dict[str, Any]) -> str:
    """Return all tables as Markdown."""
    rows = {row["name"]: row for row in result["rows"]}
    lines = [_line(["", *COLUMNS.values()]), _line(["---"] * (1 + len(COLUMNS)))]
    for name, row in rows.items():
        cells = [row["figures"].get(key) for key in COLUMNS]
        lines.append(_line([name, *("" if cell is None else f"{cell:.1f}" for cell in cells)]))
    lines += ["", "faceport's figure : the peer's, below 1 is better for faceport", ""]
    lines += [_line(["", *COLUMNS.values()]), _line(["---"] * (1 + len(COLUMNS)))]
    for name, row in rows.items():
        ours = rows[row["against"]]["figures"]
        if not name.startswith("faceport"):
            lines.append(_line([name, *(_ratio(ours, row["figures"], key) for key in COLUMNS)]))
    lines += ["", _line(["overhead", "pipeline : bare runs"]), _line(["---", "---"])]
    for name, row in rows.items():
        if "whole_ms" in (of := row["figures"]):
            share = of["whole_ms"] / (of["detector_ms"] + of["embedder_ms"])
            lines.append(_line([name, f"{share:.2f}"]))
    lines += ["", _line(["agreement with faceport", *AGREED.values()])]
    lines += [_line(["---"] * (1 + len(AGREED)))]
    for name, of in result["agreement"].items():
        lines.append(_line([name, *(_agreed(of[key]) for key in AGREED)]))
    return "\n".join(lines) + "\n"


def _ratio(ours: dict[str, float], theirs: dict[str, float], key: str) -> str:
    return f"{ours[key] / theirs[key]:.2f}" if key in ours and key in theirs else ""


def _agreed(value: int | float | None) -> str:
    return f"{value:.6f}" if isinstance(value, float) else "" if value is None else str(value)


def _line(cells: list[Any]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
