"""Downloads that resume, retry and verify; a file has its final name only when it is whole and right.

Three maintained libraries do what they do well. requests: connections, certificates, HTTP_PROXY, HTTPS_PROXY and
NO_PROXY, bounded redirects. urllib3, on which it stands: noticing a body that ends early, and Retry-After. filelock:
one process at a time. Resuming with Range, and mirrors, are written here because libraries for whole downloads lack
them: pooch and torch.hub.download_url_to_file begin at the first byte again after a cut, and the latter never retries.
Attempts are counted here as well, since urllib3's Retry ends where the body begins.
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
"""Failures in a row, none of them a byte further than the one before, after which a URL is given up."""

BACKOFF = 1.0
"""Seconds before the second attempt; doubled for each further one."""

LONGEST_WAIT = 120
"""Seconds that a server can ask us to wait with Retry-After."""

TIMEOUT = (15.0, 60.0)
"""Seconds to connect, and between two pieces of an answer."""

HEAD_TIMEOUT = (5.0, 10.0)
"""The same where only the size is asked for."""

MAX_REDIRECTS = 10
_CHUNK = 1 << 17

OnBytes = Callable[[int, int | None], object]
"""Called with the bytes that are there, and all bytes if their number is known."""


@dataclass(frozen=True)
class Downloaded:
    """A file that is whole and verified."""

    path: Path
    url: str | None
    """Where it came from; None if it was there already."""
    sha256: str
    size: int
    """Bytes."""


class _TransientError(Exception):
    """An attempt failed; another one may not."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _PermanentError(Exception):
    """A URL does not give the file."""


class _GoneError(_PermanentError):
    """A URL has another file, or none: what is there of it is of no use any more."""


@dataclass(frozen=True)
class _Wanted:
    target: Path
    part: Part
    size: int | None
    sha256: str
    """The digits that are known, of which there may be none."""
    what: str
    progress: OnBytes


def download(
    urls: Sequence[str], target: Path, *, size: int | None, sha256: str | None, what: str, progress: OnBytes
) -> Downloaded:
    """Return a file, downloaded unless it is there already.

    An interrupted download (a cut, Ctrl-C) leaves `.<name>.part` and goes on from there; nothing else is left behind.
    A second process waits, for as long as it takes, and takes the first one's file.

    Args:
        urls: The file's addresses, http or https; each is tried when the one before is given up.
        target: The file. One that is there and differs from `size` or `sha256` is replaced.
        size: Expected size in bytes, if known.
        sha256: Expected sha256 in hex, or its first digits, if known.
        what: What the file is, for an error.
        progress: Called during the download.

    Raises:
        ObtainError: No URL gave the file, or the disk refused it.
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
                # filelock notices that the file it waited for is gone, and locks the new one. Windows does not let go
                # of an open file; there filelock removes it.
                with contextlib.suppress(OSError):
                    lock.unlink()


def remote_sizes(urls: Sequence[str]) -> dict[str, int]:
    """Ask servers how many bytes some files have; those that do not say are left out.

    A server that does not answer for its first file is not asked for more.
    """
    firsts = {urlsplit(url).netloc: url for url in reversed(urls)}
    with ThreadPoolExecutor(max_workers=8) as pool:
        sizes = dict(zip(firsts.values(), pool.map(_remote_size, firsts.values()), strict=True))
        answering = {host for host, url in firsts.items() if sizes[url] is not None}
        others = [url for url in urls if url not in sizes and urlsplit(url).netloc in answering]
        sizes |= dict(zip(others, pool.map(_remote_size, others), strict=True))
    return {url: size for url, size in sizes.items() if size}


def _remote_size(url: str) -> int | None:
    """Return a file's size, 0 if the server does not say; None if it does not answer."""
    with _session() as session:
        try:
            response = session.head(url, allow_redirects=True, timeout=HEAD_TIMEOUT)
        except requests.RequestException:
            return None
    page = response.headers.get("Content-Type", "").startswith("text/html")  # to log in, perhaps
    return (_content_length(response) or 0) if response.ok and not page else 0


def _session() -> requests.Session:
    session = requests.Session()
    session.max_redirects = MAX_REDIRECTS
    # The bytes as they are: a size and a sha256 are of the file, not of what it is packed into on the way.
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
    again = "run again to go on with the part that is there, or " if wanted.part.path.exists() else ""
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
        # Killed between its last byte and its verification.
        return _accept(url, wanted, _hash(part.path).hexdigest(), resumed=True)
    with _get(session, url, origin, offset) as response:
        if response.status_code == requests.codes.ok:
            offset, total, validator = 0, _content_length(response), _validator(response)
            origin = Origin(url=url, validator=validator, total=total) if validator else None
        elif origin and _continues(response, origin, offset):
            total = origin.total
        else:
            part.discard()
            raise _TransientError("it answers a request for the rest of the file with something else")
        _check(response, total, wanted)
        total = wanted.size if total is None else total
        if not offset:
            part.discard()
        with disk_errors(wanted.target.parent, total, wanted.what):
            require_space(wanted.target.parent, (total or 0) - offset, wanted.what)
            sha256 = _write(response, origin, offset, total, wanted)
    return _accept(url, wanted, sha256, resumed=offset > 0)


def _get(session: requests.Session, url: str, origin: Origin | None, offset: int) -> requests.Response:
    """Return an answer with a file's bytes, from `offset` on if there are some already and they are still the same."""
    if urlsplit(url).scheme.lower() not in ("http", "https"):
        raise _PermanentError("not an http or https address")
    headers = {"Range": f"bytes={offset}-", "If-Range": origin.validator} if origin and offset else {}
    try:
        response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except requests.TooManyRedirects as error:
        raise _PermanentError(f"it redirects more than {MAX_REDIRECTS} times, in a loop perhaps") from error
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise _PermanentError(f"its certificate is not trusted: {error}") from error
        if "NameResolutionError" in str(error):
            raise _PermanentError("the name of its host is not known: is this machine online?") from error
        raise _TransientError(f"no answer: {error}") from error
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
    """Whether a partial answer begins where the part ends, and is of the same file, whatever became of If-Range."""
    content_range = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    return (
        content_range is not None
        and int(content_range[1]) == offset
        and (origin.total is None or content_range[2] in ("*", str(origin.total)))
        and _validator(response) in (None, origin.validator)
    )


def _check(response: requests.Response, total: int | None, wanted: _Wanted) -> None:
    """Refuse, before its first byte, an answer that cannot be the file."""
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type in ("text/html", "application/xhtml+xml") and wanted.target.suffix.lower() not in (".html", ".htm"):
        raise _PermanentError("it answers with a web page, not the file: one to log in or to confirm, perhaps")
    if "Content-Encoding" in response.headers and wanted.target.suffix.lower() not in (".gz", ".tgz"):
        raise _PermanentError("it packs the file on the way, although it was asked not to")
    if response.url.startswith("http:") and any(step.url.startswith("https:") for step in response.history):
        raise _PermanentError(f"it redirects from https to http: {response.url}")
    if wanted.size is not None and total not in (None, wanted.size):
        raise _GoneError(f"its file has {total:,} bytes, expected are {wanted.size:,}")
    if total is None and wanted.size is None and not wanted.sha256 and not response.raw.chunked:
        raise _PermanentError("it does not say how long the file is, so a cut would go unnoticed")


def _write(response: requests.Response, origin: Origin | None, offset: int, total: int | None, wanted: _Wanted) -> str:
    """Write an answer to the part and return the sha256 of all of it."""
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
            raise _TransientError(f"the connection was cut after {done:,} of {total:,} bytes")
    except BaseException as error:
        # What cannot be resumed goes; so does what fills the disk.
        if origin is None or isinstance(error, OSError):
            part.discard()
        raise
    return digest.hexdigest()


def _body(response: requests.Response) -> Iterator[bytes]:
    try:
        # What has come in, without waiting for a full piece that a cut would take with it.
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            yield chunk
    except urllib3.exceptions.HTTPError as error:
        raise _TransientError(f"the connection was cut: {error}") from error


def _hash(path: Path) -> "hashlib._Hash":
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def _accept(url: str, wanted: _Wanted, sha256: str, *, resumed: bool) -> Downloaded:
    if not sha256.startswith(wanted.sha256):
        wanted.part.discard()
        reason = f"its file has sha256 {sha256[: len(wanted.sha256)]}, expected is {wanted.sha256}"
        raise _TransientError(reason) if resumed else _PermanentError(reason)
    wanted.part.move(wanted.target)
    return Downloaded(wanted.target, url, sha256, wanted.target.stat().st_size)
