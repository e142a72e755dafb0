"""A report is one offline file that shows every headline, escapes what it was given and repeats."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from kipuka.convert import fixed
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.neurons.spiking_gru import SpikingGruParameters
from kipuka.convert.program import PREVIOUS, RECURRENT, Layer, Program, Projection, Readout, Target
from kipuka.convert.synapses import DenseSynapses
from kipuka.convert.trace import decide
from kipuka.deploy.costs.advice import Advice
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.lowered.comparison import LoweredComparison, NotLowered, without_microcode
from kipuka.deploy.reference import Simulation, simulate_reference
from kipuka.deploy.report.page import ReportContents, write_report
from kipuka.deploy.report.plots import PAGE_COLOURS, plot_rasters
from kipuka.deploy.report.tables import Compared, delays_by_label, settings_text
from kipuka.deploy.verification import Mismatch, Verification
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import SiBounds, load_profile
from kipuka.hardware_profiles.numbers import count, si, si_bounds
from kipuka_catalogue import skip_connection
from kipuka_errors import check_error

SAMPLES, INPUTS, HIDDEN, CLASSES, STEPS = 3, 12, 8, 4, 60
HOSTILE = "<script src='http://evil.example/x.js'>alert(1)</script> & \"quoted\""
VOID = {"meta"}


def projection(
    rng: np.random.Generator, source: int, target: Target, shape: tuple[int, int], longest: int
) -> Projection:
    weights = (2 * rng.integers(-25, 50, shape)).astype(np.int16)
    delays = rng.integers(0, longest + 1, shape[1]).astype(np.int16)
    return Projection(DenseSynapses(weights), source, target, delays)


def network(readout: str = "spike_count", leaky: bool = True) -> Program:
    """A spiking GRU with recurrent delays, read out by CUBA neurons."""
    rng = np.random.default_rng(7)
    zero = np.zeros(HIDDEN, dtype=np.int64)
    gru = SpikingGruParameters(zero + 100, zero, zero, zero)
    joined = [projection(rng, PREVIOUS, t, (HIDDEN, INPUTS), 0) for t in ("i", "r", "z")]
    joined += [projection(rng, RECURRENT, t, (HIDDEN, HIDDEN), 20) for t in ("i", "r", "z")]
    ones = np.ones(CLASSES, dtype=np.int64)
    threshold = 80 if readout == "spike_count" else fixed.NEVER_SPIKES
    decays = (1024, 512) if leaky else (4096, 0)
    cuba = CubaParameters(decays[0] * ones, decays[1] * ones, threshold * ones, 0 * ones)
    output = projection(rng, PREVIOUS, "a", (CLASSES, HIDDEN), 12)
    return Program(
        input_shape=(INPUTS,),
        layers=(Layer(gru, (HIDDEN,), tuple(joined)), Layer(cuba, (CLASSES,), (output,))),
        readout=Readout(readout, np.zeros(CLASSES, dtype=np.int16)),  # type: ignore[arg-type]
        metadata={"origin": HOSTILE, HOSTILE: "key"},
    )


def contents(program: Program | None = None) -> ReportContents:
    program = program or network()
    inputs = np.random.default_rng(3).random((SAMPLES, INPUTS, STEPS)) < 0.12
    simulation = simulate_reference(program, inputs)
    chip = load_profile("loihi2")
    # Loihi 1, whose bounds are mostly not published, as if it had programmable neurons.
    chips = [chip, load_profile("loihi1").model_copy(update={"abilities": chip.abilities})]
    return ReportContents(
        title=f"Spoken digits {HOSTILE}",
        program=program,
        inputs=inputs,
        simulation=simulation,
        profiles=tuple((profile(program, inputs, simulation, chip), chip) for chip in chips),
        verification=Verification(("reference", "fast", "lava"), SAMPLES, STEPS, 12960, (), {}),
        accuracy={"reference": 0.9125, "lava": 0.9125},
        delays_before={"layer 1, recurrence": np.zeros(HIDDEN, dtype=np.int16)},
        seconds={"simulate": 0.0123, HOSTILE: 4.5},
    )


@pytest.mark.slow
def test_a_report_in_a_line_runs_prices_and_checks_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = network()
    inputs = np.random.default_rng(3).random((10, INPUTS, STEPS)) < 0.12
    labels = np.arange(10) % CLASSES
    simulated: list[int] = []

    def listed(program: Program, values: np.ndarray) -> Simulation:
        simulated.append(len(values))
        return simulate(program, values)

    monkeypatch.setattr("kipuka.deploy.report.page.simulate", listed)
    shown = ReportContents.of(program, inputs, labels, title="ten samples")
    assert simulated == [10]
    run = simulate_reference(program, inputs)
    assert shown.verification is not None
    assert shown.verification.agree
    assert (shown.verification.samples, shown.verification.backends) == (8, ("reference", "fast"))
    assert shown.decisions is not None
    right = int((decide(program, run.trace.layers[-1]) == labels).sum())
    assert shown.decisions.correct == right
    ((cost, chip),) = shown.profiles
    assert chip == load_profile("loihi2")
    assert cost.dynamic_energy_j == profile(program, inputs, run, chip).dynamic_energy_j
    text = Page(written(tmp_path, shown)).text
    assert "ten samples" in text
    assert "compared in reference, fast" in text
    assert ReportContents.of(program, inputs.astype(float)).decisions is None


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """HTML of `contents()`."""
    return written(tmp_path_factory.mktemp("report"), contents())


def written(folder: Path, shown: ReportContents) -> str:
    write_report(folder / "report.html", shown)
    assert [file.name for file in folder.iterdir()] == ["report.html"]
    return (folder / "report.html").read_text("utf-8")


class Page(HTMLParser):
    """Collects tags, ids and text, and insists that every tag is closed by its own."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        self.text += " " * (tag in ("td", "th"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value or "")
            if key.split(":")[-1] in ("src", "href"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def plain(html: str) -> str:
    """Text of a page with ordinary spaces, each run of them one."""
    return re.sub(r"\s+", " ", Page(html).text)


@pytest.mark.slow
def test_page_is_balanced_and_needs_nothing_else(page: str) -> None:
    parsed = Page(page)
    assert not {"script", "link", "iframe", "object"} & set(parsed.tags)
    assert all(link.startswith(("#", "data:")) for link in parsed.links)
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert not re.search(r"@import|url\((?!#)", page)
    assert not any(placeholder in page for placeholder in PAGE_COLOURS)
    assert len(page) < 1_500_000


@pytest.mark.slow
def test_headlines_are_those_of_the_run(page: str) -> None:
    shown = contents()
    text = plain(page)
    cost, _ = shown.profiles[0]
    assert "91.25 % reference" in text
    assert (
        "12 960 values in 3 samples × 60 steps compared in reference, fast, lava: "
        "0 spike mismatches, 0 state mismatches" in text
    )
    typical, between = si_bounds(cost.dynamic_energy_j, "J")
    wanted = f"on Intel Loihi 2 (loihi2) {typical} ESTIMATE ({between})"
    assert re.sub(r"\s+", " ", wanted) in text
    typical, between = si_bounds(cost.latency_s, "s")
    wanted = f"on Intel Loihi 2 (loihi2) {typical} LOWER BOUND ({between})"
    assert re.sub(r"\s+", " ", wanted) in text
    assert re.sub(r"\s+", " ", f"Spikes per sample {count(cost.spikes)} from") in text
    assert re.sub(r"\s+", " ", count(cost.synaptic_operations)) in text


@pytest.mark.slow
def test_rows_of_a_cpu_and_a_gpu_state_their_boundary(page: str) -> None:
    table = page.partition('aria-label="Energy on a CPU or GPU"')[2].partition("</table>")[0]
    rows = table.partition("<tbody>")[2].split("</tr>")[:-1]
    assert len(rows) == 5
    assert all("Boundary:" in row for row in rows)
    assert [("secondary" in row) for row in rows] == [False, False, False, True, True]


@pytest.mark.slow
def test_words_of_the_page_are_explained_at_its_end(page: str) -> None:
    text = plain(page).partition("Words on this page")[2]
    assert "synaptic operation One nonzero weight that an arriving message reaches." in text
    assert "Which number to quote?" in text
    assert "A Lava worker with all of its children" not in text
    # Closed on a screen; rules for print open it.
    assert '<details class="printed" id="words">' in page


@pytest.mark.slow
def test_texts_from_files_are_escaped(page: str) -> None:
    assert "<script" not in page
    assert page.count("&lt;script src=&#39;http://evil.example/x.js&#39;&gt;") == 5
    assert plain(page).count("<script src='http://evil.example/x.js'>") == 5


@pytest.mark.slow
def test_same_contents_give_the_same_bytes(tmp_path: Path, page: str) -> None:
    assert written(tmp_path, contents()) == page


@pytest.mark.slow
def test_mismatches_are_shown_in_full(tmp_path: Path) -> None:
    first = "sample 1, step 17, neuron 5: 12 instead of 11 (reference)"
    wrong = (
        Mismatch("lava", "reference", 1, "v", 41, first),
        Mismatch("lava", "reference", 2, "spikes", 1, "sample 2, step 9, neuron 0: <b>"),
    )
    failed = Verification(("reference", "lava"), SAMPLES, STEPS, 6480, wrong, {})
    html = written(tmp_path, dataclasses.replace(contents(), verification=failed))
    assert 'class="card wide bad"' in html
    text = plain(html)
    assert "1 spike mismatch, 41 state mismatches" in text
    assert f"lava against reference, layer 1, v: 41 differ; first at {first}" in text
    assert "neuron 0: <b>" in text
    assert "bit for bit" not in text


@pytest.mark.slow
def test_what_is_missing_is_said(tmp_path: Path) -> None:
    shown = dataclasses.replace(
        contents(), verification=None, accuracy={}, delays_before=None, seconds={}
    )
    html = written(tmp_path, shown)
    text = plain(html)
    assert "Not verified" in text
    assert text.index("Fits") < text.index("Not verified")
    assert "Accuracy" not in text
    assert "before training" not in text
    assert "Time this took" not in text


@pytest.mark.slow
def test_what_an_overflow_means_is_said(tmp_path: Path) -> None:
    shown = contents()
    none = [
        dataclasses.replace(layer, saturations=0 * layer.saturations, wraps=0 * layer.wraps)
        for layer in shown.simulation.counters.layers
    ]
    updates = sum(layer.updates for layer in none)
    none[0].saturations[0] = updates // 100
    for wraps in (0, 1):
        none[1].wraps[0] = wraps
        counters = dataclasses.replace(shown.simulation.counters, layers=tuple(none))
        run = dataclasses.replace(shown.simulation, counters=counters)
        text = plain(html := written(tmp_path, dataclasses.replace(shown, simulation=run)))
        assert f"{count(updates // 100)} / {wraps} saturations / wraps of a state. " in text
        assert "in 100 neuron updates. A state that saturates is held at its limit" in text
        assert ('class="figure warn"' in html) == bool(wraps)
        assert ("one of the other sign" in text) == bool(wraps)
    none[0].saturations[0] = 0
    assert "held at its limit" not in plain(
        written(tmp_path, dataclasses.replace(shown, simulation=run))
    )


@pytest.mark.slow
def test_missing_bounds_are_not_published(tmp_path: Path) -> None:
    shown = contents()
    text = plain(written(tmp_path, dataclasses.replace(shown, profiles=shown.profiles[1:])))
    cost, _ = shown.profiles[1]
    assert cost.dynamic_energy_j.high is None
    assert "low and high not published" in text
    assert "neuron update 81 not published not published pJ pre-silicon simulation" in text


@pytest.mark.slow
def test_form_without_microcode_stands_beside_the_fused_one(tmp_path: Path) -> None:
    shown = contents(network(leaky=False))
    comparison = without_microcode(shown.program, shown.inputs, load_profile("loihi2"))
    assert isinstance(comparison, LoweredComparison)
    text = plain(written(tmp_path, dataclasses.replace(shown, lowered=comparison)))
    assert f"K = {comparison.period} hardware steps" in text
    for one in comparison.layers:
        sizes = (one.layer, one.neurons, one.lowered_neurons, one.neuron_processes)
        row = " ".join(count(n) for n in (*sizes, one.synapse_processes))
        assert re.sub(r"\s+", " ", row) in text
    for form in (comparison.fused, comparison.lowered):
        for bounds, unit in ((form.dynamic_energy_j, "J"), (form.latency_s, "s")):
            assert re.sub(r"\s+", " ", si_bounds(bounds, unit)[0]) in text
    assert f"counted on the first sample alone: {comparison.ratios_text}. The headlines" in text
    energies = (
        comparison.lowered.dynamic_energy_j.typical,
        comparison.fused.dynamic_energy_j.typical,
    )
    assert f"takes {energies[0] / energies[1]:.3g} times the dynamic energy and" in text


@pytest.mark.slow
def test_why_there_is_no_lowered_form_is_said(tmp_path: Path) -> None:
    why = NotLowered("layer 3 has <two> thresholds")
    text = plain(written(tmp_path, dataclasses.replace(contents(), lowered=why)))
    assert "Not lowered to Lava's own processes: layer 3 has <two> thresholds." in text


@pytest.mark.slow
def test_networks_stand_side_by_side(tmp_path: Path) -> None:
    shown = contents()
    (own, _), (other, _) = shown.profiles
    pair = (Compared("a.net", own, 0.9), Compared("b.net", other, 0.5))
    text = plain(written(tmp_path, dataclasses.replace(shown, compared=pair)))
    assert "a.net b.net accuracy 90.00 % 50.00 %" in text
    typical = [si_bounds(one.dynamic_energy_j, "J")[0] for one in (own, other)]
    assert all(re.sub(r"\s+", " ", one) in text for one in typical)


@pytest.mark.slow
def test_advice_names_what_was_tried_what_it_saves_and_what_does_not_fit(tmp_path: Path) -> None:
    advice = (
        Advice("prune layer 1", 1, 0.25, 0.1, 0.5, 1000.0, 2, accuracy_change=-0.05),
        Advice("round layer 2", 2),
        Advice("spread", refusal="too few chips"),
    )
    text = plain(written(tmp_path, dataclasses.replace(contents(), advice=advice)))
    row = "prune layer 1 +25.0 % +10.0 % +50.0 % +2 -5.00 points; 200 synaptic operations saved"
    assert row in text
    assert "with next to nothing saved or more lost than saved: round layer 2." in text
    assert "Would not fit: spread. too few chips." in text


@pytest.mark.slow
def test_link_map_names_the_busiest_link(tmp_path: Path) -> None:
    shown = contents()
    chip = load_profile("kapoho_point")
    cost = profile(shown.program, shown.inputs, shown.simulation, chip, cores=9)
    text = plain(written(tmp_path, dataclasses.replace(shown, profiles=((cost, chip),))))
    most = int(cost.activity.link_messages.max())
    assert most > 0
    used = int((cost.activity.link_messages > 0).sum())
    assert re.sub(r"\s+", " ", f"{used} links in use; busiest: chip 0, ") in text
    assert re.sub(r"\s+", " ", f"with {count(most)} messages") in text
    assert "Fits Kapoho Point (kapoho_point)" in text


@pytest.mark.slow
def test_provenance_lists_every_quantity(page: str) -> None:
    shown = contents()
    text = plain(page)
    for cost, chip in shown.profiles:
        for key, quantity in chip.quantities():
            assert key.split(".")[-1].replace("_", " ") in text
            assert quantity.source in text
            assert re.sub(r"\s+", " ", quantity.formula or "") in text
        assert all(left_out in text for left_out in cost.left_out)
        assert re.sub(r"\s+", " ", chip.static_power.note or "-") in text


@pytest.mark.slow
def test_membrane_readout_draws_membranes(tmp_path: Path) -> None:
    text = plain(written(tmp_path, contents(network("membrane"))))
    assert "output membranes of class" in text
    assert "output (nominal)" in text


@pytest.mark.slow
def test_many_spikes_become_a_picture() -> None:
    program = network()
    simulation = simulate_reference(program, np.zeros((1, INPUTS, 6000), dtype=bool))
    inputs = np.zeros((1, INPUTS, 6000), dtype=bool)
    inputs[..., ::2] = True
    svg = plot_rasters(program, inputs, simulation.trace, 0).svg
    assert "data:image/png" in svg
    assert len(svg) < 300_000


@pytest.mark.slow
def test_silent_network_has_a_report(tmp_path: Path) -> None:
    shown = contents()
    inputs = np.zeros_like(shown.inputs)
    simulation = simulate_reference(shown.program, inputs)
    cost = profile(shown.program, inputs, simulation, load_profile("loihi2"))
    silent = dataclasses.replace(
        shown,
        inputs=inputs,
        simulation=simulation,
        profiles=((cost, load_profile("loihi2")),),
    )
    assert "Spikes per sample 0 from 0" in plain(written(tmp_path, silent))


def test_delays_stand_with_the_layer_that_emits() -> None:
    program = network()
    found = delays_by_label(program)
    assert list(found) == ["layer 1, recurrence", "layer 1, output", "layer 2, output"]
    assert found["layer 1, output"].size == HIDDEN
    assert found["layer 2, output"].size == CLASSES


def test_delays_to_several_layers_stand_with_the_layer_that_emits(rng) -> None:
    program = skip_connection(rng)
    last = program.layers[-1]
    found = delays_by_label(program)
    # What the layer after it receives at once, and the last one behind a skip later.
    expected = [0] * 5 + last.delays_from(2).tolist()
    assert found["layer 1, output"].tolist() == expected
    assert found["layer 2, output"].tolist() == last.delays_from(1).tolist()
    assert program.output_delays(-1).tolist() == [0] * 4


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"profiles": ()}, "profiles"),
        ({"inputs": np.zeros((1, INPUTS, STEPS), dtype=bool)}, "inputs"),
        ({"delays_before": {"layer 9, output": np.zeros(1)}}, "delays_before"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, object], where: str
) -> None:
    with pytest.raises(KipukaError, match=where) as caught:
        write_report(tmp_path / "report.html", dataclasses.replace(contents(), **change))  # type: ignore[arg-type]
    check_error(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.234e-6, "1.23 µJ"),
        (999.6e-9, "1.00 µJ"),
        (6.8e-12, "6.80 pJ"),
        (0.0, "0 J"),
        (0.23, "230 mJ"),
        (None, "not published"),
    ],
)
def test_si_prefixes(value: float | None, text: str) -> None:
    assert si(value, "J").replace("\u00a0", " ") == text


def test_counts_are_grouped() -> None:
    assert count(1_671_094) == "1\u202f671\u202f094"
    assert count(1_671_093.7) == "1\u202f671\u202f094"
    assert count(586.75) == "586.8"
    assert count(3.8e14) == "3.8 × 10¹⁴"


def test_bounds_share_a_prefix() -> None:
    def shown(*bounds: float | None) -> str:
        return " | ".join(si_bounds(SiBounds(*bounds), "J")).replace("\u00a0", " ")

    assert shown(0.0, 1.2e-6, 2300e-6) == "1.20 µJ | 0 to 2\u202f300 µJ"
    assert shown(4e-7, 1.2e-6, None) == "1.20 µJ | 0.400 µJ to high not published"
    assert shown(None, 1.2e-6, 2e-6) == "1.20 µJ | low not published to 2.00 µJ"
    assert shown(None, None, None) == "not published | low and high not published"


@pytest.mark.slow
def test_halves_of_characters_are_spelled_out(tmp_path: Path) -> None:
    odd = dataclasses.replace(network(), metadata={"origin": "half \ud800", "\udcff": "key"})
    html = written(tmp_path, contents(odd))
    assert "half \\ud800" in html
    assert "\\udcff" in html


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            '{"network":"sgru","steps":null,"delays":{"rule":"annealed"}}',
            "network sgru, delays.rule annealed",
        ),
        ("kipuka train", "kipuka train"),
        ("[1]", "[1]"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_settings_are_shown_as_words(text: str, shown: str) -> None:
    assert settings_text(text) == shown
