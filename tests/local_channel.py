"""A conda channel in a folder, and a program that answers like conda as far as Snakemake asks it.

`python local_channel.py channel FOLDER` writes the channel: this interpreter with its standard
library as the package `python`, and an empty `pip`. `python local_channel.py ...` with arguments of
conda answers as conda would: the Python of an environment comes from the channel, solved and linked
by rattler; what its file leaves to pip is linked from the installed packages, with exactly those
that each of them requires. What this cannot show: that a real conda resolves the file with its
public channel.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import platform
import sys
import sysconfig
import tarfile
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

import yaml
from packaging.requirements import Requirement

VERSION = platform.python_version()
SUBDIR = "linux-64"
LEFT_OUT = {"test", "tests", "idlelib", "turtledemo", "ensurepip", "site-packages", "__pycache__"}


def write_package(folder: Path, name: str, version: str, files: dict[str, Path]) -> None:
    """Write a package of the oldest format: path in the environment -> file that goes there."""
    folder.mkdir(parents=True, exist_ok=True)
    index = {
        "name": name, "version": version, "build": "0", "build_number": 0, "depends": [],
        "subdir": SUBDIR, "timestamp": 1700000000000,
    }  # fmt: skip
    paths = {
        "paths_version": 1,
        "paths": [
            {
                "_path": path,
                "path_type": "hardlink",
                "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
                "size_in_bytes": source.stat().st_size,
            }
            for path, source in files.items()
        ],
    }
    about = {
        "info/index.json": json.dumps(index),
        "info/files": "".join(f"{path}\n" for path in files),
        "info/paths.json": json.dumps(paths),
    }
    archive = folder / f"{name}-{version}-0.tar.bz2"
    with tarfile.open(archive, "w:bz2", compresslevel=1) as tar:
        for path, text in about.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        for path, source in files.items():
            tar.add(source.resolve(), arcname=path)


def interpreter() -> dict[str, Path]:
    """Return the files of this interpreter that an environment needs, by their path in it."""
    short = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = Path(sys.base_prefix, "bin", short).resolve()
    files = {f"bin/{name}": program for name in ("python", "python3", short)}
    library = Path(sysconfig.get_path("stdlib"))
    for path in sorted(library.rglob("*")):
        inside = path.relative_to(library)
        if path.is_file() and path.suffix != ".a" and not LEFT_OUT & set(inside.parts):
            files[f"lib/{short}/{inside}"] = path
    for path in Path(sys.base_prefix, "lib").glob(f"lib{short}*.so*"):
        files[f"lib/{path.name}"] = path
    return files


async def write_channel(folder: Path) -> None:
    """Write the channel with its index."""
    from rattler.index import index_fs

    write_package(folder / SUBDIR, "python", VERSION, interpreter())
    write_package(folder / SUBDIR, "pip", "1.0", {})
    (folder / "noarch").mkdir()
    await index_fs(folder)


async def install(channel: Path, wanted: list[str], prefix: Path) -> None:
    """Solve what conda itself is to install and link it into an environment."""
    import rattler

    records = await rattler.solve(
        [channel.as_uri()], wanted, virtual_packages=rattler.VirtualPackage.detect()
    )
    await rattler.install(
        records, target_prefix=prefix, cache_dir=channel.parent / "cache", show_progress=False
    )


def required(names: list[str]) -> dict[str, metadata.Distribution]:
    """Return the installed packages of these pins and of all that they require, by name.

    Raises SystemExit for a pin that differs from what is installed.
    """
    found: dict[str, metadata.Distribution] = {}
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        package = metadata.distribution(requirement.name)
        if package.version not in requirement.specifier:
            raise SystemExit(f"{requirement} is not what is installed: {package.version}")
        if package.metadata["Name"] in found:
            continue
        found[package.metadata["Name"]] = package
        for text in package.requires or []:
            further = Requirement(text)
            extras = [{"extra": extra} for extra in requirement.extras or {""}]
            if further.marker is None or any(map(further.marker.evaluate, extras)):
                waiting.append(further)
    return found


def link(packages: dict[str, metadata.Distribution], prefix: Path) -> None:
    """Link the files of installed packages into an environment."""
    short = f"python{sys.version_info.major}.{sys.version_info.minor}"
    target = prefix / "lib" / short / "site-packages"
    for package in packages.values():
        for file in package.files or []:
            source = Path(file.locate())
            if ".." in file.parts or file.suffix == ".pyc" or not source.is_file():
                continue
            link_file(source, target / file)
            # with its bytecode: compiling a gigabyte of sources again shows nothing
            if file.suffix == ".py" and (cached := Path(cache_from_source(source))).is_file():
                link_file(cached, Path(cache_from_source(target / file)))


def link_file(source: Path, path: Path) -> None:
    """Let `path` be the file `source`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, path)
    except OSError:  # another file system
        path.symlink_to(source)


def answer(arguments: list[str]) -> None:
    """Do or say what conda would for the commands that Snakemake gives."""
    home = Path(os.environ["LOCAL_CHANNEL_HOME"])
    if arguments == ["info", "--json"]:
        print(json.dumps({"conda_prefix": str(home), "platform": SUBDIR}))
    elif arguments == ["--version"]:
        print("conda 99.9.9")
    elif arguments[:2] == ["config", "--get"]:
        print(json.dumps({"get": {"channel_priority": "strict"}}))
    elif arguments[:2] == ["env", "create"]:
        file = Path(arguments[arguments.index("--file") + 1])
        prefix = Path(arguments[arguments.index("--prefix") + 1])
        wanted = yaml.safe_load(file.read_text())["dependencies"]
        asyncio.run(
            install(home / "channel", [item for item in wanted if isinstance(item, str)], prefix)
        )
        for item in wanted:
            if isinstance(item, dict):
                link(required(item["pip"]), prefix)
    elif arguments[:1] != ["clean"]:
        raise SystemExit(f"the stand-in for conda does not know: {arguments}")


if __name__ == "__main__":
    if sys.argv[1] == "channel":
        asyncio.run(write_channel(Path(sys.argv[2])))
    else:
        answer(sys.argv[1:])
    sys.stdout.flush()
    # rattler's threads can abort the interpreter at its exit, when all is done
    os._exit(0)
