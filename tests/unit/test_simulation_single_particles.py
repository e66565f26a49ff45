from __future__ import annotations

import pytest

from single_particles import closure


def test_single_particles_come_out_as_the_table_says():
    for name, number in closure(1000).items():
        assert number.measured == pytest.approx(number.expected, abs=4 * number.error), name
