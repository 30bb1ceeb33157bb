"""One private exchange on free ports, through eidosctl."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

TREE = pathlib.Path(__file__).resolve().parents[2]
EIDOSCTL = pathlib.Path(os.environ.get("EIDOS_BIN", TREE / "build" / "bin")) / "eidosctl"
OPTIONS = ["api.port=0", "ops.port=0", "limits.rates=off", "shm.hugepages=off",
           "trading.accounts_max=4096", "trading.balances_max=16384", "trading.orders_max=65536",
           "matching.orders_max=65536", "log.command_bytes=8M", "log.match_bytes=8M",
           "log.account_bytes=8M", "journal.segment_bytes=16M"]


def has_ended(pid):
    """Gone, or a zombie: then its files and locks are closed, too."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


class Exchange:
    def __init__(self, *options):
        self.options = [*OPTIONS, *options]

    def __enter__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="eidos-conformance-")
        self.start()
        return self

    def start(self):
        self.ctl("up", "--detach", *(word for o in self.options for word in ("--set", o)))
        self.ctl("ready", "--wait", "60")
        self.port = next(p["port"] for p in self.status()["processes"] if p["role"] == "api")
        self.url = f"http://127.0.0.1:{self.port}"

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

    def processes(self):
        return json.loads(self.ctl("ps", "--json"))

    def kill(self, name):
        """kill -9, and wait until it is back."""
        def find():
            return next(p for p in self.processes() if p["name"] == name)
        pid = find()["pid"]
        os.kill(pid, signal.SIGKILL)
        for _ in range(400):
            now = find()
            if now["pid"] != pid and now["state"] == "ready":
                return
            time.sleep(0.05)
        raise TimeoutError(f"{name} did not come back")

    def kill_all(self):
        """kill -9 of everything, the supervisor first, as when the host dies; wait until it is so."""
        pids = [p["pid"] for p in self.processes()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        while not all(map(has_ended, pids)):
            time.sleep(0.01)

    def restarts(self):
        return {p["name"]: p.get("restarts", 0) for p in self.status()["processes"]}
