"""Tables of docs/silicon.md: public observations, and what Kipuka says of the same."""

from __future__ import annotations

import re

import numpy as np

from kipuka.deploy.costs.mapping import core_limits, map_by_halving, map_groups
from kipuka.deploy.costs.mapping.demand import list_words, tap_words
from kipuka.hardware_profiles import SiBounds
from kipuka_observations import (
    CONVOLUTIONS,
    DENSE_CORES,
    DENSE_WORDS,
    HOST_RUNS,
    PILOTNET,
    PILOTNET_BUSIEST,
    PILOTNET_CORES,
    PILOTNET_NEURONS,
    PILOTNET_OPERATIONS,
    PILOTNET_STEPS,
    conv_group,
    dense_group,
)

SHD = (
    (0.28e-3, "0.28 mJ dynamic, feed-forward with delays", None),
    (0.21e-3, "0.21 mJ dynamic, recurrent with delays", None),
    (0.50e-3, "0.50 mJ, recurrent 1024, boundary not given", 1024),
)
"""[Meszaros25] and [Shoesmith25], secondary: energies of spoken digits, and neurons if known."""


def placed(text, name, table):
    """Document with the table between the marks of that name."""
    marks = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
    assert re.search(marks, text, flags=re.DOTALL), name
    return re.sub(marks, lambda found: f"{found[1]}{table}\n{found[2]}", text, flags=re.DOTALL)


def joined(heads, rows):
    """Table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def inside(measured, low, high):
    return "inside" if low <= measured <= high else "**outside**"


def dense_table(chip):
    packing = core_limits(chip).packing
    rows = []
    for row in DENSE_WORDS:
        bits = row.weight_bits + packing.synapse_index
        ours = int(list_words(np.array([row.neurons]), bits, packing)[0])
        verdict = "equal" if ours == row.words else "**not equal**"
        rows.append([row.source, f"{row.neurons}, {row.weight_bits}", row.words, ours, verdict])
    return joined(["axon of", "neurons, weight bits", "printed words", "ours", ""], rows)


def fitting_bits(row, packing):
    """Widths of weights with which our kernel takes the words that were printed."""
    known = range(1, 9) if row.weight_bits is None else [row.weight_bits]
    channels = np.array([row.region[0]])
    found = [(bits, tap_words(channels, bits, row.stride > 1, packing)[0]) for bits in known]
    return [bits for bits, words in found if words == row.words_per_tap]


def kernel_table(chip):
    packing = core_limits(chip).packing
    rows = []
    for row in CONVOLUTIONS:
        fits = fitting_bits(row, packing)
        public = row.weight_bits is not None
        verdict = "equal" if public and fits else f"equal for {' or '.join(map(str, fits))} bits"
        bits = row.weight_bits if public else "not public"
        rows.append([row.source, row.region[0], bits, f"{row.words_per_tap:g}", verdict])
    heads = ["convolution", "channels on a core", "weight bits", "printed words per tap", "ours"]
    return joined(heads, rows)


def core_rows(chip):
    packing = core_limits(chip).packing
    layers = [(row, dense_group(row)) for row in DENSE_CORES]
    for row in CONVOLUTIONS:
        layers.append((row, conv_group(row, fitting_bits(row, packing)[0])))
    for row, groups in layers:
        yield row, map_groups(groups, chip).n_cores, map_by_halving(groups, chip).n_cores


def core_table(chip):
    rows = [
        [row.source, row.cores, low, high, inside(row.cores, low, high)]
        for row, low, high in core_rows(chip)
    ]
    return joined(["layer", "compiler's cores", "fewest", "by halving", ""], rows)


def bounds_text(bounds, scale):
    return ["not published" if x is None else f"{x * scale:.3g}" for x in bounds]


def own_counts_step(chip):
    """Time of a step of PilotNet from the counts that the chip itself reported."""
    latency, passes = chip.latency, chip.energy.dendrite_updates_per_neuron_update.in_si()
    operations = [PILOTNET_BUSIEST * x for x in latency.synaptic_operation.in_si()]
    updates = [
        PILOTNET_NEURONS * x * n for x, n in zip(latency.neuron_update.in_si(), passes, strict=True)
    ]
    barrier = latency.barrier.in_si()
    terms = list(zip(operations, updates, barrier, strict=True))
    return SiBounds(max(terms[0]), max(terms[1]), sum(terms[2]))


def pilotnet_table(cost, chip):
    step = SiBounds(*(x / PILOTNET_STEPS for x in cost.latency_s))
    rows = []
    for run in PILOTNET:
        for name, value, bounds, scale, unit, circular in (
            ("time per step", run.step_s, step, 1e6, "us", "no"),
            ("time per step, from the chip's own counts", run.step_s, own_counts_step(chip), 1e6,
             "us", "no"),
            ("dynamic energy per frame", run.dynamic_j, cost.dynamic_energy_j, 1e3, "mJ", "yes"),
            ("static energy per frame", run.static_j, cost.static_energy_j, 1e3, "mJ",
             "in part: the power"),
        ):  # fmt: skip
            rows.append(
                [
                    f"{name}, {run.source}",
                    f"{value * scale:.4g} {unit}",
                    *bounds_text(bounds, scale),
                    f"{bounds.high / bounds.low:.1f}",
                    inside(value, bounds.low, bounds.high),
                    circular,
                ]
            )
    low, high = cost.cores
    verdict = inside(PILOTNET_CORES, low, high)
    ratio = f"{high / low:.1f}"
    rows.append(["neuro cores", PILOTNET_CORES, low, "", high, ratio, verdict, "see above"])
    counted = f"{cost.synaptic_operations / PILOTNET_STEPS / 1e6:.2f} M"
    read = f"{PILOTNET_OPERATIONS / 1e6:.2f} M (plot)"
    rows.append(["synaptic operations per step", read, "", counted, "", "", "counted", "no"])
    heads = ["quantity", "measured", "low", "typical", "high", "high / low", "", "circular"]
    return joined(heads, rows)


def host_table(chip):
    bounds = chip.host_input.step_from_host.in_si()
    rows = [
        [run.source, run.fed_with, f"{1e3 * run.run_s / run.steps:.4g} ms",
         *bounds_text(bounds, 1e3), inside(run.run_s / run.steps, bounds.low, bounds.high)]
        for run in HOST_RUNS
    ]  # fmt: skip
    heads = ["run", "fed with", "wall time per step", "low", "typical", "high", ""]
    return joined(heads, rows)


def small_steps_table(chip):
    """Steps of networks that do next to nothing: [OzU-CAST] 200 neurons on 5 cores, 1200 on 69."""
    passes = chip.energy.dendrite_updates_per_neuron_update.in_si()
    update, barrier = chip.latency.neuron_update.in_si(), chip.latency.barrier.in_si()
    prices = chip.energy.neuron_update.in_si()
    rows = []
    for neurons, cores in ((200, 5), (1200, 69)):
        own = -(-neurons // cores)
        low = max(own * update.low * passes.low, barrier.low)
        high = own * update.high * passes.high + barrier.high
        texts = [f"{low * 1e6:.2g}", f"{high * 1e6:.2g}", f"{high / low:.1f}"]
        name = f"step, {neurons} neurons on {cores} cores (plot)"
        rows.append([name, "1.77 us", *texts, inside(1.77e-6, low, high)])
    own = -(-1200 // 69)
    low, high = own * passes.low * prices.low, own * passes.high * prices.high
    texts = [f"{low * 1e9:.2g}", f"{high * 1e9:.2g}", "no low bound"]
    name = "energy per core and step, slope over cores (plot)"
    # Operations of these networks are not known and would come on top.
    verdict = "overlaps" if low <= 4.8e-9 and high >= 2.8e-9 else "**outside**"
    rows.append([name, "2.8 to 4.8 nJ", *texts, verdict])
    return joined(["quantity", "measured", "low", "high", "high / low", ""], rows)


def digits_table(chip):
    price = chip.energy.synaptic_operation.in_si()
    rows = []
    for energy_j, name, neurons in SHD:
        few, many = energy_j / price.high, energy_j / price.low
        rates = "not its size"
        if neurons:
            # A spike of a recurrent layer reaches every neuron of it.
            spikes = [round(count / neurons**2) for count in (few, many)]
            rates = f"{spikes[0]} to {spikes[1]} spikes per neuron and sample"
        rows.append([name, f"{few / 1e6:.1f} to {many / 1e6:.1f} M per sample", rates])
    heads = [
        "published",
        "if all of it were synaptic operations (high to low price)",
        "that is, in a recurrent layer of 1024",
    ]
    return joined(heads, rows)


def static_table(chip):
    bounds = chip.static_power.in_si()
    rows = []
    for name, power_w in (
        ("PilotNet LIF, 2023-01, measured", 0.232078),
        ("PilotNet LIF, 2022-10-28, measured", 0.309),
        ("SHD, feed-forward with delays, derived, secondary", (0.46e-3 - 0.28e-3) / 1.46e-3),
        ("SHD, recurrent with delays, derived, secondary", (0.36e-3 - 0.21e-3) / 1.54e-3),
    ):
        # The profile gives two digits.
        verdict = inside(round(power_w, 2), bounds.low, bounds.high)
        rows.append([name, f"{power_w:.3f} W", *bounds_text(bounds, 1), verdict])
    return joined(["static power", "", "low", "typical", "high", ""], rows)
