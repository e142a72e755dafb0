"""Names of the files of a job, which a run writes and its worker reads; nothing here needs Lava."""

from __future__ import annotations

JOB_NETWORK, JOB_INPUTS, JOB_TRACE = "network.net", "inputs.npy", "trace.npz"
