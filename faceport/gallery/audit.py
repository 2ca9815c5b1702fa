"""The audit log: what was done to a gallery and who was found in it, in a chain of hashes.

An entry's hash covers the one before it, and the gallery keeps the last entry's number and hash
beside the log: an entry that was changed, cut out or cut off breaks the chain. Who can write
the file can also make a new chain; a gallery with a key has a keyed one (HMAC) that needs
the key, and anybody can keep the last hash elsewhere (`faceport gallery audit` prints it).

No entry holds a vector.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

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


@dataclass(frozen=True)
class AuditEntry:
    """One line of the log.

    Attributes:
        number: 1, 2, 3, … without a gap.
        at: ISO 8601, UTC.
        action: one of ACTIONS.
        details: JSON values: names, counts, scores, thresholds. Never a vector.
        chain: hexadecimal SHA-256 (or HMAC of it) over the entry before and this one.
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


def next_entry(
    head: Head, at: str, action: Action, details: Mapping[str, Any], key: bytes | None = None
) -> AuditEntry:
    """Make the entry that follows `head`; `key` is the gallery's chain key, where it has one."""
    number = head.number + 1
    chain = _chained(head.chain, number, at, action, details, key)
    return AuditEntry(number, at, action, details, chain)


def head_after(entry: AuditEntry) -> Head:
    """Return where the log ends after an entry."""
    return Head(entry.number, entry.chain)


def broken_links(entries: Iterable[AuditEntry], head: Head, key: bytes | None = None) -> list[str]:
    """Say where a log is not what was written: gaps, changed entries, entries cut off.

    Args:
        entries: all of the log, in its order.
        head: what the gallery keeps of its end.
        key: the gallery's chain key, where it has one.

    Returns:
        A sentence for each break; none of a whole log.
    """
    problems, last = [], Head()
    for entry in entries:
        if entry.number != last.number + 1:
            problems.append(f"audit entry {entry.number} follows {last.number}")
        elif not _fits(last, entry, key):
            problems.append(f"audit entry {entry.number} was changed, or the one before it")
        last = head_after(entry)
    if last != head:
        problems.append(f"the audit log ends at entry {last.number}, not at {head.number}")
    return problems


def _fits(last: Head, entry: AuditEntry, key: bytes | None) -> bool:
    expected = _chained(last.chain, entry.number, entry.at, entry.action, entry.details, key)
    return hmac.compare_digest(expected, entry.chain)


def _chained(
    before: str, number: int, at: str, action: str, details: Mapping[str, Any], key: bytes | None
) -> str:
    record = [before, number, at, action, details]
    text = json.dumps(record, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    if key is None:
        return hashlib.sha256(text.encode()).hexdigest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
