"""Plots of a report, one file for each theme."""

from kipuka.deploy.report.plots.activity import plot_membranes, plot_rasters
from kipuka.deploy.report.plots.cores import plot_cores
from kipuka.deploy.report.plots.costs import plot_energy, plot_spikes, plot_timeline
from kipuka.deploy.report.plots.histograms import plot_delays, plot_rates
from kipuka.deploy.report.plots.links import plot_links
from kipuka.deploy.report.plots.style import PAGE_COLOURS, Plot
from kipuka.deploy.report.plots.values import plot_activations
from kipuka.lazy import listing

__all__ = [
    "PAGE_COLOURS",
    "Plot",
    "plot_activations",
    "plot_cores",
    "plot_delays",
    "plot_energy",
    "plot_links",
    "plot_membranes",
    "plot_rasters",
    "plot_rates",
    "plot_spikes",
    "plot_timeline",
]

__dir__ = listing(__all__)
