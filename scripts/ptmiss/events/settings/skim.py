"""Settings of the stage skim: event selections, limits and repairs."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, StringConstraints, model_validator

from ptmiss.core.settings.base import Section
from ptmiss.core.settings.types import Name

PositiveGeV = Annotated[float, Field(ge=0, le=13_000)]


class NoSelection(Section):
    """Every event; no boson is rebuilt."""

    kind: Literal["none"]


class Working(Section):
    """A working point of an identification or isolation: a branch of the lepton's collection."""

    name: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$"),
        Field(
            description="branch without its collection: tightId, pfIsoId, cutBased, mvaIso_WP80",
            examples=["tightId", "pfIsoId", "cutBased", "mvaIso_WP80"],
        ),
    ]
    least: Annotated[
        float, Field(ge=-1000, le=1000, description="least value that passes; 1 of a true or false")
    ]


RelativeIsolation = Annotated[float, Field(gt=0, le=1000)]
Gap = tuple[Annotated[float, Field(ge=0, le=5)], Annotated[float, Field(ge=0, le=5)]]
Pairing = Literal["leading", "closest"]


class LeptonCuts(NamedTuple):
    """What each selected lepton must have; pt in GeV.

    kind: "muon" or "electron"; isolation: largest relative one, or a working point, None for any;
    working: identification, None for the loose one where the input has it; gap: of |eta| of the
    supercluster, where no electron is taken.
    """

    kind: str
    pt: float
    abs_eta: float
    isolation: float | Working | None
    working: Working | None
    gap: Gap | None

    @property
    def branches(self) -> tuple[str, ...]:
        """Branches of the lepton's collection that only these cuts ask for."""
        points = (self.working, self.isolation)
        return tuple(point.name for point in points if isinstance(point, Working))


class MuonCuts(Section):
    """What each selected muon must have. muon_id alone may be left out: loose."""

    muon_pt: Annotated[PositiveGeV, Field(description="least pT of each selected muon, GeV")]
    muon_abs_eta: Annotated[float, Field(gt=0, le=5, description="largest |eta| of a muon")]
    muon_isolation: Annotated[
        RelativeIsolation | Working,
        Field(description="largest relative isolation, or a working point of it"),
    ]
    muon_id: Annotated[
        Working | None,
        Field(description="identification; null or left out: loose, where the input has it"),
    ] = None

    @property
    def lepton(self) -> LeptonCuts:
        """The cuts as those of any lepton."""
        isolation, working = self.muon_isolation, self.muon_id
        return LeptonCuts("muon", self.muon_pt, self.muon_abs_eta, isolation, working, None)


class ElectronCuts(Section):
    """What each selected electron must have."""

    electron_pt: Annotated[PositiveGeV, Field(description="least pT of each electron, GeV")]
    electron_abs_eta: Annotated[
        float, Field(gt=0, le=5, description="largest |eta| of an electron")
    ]
    electron_id: Annotated[Working, Field(description="identification")]
    electron_isolation: Annotated[
        RelativeIsolation | Working | None,
        Field(description="largest relative isolation, a working point of it, or null: in the id"),
    ]
    electron_gap: Annotated[
        Gap | None,
        Field(description="of |eta| of the supercluster, between barrel and endcap; null for none"),
    ]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.electron_gap is not None and self.electron_gap[0] >= self.electron_gap[1]:
            raise ValueError(f"electron_gap {list(self.electron_gap)} must rise")
        return self

    @property
    def lepton(self) -> LeptonCuts:
        """The cuts as those of any lepton."""
        return LeptonCuts(
            "electron",
            self.electron_pt,
            self.electron_abs_eta,
            self.electron_isolation,
            self.electron_id,
            self.electron_gap,
        )


class Window(Section):
    """Two leptons of opposite charge make a Z. pair alone may be left out: leading."""

    mass_low: Annotated[PositiveGeV, Field(description="dilepton mass window, lower edge, GeV")]
    mass_high: Annotated[PositiveGeV, Field(description="dilepton mass window, upper edge, GeV")]
    pair: Annotated[
        Pairing,
        Field(
            description="leading: the two hardest leptons decide; closest: of those that pass all"
            " cuts the pair of opposite charge that is nearest to the mass of the Z"
        ),
    ] = "leading"

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.mass_low >= self.mass_high:
            raise ValueError(
                f"mass_low is {self.mass_low:g}, it must be below mass_high {self.mass_high:g}"
            )
        return self


class ZmumuSelection(MuonCuts, Window):
    """Two muons make a Z."""

    kind: Literal["zmumu"]


class ZeeSelection(ElectronCuts, Window):
    """Two electrons make a Z."""

    kind: Literal["zee"]


class WmunuSelection(MuonCuts):
    """The leading muon comes from a W."""

    kind: Literal["wmunu"]


class WenuSelection(ElectronCuts):
    """The leading electron comes from a W."""

    kind: Literal["wenu"]


LeptonSelection = ZmumuSelection | ZeeSelection | WmunuSelection | WenuSelection
Selection = Annotated[NoSelection | LeptonSelection, Field(discriminator="kind")]


class SkimSettings(Section):
    """What is kept of an event and of its candidates."""

    selections: Annotated[dict[Name, Selection], Field(min_length=1)]
    rows_per_group: Annotated[
        int, Field(ge=1, le=1_000_000, description="events of one Parquet row group")
    ]
    chunk_events: Annotated[int, Field(ge=1, le=1_000_000, description="events read at a time")]
    max_candidates: Annotated[
        int, Field(ge=1, le=1_000_000, description="candidates kept of an event, hardest first")
    ]
    pinned_pt: Annotated[PositiveGeV, Field(description="least pT of a pinned prompt lepton, GeV")]
    jet_lepton_pt: Annotated[
        PositiveGeV, Field(description="jets around a lepton above this pT do not count, GeV")
    ]
    jet_lepton_isolation: Annotated[
        float, Field(gt=0, le=1000, description="largest relative isolation of such a lepton")
    ]
    puppi_flavour: Annotated[
        Literal["no_lepton", "standard"],
        Field(description="PUPPI weight of cand_puppi and of trainings; the other is kept beside"),
    ]
    missing_from_pv: Annotated[
        Literal["derive", "refuse"], Field(description="what to do without fromPV in the input")
    ]
    from_pv_tight: Annotated[
        float, Field(gt=0, le=10, description="|dz| below which the vertex is the primary one, cm")
    ]
    from_pv_weighted: Annotated[
        float, Field(gt=0, le=10, description="the same for a track in a fit with PUPPI 1, cm")
    ]
    from_pv_loose: Annotated[
        float, Field(gt=0, le=10, description="largest |dz| of an undecided track, cm")
    ]

    neighbours: Annotated[
        bool, Field(description="store features of each candidate's neighbours, cand_nb_*")
    ]

    incomplete_candidates: Annotated[
        Literal["refuse", "accept"],
        Field(description="what to do with files whose candidates do not add up to their raw MET"),
    ]

    remote_attempts: Annotated[
        int, Field(ge=1, le=100, description="how often a remote file is asked before giving up")
    ]
    remote_wait: Annotated[
        float, Field(ge=0, le=3600, description="pause before the second attempt, s; then doubled")
    ]
    remote_timeout: Annotated[
        int, Field(ge=1, le=86_400, description="longest silence of a server, s")
    ]

    @model_validator(mode="after")
    def _loose_beyond_tight(self) -> Self:
        for name in ("from_pv_weighted", "from_pv_loose"):
            if getattr(self, name) < self.from_pv_tight:
                raise ValueError(
                    f"{name} is {getattr(self, name):g}, it must not be below from_pv_tight "
                    f"{self.from_pv_tight:g}; give both"
                )
        return self
