#!/usr/bin/env python3
"""Prints a random sequence of operations for the exchange, one JSON object per line.

usage: generate.py SEED [N]

The same seed gives the same sequence. N is the number of operations after the
set-up (default 170); some seeds add a burst of 140 orders of one wallet, so that
the floor of its 128 nonces is passed.
"""

import json
import random
import sys

START_MS = 1_700_000_000_000
DAY_MS = 24 * 3600 * 1000
U64_MAX = 2**64 - 1

# Every set keeps tick x lot a whole number of quote units, and max_price x max_amount below 2^63.
USDC8 = [("BTC", 8), ("ETH", 8), ("USDC", 8)]
USDC6 = [("BTC", 8), ("ETH", 8), ("USDC", 6)]
BTC = {"market": "BTC-USDC", "base": "BTC", "quote": "USDC", "tick_size": "0.01",
       "lot_size": "0.00001", "min_amount": "0.001", "max_amount": "50", "max_price": "100000",
       "min_notional": "10", "max_notional": "3000", "mid": 10000, "step": 50}
ETH = {"market": "ETH-USDC", "base": "ETH", "quote": "USDC", "tick_size": "0.05",
       "lot_size": "0.0001", "min_amount": "0.01", "max_amount": "200", "max_price": "5000",
       "min_notional": "10", "max_notional": "1000000", "mid": 600, "step": 1}
CROSS = {"market": "ETH-BTC", "base": "ETH", "quote": "BTC", "tick_size": "0.00001",
         "lot_size": "0.001", "min_amount": "0.001", "max_amount": "100", "max_price": "1",
         "min_notional": "0.005", "max_notional": "10", "mid": 5000, "step": 37}
COARSE = dict(BTC, lot_size="0.0001", min_amount="0.0001", mid=10000, step=1)
REAL = dict(BTC, max_amount="1000", max_price="10000000", max_notional="1000000",
            min_amount="0.00001", mid=6512345, step=1250)
SETS = [(USDC8, [BTC, ETH]), (USDC6, [COARSE, ETH]), (USDC8, [BTC, CROSS]), (USDC8, [REAL, ETH])]
RATES = [("0.001", "0.002"), ("0.002", "0.001"), ("0", "0.00075"), ("0.00033", "0.00047"),
         ("0", "0"), ("0.1", "0.05")]


def scaled(text):
    """Decimal string -> (digits, decimals): "0.05" -> (5, 2)."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction), len(fraction)


def times(count, text):
    """count x the decimal string, shortest form."""
    digits, decimals = scaled(text)
    return shortest(count * digits, decimals)


def shortest(digits, decimals):
    text = str(digits).rjust(decimals + 1, "0")
    whole, fraction = text[: len(text) - decimals], text[len(text) - decimals:].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def steps_in(value, step):
    """How many whole steps fit in value, both decimal strings."""
    value_digits, value_decimals = scaled(value)
    step_digits, step_decimals = scaled(step)
    return value_digits * 10**step_decimals // (step_digits * 10**value_decimals)


class Generator:
    def __init__(self, seed, count):
        self.random = r = random.Random(seed)
        self.count = count
        self.ops, self.orders = [], []  # orders: (order op, is it a first sending?)
        self.now = START_MS
        self.tokens, self.markets = r.choice(SETS)
        self.wallets = ["0x" + "".join(r.choices("0123456789abcdef", k=40))
                        for _ in range(r.randint(6, 10))]
        self.rate = {}  # market -> the larger of its two fee rates
        self.nonce = {w: self.first_nonce() for w in self.wallets}
        # Each sequence has a character of its own, so that rare meetings become common in some.
        self.open_limit = r.choice([200, 200, 200, 4, 8])
        self.days_max = r.choice([30, 30, 30, 7])
        self.active = self.wallets[: r.choice([2, 3, 10, 10])]
        self.market_share = r.choice([0.1, 0.2, 0.4])
        self.lean = r.choice([0, 0, 1, 3])  # how far makers stay from the other side
        self.bad_share = r.choice([0.05, 0.15])
        self.spread = r.choice([2, 4, 8])
        self.size = r.choice([3, 40])
        self.stp = r.choice([None, None, None, "reject", "cancel_taker", "cancel_maker",
                             "cancel_both"])
        self.poor = r.random() < 0.25
        self.withdrawals = []  # the operations

    def first_nonce(self):
        r = self.random
        return r.choice([0, 1, 17, 1000, START_MS, U64_MAX - 100000, r.randrange(2**32)])

    def run(self):
        self.set_up()
        burst_at = self.random.randrange(self.count) if self.random.random() < 0.2 else -1
        for i in range(self.count):
            if i == burst_at:
                self.burst()
            self.step()
        return self.ops

    # ---- set-up -----------------------------------------------------------

    def set_up(self):
        for token, decimals in self.tokens:
            self.ops.append({"op": "token", "token": token, "decimals": decimals})
        for market in self.markets:
            maker, taker = self.random.choice(RATES)
            self.rate[market["market"]] = max(maker, taker, key=float)
            op = {k: v for k, v in market.items() if k not in ("mid", "step")}
            self.ops.append({"op": "market", **op, "maker_fee_rate": maker,
                             "taker_fee_rate": taker})
        self.ops.append({"op": "limits", "open_orders_per_market": self.open_limit,
                         "resting_orders_per_market": 100000,
                         "expiry_days_max": self.days_max})
        if self.random.random() < 0.7:
            quote = self.markets[0]["quote"]
            self.ops.append({"op": "withdraw_limits", "token": quote,
                             "single": self.random.choice(["0", "5000", "50000"]),
                             "daily": self.random.choice(["0", "9000", "80000"]),
                             "per_hour": self.random.choice([0, 2, 10]),
                             "per_day": self.random.choice([0, 3, 50])})
        self.ops.append({"op": "time", "now": self.now})
        for wallet in self.wallets[:-1]:  # the last is not funded at first
            for token, decimals in self.tokens:
                if self.random.random() < 0.95:
                    self.credit(wallet, token, decimals)

    def credit(self, wallet, token, decimals):
        whole = 20 if self.poor else 10000
        whole *= 100 if token == "USDC" else 1
        units = self.random.randint(whole // 10, whole * 10**decimals)
        self.ops.append({"op": "credit", "wallet": wallet, "token": token,
                         "amount": shortest(units, decimals)})

    # ---- one operation ----------------------------------------------------

    def step(self):
        kinds = {self.new_order: 62, self.send_again: 4, self.cancel: 16, self.cancel_all: 3,
                 self.more_credit: 4, self.clock: 6, self.own_cross: 4, self.all_in: 3, self.sweep: 3,
                 self.withdraw: 5, self.decide: 5}
        self.random.choices(list(kinds), list(kinds.values()))[0]()

    def more_credit(self):
        self.credit(self.random.choice(self.wallets), *self.random.choice(self.tokens))

    def clock(self):
        self.now += self.random.choice([1, 500, 1000, 2500, 10_000, 60_000, 3_600_000, DAY_MS])
        self.ops.append({"op": "time", "now": self.now})

    def cancel(self):
        r = self.random
        wallet, number = r.choice(self.wallets), "unknown"
        known = [i for i, (_, first) in enumerate(self.orders) if first]
        if known and r.random() < 0.95:
            number = r.choice(known[-25:] if r.random() < 0.8 else known)
            if r.random() < 0.9:
                wallet = self.orders[number][0]["wallet"]
        self.ops.append({"op": "cancel", "wallet": wallet, "order": number})
        if r.random() < 0.1:
            self.ops.append(dict(self.ops[-1]))

    def cancel_all(self):
        r = self.random
        op = {"op": "cancel_all", "wallet": r.choice(self.wallets)}
        if r.random() < 0.6:
            op["market"] = r.choice(self.markets)["market"]
        if r.random() < 0.5:
            op["side"] = r.choice(["buy", "sell"])
        self.ops.append(op)

    def withdraw(self):
        r = self.random
        if self.withdrawals and r.random() < 0.15:  # the very same, or its nonce once more
            op = dict(r.choice(self.withdrawals))
            if r.random() < 0.3:
                op["amount"] = "1"
        else:
            wallet, (token, decimals) = r.choice(self.wallets), r.choice(self.tokens)
            whole = r.choice([1, 10, 1000, 20000])
            units = r.choice([0, 1, *[r.randint(1, whole * 10**decimals)] * 8])
            amount = shortest(units, decimals)
            if r.random() < 0.05:
                amount = shortest(10 * units + 1, decimals + 1) if decimals < 18 else amount
            op = {"op": "withdraw", "wallet": wallet, "token": token, "amount": amount,
                  "nonce": self.next_nonce(wallet)}
        self.withdrawals.append(op)
        self.ops.append(op)

    def decide(self):
        r = self.random
        number, wallet = "unknown", r.choice(self.wallets)
        if self.withdrawals and r.random() < 0.95:
            number = r.randrange(max(0, len(self.withdrawals) - 5), len(self.withdrawals))
            if r.random() < 0.8:
                wallet = self.withdrawals[number]["wallet"]
        if r.random() < 0.3:
            self.ops.append({"op": "withdraw_cancel", "wallet": wallet, "withdrawal": number})
        else:
            status = r.choice(["processing", "rejected", "submitted", "confirmed", "failed",
                               "cancelled", "pending"])
            self.ops.append({"op": "withdraw_step", "withdrawal": number, "status": status})

    def send_again(self):
        if not self.orders:
            return self.new_order()
        recent = self.orders[-30:] if self.random.random() < 0.7 else self.orders
        self.emit(dict(self.random.choice(recent)[0]), first=False)

    def own_cross(self):
        """One wallet on both sides of one market, strangers' orders between."""
        market = self.random.choice(self.markets)
        me = self.random.choice(self.active)
        for wallet in (me, self.random.choice(self.wallets), me):
            op = self.plain_limit(wallet, market, "sell")
            op["price"] = self.price(market, self.random.choice([-1, 0, 1]))
            self.emit(op)
        op = self.plain_limit(me, market, "buy")
        op["price"] = self.price(market, 1)
        op["amount"] = self.amount(market, self.random.choice([1, 3]))
        op["time_in_force"] = self.random.choice(["GTC", "IOC", "FOK"])
        op["stp"] = self.random.choice(["reject", "cancel_taker", "cancel_maker", "cancel_both"])
        self.emit(op)

    def all_in(self):
        """A new wallet with just enough for its order, or one unit too little."""
        r = self.random
        if len(self.wallets) >= 14:
            return self.new_order()
        wallet = "0x" + "".join(r.choices("0123456789abcdef", k=40))
        self.wallets.append(wallet)
        self.nonce[wallet] = self.first_nonce()
        market = r.choice(self.markets)
        unit = dict(self.tokens)[market["quote"]]
        op = self.plain_limit(wallet, market, "buy")
        quote = self.budget(market, op["price"], op["amount"], exact=True)
        if r.random() < 0.5:
            for key in ("price", "amount"):
                del op[key]
            op.update(type="market", time_in_force="IOC", quote_amount=quote)
        (units, decimals), (rate, rate_decimals) = scaled(quote), scaled(self.rate[market["market"]])
        units *= 10**(unit - decimals)
        units += -(-units * rate // 10**rate_decimals) - r.choice([0, 0, 1])
        self.ops.append({"op": "credit", "wallet": wallet, "token": market["quote"],
                         "amount": shortest(units, unit)})
        self.emit(op)
        self.emit(self.plain_limit(wallet, market, "buy"))

    def sweep(self):
        """Small orders on many levels, then a market order through them."""
        r = self.random
        market, side = r.choice(self.markets), r.choice(["buy", "sell"])
        for where in r.sample(range(9), 4):
            op = self.plain_limit(r.choice(self.wallets), market, side)
            op["price"] = self.price(market, where if side == "sell" else -where)
            op["amount"] = self.amount(market)
            self.emit(op)
        other = "sell" if side == "buy" else "buy"
        op = self.market_order(r.choice(self.wallets), market, other)
        if "amount" in op:
            op["amount"] = self.amount(market, 6)
        op["stp"] = "cancel_maker"
        self.emit(op)

    def burst(self):
        """Passes the floor of one wallet's nonces, then tries the gaps left below and above."""
        r = self.random
        wallet, market = r.choice(self.active), self.markets[0]
        nonces = [self.nonce[wallet] + 2 * i for i in range(140)]
        self.nonce[wallet] = nonces[-1] + 3
        if r.random() < 0.5:
            r.shuffle(nonces)
        edge = sorted(nonces)[8:18]  # the smallest of 128 held is about here
        gaps = [n + r.choice([0, 1]) for n in r.sample(edge, 8) + r.sample(nonces, 4)]
        for nonce in nonces + gaps:
            op = self.plain_limit(wallet, market, r.choice(["buy", "sell"]))
            op.update(nonce=str(nonce), time_in_force=r.choice(["IOC", "IOC", "FOK", "GTX"]))
            self.emit(op)
        sent = [op for op, _ in self.orders[-160:] if int(op["nonce"]) in edge]
        for op in r.sample(sent, min(8, len(sent))):
            self.emit(dict(op), first=False)

    # ---- orders -----------------------------------------------------------

    def emit(self, op, first=True):
        first = first and op not in [known for known, _ in self.orders]
        self.orders.append((op, first))
        self.ops.append(op)

    def new_order(self):
        r = self.random
        wallet = r.choice(self.active if r.random() < 0.88 else self.wallets)
        market, side = r.choice(self.markets), r.choice(["buy", "sell"])
        if r.random() < self.market_share:
            op = self.market_order(wallet, market, side)
        else:
            op = self.plain_limit(wallet, market, side)
            op["time_in_force"] = r.choices(["GTC", "IOC", "FOK", "GTX"], [60, 12, 14, 14])[0]
        if r.random() < 0.2:
            op["client_order_id"] = "c" + str(r.randint(1, 4))
        if r.random() < 0.2:
            op["expire_at"] = self.expiry()
        if r.random() < self.bad_share:
            self.spoil(op, market)
        self.emit(op)

    def plain_limit(self, wallet, market, side):
        lean = self.random.randint(0, self.lean) * (1 if side == "sell" else -1)
        where = lean + self.random.randint(-self.spread, self.spread)
        return {"op": "order", "wallet": wallet, "market": market["market"], "side": side,
                "type": "limit", "price": self.price(market, where),
                "amount": self.amount(market, self.random.choice([1, 1, 1, 1, 6])),
                "time_in_force": "GTC",
                "stp": self.choose_stp(), "nonce": self.next_nonce(wallet)}

    def market_order(self, wallet, market, side):
        r = self.random
        op = self.plain_limit(wallet, market, side)
        price = op.pop("price")
        op.update(type="market", time_in_force="IOC")
        if side == "buy" and r.random() < 0.5:
            op["quote_amount"] = self.budget(market, price, op.pop("amount"))
        if r.random() < 0.8:
            op["slippage_bps"] = r.choice([10, 20, 50, 250, 1000, r.randint(10, 1000),
                                          r.randint(10, 200)])
        return op

    def price(self, market, where):
        return times(market["mid"] + where * market["step"], market["tick_size"])

    def amount(self, market, factor=1):
        """Mostly a few coins' worth, in round and in odd lots, notional above the minimum."""
        r = self.random
        mid = times(market["mid"], market["tick_size"])
        digits, decimals = scaled(mid)
        least, least_decimals = scaled(market["min_notional"])
        least_amount = least * 10**18 * 10**decimals // (10**least_decimals * digits)
        lots = steps_in(shortest(least_amount, 18), market["lot_size"]) * 2 + 1
        lots = max(lots, steps_in(market["min_amount"], market["lot_size"]))
        lots *= factor * r.randint(1, self.size)
        if r.random() < 0.5:
            lots += r.randrange(lots)
        return times(lots, market["lot_size"])

    def budget(self, market, price, amount, exact=False):
        """A quote amount: exactly price x amount, or so many quote units more."""
        (p, p_dec), (a, a_dec) = scaled(price), scaled(amount)
        unit = dict(self.tokens)[market["quote"]]
        units = p * a * 10**unit // 10**(p_dec + a_dec)
        if not exact and self.random.random() < 0.7:
            units += self.random.randrange(max(units, 1))
        return shortest(units, unit)

    def choose_stp(self):
        modes = ["reject", "cancel_taker", "cancel_maker", "cancel_both"]
        return self.stp or self.random.choice(modes)

    def expiry(self):
        r = self.random
        second = self.now - self.now % 1000
        limit = self.days_max * DAY_MS
        return second + r.choice([1000, 2000, 3000, 10_000, 60_000, 3_600_000, DAY_MS, 2 * DAY_MS,
                                  5 * DAY_MS, limit, limit + 1000, limit + 5000, 0, -1000])

    def next_nonce(self, wallet):
        r = self.random
        chance = r.random()
        if chance < 0.05:  # one already used, or skipped
            return str(max(0, self.nonce[wallet] - r.randint(1, 6)))
        if chance < 0.06:
            return str(r.choice([0, 1, 5, U64_MAX]))
        nonce = self.nonce[wallet]
        self.nonce[wallet] += 1 if r.random() < 0.9 else r.randint(2, 5)
        return str(nonce)

    # ---- faults -----------------------------------------------------------

    def spoil(self, op, market):
        amounts = [self.odd_amount, self.small_amount, self.large_amount, self.small_notional,
                   self.large_notional]
        prices = [self.odd_price, self.high_price, self.far_price] if op["type"] == "limit" else []
        if "quote_amount" in op:
            amounts = [self.small_budget, self.large_budget]
        self.random.choice(amounts + prices)(op, market)
        if self.random.random() < 0.3:  # two faults at once: the order of checks decides
            if prices and self.random.random() < 0.5:
                self.random.choice([self.odd_amount, self.large_amount])(op, market)
                self.random.choice(prices[:2])(op, market)
            else:
                op["expire_at"] = self.now - self.now % 1000 - 1000

    def odd_amount(self, op, market):
        op["amount"] = self.finer(op["amount"], market["lot_size"])

    def odd_price(self, op, market):
        op["price"] = self.finer(op["price"], market["tick_size"])

    def finer(self, text, step):
        """The value plus a tenth of a step."""
        step_digits, step_decimals = scaled(step)
        digits, decimals = scaled(text)
        if decimals > step_decimals:
            return text
        value = digits * 10**(step_decimals + 1 - decimals) + step_digits
        return shortest(value, step_decimals + 1)

    def small_amount(self, op, market):
        lots = steps_in(market["min_amount"], market["lot_size"])
        op["amount"] = times(max(1, lots - self.random.choice([0, 1, 3])), market["lot_size"])

    def large_amount(self, op, market):
        lots = steps_in(market["max_amount"], market["lot_size"])
        op["amount"] = times(lots + self.random.choice([0, 1, 100]), market["lot_size"])

    def small_notional(self, op, market):
        lots = steps_in(market["min_amount"], market["lot_size"])
        op["amount"] = times(lots + self.random.randint(0, 3), market["lot_size"])

    def large_notional(self, op, market):
        lots = steps_in(market["max_amount"], market["lot_size"])
        op["amount"] = times(lots - self.random.randint(0, lots // 2), market["lot_size"])

    def high_price(self, op, market):
        ticks = steps_in(market["max_price"], market["tick_size"])
        above = self.random.choice([0, 1, 2])
        op["price"] = times(ticks + above, market["tick_size"])
        if above == 0:  # the highest price there is: buys from everybody, rests nowhere
            op.update(side="buy", time_in_force="IOC")
            self.small_amount(op, market)

    def far_price(self, op, market):
        ticks = market["mid"] * self.random.choice([1, 2, 5]) // self.random.choice([2, 5])
        op["price"] = times(ticks, market["tick_size"])

    def small_budget(self, op, market):
        unit = dict(self.tokens)[market["quote"]]
        digits, decimals = scaled(market["min_notional"])
        units = digits * 10**(unit - decimals) - self.random.choice([0, 1])
        op["quote_amount"] = shortest(units, unit)

    def large_budget(self, op, market):
        unit = dict(self.tokens)[market["quote"]]
        digits, decimals = scaled(market["max_notional"])
        units = digits * 10**(unit - decimals) + self.random.choice([0, 1])
        op["quote_amount"] = shortest(units, unit)


def generate(seed, count=170):
    return Generator(seed, count).run()


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: generate.py SEED [N]\nexample: generate.py 7 150 | ./exchange.py")
    for op in generate(*map(int, sys.argv[1:])):
        print(json.dumps(op, separators=(",", ":")))


if __name__ == "__main__":
    main()
