"""The ledger adds up exactly, or refuses to be written."""

from __future__ import annotations

import numpy as np
import pytest

from ptmiss.core.io.manifest import base_name, sha256_of
from ptmiss.events.ledger import Ledger


def ledger() -> Ledger:
    return Ledger(sample="s", part="0000", source="pfnano", selection="none", is_data=False)


def test_events_and_weights():
    book = ledger()
    book.add_input("a.root", None, 4)
    book.add_events(np.array([0.1, 0.2, -0.3, np.nan]), np.array([-1, 0, -1, 1]), ("cut", "nan"))
    book.add_candidates(10, 7, {"x": 3}, {"y": 2}, {})
    book.check()
    value = book.as_dict()
    assert value["events"] == {"in": 4, "kept": 2, "rejected": {"cut": 1, "nan": 1}}
    assert value["weights"]["rejected"] == {"cut": 0.2, "nan": 0.0}
    assert value["weights"]["kept"] == pytest.approx(-0.2, rel=1e-15)
    assert value["candidates"]["dropped"] == {"x": 3}


@pytest.mark.parametrize("field", ["events_in", "candidates_in", "weight_in"])
def test_what_does_not_add_up_is_not_written(tmp_path, field):
    book = ledger()
    book.add_input("a.root", None, 1)
    book.add_events(np.ones(1), np.array([-1]), ())
    setattr(book, field, getattr(book, field) + 1)
    with pytest.raises(AssertionError, match=r"add up|inputs"):
        book.write(tmp_path / "ledger.json")
    assert not list(tmp_path.iterdir())


def test_manifest(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x").startswith("ba7816bf8f01cfea")
    assert base_name("root://host//store/x.root?token=secret") == "x.root"
    assert base_name("/home/me/x.root") == "x.root"
