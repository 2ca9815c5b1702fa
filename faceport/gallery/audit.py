"""The audit log: what was done to a gallery and who was found in it, in a chain of hashes.

An entry's hash covers the one before it, and the gallery keeps the number of entries beside the
log: an entry that was changed, cut out or cut off breaks the chain. Whoever can write the file can
also make a new chain, unless the gallery has a key: its store encrypts the entries then. Anybody
can keep the last hash elsewhere (`faceport gallery audit` prints it).

No entry holds a vector.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal, get_args

from faceport.errors import GalleryError
from faceport.gallery.settings import read_settings
from faceport.gallery.stores.base import AuditRow, Reader, Store, Writer
from faceport.gallery.types import Answer, Json

Action = Literal[
    "enroll",
    "delete",
    "rename",
    "merge",
    "remove-sample",
    "set-metadata",
    "identify",
    "export",
    "import",
    "migrate",
    "settings",
]
ACTIONS: tuple[str, ...] = get_args(Action)

START = "0" * 64
"""The hash before the first entry."""

COUNT_KEY = "audit_count"
"""Where a gallery keeps how many entries its log has."""


@dataclass(frozen=True)
class AuditEntry:
    """One line of the log.

    Attributes:
        number: 1, 2, 3, … without a gap.
        at: ISO 8601, UTC.
        action: one of ACTIONS.
        details: JSON values: names, counts, scores, thresholds. Never a vector.
        chain: hexadecimal SHA-256 over the entry before and this one.
    """

    number: int
    at: str
    action: str
    details: Mapping[str, Any]
    chain: str


def append(writer: Writer, action: Action, details: Mapping[str, Any]) -> AuditEntry:
    """Add an entry to a store's log, within the transaction of what it tells of.

    Raises:
        GalleryError: the log's end is damaged, or cut off: nothing is built on that.
    """
    last = read_log(writer, 1)
    if (last[0].number if last else 0) != _count(writer):
        raise _damaged("the end of the audit log", "entries cut off")
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    entry = next_entry(last[0] if last else None, now, action, details)
    text = _json(entry.details)
    writer.append_audit(AuditRow(entry.number, entry.at, entry.action, text, entry.chain))
    writer.set_meta(COUNT_KEY, str(entry.number))
    return entry


def write_down(store: Store, action: Action, details: Mapping[str, Any]) -> None:
    """Add an entry about something that changed no row, where the gallery keeps a log.

    A store that can't be written keeps none: who may read the file can copy it, too.

    Raises:
        GalleryError: the log can't be written.
    """
    with store.snapshot() as reader:
        if store.read_only or not read_settings(reader, store.location).audit:
            return
    with store.transaction() as writer:
        append(writer, action, details)


def faces_found(answers: Sequence[Answer]) -> list[Json]:
    """Return what the log keeps of a search: who was nearest to each face, and no vector."""
    return [
        {
            "name": answer.name,
            "nearest": answer.matches[0].name if answer.matches else None,
            "score": round(answer.matches[0].score, 6) if answer.matches else None,
            "threshold": answer.threshold,
        }
        for answer in answers
    ]


def read_log(reader: Reader, limit: int | None = None) -> list[AuditEntry]:
    """Read a store's log, oldest first; the newest `limit` entries where that is given.

    Raises:
        GalleryError: an entry is damaged.
    """
    return [
        AuditEntry(row.number, row.at, row.action, _details(row), row.chain)
        for row in reader.audit(limit)
    ]


def log_problems(reader: Reader) -> list[str]:
    """Say where a store's log is not what was written; empty for a whole log."""
    try:
        return broken_links(read_log(reader), _count(reader))
    except GalleryError as error:
        return [str(error)]


def next_entry(
    last: AuditEntry | None, at: str, action: Action, details: Mapping[str, Any]
) -> AuditEntry:
    """Make the entry that follows `last` (None: the first)."""
    before, number = (START, 1) if last is None else (last.chain, last.number + 1)
    return AuditEntry(number, at, action, details, _chained(before, number, at, action, details))


def broken_links(entries: Iterable[AuditEntry], count: int) -> list[str]:
    """Say where a log is not what was written: gaps, changed entries, entries cut off.

    Args:
        entries: all of the log, in its order.
        count: how many entries it should have.

    Returns:
        A sentence for each break; none for a whole log.
    """
    problems, number, chain = [], 0, START
    for entry in entries:
        expected = _chained(chain, entry.number, entry.at, entry.action, entry.details)
        if entry.number != number + 1:
            problems.append(f"audit entry {entry.number} follows {number}")
        elif entry.chain != expected:
            problems.append(f"audit entry {entry.number} was changed, or the one before it")
        number, chain = entry.number, entry.chain
    if number != count:
        problems.append(f"the audit log ends at entry {number}, not at {count}")
    return problems


def _count(reader: Reader) -> int:
    text = reader.meta(COUNT_KEY) or "0"
    if not (text.isascii() and text.isdigit()):
        raise _damaged("the number of audit entries", repr(text[:20]))
    return int(text)


def _chained(before: str, number: int, at: str, action: str, details: Mapping[str, Any]) -> str:
    text = _json([before, number, at, action, details])
    return hashlib.sha256(text.encode()).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def _details(row: AuditRow) -> Mapping[str, Any]:
    try:
        details = json.loads(row.details)
    except ValueError as error:
        raise _damaged(f"audit entry {row.number}", "no JSON") from error
    if not isinstance(details, dict):
        raise _damaged(f"audit entry {row.number}", "no JSON object")
    return details


def _damaged(what: str, received: str) -> GalleryError:
    return GalleryError(
        f"{what} is damaged",
        received=received,
        fix="restore the gallery from a copy; something else changed it",
    )
