"""Files read over the network: patient with servers that falter, brief about those that are gone.

Every read of a ROOT file goes through `PatientSource.chunk`, so that a connection that drops in
the middle of a file costs one range of bytes and not the job.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from uproot.source.fsspec import FSSpecSource

_LOG = logging.getLogger(__name__)
T = TypeVar("T")


class Remote(NamedTuple):
    """How patient to be: number of attempts, s before the second one (then doubled), s of silence
    after which a request has failed.
    """

    attempts: int
    wait: float
    timeout: int


ONCE = Remote(attempts=1, wait=0.0, timeout=60)
"""For readers that only open local files."""


def source_of(address: str, remote: Remote) -> dict[str, Any]:
    """Return the options with which uproot opens an address."""
    options: dict[str, Any] = {"handler": PatientSource, "remote": remote}
    if address.startswith("root://"):
        # The client reads these when it starts. Its own patience is ten minutes for a server that
        # is not there and half an hour for one that says nothing. What the user has set stays.
        for name in ("CONNECTIONWINDOW", "REQUESTTIMEOUT", "STREAMTIMEOUT"):
            os.environ.setdefault(f"XRD_{name}", str(remote.timeout))
        os.environ.setdefault("XRD_CONNECTIONRETRY", "1")
        os.environ.setdefault("XRD_STREAMERRORWINDOW", "0")
    else:
        from aiohttp import ClientTimeout

        silence = ClientTimeout(total=None, sock_connect=remote.timeout, sock_read=remote.timeout)
        options["client_kwargs"] = {"timeout": silence}
    return options


class PatientSource(FSSpecSource):  # type: ignore[misc]  # the library has no types
    """Bytes of a remote file, asked for again where a request fails."""

    def __init__(
        self, path: str, coalesce_config: Any = None, *, remote: Remote, **options: Any
    ) -> None:
        self._remote = remote
        super().__init__(path, coalesce_config, **options)

    def chunk(self, start: int, stop: int) -> Any:
        """Return the bytes start .. stop."""
        ask = super().chunk
        return persevere(lambda: _as_asked(ask(start, stop)), self._file_path_orig, self._remote)

    @property
    def num_bytes(self) -> int:
        """Size of the file."""
        size = FSSpecSource.num_bytes.fget
        return int(persevere(lambda: size(self), self._file_path_orig, self._remote))


class WholeFileError(OSError):
    """A server sends more than was asked for: it would do so again."""


def _as_asked(chunk: Any) -> Any:
    n = len(chunk.future.result())
    if n > chunk.stop - chunk.start:
        raise WholeFileError(
            f"the server sent {n} bytes instead of {chunk.stop - chunk.start}: it cannot send parts"
            " of a file (no Range support); copy the file"
        )
    return chunk


def persevere(request: Callable[[], T], address: str, remote: Remote) -> T:
    """Return what `request` returns, after as many attempts as `remote` allows.

    What another attempt cannot mend is raised at once. After the last attempt `OSError` is raised
    with its reason and the number of attempts.
    """
    for number in range(1, remote.attempts + 1):
        try:
            return request()
        except Exception as error:  # protocols and libraries have classes of their own
            if _is_final(error):
                raise
            reason = _reason(error)
            if number == remote.attempts:
                raise OSError(f"{reason}; {number} attempts") from error
        pause = remote.wait * 2 ** (number - 1)
        _LOG.warning(
            "%s: attempt %d of %d failed (%s); the next one in %g s",
            address,
            number,
            remote.attempts,
            reason,
            pause,
        )
        time.sleep(pause)
    raise AssertionError("no attempt was made")


def _is_final(error: Exception) -> bool:
    kinds = (FileNotFoundError, PermissionError, ModuleNotFoundError, WholeFileError)
    text = str(error).lower()
    return isinstance(error, kinds) or "no such file" in text or "permission denied" in text


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:120]
