"""Candles and 24 h tickers from a list of trades, in the plainest way.

A trade is (time_ms, price, amount, quote), the three as int x 10^18. Written from the protocol:
open_time = floor(ts/interval)*interval, weeks begin on Monday 00:00 UTC, quiet candles are flat at the
last close, candles before the first trade are absent.
"""

import datetime

MINUTE_MS = 60_000
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440}
INTERVALS = [*MINUTES, "1w"]


def open_time(interval, time_ms):
    """When the candle of a moment opens; weeks by the calendar."""
    if interval != "1w":
        return time_ms - time_ms % (MINUTES[interval] * MINUTE_MS)
    day = datetime.datetime.fromtimestamp(time_ms // 1000, datetime.timezone.utc).date()
    monday = day - datetime.timedelta(days=day.weekday())
    return int((monday - datetime.date(1970, 1, 1)).total_seconds()) * 1000


def after(interval, opened):
    """When the next candle opens."""
    return opened + MINUTE_MS * (7 * 1440 if interval == "1w" else MINUTES[interval])


def klines(trades, interval, now_ms):
    """All candles from the first trade until now: [open_time, o, h, l, c, volume, quote, count]."""
    candles = []
    for time_ms, price, amount, quote in trades:
        opened = open_time(interval, time_ms)
        fill(candles, interval, opened)
        if not candles or candles[-1][0] != opened:
            candles.append([opened, price, price, price, price, 0, 0, 0])
        candle = candles[-1]
        candle[2], candle[3], candle[4] = max(candle[2], price), min(candle[3], price), price
        candle[5] += amount
        candle[6] += quote
        candle[7] += 1
    fill(candles, interval, after(interval, open_time(interval, now_ms)))
    return candles


def fill(candles, interval, until):
    """Appends the quiet candles that open before `until`."""
    while candles and after(interval, candles[-1][0]) < until:
        close = candles[-1][4]
        candles.append([after(interval, candles[-1][0]), close, close, close, close, 0, 0, 0])


def ticker(trades, now_ms):
    """[open, high, low, last, volume, quote_volume, count] since the minute of now - 24 h."""
    since = open_time("1m", now_ms - 1440 * MINUTE_MS)
    last = trades[-1][1] if trades else 0
    day = [t for t in trades if t[0] >= since]
    prices = [price for _, price, _, _ in day] or [last]
    return [prices[0], max(prices), min(prices), last, sum(t[2] for t in day),
            sum(t[3] for t in day), len(day)]
