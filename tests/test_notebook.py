"""The notebook that slosim grew out of: the same numbers from a model of ticks, written afresh."""

import numpy as np
import pytest

from tick_model import NEVER, TOPICS, run_ticks


@pytest.fixture(scope="module")
def notebook_run():
    return run_ticks(seed=1337)


def test_tick_model_gives_the_printed_results(notebook_run):
    latency = notebook_run.notebook_latency()
    assert notebook_run.orders_paid == 481
    assert notebook_run.orders_shipped == len(latency) == 479
    assert float(latency.mean()) == 24.46972860125261
    assert float(np.quantile(latency, 0.95)) == 31.099999999999966
    assert notebook_run.payment_failures == 9
    assert notebook_run.timeline_rows == 1530


def test_tick_model_gives_the_printed_first_rows(notebook_run):
    """Samples at tick 0 find four empty topics; orders 1, 2 and 3 are paid for at ticks 6, 10 and 14."""
    assert [int(notebook_run.waiting[topic][0]) for topic in TOPICS] == [0, 0, 0, 0]
    assert notebook_run.paid[:3].tolist() == [6, 10, 14]


def test_tick_model_measures_consistently(notebook_run):
    """Conservation and Little's law over ticks, for each topic, from independently kept numbers."""
    run = notebook_run
    for topic in TOPICS:
        # A message waiting from tick v to tick w is counted after taking in the w - v ticks v .. w - 1. None
        # is left.
        assert run.waiting[topic][-1] == 0
        assert run.waiting[topic].sum() == run.wait[topic].sum()
        assert set(np.unique(run.waiting_before[topic] - run.waiting[topic])) <= {0, 1}
    assert len(run.wait["orders"]) == run.orders_created
    assert len(run.wait["payment"]) - run.payment_failures == run.orders_paid
    assert len(run.event_lag["payment"]) <= len(run.wait["payment"])
    assert np.all(run.paid[run.shipped != NEVER] != NEVER)
    assert run.latency_from_creation().min() >= 1 + 4 + 2 + 6
    # The notebook starts its clock after creation: its latency is the smaller one for every order paid after
    # tick 2.
    assert run.notebook_latency().mean() < run.latency_from_creation().mean()
