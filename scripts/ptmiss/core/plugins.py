"""Plug-ins: what an installed package adds to the product under a name, by an entry point."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points

from ptmiss.core.errors import UserError


@dataclass(frozen=True)
class Plugins:
    """The things of one kind, such as readers.

    group: of the entry points; kind: what one of them is called in messages; built_in: names of
    those that come with the product, which needs no installation for them and lets nobody replace
    them.
    """

    group: str
    kind: str
    built_in: tuple[str, ...]

    def names(self) -> tuple[str, ...]:
        """Return all names: built-in ones, then those that are installed. Nothing is imported."""
        installed = {point.name for point in entry_points(group=self.group)}
        return (*self.built_in, *sorted(installed.difference(self.built_in)))

    def knows(self, name: str) -> bool:
        """Tell whether there is such a thing; what is installed matters for other names only."""
        return name in self.built_in or name in self.names()

    def load(self, name: str) -> object:
        """Import an installed plug-in.

        Raises `UserError` if none or more than one has the name, or it cannot be imported.
        """
        points = {point.value: point for point in entry_points(group=self.group, name=name)}
        if not points:
            raise UserError(
                f"no {self.kind} {name!r} is installed, known: {', '.join(self.names())}; install"
                f" the package that brings it (entry point {self.group})"
            )
        if len(points) > 1:
            raise UserError(
                f"{self.kind} {name!r}: {' and '.join(sorted(points))} both have this name (entry"
                f" point {self.group}); uninstall one of them"
            )
        ((value, point),) = points.items()
        try:
            return point.load()
        except Exception as error:  # code of others: whatever is wrong with it, the user learns
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            raise UserError(
                f"{self.kind} {name!r} ({value}): cannot be imported ({reason}); correct or"
                " uninstall it"
            ) from error
