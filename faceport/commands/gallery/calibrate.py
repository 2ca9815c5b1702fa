"""`faceport gallery calibrate`: from which cosine is a face known?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceport.commands.gallery.options import (
    against_option,
    gallery_argument,
    open_gallery,
)
from faceport.commands.options import json_option
from faceport.commands.output import print_json, print_table, warn

if TYPE_CHECKING:
    from faceport.gallery import Gallery
    from faceport.gallery.calibration import Calibration
    from faceport.gallery.types import Against

SUSPICIOUS = 0.2
"""An impostor pair so far above the threshold is more likely one person under two names."""


@click.command("calibrate")
@gallery_argument
@click.option(
    "--far",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the pairs of two different people that may be taken for one, e.g. 1e-3.",
)
@click.option("--threshold", type=click.FloatRange(-1, 1), help="Set the threshold by hand.")
@against_option
@click.option(
    "--max-pairs",
    type=click.IntRange(1),
    default=20_000_000,
    show_default=True,
    help="Draw about so many pairs where the gallery has more.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the drawing.")
@click.option("--dry-run", is_flag=True, help="Print the threshold, but leave the gallery's.")
@json_option
def command(
    *,
    gallery: str,
    key_file: Path | None,
    far: float | None,
    threshold: float | None,
    against: Against,
    max_pairs: int,
    seed: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Set the threshold of a gallery, from its own pairs of different people or by hand.

    The rate is of single comparisons: a search among N identities makes N of them. A rate that
    the pairs can't support (fewer than 30 false accepts) is refused.

    \b
    Examples:
      faceport gallery calibrate g.db --far 1e-3
      faceport gallery calibrate g.db --threshold 0.4
    """
    if (far is None) == (threshold is None):
        raise click.UsageError("give either --far or --threshold")
    with open_gallery(gallery, key_file) as people:
        before = people.settings.threshold
        if far is None:
            found, value = None, threshold
        else:
            found = _calibrated(people, far, against, max_pairs, seed)
            value = found.threshold
        if not dry_run:
            _store(people, value, found)
        location = people.location
    if as_json:
        print_json(_json(location, before, value, found, stored=not dry_run))
    else:
        _print(location, before, value, found, stored=not dry_run)
    if found is not None and found.highest > found.threshold + SUSPICIOUS:
        warn(
            f"two identities have a cosine of {found.highest:.3f}: if they are one person, merge "
            f"them and calibrate again (faceport gallery duplicates {gallery})"
        )


def _calibrated(
    people: Gallery, far: float, against: Against, max_pairs: int, seed: int
) -> Calibration:
    import numpy as np

    from faceport.gallery.calibration import Faces, calibrate

    samples = people.vectors("samples")
    templates = None
    if against == "templates":
        fused = people.vectors("templates")
        # Numbered by name: the two sets are two snapshots.
        place = {name: i for i, name in enumerate(samples.names)}
        kept = [row for row, i in enumerate(fused.owner.tolist()) if fused.names[i] in place]
        owner = [place[fused.names[fused.owner[row]]] for row in kept]
        templates = Faces(fused.matrix[kept], np.array(owner, np.intp))
    return calibrate(
        far, Faces(samples.matrix, samples.owner), templates, max_pairs=max_pairs, seed=seed
    )


def _store(people: Gallery, threshold: float | None, found: Calibration | None) -> None:
    from faceport.gallery.types import ThresholdOrigin

    origin = None if found is None else ThresholdOrigin(found.target_far, found.impostor_pairs)
    people.change_settings(threshold=threshold, threshold_origin=origin)


def _json(
    location: str,
    before: float | None,
    value: float | None,
    found: Calibration | None,
    *,
    stored: bool,
) -> dict[str, object]:
    from faceport.codec import encode

    head = {"gallery": location, "threshold": value, "before": before, "stored": stored}
    return {**head, "calibration": None if found is None else encode(found)}


def _print(
    location: str,
    before: float | None,
    value: float | None,
    found: Calibration | None,
    *,
    stored: bool,
) -> None:
    rows: list[tuple[str, object]] = [
        ("threshold" if stored else "threshold (not stored)", f"{value:.4f}"),
        ("before", "0.35, the default" if before is None else f"{before:.4f}"),
    ]
    if found is None:
        rows.append(("origin", "set by hand"))
    else:
        rows += [
            ("false accept rate", f"{found.far:.3g} (asked for: {found.target_far:g})"),
            ("false accepts", found.false_accepts),
            ("impostor pairs", f"{found.impostor_pairs:,} of {found.all_pairs:,}"),
            ("identities", found.identities),
            ("highest impostor score", f"{found.highest:.4f}"),
        ]
    print_table(location, ("", ""), rows)
