"""Python processes that start at once: forked from one that has read the libraries.

Reading the libraries is nine tenths of a toy job: without this a hundred kills would take hours,
and most of them would hit imports. A client with the name `python` stands where Snakemake looks for
the interpreter. It hands its arguments, folder, environment and open files to the server, which
forks a process that runs the script; the client ends with the status of that process.
"""

from __future__ import annotations

import array
import contextlib
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import struct
import sys
import traceback
from pathlib import Path

CLIENT = """#!{python} -IS
import array, json, os, socket, struct, sys

if len(sys.argv) < 2 or not sys.argv[1].endswith(".py"):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
link = socket.socket(socket.AF_UNIX)
link.connect({address!r})
order = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
link.sendmsg(
    [struct.pack("I", len(order))],
    [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))],
)
link.sendall(order)
status = link.recv(4)
os._exit(struct.unpack("I", status)[0] if len(status) == 4 else 137)
"""


NETWORK = ("ptmiss.learn.", "ptmiss.tasks.met.estimators.import_graph")
"""Beginnings of the names of modules that may need TensorFlow."""


def read_libraries(scripts: Path, network: bool) -> None:
    """Import Snakemake and the package, TensorFlow and what needs it only for a network."""
    sys.path.insert(0, str(scripts))
    importlib.import_module("snakemake.cli")
    for module in pkgutil.walk_packages([str(scripts / "ptmiss")], "ptmiss."):
        if network or not module.name.startswith(NETWORK):
            importlib.import_module(module.name)


def write_client(path: Path, address: str) -> None:
    """Write the program that asks the server at `address` to run a script."""
    path.write_text(CLIENT.format(python=sys.executable, address=address))
    path.chmod(0o755)


def receive(link: socket.socket) -> tuple[list[str], str, dict[str, str], list[int]]:
    """Return arguments, folder, environment and the three open files of a client."""
    head, ancillary, _, _ = link.recvmsg(4, socket.CMSG_SPACE(3 * 4))
    files = array.array("i", ancillary[0][2])
    length, order = struct.unpack("I", head)[0], b""
    while len(order) < length:
        if not (more := link.recv(length - len(order))):
            raise ValueError("the client is gone")
        order += more
    with contextlib.suppress(BlockingIOError):
        link.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)  # returns at once only at the end
        raise ValueError("the client is gone")
    return *json.loads(order), list(files)


def run_script(arguments: list[str], folder: str, environment: dict, files: list[int]) -> None:
    """Become the process that a client asked for, to the end of its script."""
    os.setpgid(0, 0)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
    status = 1
    try:
        try:
            runpy.run_path(arguments[0], run_name="__main__")
            status = 0
        except SystemExit as exit:
            status = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        # no tidying up: libraries would wait for threads that only the first process has, also
        # where a full disk takes no last words
        os._exit(status)


def serve(address: str) -> None:
    """Fork a process for each client, and tell each client how its process ended."""
    watch = selectors.DefaultSelector()
    door = socket.socket(socket.AF_UNIX)
    door.bind(address)
    door.listen(64)
    watch.register(door, selectors.EVENT_READ)
    watch.register(sys.stdin, selectors.EVENT_READ)  # its end is that of whoever started the server
    print("ready", flush=True)
    while True:
        for key, _ in watch.select():
            if key.fileobj is sys.stdin:
                os._exit(0)
            if key.fileobj is not door:
                child, link = key.data
                watch.unregister(key.fileobj)
                os.close(key.fileobj)
                status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                with contextlib.suppress(OSError), link:
                    link.sendall(struct.pack("I", status if status >= 0 else 128 - status))
                continue
            link, _ = door.accept()
            try:
                order = receive(link)
            except (OSError, IndexError, struct.error, ValueError):
                link.close()  # killed while it asked
                continue
            child = os.fork()
            if child == 0:
                watch.close()
                door.close()
                link.close()
                run_script(*order)
            for file in order[3]:
                os.close(file)
            watch.register(os.pidfd_open(child), selectors.EVENT_READ, (child, link))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    read_libraries(Path(sys.argv[1]), sys.argv[3] == "network")
    serve(sys.argv[2])
