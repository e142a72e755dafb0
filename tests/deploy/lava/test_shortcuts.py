"""Shortcuts give what Lava's own ways give, and refuse what they have not."""

import numpy as np
import pytest

pytest.importorskip("lava", reason="needs the lava extra")

from scipy.sparse import csr_matrix

from kipuka.deploy.lava import shortcuts
from kipuka.deploy.lava.shortcuts import AbstractPyDelayDenseModel, AbstractPyDelaySparseModel


class Bare:
    """Has attributes, like a process, and runs nowhere."""


@pytest.mark.parametrize("model", [AbstractPyDelayDenseModel, AbstractPyDelaySparseModel])
def test_a_matrix_is_built_again_for_other_weights_alone(rng, model):
    own = model.get_delay_wgts_mat
    made = []

    def build(*given):
        made.append(given)
        return own(*given)

    kept = shortcuts._kept(build)
    delays = rng.integers(0, 4, (3, 5))
    process, other = Bare(), Bare()
    first, second = (rng.integers(1, 9, (3, 5)) for _ in range(2))
    if model is AbstractPyDelaySparseModel:
        first, second, delays = map(csr_matrix, (first, second, delays))
    for holder, weights in [(process, first), (process, first), (process, second), (other, first)]:
        found, expected = kept(holder, weights, delays, 3), own(weights, delays, 3)
        if model is AbstractPyDelaySparseModel:
            found, expected = found.toarray(), expected.toarray()
        np.testing.assert_array_equal(found, expected)
    assert len(made) == 3


def test_models_are_looked_for_once_for_each_kind_and_are_what_lava_finds():
    from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
    from lava.proc.dense.process import Dense
    from lava.proc.lif.process import LIF

    looked_for = []

    def find(proc):
        looked_for.append(proc)
        return ProcGroupDiGraphs._find_proc_models(proc)

    models = shortcuts._once_for_each_kind(find)
    processes = [Dense(weights=np.eye(2)), LIF(shape=(2,)), Dense(weights=np.eye(3))]
    for process in processes:
        found = models(proc=process)
        assert found == ProcGroupDiGraphs._find_proc_models(process)
        found.clear()
    assert looked_for == processes[:2]


def test_what_may_be_a_port_is_looked_at():
    looked_at = []
    set_attribute = shortcuts._set_attribute(lambda *given: looked_at.append(given))
    process, port = Bare(), object()
    for name, value in {"n": 3, "v": np.zeros(2), "port": port}.items():
        set_attribute(process, name, value)
    assert looked_at == [(process, "port", port)]
    assert process.n == 3
    assert process.v.shape == (2,)


def test_parts_of_a_variable_are_refused():
    for act, given in ((shortcuts.get_var, ()), (shortcuts.set_var, (np.zeros(2),))):
        with pytest.raises(NotImplementedError, match="whole"):
            act(None, 1, *given, idx=np.array([0]))


def test_a_variable_that_is_no_array_is_refused():
    process = Bare()
    process.var_id_to_var_map = {1: "weights"}
    process.weights = csr_matrix(np.eye(2))
    process.service_to_process = Bare()
    process.service_to_process.recv = lambda: np.array([1.0])
    with pytest.raises(NotImplementedError, match="weights is no array"):
        shortcuts._variable(process)
