#!/usr/bin/env python3
"""A naive model of the exchange, written from the protocol alone.

Reads one JSON operation per line on standard input and prints one JSON answer
per line (see README.md). Every operation is carried through to the end, trading
and matching both, before the next one is looked at. It is a yardstick: plain
lists, plain integers, one obvious way, no speed.

Every decimal (price, amount, rate, money) is an int: the value x 10^18, the
scale in which orders are signed. A price times an amount is therefore x 10^36.
"""

import json
import re
import sys

import klines

KLINES_SHOWN = 40  # the newest of each interval

SCALE = 10**18
U64_MAX = 2**64 - 1
NONCES_HELD = 128
DAY_MS = 24 * 3600 * 1000
SLIPPAGE_MIN, SLIPPAGE_MAX, SLIPPAGE_DEFAULT = 10, 1000, 100

INVALID_PARAMS = 10003
ORDER_NOT_FOUND = 11001
ALREADY_CANCELLED = 11002
ALREADY_FILLED = 11003
INVALID_PRICE = 11004
INVALID_AMOUNT = 11005
PRICE_TOO_HIGH = 11006
AMOUNT_TOO_SMALL = 11008
AMOUNT_TOO_LARGE = 11009
NOTIONAL_TOO_SMALL = 11010
ORDER_EXPIRED = 11011
DUPLICATE_ORDER = 11012
NOT_CANCELLABLE = 11013
INVALID_SIDE = 11014
INVALID_TYPE = 11015
INVALID_TIF = 11016
NONCE_USED = 11017
SELF_TRADE = 11018
TOO_MANY_OPEN = 11019
NOTIONAL_TOO_LARGE = 11020
WOULD_TAKE = 11021
INSUFFICIENT_BALANCE = 12001
WITHDRAW_LIMIT = 12002
TOKEN_NOT_SUPPORTED = 12003
WITHDRAW_TOO_SMALL = 12004
WITHDRAW_NOT_CANCELLABLE = 12005
WITHDRAW_NOT_FOUND = 12006
MARKET_NOT_FOUND = 13001
NO_LIQUIDITY = 13004


def parse(text):
    """Decimal string -> int x 10^18, or None when malformed or finer than 10^-18."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]+(\.[0-9]{1,18})?", text):
        return None
    whole, _, fraction = text.partition(".")
    return int(whole) * SCALE + int(fraction.ljust(18, "0"))


def show(value):
    """Int x 10^18 -> shortest decimal string."""
    assert value >= 0
    whole, fraction = divmod(value, SCALE)
    digits = str(fraction).rjust(18, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def product(price, amount):
    """price x amount, exact; the scales of a market leave no remainder."""
    value, rest = divmod(price * amount, SCALE)
    assert rest == 0
    return value


def ceil_to(value, unit):
    return -(-value // unit) * unit


class Refused(Exception):
    """Refused before the nonce is used: leaves no trace."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Market:
    def __init__(self, op, quote_unit):
        self.name, self.base, self.quote = op["market"], op["base"], op["quote"]
        self.quote_unit = quote_unit
        for key in ("tick_size", "lot_size", "min_amount", "max_amount", "max_price",
                    "min_notional", "max_notional", "maker_fee_rate", "taker_fee_rate"):
            setattr(self, key, parse(op[key]))
        self.price_decimals = len(show(self.tick_size).partition(".")[2])
        self.resting = []  # orders in the book, in order of acceptance
        self.trades = []  # (time, price, amount, quote), the oldest first

    def side(self, side):
        """The orders of one side, the first to trade first."""
        orders = [o for o in self.resting if o.side == side]
        return sorted(orders, key=lambda o: (-o.price if side == "buy" else o.price, o.number))


class Order:
    def __init__(self, number, market, want, price):
        self.number, self.market = number, market
        self.wallet, self.side, self.stp = want["wallet"], want["side"], want["stp"]
        self.tif, self.price = want["tif"], price
        self.expire_at, self.client_id = want["expire_at"], want["client_order_id"]
        self.amount, self.budget = want["amount"], want["quote_amount"]
        self.maker_rate, self.taker_rate = market.maker_fee_rate, market.taker_fee_rate
        self.status = "pending"
        self.filled_amount = self.filled_quote = 0
        self.taker_quote = self.maker_quote = self.fee = self.held = 0

    def left(self):
        """Base amount still wanted; a budget order has none."""
        return self.amount - self.filled_amount

    def exact_fee(self):
        """The fee so far, x 10^36, not yet rounded."""
        return self.taker_quote * self.taker_rate + self.maker_quote * self.maker_rate

    def hold(self):
        """What must stay held for what is left of the order."""
        if self.side == "sell":
            return self.left()
        if self.budget is None:
            quote = product(self.price, self.left())
        else:
            quote = self.budget - self.filled_quote
        rate = max(self.maker_rate, self.taker_rate)
        fees = ceil_to(self.exact_fee() + quote * rate, self.market.quote_unit * SCALE) // SCALE
        return quote + fees - self.fee

    def view(self):
        average = 0
        if self.filled_amount:
            step = 10**self.market.price_decimals
            average = self.filled_quote * step // self.filled_amount * (SCALE // step)
        return {
            "status": self.status,
            "filled_amount": show(self.filled_amount),
            "filled_quote": show(self.filled_quote),
            "remaining_amount": show(self.left() if self.budget is None else 0),
            "avg_price": show(average),
            "fee": show(self.fee),
        }


class Nonces:
    """The order nonces of one wallet: the last 128 used, and what each became."""

    def __init__(self):
        self.held = {}  # nonce -> (content, code, order or None)
        self.floor = -1  # the largest nonce ever forgotten

    def accepts(self, nonce):
        if nonce in self.held or nonce <= self.floor:
            return False
        return len(self.held) < NONCES_HELD or nonce > min(self.held)

    def use(self, nonce, content):
        if len(self.held) == NONCES_HELD:
            smallest = min(self.held)
            del self.held[smallest]
            self.floor = max(self.floor, smallest)
        self.held[nonce] = (content, None, None)


class Withdrawal:
    """Funds on their way out: pending until somebody decides."""

    WAYS = {"pending": ("processing", "rejected"),
            "processing": ("submitted", "confirmed", "failed"),
            "submitted": ("confirmed", "failed")}
    BACK = ("failed", "cancelled", "rejected")

    def __init__(self, wallet, token, amount, now):
        self.wallet, self.token, self.amount, self.created = wallet, token, amount, now
        self.status = "pending"

    def view(self):
        return {"token": self.token, "amount": show(self.amount), "status": self.status}


class Exchange:
    def __init__(self):
        self.now = 0
        self.units = {}  # token -> ledger unit
        self.markets = {}
        self.limits = {"open_orders_per_market": 200, "resting_orders_per_market": 100000,
                       "expiry_days_max": 30}
        self.available, self.frozen = {}, {}  # (wallet, token) -> int
        self.nonces = {}  # wallet -> Nonces; a wallet once funded has one
        self.credited, self.fees = {}, {}  # token -> int
        self.orders = {}  # number of the order operation -> Order
        self.order_ops = 0
        self.withdraw_nonces = {}  # wallet -> Nonces
        self.withdrawals = []  # one for each operation; None where it made none
        self.withdraw_limits = None

    # ---- operations -------------------------------------------------------

    def apply(self, op):
        """One operation to the end; the answer, or None for a configuration line."""
        answer = getattr(self, "op_" + op["op"])(op)
        self.check()
        return answer

    def op_token(self, op):
        self.units[op["token"]] = SCALE // 10 ** op["decimals"]
        self.credited[op["token"]] = self.fees[op["token"]] = 0

    def op_market(self, op):
        self.markets[op["market"]] = Market(op, self.units[op["quote"]])

    def op_limits(self, op):
        self.limits = {k: v for k, v in op.items() if k != "op"}

    def op_time(self, op):
        self.now = op["now"]
        due = [o for m in self.markets.values() for o in m.resting
               if o.expire_at and o.expire_at <= self.now]
        due.sort(key=lambda o: (o.expire_at, o.number))
        for order in due:
            self.close(order, "expired")
        return {"ok": True, "expired": [o.number for o in due]}

    def op_credit(self, op):
        if op["token"] not in self.units:
            return {"code": TOKEN_NOT_SUPPORTED}
        amount = parse(op["amount"])
        if amount is None or amount == 0 or amount % self.units[op["token"]]:
            return {"code": INVALID_PARAMS}
        self.nonces.setdefault(op["wallet"], Nonces())
        self.withdraw_nonces.setdefault(op["wallet"], Nonces())
        self.credited[op["token"]] += amount
        self.add(op["wallet"], op["token"], amount)
        return {"code": 0}

    def op_order(self, op):
        number = self.order_ops
        self.order_ops += 1
        fills, cancelled = [], []
        try:
            code, order = self.trade(op, number, fills, cancelled)
        except Refused as refusal:
            code, order = refusal.code, None
        if order:
            self.orders[number] = order
        return {"code": code, "order": order.view() if order else None,
                "fills": fills, "cancelled_makers": cancelled}

    def op_cancel(self, op):
        order = self.orders.get(op["order"])
        if order is None or order.wallet != op["wallet"]:
            return {"code": ORDER_NOT_FOUND, "order": None}
        if order.status in ("open", "partial"):
            self.close(order, "cancelled")
            return {"code": 0, "order": order.view()}
        codes = {"cancelled": ALREADY_CANCELLED, "filled": ALREADY_FILLED}
        return {"code": codes.get(order.status, NOT_CANCELLABLE), "order": None}

    def op_cancel_all(self, op):
        mine = [o for m in self.markets.values() for o in m.resting
                if o.wallet == op["wallet"]
                and op.get("market") in (None, m.name) and op.get("side") in (None, o.side)]
        mine.sort(key=lambda o: o.number)
        for order in mine:
            self.close(order, "cancelled")
        return {"cancelled": [o.number for o in mine]}

    # ---- withdrawals --------------------------------------------------------

    def op_withdraw_limits(self, op):
        self.withdraw_limits = {"token": op["token"], "single": parse(op["single"]),
                                "daily": parse(op["daily"]), "per_hour": op["per_hour"],
                                "per_day": op["per_day"]}

    def op_withdraw(self, op):
        try:
            code, withdrawal = self.withdraw(op)
        except Refused as refusal:
            code, withdrawal = refusal.code, None
        new = withdrawal if withdrawal not in self.withdrawals else None
        self.withdrawals.append(new)
        return {"code": code, "withdrawal": withdrawal.view() if withdrawal else None}

    def withdraw(self, op):
        token, amount, wallet = op["token"], parse(op["amount"]), op["wallet"].lower()
        nonce, want = int(op["nonce"]), (wallet, token, amount)
        nonces = self.withdraw_nonces.get(op["wallet"])
        if nonces and nonce in nonces.held and nonces.held[nonce][0] == want:
            return nonces.held[nonce][1:]
        if token not in self.units:
            raise Refused(TOKEN_NOT_SUPPORTED)
        if amount % self.units[token]:
            raise Refused(INVALID_PARAMS)
        if amount == 0:
            raise Refused(WITHDRAW_TOO_SMALL)
        worth, limits = self.worth(token, amount), self.withdraw_limits
        if limits and limits["single"] and worth > limits["single"]:
            raise Refused(WITHDRAW_LIMIT)
        if nonces is None:
            raise Refused(INSUFFICIENT_BALANCE)
        if not nonces.accepts(nonce):
            raise Refused(NONCE_USED)
        nonces.use(nonce, want)
        code, withdrawal = self.over_limits(op["wallet"], worth), None
        if code == 0 and self.available.get((op["wallet"], token), 0) < amount:
            code = INSUFFICIENT_BALANCE
        if code == 0:
            withdrawal = Withdrawal(op["wallet"], token, amount, self.now)
            self.add(op["wallet"], token, -amount)
        nonces.held[nonce] = (want, code, withdrawal)
        return code, withdrawal

    def worth(self, token, amount):
        """In the token of the limits: at the last price, else the best there is; 0 without one."""
        if not self.withdraw_limits or token == self.withdraw_limits["token"]:
            return amount
        for market in self.markets.values():
            if (market.base, market.quote) != (token, self.withdraw_limits["token"]):
                continue
            prices = [t[1] for t in market.trades[-1:]]
            prices += [o.price for o in market.side("buy")[:1] + market.side("sell")[:1]]
            step = product(market.tick_size, market.lot_size)
            return amount * prices[0] // SCALE // step * step if prices else 0
        return 0

    def over_limits(self, wallet, worth):
        limits = self.withdraw_limits
        if not limits:
            return 0
        today = [w for w in self.withdrawals
                 if w and w.wallet == wallet and w.created + DAY_MS > self.now]
        hour = [w for w in today if w.created + DAY_MS // 24 > self.now]
        if limits["per_hour"] and len(hour) >= limits["per_hour"]:
            return WITHDRAW_LIMIT
        if limits["per_day"] and len(today) >= limits["per_day"]:
            return WITHDRAW_LIMIT
        taken = worth + sum(self.worth(w.token, w.amount) for w in today
                            if w.status not in Withdrawal.BACK)
        return WITHDRAW_LIMIT if limits["daily"] and taken > limits["daily"] else 0

    def withdrawal_of(self, number):
        known = isinstance(number, int) and number < len(self.withdrawals)
        return self.withdrawals[number] if known else None

    def op_withdraw_cancel(self, op):
        withdrawal = self.withdrawal_of(op["withdrawal"])
        if withdrawal is None or withdrawal.wallet != op["wallet"]:
            return {"code": WITHDRAW_NOT_FOUND, "withdrawal": None}
        if withdrawal.status != "pending":
            return {"code": WITHDRAW_NOT_CANCELLABLE, "withdrawal": None}
        self.go(withdrawal, "cancelled")
        return {"code": 0, "withdrawal": withdrawal.view()}

    def op_withdraw_step(self, op):
        withdrawal = self.withdrawal_of(op["withdrawal"])
        if withdrawal is None:
            return {"code": WITHDRAW_NOT_FOUND}
        if op["status"] not in Withdrawal.WAYS.get(withdrawal.status, ()):
            return {"code": WITHDRAW_NOT_CANCELLABLE}
        self.go(withdrawal, op["status"])
        return {"code": 0}

    def go(self, withdrawal, status):
        withdrawal.status = status
        if status in Withdrawal.BACK:
            self.add(withdrawal.wallet, withdrawal.token, withdrawal.amount)

    # ---- trading: the checks, in their fixed order ------------------------

    def trade(self, op, number, fills, cancelled):
        want = self.syntax(op)
        market = self.markets.get(want["market"])
        if market is None:
            raise Refused(MARKET_NOT_FOUND)
        nonces, nonce = self.nonces.get(want["wallet"]), want["nonce"]
        if nonces and nonce in nonces.held and nonces.held[nonce][0] == want:
            return nonces.held[nonce][1:]  # the very same order again: what it became
        price = self.price_of(want, market)
        self.check_size(want, market)
        self.check_notional(want, market, price)
        self.check_expiry(want)
        if nonces is None:
            raise Refused(INSUFFICIENT_BALANCE)
        if not nonces.accepts(nonce):
            raise Refused(NONCE_USED)
        nonces.use(nonce, want)  # from here on every outcome uses the nonce
        code = self.refusal(want, market, price)
        order = None
        if code == 0:
            order = Order(number, market, want, price)
            if self.available.get(self.hold_key(order), 0) < order.hold():
                code, order = INSUFFICIENT_BALANCE, None
        if order:
            self.set_hold(order, order.hold())
            code = self.match(order, fills, cancelled)
        nonces.held[nonce] = (want, code, order)
        return code, order

    def syntax(self, op):
        """The fields that are signed, by value. Refuses what no market would take."""
        want = {"wallet": op["wallet"].lower(), "market": op["market"], "side": op["side"],
                "type": op["type"], "tif": op.get("time_in_force", "GTC"),
                "stp": op.get("stp", "reject"), "expire_at": op.get("expire_at") or 0,
                "client_order_id": op.get("client_order_id")}
        if want["side"] not in ("buy", "sell"):
            raise Refused(INVALID_SIDE)
        if want["type"] not in ("limit", "market"):
            raise Refused(INVALID_TYPE)
        if want["tif"] not in ("GTC", "IOC", "FOK", "GTX"):
            raise Refused(INVALID_TIF)
        if want["stp"] not in ("reject", "cancel_taker", "cancel_maker", "cancel_both"):
            raise Refused(INVALID_PARAMS)
        for key in ("price", "amount", "quote_amount"):
            want[key] = parse(op[key]) if key in op else None
            if key in op and want[key] is None:
                raise Refused(INVALID_PARAMS)
        nonce = op["nonce"]
        if not re.fullmatch(r"[0-9]{1,20}", nonce) or int(nonce) > U64_MAX:
            raise Refused(INVALID_PARAMS)
        want["nonce"] = int(nonce)
        if want["expire_at"] % 1000:
            raise Refused(INVALID_PARAMS)
        if want["type"] == "market":
            self.syntax_market(op, want)
        elif want["price"] is None or want["amount"] is None or \
                want["quote_amount"] is not None or "slippage_bps" in op:
            raise Refused(INVALID_PARAMS)
        return want

    def syntax_market(self, op, want):
        if want["tif"] in ("FOK", "GTX"):
            raise Refused(INVALID_TIF)
        want["tif"] = "IOC"
        want["slippage_bps"] = op.get("slippage_bps", SLIPPAGE_DEFAULT)
        if not SLIPPAGE_MIN <= want["slippage_bps"] <= SLIPPAGE_MAX:
            raise Refused(INVALID_PARAMS)
        if want["price"] or (want["amount"] is None) == (want["quote_amount"] is None):
            raise Refused(INVALID_PARAMS)
        if want["quote_amount"] is not None and want["side"] == "sell":
            raise Refused(INVALID_PARAMS)

    def price_of(self, want, market):
        """The limit price; for a market order the protection price, None without liquidity."""
        if want["type"] == "limit":
            price = want["price"]
            if price == 0 or price % market.tick_size:
                raise Refused(INVALID_PRICE)
            if price > market.max_price:
                raise Refused(PRICE_TOO_HIGH)
            return price
        opposite = market.side("sell" if want["side"] == "buy" else "buy")
        if not opposite:
            return None
        best, slip = opposite[0].price, want["slippage_bps"]
        if want["side"] == "buy":  # passive for a buyer is down
            return best * (10000 + slip) // 10000 // market.tick_size * market.tick_size
        return ceil_to(-(-best * (10000 - slip) // 10000), market.tick_size)

    def check_size(self, want, market):
        amount, budget = want["amount"], want["quote_amount"]
        if budget is not None:
            if budget % market.quote_unit:
                raise Refused(INVALID_AMOUNT)
            return
        if amount % market.lot_size:
            raise Refused(INVALID_AMOUNT)
        if amount < market.min_amount:
            raise Refused(AMOUNT_TOO_SMALL)
        if amount > market.max_amount:
            raise Refused(AMOUNT_TOO_LARGE)

    def check_notional(self, want, market, price):
        if want["quote_amount"] is not None:
            notional = want["quote_amount"]
        elif price is None:
            return  # no liquidity: answered after the nonce
        else:
            notional = product(price, want["amount"])
        if notional < market.min_notional:
            raise Refused(NOTIONAL_TOO_SMALL)
        if notional > market.max_notional:
            raise Refused(NOTIONAL_TOO_LARGE)

    def check_expiry(self, want):
        if want["expire_at"] == 0:
            return
        if want["expire_at"] <= self.now:
            raise Refused(ORDER_EXPIRED)
        if want["expire_at"] > self.now + self.limits["expiry_days_max"] * DAY_MS:
            raise Refused(INVALID_PARAMS)

    def refusal(self, want, market, price):
        """The checks after the nonce, balance excepted. 0 = none applies."""
        mine = [o for m in self.markets.values() for o in m.resting if o.wallet == want["wallet"]]
        if want["client_order_id"] and \
                want["client_order_id"] in [o.client_id for o in mine]:
            return DUPLICATE_ORDER
        if price is None:
            return NO_LIQUIDITY
        if want["tif"] in ("GTC", "GTX"):  # the others never become an open order
            if len([o for o in mine if o.market is market]) >= \
                    self.limits["open_orders_per_market"]:
                return TOO_MANY_OPEN
            if len(market.resting) >= self.limits["resting_orders_per_market"]:
                return TOO_MANY_OPEN
        return 0

    # ---- matching ---------------------------------------------------------

    def match(self, taker, fills, cancelled):
        steps, stopped = self.walk(taker)
        reaches_own = any(verb == "own" for verb, _, _ in steps)
        taken = sum(amount for _, _, amount in steps)
        if taker.tif == "GTX" and self.crosses(taker):
            self.close(taker, "rejected")
            return WOULD_TAKE
        if taker.stp == "reject" and reaches_own:
            self.close(taker, "rejected")
            return SELF_TRADE
        if taker.tif == "FOK" and taken < taker.amount:
            self.close(taker, "cancelled")
            return 0
        for verb, maker, amount in steps:
            if verb == "fill":
                fills.append(self.fill(taker, maker, amount))
            elif taker.stp in ("cancel_maker", "cancel_both"):
                self.close(maker, "cancelled")
                cancelled.append(maker.number)
        self.finish(taker, stopped)
        return 0

    def crosses(self, taker):
        opposite = taker.market.side("sell" if taker.side == "buy" else "buy")
        return bool(opposite) and self.reachable(taker, opposite[0])

    def reachable(self, taker, maker):
        if taker.side == "buy":
            return maker.price <= taker.price
        return maker.price >= taker.price

    def walk(self, taker):
        """What matching would meet, nothing changed: ("fill" | "own", maker, amount) steps,
        and whether an own order ends the taker there."""
        steps, taken, spent = [], 0, 0
        for maker in taker.market.side("sell" if taker.side == "buy" else "buy"):
            if not self.reachable(taker, maker):
                break
            if taker.budget is None:
                wanted = taker.amount - taken
            else:
                wanted = self.affordable(taker, taker.budget - spent, maker.price)
            if wanted == 0:
                break
            if maker.wallet == taker.wallet:
                steps.append(("own", maker, 0))
                if taker.stp != "cancel_maker":
                    return steps, True
                continue
            amount = min(wanted, maker.left())
            steps.append(("fill", maker, amount))
            taken += amount
            spent += product(maker.price, amount)
        return steps, False

    def affordable(self, taker, quote, price):
        """Whole lots that quote buys at price."""
        lot = taker.market.lot_size
        return quote // product(price, lot) * lot

    def finish(self, taker, stopped):
        """The taker has met all it could: filled, resting, or its remainder cancelled."""
        if not stopped and self.satisfied(taker):
            self.close(taker, "filled")
        elif stopped or taker.tif != "GTC" and taker.tif != "GTX":
            self.close(taker, "cancelled")
        else:
            taker.status = "partial" if taker.filled_amount else "open"
            taker.market.resting.append(taker)

    def satisfied(self, taker):
        if taker.budget is None:
            return taker.left() == 0
        price = taker.last_price if taker.filled_amount else taker.price
        for maker in taker.market.side("sell"):
            if self.reachable(taker, maker):
                price = maker.price
                break
        return self.affordable(taker, taker.budget - taker.filled_quote, price) == 0

    def fill(self, taker, maker, amount):
        price = maker.price
        quote = product(price, amount)
        taker.market.trades.append((self.now, price, amount, quote))
        taker.taker_quote += quote
        maker.maker_quote += quote
        fees = {}
        for order in (taker, maker):
            order.filled_amount += amount
            order.filled_quote += quote
            order.last_price = price
            unit = order.market.quote_unit
            total = ceil_to(order.exact_fee(), unit * SCALE) // SCALE
            fees[order] = total - order.fee
            order.fee = total
            self.settle(order, amount, quote, fees[order])
        if maker.left() == 0:
            self.close(maker, "filled")
        else:
            maker.status = "partial"
        return {"maker": maker.number, "price": show(price), "amount": show(amount),
                "quote_amount": show(quote), "maker_fee": show(fees[maker]),
                "taker_fee": show(fees[taker])}

    # ---- money ------------------------------------------------------------

    def add(self, wallet, token, amount):
        self.available[wallet, token] = self.available.get((wallet, token), 0) + amount
        assert self.available[wallet, token] >= 0

    def hold_key(self, order):
        return order.wallet, order.market.quote if order.side == "buy" else order.market.base

    def set_hold(self, order, amount):
        """Holds amount for the order; the difference moves from or to available."""
        wallet, token = self.hold_key(order)
        self.add(wallet, token, order.held - amount)
        self.frozen[wallet, token] = self.frozen.get((wallet, token), 0) + amount - order.held
        order.held = amount

    def settle(self, order, amount, quote, fee):
        """One side of a fill: everything back to available, pay, receive, hold what is left."""
        base, money = order.market.base, order.market.quote
        paid = quote + fee if order.side == "buy" else amount
        assert order.held >= paid + order.hold(), "a hold is never overdrawn"
        self.set_hold(order, 0)
        if order.side == "buy":
            self.add(order.wallet, money, -quote - fee)
            self.add(order.wallet, base, amount)
        else:
            self.add(order.wallet, base, -amount)
            self.add(order.wallet, money, quote - fee)
        self.fees[money] += fee
        self.set_hold(order, order.hold())

    def close(self, order, status):
        order.status = status
        if order in order.market.resting:
            order.market.resting.remove(order)
        self.set_hold(order, 0)

    # ---- what must always be true -----------------------------------------

    def check(self):
        held = {}
        for market in self.markets.values():
            for order in market.resting:
                key = self.hold_key(order)
                held[key] = held.get(key, 0) + order.held
                assert order.held == order.hold() and order.left() > 0
                assert order.status == ("partial" if order.filled_amount else "open")
            bids, asks = market.side("buy"), market.side("sell")
            assert not bids or not asks or bids[0].price < asks[0].price
        total = {token: fees for token, fees in self.fees.items()}
        for (wallet, token), amount in self.available.items():
            assert amount >= 0
            total[token] += amount
        for key, amount in self.frozen.items():
            assert amount == held.get(key, 0)
            total[key[1]] += amount
        for withdrawal in self.withdrawals:
            if withdrawal and withdrawal.status not in Withdrawal.BACK:
                total[withdrawal.token] += withdrawal.amount
        assert total == self.credited, (total, self.credited)

    # ---- the end ----------------------------------------------------------

    def final(self):
        lines = [{"final": True}]
        for wallet, token in sorted(set(self.available) | set(self.frozen)):
            available = self.available.get((wallet, token), 0)
            frozen = self.frozen.get((wallet, token), 0)
            if available or frozen:
                lines.append({"wallet": wallet, "token": token,
                              "available": show(available), "frozen": show(frozen)})
        quotes = {market.quote for market in self.markets.values()}
        lines.append({"fees": {token: show(self.fees[token]) for token in sorted(quotes)}})
        for name, market in self.markets.items():
            rows = {side: [[show(o.price), show(o.left()), o.number] for o in market.side(side)]
                    for side in ("buy", "sell")}
            lines.append({"market": name, "bids": rows["buy"], "asks": rows["sell"]})
        return lines + self.market_data()

    def market_data(self):
        lines = []
        for name, market in self.markets.items():
            for interval in klines.INTERVALS:
                rows = klines.klines(market.trades, interval, self.now)[-KLINES_SHOWN:]
                lines.append({"market": name, "interval": interval,
                              "klines": [[r[0], *map(show, r[1:7]), r[7]] for r in rows]})
            row = klines.ticker(market.trades, self.now)
            lines.append({"market": name, "ticker": [*map(show, row[:6]), row[6]]})
        return lines


def run(ops):
    """All answers to a list of operations, the final state included."""
    exchange = Exchange()
    answers = [exchange.apply(op) for op in ops]
    return [a for a in answers if a is not None] + exchange.final()


def main():
    ops = [json.loads(line) for line in sys.stdin if line.strip()]
    for answer in run(ops):
        print(json.dumps(answer, sort_keys=True, separators=(",", ":")))


if __name__ == "__main__":
    main()
