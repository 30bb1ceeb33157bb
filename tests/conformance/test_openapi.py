#!/usr/bin/env python3
"""schemathesis against a private exchange: every documented operation, with valid, invalid and odd
input, answers as /openapi.json says. The arguments go to schemathesis."""

import os
import pathlib
import subprocess
import sys

from exchange import Exchange

HERE = pathlib.Path(__file__).resolve().parent


def main():
    with Exchange() as exchange:
        before = exchange.restarts()
        command = [pathlib.Path(sys.executable).parent / "schemathesis", "run",
                   f"{exchange.url}/openapi.json", "--exclude-path", "/ws",
                   "--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "1",
                   "--generation-deterministic", "--no-color", *sys.argv[1:]]
        code = subprocess.run(command, cwd=HERE, check=False, timeout=500, env={
            **os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1"}).returncode
        if exchange.restarts() != before:
            print("a process had to be started again:", exchange.restarts())
            code = 1
    print("1 passed, 0 failed" if code == 0 else "0 passed, 1 failed")
    return code != 0


if __name__ == "__main__":
    sys.exit(main())
