"""What a notebook would do, cell by cell: look at a network, run it, price it, draw it."""

from pathlib import Path

import matplotlib
import numpy as np

import kipuka
from kipuka.convert import load_net
from kipuka.deploy import profile, simulate
from kipuka.hardware_profiles import load_profile

matplotlib.use("agg")  # A notebook has a backend of its own.
from matplotlib import pyplot

network_file = next(
    path for path in ("kipuka-demo/model.net", "run/model.net") if Path(path).exists()
)

# %% In a notebook the last line of a cell shows itself as a table.
program = load_net(network_file)
print(program)

# %%
spikes = np.random.default_rng(0).random((8, program.n_inputs, 40)) < 0.2
run = simulate(program, spikes)
print(run)

# %%
chip = load_profile("loihi2")
cost = profile(program, spikes, run, chip)
print(chip)
print(cost)

# %%
figure, places = pyplot.subplots(2, 2, figsize=(10, 7), layout="constrained")
kipuka.plot.raster(run.trace.layers[0].spikes[0], places[0, 0])
kipuka.plot.membranes(run.trace.layers[0].states["v"][0], places[0, 1], most=4)
kipuka.plot.delays(program, places[1, 0])
kipuka.plot.core_map(cost, places[1, 1])
figure.savefig("notebook.png")
