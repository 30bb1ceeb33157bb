#!/usr/bin/env python3
"""Compares the exchange with the naive model on random sequences.

usage: run.py --driver PATH --seeds A..B [--ops N] [--out DIR] [--keep-going]

For every seed: generate a sequence, feed it to the driver, run the model on the same, compare line by
line. At the first difference it prints seed, operation, expected and actual, drops
operations while a difference of the same kind stays, and writes the shortest sequence it found to
DIR/seed-N.jsonl (default: the current directory). --keep-going goes on with the next
seed. The last line is "N passed, N failed"; exit code 0 = none failed, 1 = some did, 2 = usage.

A sequence kept in a file: run.py --driver PATH --replay FILE
"""

import argparse
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing but sources in this folder

import exchange  # noqa: E402
import generate  # noqa: E402

SET_UP = ("token", "market", "limits")
SHRINK_S_MAX = 60
DRIVER_S_MAX = 30


def dump(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def drive(driver, ops):
    """The driver's answers as parsed JSON; what went wrong is the last answer."""
    text = "".join(dump(op) + "\n" for op in ops)
    try:
        done = subprocess.run(driver, input=text, capture_output=True, text=True,
                              timeout=DRIVER_S_MAX, check=False)
    except subprocess.TimeoutExpired:
        return [{"driver": f"no end within {DRIVER_S_MAX} s"}]
    answers = []
    for line in done.stdout.splitlines():
        try:
            answers.append(json.loads(line))
        except ValueError:
            answers.append({"driver": "not JSON: " + line[:200]})
    if done.returncode:
        answers.append({"driver": f"exit code {done.returncode}: {done.stderr[-500:].strip()}"})
    return answers


def plain(answers):
    """Balances of zero and fees of zero say nothing: dropped on both sides."""
    kept = []
    for answer in answers:
        if isinstance(answer, dict):
            if answer.get("available") == "0" and answer.get("frozen") == "0":
                continue
            if "fees" in answer:
                answer = {"fees": {k: v for k, v in answer["fees"].items() if v != "0"}}
        kept.append(answer)
    return kept


def difference(driver, ops):
    """None, or (op number, op, expected, actual) of the first line that differs."""
    expected, actual = plain(exchange.run(ops)), plain(drive(driver, ops))
    asked = [(i, op) for i, op in enumerate(ops) if op["op"] not in SET_UP]
    for i in range(max(len(expected), len(actual))):
        want = expected[i] if i < len(expected) else None
        got = actual[i] if i < len(actual) else None
        if dump(want) != dump(got):
            number, op = asked[i] if i < len(asked) else (len(ops), {"op": "final"})
            return number, op, want, got
    return None


def fields(want, got, path=""):
    """Names of the fields that differ, so that shrinking does not slip to another fault."""
    if isinstance(want, dict) and isinstance(got, dict):
        return frozenset().union(*(fields(want.get(k), got.get(k), f"{path}.{k}")
                                   for k in want.keys() | got.keys()))
    return frozenset() if want == got else frozenset([path])


def fell(got):
    """True if the driver died or fell silent; where is unknown when its output was buffered."""
    return got is None or "driver" in got


def kind(found):
    """What a difference is about: the operation, the codes, the fields that differ."""
    _, op, want, got = found
    if fell(got):
        return "driver", got and got["driver"].partition(":")[0]
    codes = [a.get("code") if isinstance(a, dict) else None for a in (want, got)]
    return op["op"], *codes, fields(want, got)


def without(ops, first, count):
    """The sequence without some operations; orders keep their meaning in later cancels."""
    numbers, kept, old, new = {}, [], 0, 0
    for i, op in enumerate(ops):
        gone = first <= i < first + count and op["op"] not in SET_UP
        if op["op"] == "order":
            if not gone:
                numbers[old] = new
                new += 1
            old += 1
        if gone:
            continue
        if op["op"] == "cancel" and op["order"] != "unknown":
            if op["order"] not in numbers:
                continue
            op = dict(op, order=numbers[op["order"]])
        kept.append(op)
    return kept


def upto(ops, found):
    """The sequence up to the difference, which the later operations can not have caused."""
    return ops if fell(found[3]) else ops[: found[0] + 1]


def shrink(driver, ops, found):
    """Drops ever smaller runs of operations while a difference of the same kind stays."""
    until, wanted = time.monotonic() + SHRINK_S_MAX, kind(found)
    ops = upto(ops, found)
    size = max(1, len(ops) // 2)
    while size:
        start, before = len(ops) - size, len(ops)
        while start > -size and time.monotonic() < until:
            shorter = without(ops, max(start, 0), size)
            other = difference(driver, shorter) if len(shorter) < len(ops) else None
            if other and kind(other) == wanted:
                ops, found = upto(shorter, other), other
            start -= size
        if len(ops) == before or size > 1:
            size //= 2
    return ops, found


def report(found):
    number, op, want, got = found
    print(f"  operation {number}: {dump(op)}\n  expected  {dump(want)}\n  actual    {dump(got)}")


def one_seed(args, seed):
    """True if the driver agrees with the model on this seed."""
    ops = generate.generate(seed, args.ops)
    found = difference(args.driver, ops)
    if not found:
        return True
    print(f"seed {seed}: differs")
    report(found)
    ops, found = shrink(args.driver, ops, found)
    path = os.path.join(args.out, f"seed-{seed}.jsonl")
    with open(path, "w", encoding="ascii") as file:
        file.writelines(dump(op) + "\n" for op in ops)
    print(f"  shrunk to {len(ops)} operations in {path}:")
    report(found)
    return False


def replay(args):
    with open(args.replay, encoding="ascii") as file:
        found = difference(args.driver, [json.loads(line) for line in file if line.strip()])
    if found:
        report(found)
    return not found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", required=True, help="program that reads operations on stdin")
    parser.add_argument("--seeds", default="1..1000", help="A..B, both included")
    parser.add_argument("--ops", type=int, default=170)
    parser.add_argument("--out", default=".", help="folder for shrunk sequences")
    parser.add_argument("--replay", help="compare on one kept sequence")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a difference")
    args = parser.parse_args()
    try:
        first, _, last = args.seeds.partition("..")
        args.seeds = range(int(first), int(last or first) + 1)
    except ValueError:
        parser.error("--seeds wants A..B, for example 1..1000")
    if not os.access(args.driver, os.X_OK):
        parser.error(f"--driver {args.driver}: not an executable file; build it first")
    args.driver = os.path.abspath(args.driver)
    return args


def main():
    args = arguments()
    passed = failed = 0
    if args.replay:
        passed, failed = (1, 0) if replay(args) else (0, 1)
    else:
        for seed in args.seeds:
            if one_seed(args, seed):
                passed += 1
                continue
            failed += 1
            if not args.keep_going:
                break
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
