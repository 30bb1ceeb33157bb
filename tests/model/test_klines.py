#!/usr/bin/env python3
"""Hand-computed candles and tickers for the model. Run: python3 test_klines.py"""

import sys
import unittest

sys.dont_write_bytecode = True  # nothing but sources in this folder

import klines  # noqa: E402

MONDAY = 1_704_067_200_000  # 2024-01-01 00:00 UTC
MINUTE = 60_000
DAY = 1440 * MINUTE


class Klines(unittest.TestCase):
    def test_the_week_begins_on_monday(self):
        for interval in klines.INTERVALS:
            self.assertEqual(klines.open_time(interval, MONDAY), MONDAY)
        self.assertEqual(klines.open_time("1w", MONDAY - 1), MONDAY - 7 * DAY)
        self.assertEqual(klines.open_time("1w", MONDAY + 7 * DAY - 1), MONDAY)
        self.assertEqual(klines.open_time("4h", MONDAY - 1), MONDAY - 240 * MINUTE)

    def test_quiet_candles_are_flat_and_none_come_before_the_first_trade(self):
        trades = [(MONDAY + 10, 100, 2, 200), (MONDAY + 20, 90, 1, 90),
                  (MONDAY + 2 * MINUTE, 95, 3, 285)]
        self.assertEqual(klines.klines(trades, "1m", MONDAY + 3 * MINUTE), [
            [MONDAY, 100, 100, 90, 90, 3, 290, 2],
            [MONDAY + MINUTE, 90, 90, 90, 90, 0, 0, 0],
            [MONDAY + 2 * MINUTE, 95, 95, 95, 95, 3, 285, 1],
            [MONDAY + 3 * MINUTE, 95, 95, 95, 95, 0, 0, 0]])
        self.assertEqual(klines.klines(trades, "5m", MONDAY + 3 * MINUTE),
                         [[MONDAY, 100, 100, 90, 95, 6, 575, 3]])
        self.assertEqual(klines.klines([], "5m", MONDAY), [])

    def test_a_day_is_24_hours_and_the_rest_of_the_minute(self):
        trades = [(MONDAY + 30_000, 100, 1, 100), (MONDAY + DAY, 110, 1, 110)]
        now = MONDAY + DAY + MINUTE - 1
        self.assertEqual(klines.ticker(trades, now), [100, 110, 100, 110, 2, 210, 2])
        self.assertEqual(klines.ticker(trades, now + 1), [110, 110, 110, 110, 1, 110, 1])
        self.assertEqual(klines.ticker(trades, now + 9 * DAY), [110, 110, 110, 110, 0, 0, 0])


if __name__ == "__main__":
    unittest.main()
