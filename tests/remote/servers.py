"""Servers for tests of remote reading: HTTP with all its bad habits, and a real xrootd."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class HttpServer(ThreadingHTTPServer):
    """Serves one file with Range support.

    drop: called with the number of a GET request, tells whether its connection breaks half-way;
    ranges: whether it can send parts; status: answer everything with this error; silent: accept
    and never answer.
    """

    daemon_threads = True

    def __init__(
        self, path: Path, drop=lambda number: False, ranges=True, status=200, silent=False
    ):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = path.read_bytes()
        self.drop, self.ranges, self.status, self.silent = drop, ranges, status, silent
        self.gets = 0
        self.stopped = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/toy.root"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}).start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """Say nothing: clients that hang up are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self.server.gets += 1
        self._answer(body=True)

    def _answer(self, body):
        server = self.server
        number = server.gets
        if server.silent:
            server.stopped.wait(20)
            self.close_connection = True
            return
        if server.status != 200:
            self.send_error(server.status)
            return
        content, first = server.content, 0
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted and server.ranges:
            first = int(wanted[1])
            last = min(int(wanted[2] or len(content) - 1), len(content) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            content = content[first : last + 1]
        else:
            self.send_response(200)
        if server.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not body:
            return
        if server.drop(number):
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(content)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class XrootdServer:
    """Debian's xrootd with one exported folder, on the loopback interface."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._process: subprocess.Popen | None = None

    @staticmethod
    def is_installed() -> bool:
        return shutil.which("xrootd") is not None

    def address(self, path: Path) -> str:
        return f"root://127.0.0.1:{self.port}/{path}"

    def start(self) -> None:
        home = self.folder / "xrootd"
        home.mkdir(exist_ok=True)
        shutil.chown(home, "xrootd", "xrootd")
        config = self.folder / "xrootd.cfg"
        config.write_text(
            f"xrd.port {self.port}\nall.export {self.folder} r/o\n"
            f"all.adminpath {home}\nall.pidpath {home}\n"
        )
        # root may not serve files: the daemon changes to the user of its package
        command = [
            "xrootd",
            "-R",
            "xrootd",
            "-c",
            str(config),
            "-l",
            str(home / "log"),
            "-n",
            "toy",
        ]
        self._process = subprocess.Popen(
            command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1),
            ):
                return
            time.sleep(0.1)
        raise RuntimeError("xrootd does not answer; its log is in " + str(home))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def xrootd(folder: Path) -> Iterator[XrootdServer]:
    server = XrootdServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
