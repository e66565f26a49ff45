"""A configured Pythia: beams, tune, decays; every rejected setting becomes one readable line."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ptmiss.core.errors import UserError

BASE = (
    # 13 TeV: the data of CMS, arXiv:2509.12012, were recorded at this energy
    "Beams:eCM = 13000.",
    # What lives longer than the way to the calorimeters is seen by the detector undecayed. The
    # cylinder is the inner face of the CMS calorimeters (JINST 3 S08004, sections 4.1 and 4.2).
    "ParticleDecays:limitCylinder = on",
    "ParticleDecays:xyMax = 1290.",
    "ParticleDecays:zMax = 3150.",
)
"""Beams and decays, of every process and of minimum bias."""

TUNE_CP5 = (
    # CMS, arXiv:1903.12179 (GEN-17-001), table 3: CP5, here with the copy of the NNPDF3.1 NNLO
    # set (with a LUXqed photon) that comes with Pythia, so that no LHAPDF is needed
    "Tune:pp = 14",
    "Tune:ee = 7",
    "PDF:pSet = 20",
    "MultipartonInteractions:bProfile = 2",
    "MultipartonInteractions:pT0Ref = 1.41",
    "MultipartonInteractions:ecmPow = 0.03344",
    "MultipartonInteractions:coreRadius = 0.7634",
    "MultipartonInteractions:coreFraction = 0.63",
    "ColourReconnection:range = 5.176",
    "SigmaTotal:zeroAXB = off",
    "SpaceShower:alphaSorder = 2",
    "SpaceShower:alphaSvalue = 0.118",
    "SigmaProcess:alphaSorder = 2",
    "SigmaProcess:alphaSvalue = 0.118",
    "MultipartonInteractions:alphaSorder = 2",
    "MultipartonInteractions:alphaSvalue = 0.118",
    "TimeShower:alphaSorder = 2",
    "TimeShower:alphaSvalue = 0.118",
)
"""The underlying-event tune, the same for hard processes and minimum bias."""

QUIET = (
    # Not Print:quiet, which hides why an initialisation failed. What is printed there is caught;
    # while generating, only the first error or warning of each kind reaches the job's log.
    "Next:numberCount = 0",
    "Next:numberShowLHA = 0",
    "Next:numberShowInfo = 0",
    "Next:numberShowProcess = 0",
    "Next:numberShowEvent = 0",
)
"""No tables of events."""

MB_TO_PB = 1e9


@contextlib.contextmanager
def _console() -> Iterator[Callable[[], str]]:
    """Catch what compiled code prints on file descriptor 1; yields a function that reads it."""
    libc = ctypes.CDLL(None)
    sys.stdout.flush()
    libc.fflush(None)
    with tempfile.TemporaryFile() as file:
        saved = os.dup(1)
        os.dup2(file.fileno(), 1)

        def read() -> str:
            libc.fflush(None)
            file.seek(0)
            return file.read().decode("utf-8", errors="replace")

        try:
            yield read
        finally:
            libc.fflush(None)
            os.dup2(saved, 1)
            os.close(saved)


def _reason(text: str) -> str:
    """Return what Pythia printed from its first error on, as one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [i for i, line in enumerate(lines) if "PYTHIA Error" in line or "PYTHIA Abort" in line]
    return " ".join(lines[errors[0] :])[:300] if errors else "no reason given"


def start(where: str, lines: Sequence[str], seed: int, slha_text: str | None = None) -> Any:
    """Return an initialised Pythia.

    where: what the user calls this process, for messages; lines: settings that follow `BASE`
    and `TUNE_CP5`; seed: 1..900,000,000; slha_text: a SUSY Les Houches table or None.
    Raises `UserError` with Pythia's own reason for a setting that it does not know and for an
    initialisation that fails (its return value is the only sign of it).
    """
    import pythia8mc  # heavy, and only the simulation needs it

    with contextlib.ExitStack() as stack:
        read = stack.enter_context(_console())
        pythia = pythia8mc.Pythia("", False)
        own = ("Random:setSeed = on", f"Random:seed = {seed}")
        for line in (*QUIET, *BASE, *TUNE_CP5, *lines, *own):
            if not pythia.readString(line):
                raise UserError(f"{where}: Pythia refuses {line!r} ({_reason(read())})")
        if slha_text is not None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            table = Path(folder, "table.slha")
            table.write_text(slha_text, encoding="utf-8")
            # not by readString, which would cut the path at a blank
            pythia.settings.word("SLHA:file", str(table))
        if not pythia.init():
            raise UserError(f"{where}: Pythia does not start ({_reason(read())}); see its card")
    return pythia
