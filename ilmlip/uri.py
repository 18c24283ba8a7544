"""Addresses with a secret in them: the secret stays in memory, everything else gets the rest.

A tracking URI may hold a password (`postgresql://me:secret@host/db`) or a token. What a spec, a file,
a report or a message shows is the URI without it; whoever connects asks `whole` for the full one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

HARMLESS = frozenset(
    {
        "application_name", "cache", "charset", "check_same_thread", "connect_timeout", "driver",
        "host", "immutable", "keepalives", "mode", "nolock", "port", "sslcert", "sslkey", "sslmode",
        "sslrootcert", "target_session_attrs", "timeout", "uri", "user", "vfs",
    }
)  # fmt: skip
"""Parameters of a URI that hold no secret; others may, and are left out."""
SHORTEST = 3
"""Characters of a secret that is looked for in texts."""
HIDDEN = "***"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^\s'\"<>`]+")
_known: dict[str, str] = {}
"""Full URIs by what is shown of them, as long as this process lives."""


def shown(uri: str) -> str:
    """A URI without password and token: what may be written anywhere.

    The user's name of a database stays, since it is part of who is asked; that of a web address may
    be a token and goes.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark:
        return uri
    if not rest.startswith("/") and "@" in rest:
        user, _, rest = rest.rpartition("@")  # a password may hold an @ as well
        user = user.partition(":")[0]
        if user and not scheme.startswith("http") and not set(user) & set("/?#@"):
            rest = f"{user}@{rest}"
    rest, _, query = rest.partition("#")[0].partition("?")
    kept = [part for part in query.split("&") if part.partition("=")[0].lower() in HARMLESS]
    return f"{scheme}://{rest}" + (f"?{'&'.join(kept)}" if kept else "")


def remember(uri: str) -> str:
    """Keep the full URI in memory; returns what is shown of it."""
    short = shown(uri)
    if short != uri:
        _known[short] = uri
    return short


def remembered(uri: str) -> str:
    """The full URI of one that is shown, or the same if nothing else is known."""
    return _known.get(uri, uri)


def secrets(uri: str) -> set[str]:
    """The parts of a full URI that are secret, as they are written and decoded."""
    short = shown(uri)
    if short == uri:
        return set()
    _, _, rest = uri.partition("://")
    found = {uri}
    if not rest.startswith("/") and "@" in rest:
        user, _, password = rest.rpartition("@")[0].partition(":")
        found |= {password} if password else {user}
    query = rest.partition("?")[2]
    found |= {
        part.partition("=")[2]
        for part in query.split("&")
        if part.partition("=")[0].lower() not in HARMLESS
    }
    found |= {unquote(part) for part in found}
    return {part for part in found if len(part) >= SHORTEST}


def hidden(text: str, uris: Iterable[str] = ()) -> str:
    """A text without the secrets of these URIs and of all that this process knows."""
    parts = {part for uri in (*uris, *_known.values()) for part in secrets(uri)}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, HIDDEN)
    return _URI.sub(lambda match: shown(match[0]), text)
