"""Where a PostgreSQL gallery is: our parameters taken out of the URI, the rest left to libpq.

    postgresql://USER@HOST/DATABASE?gallery=NAME&sslmode=verify-full&sslrootcert=ca.pem

Several galleries share a database, each in a schema of its own: `faceport`, or `faceport_NAME`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Literal
from urllib.parse import unquote

from faceport.errors import InputError

SCHEMES = ("postgresql://", "postgres://")
Method = Literal["hnsw", "none"]
"""How the server finds the nearest vectors."""

SHOWN = ("gallery", "host", "port", "user", "dbname")
_GALLERY_NAME = re.compile(r"[a-z0-9_]{1,40}")


@dataclass(frozen=True)
class Options:
    """What a URI may say besides libpq's own parameters.

    Attributes:
        gallery: lower-case letters, digits and `_`; one database holds any number.
        index: `hnsw` is approximate search by pgvector's graph, `none` is exact. Where a gallery
            has the other, its graph is made or removed at opening; None leaves what it has, and
            is `hnsw` in a new one. A graph is made faster of all vectors than with each of them.
        m: edges of a node in the graph, 2 to 100.
        ef_construction: candidates looked at for each new node, at least 2 `m`.
        ef_search: candidates looked at in a search, 1 to 1000: more find more and take longer.
        exact: 1 leaves the graph aside in searches.
        pool_size: connections at most.
        statement_timeout: seconds that one statement may take, waiting for locks included.
        reconnect: seconds for which a lost server is waited for.
    """

    gallery: str = ""
    index: Method | None = None
    m: int = 16
    ef_construction: int = 64
    ef_search: int = 100
    exact: int = 0
    pool_size: int = 4
    statement_timeout: int = 60
    reconnect: int = 30


LIMITS = {
    "m": (2, 100),
    "ef_construction": (4, 1000),
    "ef_search": (1, 1000),
    "exact": (0, 1),
    "pool_size": (1, 1000),
    "statement_timeout": (1, 86_400),
    "reconnect": (0, 86_400),
}


@dataclass(frozen=True)
class Address:
    """A parsed URI.

    Attributes:
        conninfo: for libpq; may hold a password, so it is in no `repr` and no message.
        location: the same for the user's eyes, without a password.
        options: ours.
    """

    conninfo: str = field(repr=False)
    location: str
    options: Options

    @property
    def schema(self) -> str:
        """Schema of the gallery's tables."""
        name = self.options.gallery
        return f"faceport_{name}" if name else "faceport"


def is_postgres(location: object) -> bool:
    """Tell a PostgreSQL URI from a path."""
    return isinstance(location, str) and location.startswith(SCHEMES)


def parse_address(uri: str) -> Address:
    """Take our parameters out of a URI.

    Raises:
        InputError: it is no PostgreSQL URI, or a parameter of ours is out of range.
    """
    if not is_postgres(uri):
        raise InputError(
            "this is no address of a PostgreSQL gallery",
            received=redacted(uri),
            expected="postgresql://USER@HOST/DATABASE?gallery=NAME",
        )
    # Behind the last @, so that a ? in a password, which should be %3F, is not taken for ours.
    start = uri.rfind("@") + 1
    base, _, query = uri[start:].partition("?")
    own: dict[str, str] = {}
    rest: list[str] = []
    names = {option.name for option in fields(Options)}
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        if key in names:
            own[key] = unquote(value)
        else:
            rest.append(part)
    conninfo = uri[:start] + base + ("?" + "&".join(rest) if rest else "")
    return Address(conninfo, redacted(uri), _options(own))


def redacted(uri: str) -> str:
    """Return a URI with nothing that may be secret: place, user and gallery stay."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return "***" if "@" in uri or "password" in uri else uri
    # A password that was not percent-encoded may hold anything, so what is before the last @ is
    # shown up to the first odd character, and nothing where the @ may be one in a parameter.
    credentials, at, place = rest.rpartition("@")
    if "?" in credentials:
        return f"{scheme}://***"
    user = re.split(r"[:/&]", credentials)[0]
    place, _, query = place.partition("?")
    shown = "&".join(part for part in query.split("&") if part.partition("=")[0] in SHOWN)
    return f"{scheme}://{user}{at}{place}{'?' if shown else ''}{shown}"


def _options(own: dict[str, str]) -> Options:
    values: dict[str, object] = dict(own)
    for key, (low, high) in LIMITS.items():
        if key in own:
            text = own[key]
            if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
                raise _refused(key, text, f"a whole number from {low} to {high}")
            values[key] = int(text)
    if own.get("index", "hnsw") not in ("hnsw", "none"):
        raise _refused("index", own["index"], "hnsw or none")
    if "gallery" in own and not _GALLERY_NAME.fullmatch(own["gallery"]):
        raise _refused("gallery", own["gallery"], "1 to 40 of a-z, 0-9 and _")
    options = Options(**values)  # type: ignore[arg-type]
    if options.ef_construction < 2 * options.m:
        raise _refused("ef_construction", str(options.ef_construction), f"at least {2 * options.m}")
    return options


def _refused(key: str, received: str, expected: str) -> InputError:
    return InputError(
        f"parameter {key} of the gallery's address is not usable",
        received=repr(received[:40]),
        expected=expected,
    )
