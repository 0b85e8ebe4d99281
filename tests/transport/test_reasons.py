"""The one table from reasons to cells: none is forgotten, and no cell counts two things."""

from __future__ import annotations

from collections import Counter
from enum import Enum

import pytest

from gatepost.protocols.proxy_header.header import ProxyFailure
from gatepost.transport.counter_page import Cell
from gatepost.transport.ending import Ending
from gatepost.transport.reasons import (
    CELL_OF_ENDING,
    CELL_OF_PROXY_FAILURE,
    CELL_OF_TLS_FAILURE,
    CELL_OF_TLS_VERSION,
    HANDSHAKE_BUCKETS,
    REFUSALS,
)
from gatepost.transport.tls_failure import TlsFailure


@pytest.mark.parametrize(
    ("reasons", "cells"),
    [(Ending, CELL_OF_ENDING), (ProxyFailure, CELL_OF_PROXY_FAILURE), (TlsFailure, CELL_OF_TLS_FAILURE)],
)
def test_every_reason_is_counted(reasons: type[Enum], cells: dict[Enum, Cell]) -> None:
    assert set(cells) == set(reasons)


def test_no_cell_counts_two_things() -> None:
    used = [
        *REFUSALS,
        *CELL_OF_ENDING.values(),
        *CELL_OF_PROXY_FAILURE.values(),
        *CELL_OF_TLS_FAILURE.values(),
        *CELL_OF_TLS_VERSION.values(),
        *(cell for _, cell in HANDSHAKE_BUCKETS),
    ]
    assert [cell for cell, count in Counter(used).items() if count > 1] == []
    assert [cell.value for cell in Cell] == list(range(len(Cell)))


def test_buckets_of_the_histogram_rise() -> None:
    bounds = [bound for bound, _ in HANDSHAKE_BUCKETS]
    assert bounds == sorted(set(bounds))
