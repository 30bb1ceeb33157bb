#!/usr/bin/env python3
"""Runs engines in the public matching-engine-benchmark beside each other.

    compare.py HARNESS ROUNDS SEED[,SEED...] ENGINE...

HARNESS is a built checkout of the benchmark. ENGINE is NAME (its NAME_adapter.so) or NAME=FILE.
In each round every engine runs every scenario once, in turns, the matcher on core 0 and the reader
of its reports on core 1. Printed: medians of M messages/s (least to most), the worst scenario of
each, its ratio to the best of the engines whose name does not begin with eidos, and whether all
reports were the same, byte by byte. Exits 1 if they were not, or if a run failed.
"""
import os
import re
import statistics
import subprocess
import sys

SCENARIOS = ["static", "normal", "swing-25", "swing-40", "flash-crash"]
COUNT = 1000000


def die(text):
    sys.exit(f"compare.py: {text}")


def run(harness, seed, scenario, name, path):
    """One run: M messages/s, and the hash of all reports."""
    command = ["./harness", "--engine", path, "--scenario", scenario, "--seed", seed, "--mode",
               "perf", "--matcher-core", "0", "--drainer-core", "1"]
    out = subprocess.run(command, cwd=harness, capture_output=True, text=True, check=False)
    rate = re.search(r"Throughput:\s+([\d.]+)", out.stdout)
    digest = re.search(r"Computed hash: (\w+)", out.stdout)
    if not rate or not digest:
        die(f"{name} failed on {scenario}, seed {seed}: {(out.stdout + out.stderr)[-400:]}")
    return float(rate[1]), digest[1]


def show(seed, names, rates):
    print(f"seed {seed}; M messages/s, medians (least..most)")
    print(f"{'':14}" + "".join(f"{n:>22}" for n in names))
    worst = dict.fromkeys(names, float("inf"))
    for scenario in SCENARIOS:
        line = f"{scenario:14}"
        for n in names:
            r = rates[seed, scenario, n]
            median = statistics.median(r)
            worst[n] = min(worst[n], median)
            line += f"{f'{median:.2f} ({min(r):.1f}..{max(r):.1f})':>22}"
        print(line)
    print(f"{'worst':14}" + "".join(f"{worst[n]:22.2f}" for n in names))
    others = [worst[n] for n in names if not n.startswith("eidos")]
    if others:
        print(f"{'to the best':14}" + "".join(f"{worst[n] / max(others):22.2f}" for n in names))


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    harness, rounds, seeds = os.path.abspath(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(",")
    engines = {}
    for arg in sys.argv[4:]:
        name, _, path = arg.partition("=")
        engines[name] = os.path.abspath(path) if path else f"{harness}/{name}_adapter.so"
    for path in [f"{harness}/harness", f"{harness}/generator", *engines.values()]:
        if not os.path.exists(path):
            die(f"{path} is not there; tests/bench/public/README.md tells how to build it")
    names, rates, same = list(engines), {}, True
    for seed in seeds:
        for scenario in SCENARIOS:
            flow = f"orders_{scenario}_s{seed}_n{COUNT}.bin"
            if not os.path.exists(f"{harness}/{flow}"):
                subprocess.run(["./generator", scenario, flow, str(COUNT), seed], cwd=harness,
                               check=True, capture_output=True)
    for i in range(rounds):
        for seed in seeds:
            for scenario in SCENARIOS:
                digests = set()
                for n in names if i % 2 == 0 else names[::-1]:
                    rate, digest = run(harness, seed, scenario, n, engines[n])
                    rates.setdefault((seed, scenario, n), []).append(rate)
                    digests.add(digest)
                if len(digests) > 1:
                    print(f"seed {seed}, {scenario}: REPORTS DIFFER")
                    same = False
    for seed in seeds:
        show(seed, names, rates)
    print("reports: " + ("the same" if same else "NOT THE SAME"))
    return 0 if same else 1


sys.exit(main())
