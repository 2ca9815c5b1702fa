"""`faceport gallery duplicates`: is somebody enrolled under two names?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.commands.gallery.options import (
    against_option,
    gallery_argument,
    open_gallery,
)
from faceport.commands.options import json_option
from faceport.commands.output import note, print_json, print_table

if TYPE_CHECKING:
    from faceport.gallery import Gallery
    from faceport.gallery.duplicates import Duplicates, Pair
    from faceport.gallery.types import Against


@click.command("duplicates")
@gallery_argument
@click.option(
    "--threshold",
    type=click.FloatRange(-1, 1),
    help="Cosine from which two identities may be one person  [default: the gallery's].",
)
@against_option
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="Most pairs to list."
)
@json_option
def command(
    *,
    gallery: str,
    key_file: Path | None,
    threshold: float | None,
    against: Against,
    limit: int,
    as_json: bool,
) -> None:
    """List pairs of identities that may be one person, nearest first, with their best pictures.

    \b
    Examples:
      faceport gallery duplicates g.db
      faceport gallery duplicates g.db --against samples --threshold 0.5 --json
    """
    from faceport.gallery.duplicates import near_identities

    with open_gallery(gallery, key_file) as people:
        least = people.threshold(threshold)
        vectors = people.vectors(against)
        found = near_identities(vectors.matrix, vectors.owner, least, limit=limit)
        listed = [_pair(people, vectors.names, pair) for pair in found.pairs]
        location = people.location
    if as_json:
        head = {"gallery": location, "threshold": least, "against": against}
        print_json({**head, "pairs": listed, "more": found.more})
    else:
        _print(location, least, found, listed)


def _pair(people: Gallery, names: tuple[str, ...], pair: Pair) -> dict[str, Any]:
    """Return two identities with their nearest pair of samples."""
    import numpy as np

    first, second = names[pair.first], names[pair.second]
    own, others = people.samples(first), people.samples(second)
    scores = np.stack([s.vector for s in own]) @ np.stack([s.vector for s in others]).T
    i, j = np.unravel_index(int(scores.argmax()), scores.shape)
    return {
        "first": first,
        "second": second,
        "score": round(pair.score, 6),
        "nearest_samples": round(float(scores.max()), 6),
        "first_source": own[i].source,
        "second_source": others[j].source,
    }


def _print(location: str, least: float, found: Duplicates, listed: list[dict[str, Any]]) -> None:
    rows = [
        (
            f"{one['score']:.3f}",
            one["first"],
            one["second"],
            f"{one['nearest_samples']:.3f}",
            one["first_source"],
            one["second_source"],
        )
        for one in listed
    ]
    title = f"{len(rows)} pairs of identities from cosine {least:g} on in {location}"
    columns = ("score", "identity", "and", "best pictures", "of the first", "of the second")
    print_table(title, columns, rows)
    if found.more:
        note("there are more; raise --limit or --threshold")
