"""Mutated files: ``PYTHONPATH=tests/support python -m kipuka_fuzz --format net --count 10000``.

A child process makes, loads and uses one file after the other; this one watches it. Each file
either loads or ends in a KipukaError, in at most `SECONDS` of the processor and `BYTES` more than
before; a child that is silent for `SILENCE_S` hangs.
"""

from __future__ import annotations

import argparse
import collections
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

SECONDS, BYTES = 5.0, 1 << 30
SILENCE_S, START_S = 20, 300
"""Longest silence of a child, and of one that still has to import and make its first files."""


def fuzz(name, count, first=0):
    """Return the outcomes, counted, the longest time, the most bytes, and what went wrong."""
    outcomes, findings = collections.Counter(), []
    longest_s, most_bytes, seed, end = 0.0, 0, first, first + count
    while seed < end:
        for fields in _lines(name, seed, end):
            if fields is None:
                findings.append((seed, "the process died or hung, in use or in mutation"))
                seed += 1
                break
            seed, outcome, seconds, n_bytes, detail = fields
            outcomes[outcome] += 1
            longest_s, most_bytes = max(longest_s, seconds), max(most_bytes, n_bytes)
            if outcome == "failed" or seconds > SECONDS or n_bytes > BYTES:
                findings.append((seed, f"{detail}, {seconds:.1f} s, {n_bytes >> 20} MiB"))
            seed += 1
    return outcomes, longest_s, most_bytes, findings


def _lines(name, seed, end):
    words = [sys.executable, __file__, "--format", name, "--child", str(seed), str(end)]
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    child = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    limit_s = START_S
    try:
        for _ in range(seed, end):
            # Second by second, so that a while in which the machine stood still counts as one.
            if not any(select.select([child.stdout], [], [], 1)[0] for _ in range(limit_s)):
                yield None
                return
            line = child.stdout.readline()
            if not line:
                yield None
                return
            number, outcome, seconds, n_bytes, detail = line.rstrip("\n").split("\t", 4)
            yield int(number), outcome, float(seconds), int(n_bytes), detail
            limit_s = SILENCE_S
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def child(name, first, end):
    """Make, load and use one file after the other, a line for each."""
    from kipuka.errors import KipukaError
    from kipuka_fuzz_formats import FORMATS

    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        form = FORMATS[name](Path(folder))
        form.use()
        limit = _memory("VmSize") + BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for seed in range(first, end):
            form.mutate(np.random.default_rng([seed, len(name)]))
            Path("/proc/self/clear_refs").write_text("5")
            before, start, detail = _memory("VmRSS"), time.process_time(), ""
            try:
                form.use()
                outcome = "loaded"
            except KipukaError as error:
                outcome = "refused"
                str(error).encode()
            except Exception as error:
                outcome = "failed"
                frames = traceback.extract_tb(error.__traceback__)[-3:]
                places = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))
                detail = ascii(f"{type(error).__name__}: {str(error)[:150]} at {places}")
            seconds, n_bytes = time.process_time() - start, _memory("VmHWM") - before
            print(seed, outcome, f"{seconds:.4f}", n_bytes, detail, sep="\t", flush=True)  # noqa: T201


def _memory(key):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise LookupError(key)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", required=True)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--child", type=int, nargs=2)
    given = parser.parse_args()
    if given.child:
        child(given.format, *given.child)
        return 0
    outcomes, longest_s, most_bytes, findings = fuzz(given.format, given.count, given.first)
    figures = f"{longest_s:.2f} s and {most_bytes >> 20} MiB at most"
    print(given.format, dict(outcomes), figures, f"{len(findings)} findings")  # noqa: T201
    for seed, finding in findings:
        print(f"  --first {seed} --count 1: {finding}")  # noqa: T201
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
