"""Downloads that resume, retry and verify; a file gets its final name only when it is complete and verified.

Three maintained libraries do part of the work. requests: connections, certificates, HTTP_PROXY, HTTPS_PROXY and
NO_PROXY, a limit of redirects. urllib3, which requests is built on: detecting a body that ends early, and Retry-After.
filelock: one process at a time. This module adds resuming with Range, and mirrors, because libraries for downloads lack
them: pooch and torch.hub.download_url_to_file restart from the first byte after an interruption, and the latter never
retries. It also counts attempts, since urllib3's Retry does not cover the body.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from urllib.parse import urlsplit

import requests
import urllib3
from filelock import FileLock

from harness.assets.cache import Origin, Part, disk_errors, require_space
from harness.errors import ObtainError
from harness.files import sha256_file

ATTEMPTS = 5
"""Failures in a row without a further byte, after which the next URL is tried."""

BACKOFF = 1.0
"""Seconds before the second attempt; doubled for each further attempt."""

LONGEST_WAIT = 120
"""Upper limit of the seconds in a server's Retry-After."""

TIMEOUT = (15.0, 60.0)
"""Timeouts in seconds: to connect, and between two chunks of a response."""

HEAD_TIMEOUT = (5.0, 10.0)
"""The same for requests of the size alone."""

MAX_REDIRECTS = 10
_CHUNK = 1 << 17

OnBytes = Callable[[int, int | None], object]
"""Called with the downloaded bytes, and the bytes of the whole file if known."""


@dataclass(frozen=True)
class Downloaded:
    """A complete and verified file."""

    path: Path
    url: str | None
    """The URL that it came from; None if it existed already."""
    sha256: str
    size: int
    """Bytes."""


class _TransientError(Exception):
    """An attempt failed; another may succeed."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _PermanentError(Exception):
    """A URL does not provide the file."""


class _GoneError(_PermanentError):
    """A URL has another file or none, so that a part from it cannot be resumed."""


@dataclass(frozen=True)
class _Wanted:
    target: Path
    part: Part
    size: int | None
    sha256: str
    """The known first digits; may be empty."""
    what: str
    progress: OnBytes


def download(
    urls: Sequence[str], target: Path, *, size: int | None, sha256: str | None, what: str, progress: OnBytes
) -> Downloaded:
    """Return a file; downloads it if it does not exist.

    An interrupted download (a lost connection, Ctrl-C) leaves `.<name>.part`, which the next call resumes; it leaves no
    other file. A second process waits without limit, and then uses the first one's file.

    Args:
        urls: The file's addresses, http or https; each is tried when the one before has failed.
        target: The file. An existing file that differs from `size` or `sha256` is replaced.
        size: Expected size in bytes, if known.
        sha256: Expected sha256 in hex, or its first digits, if known.
        what: Name of the file for error messages.
        progress: Called during the download.

    Raises:
        ObtainError: No URL provided the file, or it cannot be written.
    """
    wanted = _Wanted(target, Part(target), size, (sha256 or "").lower(), what, progress)
    with disk_errors(target.parent, size, what):
        if there := _already_there(wanted):
            return there
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.with_name(f".{target.name}.lock")
        with FileLock(lock):
            try:
                return _already_there(wanted) or _from_any(urls, wanted)
            finally:
                # filelock detects that the file it waited for was removed, and locks the new one. Windows cannot remove
                # an open file; there filelock removes it.
                with contextlib.suppress(OSError):
                    lock.unlink()


def remote_sizes(urls: Sequence[str]) -> dict[str, int]:
    """Return the sizes of files in bytes, by URL, as their servers state them; files without stated size are left out.

    A server that does not respond for its first file gets no further requests.
    """
    firsts = {urlsplit(url).netloc: url for url in reversed(urls)}
    with ThreadPoolExecutor(max_workers=8) as pool:
        sizes = dict(zip(firsts.values(), pool.map(_remote_size, firsts.values()), strict=True))
        answering = {host for host, url in firsts.items() if sizes[url] is not None}
        others = [url for url in urls if url not in sizes and urlsplit(url).netloc in answering]
        sizes |= dict(zip(others, pool.map(_remote_size, others), strict=True))
    return {url: size for url, size in sizes.items() if size}


def _remote_size(url: str) -> int | None:
    """Return a file's size in bytes; 0 if the server does not state it, None if the server does not respond."""
    with _session() as session:
        try:
            response = session.head(url, allow_redirects=True, timeout=HEAD_TIMEOUT)
        except requests.RequestException:
            return None
    page = response.headers.get("Content-Type", "").startswith("text/html")  # perhaps a login page
    return (_content_length(response) or 0) if response.ok and not page else 0


def _session() -> requests.Session:
    session = requests.Session()
    session.max_redirects = MAX_REDIRECTS
    # No compression in transfer: size and sha256 are those of the file itself.
    session.headers.update({"User-Agent": "pose-harness", "Accept-Encoding": "identity"})
    return session


def _already_there(wanted: _Wanted) -> Downloaded | None:
    path = wanted.target
    if not path.exists() or wanted.size not in (None, path.stat().st_size):
        return None
    sha256 = sha256_file(path)
    return Downloaded(path, None, sha256, path.stat().st_size) if sha256.startswith(wanted.sha256) else None


def _from_any(urls: Sequence[str], wanted: _Wanted) -> Downloaded:
    reasons = []
    with _session() as session:
        for url in urls:
            try:
                return _from_url(session, url, wanted)
            except _PermanentError as error:
                reasons.append(f"\n    {url}: {error}")
    again = "run again to resume the download, or " if wanted.part.path.exists() else ""
    raise ObtainError(
        f"{wanted.what} cannot be downloaded: {wanted.target.name}{''.join(reasons) or ': no URL is known'}",
        f"{again}download it by hand to {wanted.target}",
    )


def _from_url(session: requests.Session, url: str, wanted: _Wanted) -> Downloaded:
    failures = furthest = 0
    while True:
        try:
            return _attempt(session, url, wanted)
        except _GoneError:
            if wanted.part.origin(url):
                wanted.part.discard()
            raise
        except _TransientError as error:
            held = wanted.part.held(url)
            failures = 1 if held > furthest else failures + 1
            furthest = max(held, furthest)
            if failures == ATTEMPTS:
                raise _PermanentError(f"{error} ({ATTEMPTS} attempts)") from error
            sleep(BACKOFF * 2 ** (failures - 1) if error.wait is None else error.wait)


def _attempt(session: requests.Session, url: str, wanted: _Wanted) -> Downloaded:
    part = wanted.part
    origin, offset = part.origin(url), part.held(url)
    if origin and origin.total == offset and wanted.size in (None, offset):
        # The process was killed between the last byte and the verification.
        return _accept(url, wanted, _hash(part.path).hexdigest(), resumed=True)
    with _get(session, url, origin, offset) as response:
        if response.status_code == requests.codes.ok:
            offset, total, validator = 0, _content_length(response), _validator(response)
            origin = Origin(url=url, validator=validator, total=total) if validator else None
        elif origin and _continues(response, origin, offset):
            total = origin.total
        else:
            part.discard()
            raise _TransientError("its response does not contain the requested remaining bytes")
        _check(response, total, wanted)
        total = wanted.size if total is None else total
        if not offset:
            part.discard()
        with disk_errors(wanted.target.parent, total, wanted.what):
            require_space(wanted.target.parent, (total or 0) - offset, wanted.what)
            sha256 = _write(response, origin, offset, total, wanted)
    return _accept(url, wanted, sha256, resumed=offset > 0)


def _get(session: requests.Session, url: str, origin: Origin | None, offset: int) -> requests.Response:
    """Return a response with a file's bytes: from `offset` on if the file has not changed since, else all."""
    if urlsplit(url).scheme.lower() not in ("http", "https"):
        raise _PermanentError("not an http or https address")
    headers = {"Range": f"bytes={offset}-", "If-Range": origin.validator} if origin and offset else {}
    try:
        response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except requests.TooManyRedirects as error:
        raise _PermanentError(f"it redirects more than {MAX_REDIRECTS} times, perhaps in a loop") from error
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise _PermanentError(f"its certificate is not trusted: {error}") from error
        if "NameResolutionError" in str(error):
            raise _PermanentError("the name of its host cannot be resolved: is this machine online?") from error
        raise _TransientError(f"no response: {error}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _PermanentError(str(error)) from error
    if (status := response.status_code) in (200, 206) or (status == 416 and offset):
        return response
    response.close()
    if status in (408, 429) or status >= 500:
        raise _TransientError(f"{status} {response.reason}", _retry_after(response))
    raise (_GoneError if status in (404, 410) else _PermanentError)(f"{status} {response.reason}")


def _retry_after(response: requests.Response) -> float | None:
    try:
        return urllib3.Retry(retry_after_max=LONGEST_WAIT).parse_retry_after(response.headers["Retry-After"])
    except (KeyError, urllib3.exceptions.InvalidHeader):
        return None


def _content_length(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _validator(response: requests.Response) -> str | None:
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _continues(response: requests.Response, origin: Origin, offset: int) -> bool:
    """Return whether a partial response begins at the end of the part and is of the same file, as If-Range requires."""
    content_range = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    return (
        content_range is not None
        and int(content_range[1]) == offset
        and (origin.total is None or content_range[2] in ("*", str(origin.total)))
        and _validator(response) in (None, origin.validator)
    )


def _check(response: requests.Response, total: int | None, wanted: _Wanted) -> None:
    """Check the headers of a response, before its first byte.

    Raises:
        _PermanentError: It cannot be the file.
    """
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type in ("text/html", "application/xhtml+xml") and wanted.target.suffix.lower() not in (".html", ".htm"):
        raise _PermanentError("its response is a web page, not the file: perhaps a page for login or confirmation")
    if "Content-Encoding" in response.headers and wanted.target.suffix.lower() not in (".gz", ".tgz"):
        raise _PermanentError("its response is compressed, although the request excludes compression")
    if response.url.startswith("http:") and any(step.url.startswith("https:") for step in response.history):
        raise _PermanentError(f"it redirects from https to http: {response.url}")
    if wanted.size is not None and total not in (None, wanted.size):
        raise _GoneError(f"its file has {total:,} bytes instead of {wanted.size:,}")
    if total is None and wanted.size is None and not wanted.sha256 and not response.raw.chunked:
        raise _PermanentError("it does not state the file's length, so an incomplete file could not be detected")


def _write(response: requests.Response, origin: Origin | None, offset: int, total: int | None, wanted: _Wanted) -> str:
    """Write a response to the part; returns the sha256 of the whole part in hex."""
    part, done = wanted.part, offset
    try:
        with part.path.open("ab" if offset else "wb") as file:
            if origin and not offset:
                part.write_origin(origin)
            digest = _hash(part.path)
            for chunk in _body(response):
                done += len(chunk)
                if total is not None and done > total:
                    raise _GoneError(f"it sends more than the {total:,} bytes expected")
                file.write(chunk)
                digest.update(chunk)
                wanted.progress(done, total)
            file.flush()
            os.fsync(file.fileno())
        if total is not None and done < total:
            raise _TransientError(f"the connection was lost after {done:,} of {total:,} bytes")
    except BaseException as error:
        # A part that cannot be resumed, or that fills the disk, is removed.
        if origin is None or isinstance(error, OSError):
            part.discard()
        raise
    return digest.hexdigest()


def _body(response: requests.Response) -> Iterator[bytes]:
    try:
        # read1 returns the received bytes without waiting for a full chunk, which a lost connection would discard.
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            yield chunk
    except urllib3.exceptions.HTTPError as error:
        raise _TransientError(f"the connection was lost: {error}") from error


def _hash(path: Path) -> "hashlib._Hash":
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def _accept(url: str, wanted: _Wanted, sha256: str, *, resumed: bool) -> Downloaded:
    if not sha256.startswith(wanted.sha256):
        wanted.part.discard()
        reason = f"its file has sha256 {sha256[: len(wanted.sha256)]}, but {wanted.sha256} is expected"
        raise _TransientError(reason) if resumed else _PermanentError(reason)
    wanted.part.move(wanted.target)
    return Downloaded(wanted.target, url, sha256, wanted.target.stat().st_size)
