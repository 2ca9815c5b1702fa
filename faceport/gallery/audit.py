"""The audit log: what was done to a gallery and who was found in it, in a chain of hashes.

An entry's hash covers the one before it, and the gallery keeps the last entry's number and hash
beside the log: an entry that was changed, cut out or cut off breaks the chain. Whoever can write
the file can also make a new chain, unless the gallery has a key: its store encrypts the entries
then. Anybody can keep the last hash elsewhere (`faceport gallery audit` prints it).

No entry holds a vector.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal, get_args

from faceport.errors import GalleryError
from faceport.gallery.stores.base import AuditRow, Reader, Writer

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

HEAD_KEY = "audit_head"
"""Where a gallery keeps the end of its log: `number:hash`."""


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


@dataclass(frozen=True)
class Head:
    """Where the log ends: the last entry's number (0: empty) and hash."""

    number: int = 0
    chain: str = START


def append(writer: Writer, action: Action, details: Mapping[str, Any]) -> AuditEntry:
    """Add an entry to a store's log, within the transaction of what it tells of.

    Raises:
        GalleryError: what is kept of the log's end is damaged.
    """
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    entry = next_entry(read_head(writer), now, action, details)
    text = _json(entry.details)
    writer.append_audit(AuditRow(entry.number, entry.at, entry.action, text, entry.chain))
    writer.set_meta(HEAD_KEY, f"{entry.number}:{entry.chain}")
    return entry


def read_log(reader: Reader, limit: int | None = None) -> list[AuditEntry]:
    """Read a store's log, oldest first; the newest `limit` entries where that is given.

    Raises:
        GalleryError: an entry is damaged.
    """
    return [
        AuditEntry(row.number, row.at, row.action, _details(row), row.chain)
        for row in reader.audit(limit)
    ]


def read_head(reader: Reader) -> Head:
    """Read what a store keeps of its log's end.

    Raises:
        GalleryError: it is damaged.
    """
    text = reader.meta(HEAD_KEY)
    if text is None:
        return Head()
    number, _, chain = text.partition(":")
    if not number.isdigit() or len(chain) != len(START):
        raise _damaged("the end of the audit log", text[:80])
    return Head(int(number), chain)


def log_problems(reader: Reader) -> list[str]:
    """Say where a store's log is not what was written; empty for a whole log."""
    try:
        return broken_links(read_log(reader), read_head(reader))
    except GalleryError as error:
        return [str(error)]


def next_entry(head: Head, at: str, action: Action, details: Mapping[str, Any]) -> AuditEntry:
    """Make the entry that follows `head`."""
    number = head.number + 1
    return AuditEntry(
        number, at, action, details, _chained(head.chain, number, at, action, details)
    )


def broken_links(entries: Iterable[AuditEntry], head: Head) -> list[str]:
    """Say where a log is not what was written: gaps, changed entries, entries cut off.

    Args:
        entries: all of the log, in its order.
        head: what the gallery keeps of its end.

    Returns:
        A sentence for each break; none for a whole log.
    """
    problems, last = [], Head()
    for entry in entries:
        expected = _chained(last.chain, entry.number, entry.at, entry.action, entry.details)
        if entry.number != last.number + 1:
            problems.append(f"audit entry {entry.number} follows {last.number}")
        elif entry.chain != expected:
            problems.append(f"audit entry {entry.number} was changed, or the one before it")
        last = Head(entry.number, entry.chain)
    if last != head:
        problems.append(f"the audit log ends at entry {last.number}, not at {head.number} as kept")
    return problems


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
