"""Fetching a photo by its URL: within a time, up to a size, whole or not at all."""

from __future__ import annotations

import string
import time
from http.client import HTTPException, HTTPResponse
from typing import cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from pipeline.errors import PhotoError, TooLargeError, TruncatedError

SECONDS = 60.0
"""That a photo may take in all."""

MOST_BYTES = 200_000_000
"""Twice the largest JPEG of the largest phone sensor."""

_SILENT_SECONDS = 15.0
_CHUNK = 2**18
_AGENT = "cropsort"


def fetch(url: str, *, seconds: float = SECONDS, most_bytes: int = MOST_BYTES) -> bytes:
    """The bytes behind a URL.

    Args:
        url: http or https.
        seconds: that it may take in all.
        most_bytes: that it may have.

    Raises:
        TruncatedError: it breaks off before its end.
        TooLargeError: it is larger.
        PhotoError: it cannot be had, for the reason that ``found`` says.
    """
    end = time.monotonic() + seconds
    try:
        request = Request(_quoted(url), headers={"User-Agent": _AGENT})
        with urlopen(request, timeout=min(seconds, _SILENT_SECONDS)) as answer:
            return _read(cast("HTTPResponse", answer), url, end, most_bytes)
    except PhotoError:
        raise
    except HTTPError as error:
        error.close()
        raise PhotoError(f"cannot be fetched (the server says {error.code})", where=url) from error
    except TimeoutError as error:
        raise PhotoError("cannot be fetched (the server does not answer)", where=url) from error
    except (URLError, OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise PhotoError(f"cannot be fetched ({reason or type(error).__name__})", where=url) from error


def _quoted(url: str) -> str:
    """As browsers do with letters and spaces that a web address must not hold; what is quoted already stays."""
    parts = urlsplit(url)
    path, query = (quote(part, safe=string.punctuation) for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _read(answer: HTTPResponse, url: str, end: float, most_bytes: int) -> bytes:
    promised, content = answer.headers.get("Content-Length"), bytearray()
    if promised and promised.isdecimal() and int(promised) > most_bytes:
        raise TooLargeError(f"{int(promised):,} bytes are more than {most_bytes:,}", where=url)
    while chunk := answer.read1(_CHUNK):
        content += chunk
        if len(content) > most_bytes:
            raise TooLargeError(f"more than {most_bytes:,} bytes", where=url)
        if time.monotonic() > end:
            raise PhotoError("cannot be fetched (it takes too long)", where=url)
    if promised and promised.isdecimal() and len(content) < int(promised):
        raise TruncatedError(f"broke off after {len(content):,} of {promised} bytes", where=url)
    return bytes(content)
