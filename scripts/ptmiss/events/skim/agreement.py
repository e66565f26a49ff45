"""What all files of a sample must have alike: energy, truth, stored METs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ptmiss.core.errors import UserError
from ptmiss.events.columns import Content
from ptmiss.events.readers.reader import Reader
from ptmiss.events.settings.samples import FileSample, SimulatedSample

_REMEDY = "files of one sample must agree, make two samples of them"


@dataclass
class Agreement:
    """Compares each file of a part with those before it.

    energies: of the files so far in TeV, None where they do not say it -> the first that has it.
    """

    sample: str
    spec: SimulatedSample | FileSample
    energies: dict[float | None, str] = field(default_factory=dict)
    _truth: dict[bool, str] = field(default_factory=dict)
    _content: dict[Content, str] = field(default_factory=dict)

    @property
    def energy(self) -> float | None:
        """The centre-of-mass energy in TeV, None where it is not known."""
        return next(iter(self.energies), None)

    def check_energy(self, reader: Reader) -> None:
        """Refuse a file of another centre-of-mass energy than the settings or other files say."""
        wanted = self.spec.sqrt_s if isinstance(self.spec, FileSample) else None
        energy = reader.sqrt_s
        if energy is not None and wanted is not None and energy != wanted:
            raise UserError(
                f"{reader.address}: sqrt(s) {_tev(energy)}, but samples.{self.sample}.sqrt_s is "
                f"{wanted:g}; correct the setting"
            )
        self.energies.setdefault(energy if wanted is None else wanted, reader.address)
        if len(self.energies) == 2:
            (first, address), (other, _) = self.energies.items()
            raise UserError(
                f"{reader.address}: sqrt(s) {_tev(other)}, but {_tev(first)} in {address}; "
                f"{_REMEDY}"
            )

    def check_truth(self, reader: Reader) -> None:
        """Refuse a file with truth of its candidates beside one without, and ours without any."""
        self._truth.setdefault(reader.has_truth, reader.address)
        if len(self._truth) == 2:
            raise UserError(
                f"{self._truth[False]}: no {reader.truth_name}, but "
                f"{self._truth[True]} has it; {_REMEDY}"
            )
        if self.spec.source == "simulated" and not reader.has_truth:
            raise UserError(
                f"{reader.address}: no branch PFCands_truth, which simulated samples have; a file "
                "of other origin needs source: pfnano"
            )

    def content(self, reader: Reader, own: Content) -> Content:
        """Return what a file holds beside events and candidates; it has at least one event.

        own: what the settings of the sample say of it.
        Raises `UserError` if it has stored METs that others lack, or the reverse: they would be
        estimators of a part of the sample.
        """
        events = reader.events(0, 1)
        content = own._replace(stored=tuple(events.stored), shifts=tuple(events.shifts))
        self._content.setdefault(content, reader.address)
        if len(self._content) == 2:
            (first, address), (other, _) = self._content.items()
            raise UserError(
                f"{reader.address}: stored METs {_listed([*other.stored, *other.shifts])}, but "
                f"{_listed([*first.stored, *first.shifts])} in {address}; {_REMEDY}"
            )
        return content


def _tev(energy: float | None) -> str:
    return "is not said" if energy is None else f"is {energy:g} TeV"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
