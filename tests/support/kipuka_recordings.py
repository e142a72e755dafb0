"""Small recordings in all the forms in which people have them."""

from __future__ import annotations

import h5py
import numpy as np

CLASSES, GROUPS, PER_CLASS, UNITS, STEPS = 4, 5, 10, 12, 30


def spikes_and_labels(per_class=PER_CLASS, units=UNITS, steps=STEPS, seed=0):
    """Samples whose class is the third of the units that spikes most."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), per_class)
    rates = np.full((len(labels), units), 0.05)
    for sample, label in enumerate(labels):
        rates[sample, label::CLASSES] = 0.5
    spikes = rng.random((len(labels), units, steps)) < rates[:, :, None]
    spikes[:, -1, -1] = True  # so that the highest unit is known
    order = rng.permutation(len(labels))
    return spikes[order], labels[order]


def groups_of(labels):
    """Speakers, each of whom says every class."""
    groups = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        groups[own] = np.arange(len(own)) % GROUPS
    return groups


def write_npz(path, spikes, labels=None, **others):
    """The file that `kipuka profile --data` takes."""
    samples, units, times = np.nonzero(spikes)
    given = {} if labels is None else {"labels": labels}
    np.savez(
        path, times=times, units=units, samples=samples, n_steps=spikes.shape[2], **given, **others
    )
    return path


def write_single(path, spikes, **others):
    """One recording (units, steps) without a sample axis."""
    units, times = np.nonzero(spikes)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, times=times, units=units, n_steps=spikes.shape[1], **others)
    return path


def write_hdf5(path, spikes, labels, speakers=None, keys=None, bin_s=0.01, **others):
    """A file in the form of Spiking Heidelberg Digits, with events amid the steps."""
    with h5py.File(path, "w") as file:
        for key, dtype in (("times", np.float32), ("units", np.uint16)):
            file.create_dataset(f"spikes/{key}", (len(spikes),), h5py.vlen_dtype(dtype))
        for sample, one in enumerate(spikes):
            times, units = np.nonzero(one.T)
            file["spikes/times"][sample] = ((times + 0.5) * bin_s).astype(np.float32)
            file["spikes/units"][sample] = units.astype(np.uint16)
        file["labels"] = labels.astype(np.uint16)
        if speakers is not None:
            file["extra/speaker"] = speakers
        if keys is not None:
            file["extra/keys"] = np.array([key.encode() for key in keys])
        for key, value in others.items():
            file[key] = value
    return path
