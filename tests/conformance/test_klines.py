#!/usr/bin/env python3
"""Candles of a live exchange equal those that tests/model/klines.py makes of the trades a WebSocket
client heard: for every market and interval, after eidos-market was killed, after everything was, after
a clean restart; also when the trades are older than every journal file that is left."""

import asyncio
import json
import pathlib
import subprocess
import sys
import time
import urllib.request

import websockets

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "model"))

import klines  # noqa: E402
from exchange import EIDOSCTL, Exchange  # noqa: E402

SECONDS = 12
# A journal that keeps nothing it need not, in files as small as they get.
OPTIONS = ["journal.segment_bytes=1M", "journal.retain=0s", "snapshot.interval=1s", "snapshot.keep=2",
           "log.command_bytes=1M", "log.match_bytes=1M", "log.account_bytes=1M"]
SCALE = 10**18


def parse(text):
    whole, _, fraction = text.partition(".")
    return int(whole) * SCALE + int(fraction.ljust(18, "0"))


def show(value):
    whole, fraction = divmod(value, SCALE)
    digits = str(fraction).rjust(18, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def get(exchange, path):
    with urllib.request.urlopen(f"{exchange.url}/api/v1{path}", timeout=20) as answer:
        return json.load(answer)["data"]


async def trade(exchange):
    """What trades.* told while eidosctl demo traded: {market: [trade]}, none missing."""
    trades = {m["symbol"]: [] for m in get(exchange, "/markets")}
    url = f"ws://127.0.0.1:{exchange.port}/ws"
    async with websockets.connect(url, max_queue=None) as ws:
        await ws.send('{"type":"subscribe","channels":["trades.*"]}')
        demo = await asyncio.create_subprocess_exec(
            EIDOSCTL, "demo", "--seconds", str(SECONDS), "--wallets", "60", "--rate", "600",
            "--seed", "7", "--json", "--dir", exchange.dir.name, stdout=subprocess.PIPE)
        done = asyncio.create_task(demo.communicate())
        while True:
            try:
                message = json.loads(await asyncio.wait_for(ws.recv(), 1))
            except TimeoutError:
                if done.done():
                    break
                continue
            if message["type"] == "update":
                own = trades[message["market"]]
                own.append(message["data"])
                assert message["sequence"] == len(own), "a trade is missing"
        assert demo.returncode == 0, (await done)[0]
    return trades


def wanted(trades, interval, now):
    rows = klines.klines([(t["timestamp"], *map(parse, (t["price"], t["amount"], t["quote_amount"])))
                          for t in trades], interval, now)
    return [{"open_time": r[0], "open": show(r[1]), "high": show(r[2]), "low": show(r[3]),
             "close": show(r[4]), "volume": show(r[5]), "quote_volume": show(r[6]),
             "close_time": klines.after(interval, r[0]) - 1, "trade_count": r[7]} for r in rows]


def compare(exchange, trades):
    for market, own in trades.items():
        for interval in klines.INTERVALS:
            before = int(time.time() * 1000)
            got = get(exchange, f"/klines/{market}?interval={interval}&limit=1500")
            after = int(time.time() * 1000)
            assert got in [wanted(own, interval, now) for now in (before, after)], (
                market, interval, got)
    return sum(map(len, trades.values()))


def first_file(exchange):
    return min(p.name for p in pathlib.Path(exchange.dir.name, "journal").glob("command*"))


def main():
    with Exchange(*OPTIONS) as exchange:
        oldest = first_file(exchange)
        trades = asyncio.run(trade(exchange))
        count = compare(exchange, trades)
        assert count > 500, count
        for _ in range(200):
            if first_file(exchange) != oldest:
                break
            time.sleep(0.1)
        else:
            raise AssertionError(f"the journal still has {oldest}")
        exchange.kill("market")
        compare(exchange, trades)
        exchange.kill_all()
        exchange.start()
        compare(exchange, trades)
        exchange.ctl("down")
        exchange.start()
        compare(exchange, trades)
    print(f"{count} trades, {oldest} is gone; equal after each restart\n1 passed, 0 failed")


if __name__ == "__main__":
    sys.exit(main())
