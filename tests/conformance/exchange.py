"""One private exchange on free ports, through eidosctl."""

import json
import os
import pathlib
import subprocess
import tempfile

TREE = pathlib.Path(__file__).resolve().parents[2]
EIDOSCTL = pathlib.Path(os.environ.get("EIDOS_BIN", TREE / "build" / "bin")) / "eidosctl"
OPTIONS = ["api.port=0", "ops.port=0", "limits.rates=off", "shm.hugepages=off",
           "trading.accounts_max=4096", "trading.balances_max=16384", "trading.orders_max=65536",
           "matching.orders_max=65536", "log.command_bytes=8M", "log.match_bytes=8M",
           "log.account_bytes=8M", "journal.segment_bytes=16M"]


class Exchange:
    def __enter__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="eidos-conformance-")
        self.ctl("up", "--detach", *(word for o in OPTIONS for word in ("--set", o)))
        self.ctl("ready", "--wait", "60")
        self.port = next(p["port"] for p in self.status()["processes"] if p["role"] == "api")
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_):
        try:
            self.ctl("down")
        finally:
            self.dir.cleanup()

    def ctl(self, *words):
        return subprocess.run([EIDOSCTL, *words, "--dir", self.dir.name], check=True, timeout=90,
                              stdout=subprocess.PIPE, text=True).stdout

    def status(self):
        return json.loads(self.ctl("status", "--json"))

    def restarts(self):
        return {p["name"]: p.get("restarts", 0) for p in self.status()["processes"]}
