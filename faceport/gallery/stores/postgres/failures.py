"""PostgreSQL's errors as ours: what happened, and what to do about it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from faceport.errors import (
    GalleryError,
    GalleryInterruptedError,
    GalleryUnreachableError,
    MissingDependencyError,
)

if TYPE_CHECKING:
    import psycopg

# Of a refused connection libpq gives a text and no code. Left: what it says in English; right: the
# advice. What is in none of them is shown as it is.
_REFUSALS = (
    ("password authentication failed", "check the user's password (PGPASSWORD or ~/.pgpass)"),
    ("no password supplied", "give a password: PGPASSWORD or ~/.pgpass"),
    ("no pg_hba.conf entry", "let this user in from this host in the server's pg_hba.conf"),
    (r'role ".*" does not exist', "create the role, or name another user in the address"),
    (r'database ".*" does not exist', "create it (`createdb`), or name another in the address"),
    ("does not support SSL", "set TLS up on the server, or don't ask for it with sslmode"),
    ("certificate", "check sslrootcert, and that the server's certificate names this host"),
)
_REACH = "check that the server runs and that host and port in the address are right"

_ADVICE = {
    "28": "check user and password",
    "3D000": "create the database, or name another in the address",
    "42501": "use a role that may do this, or let its owner grant it",
    "25006": "this server or role only reads: enroll at the primary, with a role that writes",
    "53100": "make room on the server's disk; what was enrolled before is kept",
    "22P02": "leave halves of surrogate pairs out of metadata",
    "22P05": "leave NUL characters out of metadata",
    "57014": "another writer was busy for too long; raise statement_timeout in the address",
    "55P03": "another writer was busy for too long; try again",
}


def lost(error: BaseException) -> bool:
    """Whether an error means that the connection is gone or the server not ready yet."""
    import psycopg

    if isinstance(error, psycopg.InterfaceError):
        return True
    if not isinstance(error, psycopg.OperationalError):
        return False
    code = error.sqlstate
    # 57P01-03: shut down, crashed, starting up; 08: connection; without a code: libpq's own.
    return code is None or code.startswith("08") or code in ("57P01", "57P02", "57P03")


def refusal(error: BaseException) -> str | None:
    """Say what to do about a connection that waiting does not help; None where it may."""
    text = str(error)
    return next((advice for sign, advice in _REFUSALS if re.search(sign, text)), None)


def import_psycopg() -> None:
    """Look that the extra is there.

    Raises:
        MissingDependencyError: it is not.
    """
    for package in ("psycopg", "psycopg_pool", "pgvector.psycopg"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise MissingDependencyError(package, "postgres") from error


@contextmanager
def translated(location: str, *, begun: bool = False) -> Iterator[None]:
    """Turn psycopg's errors into ours.

    Args:
        location: of the gallery.
        begun: a transaction is under way.

    Raises:
        GalleryUnreachableError: the server is not there or lets us not in.
        GalleryInterruptedError: it was lost in the transaction.
        GalleryError: it refused.
    """
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        if begun and lost(error):
            raise interrupted(location) from error
        raise failure(location, error) from error
    except UnicodeEncodeError as error:
        raise GalleryError(
            f"gallery {location}: a text is no Unicode",
            received=ascii(error.object)[:80],
            fix="rename the file: its name is in another encoding than UTF-8",
        ) from error


def interrupted(location: str) -> GalleryInterruptedError:
    """Say that the server was lost in a transaction."""
    return GalleryInterruptedError(
        f"gallery {location}: the server was lost in a transaction",
        fix="nothing was written; try again",
    )


def failure(location: str, error: psycopg.Error) -> GalleryError:
    """Say what an error of the server means."""
    text = " ".join(str(error).split())
    if lost(error):
        advice = refusal(error) or _REACH
        return GalleryUnreachableError(f"gallery {location}: {text}", fix=advice)
    code = error.sqlstate or ""
    fix = _ADVICE.get(code) or _ADVICE.get(code[:2]) or "what was enrolled before is kept"
    return GalleryError(f"gallery {location}: {text}", fix=fix)
