"""Names that the stage performance writes and the page knows."""

from __future__ import annotations

from typing import Final

NETWORK: Final = "deepmet"
"""The estimator that is a training's network, whatever its kind."""

RESCALED: Final = f"{NETWORK}_rescaled"
"""The network's own recoil times a function of its size: the trivial competitor."""

OWN: Final = "own_response"
OWN_HIGH: Final = "own_response_high"
PLATEAU: Final = "plateau"
FORMS: Final = (OWN, OWN_HIGH, PLATEAU)
"""Forms of a headline number, the one that counts first: corrected by the response of each event's
own bin of q_T within `headline_qt`, by the same within `headline_high_qt`, and by the response on
the plateau within `headline_qt`.

Without a boson the first is corrected by the response of all events with true pTmiss, in a single
bin, and there is no second.
"""
