"""Objects in one line and as a table, the public names, and drawings on axes."""

import html
import importlib
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import kipuka
from kipuka.convert import Decisions, inspect
from kipuka.convert.trace import LayerTrace, Trace
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.verification import verify
from kipuka.display import html_table
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile
from kipuka_cases import program, random_cuba, random_delays, random_gru, random_spikes

ROOT = Path(__file__).parent.parent
FOLDERS = ("convert", "deploy", "hardware_profiles", "src", "train")
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def module_name(path):
    """Name by which a source file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "src" else ("kipuka", *parts)
    return ".".join(parts).removesuffix(".__init__")


@pytest.fixture
def network(rng):
    delays = random_delays(rng, 6, 9)
    return program(4, random_gru(rng, 4, 6, delays_own=delays), random_cuba(rng, 6, 3, delays=2))


@pytest.fixture
def shown(network, rng):
    spikes = random_spikes(rng, 2, 4, 20)
    run = simulate(network, spikes)
    return {
        "Program(": network,
        "Simulation(": run,
        "Cost(": profile(network, spikes, run, load_profile("loihi2")),
        "HardwareProfile(": load_profile("loihi2"),
        "Trace(": run.trace,
        "Counters(": run.counters,
        "Verification(": verify(network, {"fast": run.trace, "again": run.trace}),
        "Decisions(": Decisions.of(network, run.trace.layers[-1], np.array([0, 2])),
        "LayerSummary(": inspect(network)[0],
    }


def test_objects_show_themselves_in_one_line_and_in_one_table(shown):
    for start, one in shown.items():
        line = repr(one)
        assert line.startswith(start)
        assert line.endswith(")")
        assert "\n" not in line
        assert len(line) < 250
        assert one._repr_html_().count("<table>") == 1
    assert repr(shown["Program("]) == (
        "Program(4 inputs -> SPIKING_GRU 6 -> CUBA 3 -> 3 classes by spike_count)"
    )


def test_parts_show_themselves_in_one_line(shown):
    run = shown["Simulation("]
    layer = run.trace.layers[0]
    spikes = int(layer.spikes.sum())
    assert repr(layer) == (
        f"LayerTrace(2 samples x 6 neurons x 20 steps, {spikes} spikes, states i v)"
    )
    assert f"6 neurons, in the whole run {spikes} spikes, " in repr(run.counters.layers[0])
    assert run.counters.layers[0]._repr_html_() is None


def test_what_has_no_words_of_its_own_shows_its_fields(shown, network):
    layer = network.layers[0]
    assert repr(layer) == (
        "Layer(neuron=SpikingGruParameters, shape=(6), projections=(Projection, Projection, "
        "Projection, Projection and 2 more))"
    )
    assert repr(layer.projections[0].synapses) == "DenseSynapses(weights=int16 (6, 4))"
    assert "projections" not in repr(layer.projections[0])
    cost = shown["Cost("]
    parts = (cost.mapping, cost.mapping.groups[0], cost.activity, cost.timing, cost.layers[0])
    assert all(len(repr(one)) < 500 for one in (*parts, network.readout, *layer.projections))
    assert layer._repr_html_() is None


def test_what_differs_is_shown(shown, network):
    trace = shown["Trace("]
    layer = trace.layers[1]
    other = Trace((trace.layers[0], LayerTrace(~layer.spikes, layer.states)))
    found = verify(network, {"fast": trace, "other": other})
    assert "fast, other differ in 120 values" in repr(found)
    assert "<td>other</td><td>fast</td><td>2</td><td>spikes</td><td>120</td>" in found._repr_html_()


def test_a_network_shows_delays_and_weight_bits_of_each_layer(shown, network):
    summary = inspect(network)
    table = shown["Program("]._repr_html_()
    for one in summary:
        low, high = one.delays_output
        delays = f"{low} to {high}" if high else "none"
        assert f"<td>{one.weight_bits}</td><td>{delays}</td>" in table
    low, high = summary[0].delays_recurrent
    assert f"<td>{low} to {high}</td></tr>" in table


def test_many_rows_are_folded_and_notes_stand_below():
    long = html_table("t", ["a"], [[row] for row in range(40)])
    assert long.startswith("<details><summary>t</summary><table>")
    assert html_table("t", ["a"], [[1]], ["<note>"]).endswith("</table><div>&lt;note&gt;</div>")


def test_a_table_is_text():
    text = html_table("<script>", ["a&b"], [["<b>"]])
    assert "&lt;script&gt;" in text
    assert "&lt;b&gt;" in text


def test_tables_group_digits_and_say_what_nobody_has_published(shown):
    text = html_table("t", ["a", "b", "c", "d"], [[1234567, 0.25, None, "x"]])
    assert "<td>1,234,567</td><td>0.25</td><td>not published</td><td>x</td>" in text
    table = shown["HardwareProfile("]._repr_html_()
    assert "None" not in table
    assert "<td>not published</td>" in table
    assert "<td>120,000,000</td>" in table


def test_public_names_and_nothing_else():
    packages = ["convert", "deploy", "hardware_profiles", "plot", "train"]
    assert sorted(dir(kipuka)) == ["KipukaError", "__version__", *packages]
    assert kipuka.hardware_profiles.load_profile("loihi2").name == "loihi2"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kipuka.nothing  # noqa: B018


def test_completion_shows_public_names_and_nothing_else():
    seen, training = 0, find_spec("lava") is not None
    for path in SOURCES:
        if path.is_relative_to(ROOT / "train") and not training:
            continue
        if re.search(r"^__all__ = ", path.read_text(), re.MULTILINE):
            module = importlib.import_module(module_name(path))
            shown = set(dir(module)) - {"__version__"}
            assert shown == set(module.__all__), path
            given = shown if training else shown - {"train"}
            assert all(hasattr(module, name) for name in given), path
            seen += 1
    assert seen > (15 if training else 10)


def test_drawings_are_a_module_like_any_other():
    drawings = importlib.import_module("kipuka.plot")
    axes = importlib.import_module("kipuka.deploy.report.axes")
    assert drawings is kipuka.plot
    assert drawings.__all__ == axes.__all__
    assert drawings.raster is axes.raster


def test_drawings_go_where_they_are_told(shown, network):
    from matplotlib.figure import Figure

    layer = shown["Simulation("].trace.layers[0]
    axes = Figure().subplots(2, 2).ravel()
    assert kipuka.plot.raster(layer.spikes[0], axes[0]) is axes[0]
    points = axes[0].collections[0].get_offsets()
    assert len(points) == layer.spikes[0].sum()
    kipuka.plot.membranes(layer.states["v"][0], axes[1], most=2)
    np.testing.assert_array_equal(axes[1].lines[1].get_ydata(), layer.states["v"][0, 1])
    kipuka.plot.delays(network, axes[2])
    assert "delay" in axes[2].get_xlabel()
    kipuka.plot.core_map(shown["Cost("], axes[3])
    assert len(axes[3].patches) == shown["Cost("].mapping.n_cores


def test_one_sample_is_drawn_at_a_time(shown, check_error):
    with pytest.raises(KipukaError) as error:
        kipuka.plot.raster(shown["Simulation("].trace.layers[0].spikes)
    check_error(
        error.value,
        what="one sample",
        where="spikes",
        limit="(neurons, steps)",
        value="(2, 6, 20)",
        remedy="spikes[0]",
    )


def test_what_is_refused_leaves_no_empty_figure(shown, network, check_error):
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("agg")
    pyplot.close("all")
    layer = shown["Simulation("].trace.layers[0]
    for call, parts in (
        (lambda: kipuka.plot.raster(layer.spikes), {"what": "one sample"}),
        (lambda: kipuka.plot.delays(layer), {"what": "no Program"}),
        (lambda: kipuka.plot.core_map(network), {"what": "no Cost"}),
        (
            lambda: kipuka.plot.core_map(shown["Cost("], chip=9),
            {"where": "chip", "value": "9"},
        ),
        (
            lambda: kipuka.plot.membranes(layer.states["v"][0], threshold=np.ones(2)),
            {"where": "threshold", "limit": "(6,)", "value": "(2,)", "remedy": "same layer"},
        ),
    ):
        with pytest.raises(KipukaError) as error:
            call()
        check_error(error.value, **parts)
    assert not pyplot.get_fignums()


def test_drawings_without_axes_have_a_figure_each(shown, network):
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("agg")
    pyplot.close("all")
    layer, neuron = shown["Simulation("].trace.layers[0], network.layers[0].neuron
    lines = kipuka.plot.membranes(layer.states["v"][0], most=2, threshold=neuron.threshold).lines
    assert [line.get_ydata()[0] for line in lines[2:]] == list(64 * neuron.threshold[:2])
    drawn = kipuka.plot.delays(network, before={"layer 1, recurrence": np.full(6, 40)})
    assert drawn.get_xlim()[1] > 40
    kipuka.plot.core_map(shown["Cost("])
    assert len(pyplot.get_fignums()) == 3
    pyplot.close("all")


def test_a_cost_shows_static_energy_too(shown, rng):
    cost = shown["Cost("]
    total = cost.total_energy_j
    assert total.typical == cost.dynamic_energy_j.typical + cost.static_energy_j.typical
    line, table = repr(cost), cost._repr_html_()
    for bounds in (total, cost.dynamic_energy_j, cost.static_energy_j):
        assert f"{1e6 * bounds.typical:.3g} µJ" in line
        assert f"{1e6 * bounds.typical:.3g} µJ" in table
    assert "2 cores of 1 chip)" in line
    for note in cost.left_out:
        assert html.escape(note) in table
    spikes = random_spikes(rng, 2, 4, 20)
    plain = program(4, random_cuba(rng, 4, 3))
    older = profile(plain, spikes, simulate(plain, spikes), load_profile("loihi1"))
    assert "unknown" not in repr(older)
    assert "range not published" in repr(older)
