"""The figures of one size as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

HEAD = """
### {rows:,} × {dim} float32: {megabytes:,.0f} MB

Measured limits: {bandwidth:.1f} GB/s read, {rate:.0f} GFLOP/s in float32; shares of them are of the
best call.

| | build s | MB | p50 ms | p99 ms | of bandwidth | 64 at once ms | of rate | recall@1 | strangers |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
"""


def table(
    rows: int, dim: int, limits: Mapping[str, float], contestants: Sequence[Mapping[str, Any]]
) -> str:
    """Write a table, and how ours compare with the best of the others."""
    size = 4 * rows * dim
    text = HEAD.format(
        rows=rows,
        dim=dim,
        megabytes=size / 1e6,
        bandwidth=limits["bytes_per_second"] / 1e9,
        rate=limits["flops"] / 1e9,
    )
    for one in contestants:
        exact = one["group"] == "fp32"
        bandwidth = size / limits["bytes_per_second"] / (one["best_ms"] / 1e3)
        rate = 2 * 64 * rows * dim / limits["flops"] / (one["batch_best_ms"] / 1e3)
        shares = (f"{bandwidth:.2f}", f"{rate:.2f}") if exact else ("", "")
        text += (
            f"| {one['name']} | {one['build_s']:.2f} | {one['memory_bytes'] / 1e6:,.0f} "
            f"{one['matrix']} | {one['p50_ms']:.2f} | {one['p99_ms']:.2f} | {shares[0]} "
            f"| {one['batch_ms']:.1f} | {shares[1]} | {one['recall']:.4f} "
            f"| {one['recall_strangers']:.4f} |\n"
        )
    return text + "\n" + "".join(_against(contestants)) + "\n"


def _against(contestants: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for group in ("fp32", "small", "graph"):
        ours = [c for c in contestants if c["group"] == group and c["name"].startswith("faceport")]
        # Faster and often wrong is no better: within half a percent of our recall.
        theirs = [
            one
            for one in contestants
            if ours
            and one["group"] == group
            and one not in ours
            and one["recall"] >= ours[0]["recall"] - 0.005
        ]
        if not ours or not theirs:
            continue
        ratios = []
        for key, what in (("p50_ms", "one query"), ("batch_ms", "64 queries")):
            best = min(theirs, key=lambda one: one[key])
            ratios.append(f"{what} {ours[0][key] / best[key]:.2f} × {best['name']}")
        lines.append(
            f"{ours[0]['name']}'s time against the best of the others: {', '.join(ratios)}. "
        )
    by_name = {one["name"]: one for one in contestants}
    if {"faceport exact", "faceport int8"} <= by_name.keys():
        gain = by_name["faceport exact"]["p50_ms"] / by_name["faceport int8"]["p50_ms"]
        lines.append(f"int8 is {gain:.1f} × faster than our fp32.")
    return lines
