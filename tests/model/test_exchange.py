#!/usr/bin/env python3
"""Hand-computed cases for the model, from the text of the protocol. Run: python3 test_exchange.py"""

import collections
import sys
import unittest

sys.dont_write_bytecode = True  # nothing but sources in this folder

import exchange  # noqa: E402
import generate  # noqa: E402
import run  # noqa: E402

A, B, C, D = ("0x" + digit * 40 for digit in "abcd")
MARKET = {"op": "market", "market": "BTC-USDC", "base": "BTC", "quote": "USDC",
          "tick_size": "0.01", "lot_size": "0.00001", "min_amount": "0.001", "max_amount": "100",
          "max_price": "100000", "min_notional": "10", "max_notional": "100000",
          "maker_fee_rate": "0.001", "taker_fee_rate": "0.002"}
NOW = 1_700_000_000_000
DAY = 24 * 3600 * 1000


class Case(unittest.TestCase):
    def setUp(self):
        self.start()

    def start(self, limits=None, **market):
        self.x = exchange.Exchange()
        self.nonce = 1000
        self.count = 0
        for token, decimals in (("USDC", 6), ("BTC", 8)):
            self.x.apply({"op": "token", "token": token, "decimals": decimals})
        # Lots of 0.0001 at ticks of 0.01 are whole millionths of a USDC.
        self.x.apply({**MARKET, "lot_size": "0.0001", **market})
        self.x.apply({"op": "limits", "open_orders_per_market": 200, "expiry_days_max": 30,
                      "resting_orders_per_market": 100000, **(limits or {})})
        self.x.apply({"op": "time", "now": NOW})
        for wallet in (A, B, C):
            self.credit(wallet, "USDC", "100000")
            self.credit(wallet, "BTC", "100")

    def credit(self, wallet, token, amount):
        answer = self.x.apply({"op": "credit", "wallet": wallet, "token": token, "amount": amount})
        self.assertEqual(answer, {"code": 0})

    def order(self, wallet, side, price, amount, tif="GTC", stp="reject", **more):
        op = {"op": "order", "wallet": wallet, "market": "BTC-USDC", "side": side, "type": "limit",
              "price": price, "amount": amount, "time_in_force": tif, "stp": stp,
              "nonce": str(self.nonce), **more}
        op = {key: value for key, value in op.items() if value is not None}
        self.nonce += 1
        return self.send(op)

    def market(self, wallet, side, amount=None, quote=None, **more):
        return self.order(wallet, side, None, amount, "IOC", type="market", quote_amount=quote,
                          **more)

    def send(self, op):
        self.last = op
        answer = self.x.apply(op)
        answer["k"] = self.count
        self.count += 1
        return answer

    def code(self, answer, code, status=None):
        self.assertEqual(answer["code"], code)
        self.assertEqual(answer["order"] and answer["order"]["status"], status)

    def funds(self, wallet, token):
        return tuple(exchange.show(side.get((wallet, token), 0))
                     for side in (self.x.available, self.x.frozen))

    def book(self, side):
        return [(exchange.show(o.price), exchange.show(o.left()), o.number)
                for o in self.x.markets["BTC-USDC"].side(side)]


class Numbers(unittest.TestCase):
    def test_decimals(self):
        for text in ("0", "1", "1.5", "0.000000000000000001", "123456789.1"):
            self.assertEqual(exchange.show(exchange.parse(text)), text)
        self.assertEqual(exchange.show(exchange.parse("1.500")), "1.5")
        for text in ("", ".5", "1.", "-1", "+1", "1e3", " 1", "0.0000000000000000001", 1, None):
            self.assertIsNone(exchange.parse(text))


class Matching(Case):
    def test_price_then_time_at_the_makers_price(self):
        self.order(A, "sell", "101", "1")
        self.order(B, "sell", "100", "1")
        self.order(A, "sell", "100", "1")
        taker = self.order(C, "buy", "101", "2.5")
        self.assertEqual([(f["maker"], f["price"], f["amount"]) for f in taker["fills"]],
                         [(1, "100", "1"), (2, "100", "1"), (0, "101", "0.5")])
        self.code(taker, 0, "filled")
        # 250.5 / 2.5 = 100.2; fee 0.002 x 250.5
        self.assertEqual(taker["order"]["avg_price"], "100.2")
        self.assertEqual(taker["order"]["fee"], "0.501")
        self.assertEqual(self.book("sell"), [("101", "0.5", 0)])

    def test_average_is_rounded_down(self):
        self.order(A, "sell", "100", "1")
        self.order(A, "sell", "100.01", "2")
        taker = self.order(C, "buy", "101", "3")
        self.assertEqual(taker["order"]["filled_quote"], "300.02")
        self.assertEqual(taker["order"]["avg_price"], "100")  # 100.00666...

    def test_rest_of_a_limit_order(self):
        self.order(A, "sell", "100", "1")
        self.code(self.order(B, "buy", "100", "1.5"), 0, "partial")
        self.code(self.order(B, "buy", "99", "1"), 0, "open")
        self.code(self.order(B, "buy", "100", "1", "IOC"), 0, "cancelled")
        self.assertEqual(self.book("buy"), [("100", "0.5", 1), ("99", "1", 2)])

    def test_fill_or_kill(self):
        self.order(A, "sell", "100", "1")
        self.order(B, "sell", "101", "1")
        answer = self.order(C, "buy", "100.99", "1.0001", "FOK")
        self.code(answer, 0, "cancelled")
        self.assertEqual(answer["order"]["remaining_amount"], "1.0001")
        self.assertEqual(self.funds(C, "USDC"), ("100000", "0"))
        self.code(self.order(C, "buy", "101", "2", "FOK"), 0, "filled")

    def test_post_only(self):
        self.order(A, "sell", "100", "1")
        answer = self.order(A, "buy", "100", "1", "GTX")  # post-only comes before self trade
        self.code(answer, 11021, "rejected")
        self.assertEqual(self.funds(A, "USDC"), ("100000", "0"))
        self.code(self.order(B, "buy", "99.99", "1", "GTX"), 0, "open")


class SelfTrade(Case):
    def setUp(self):
        self.start()
        self.order(B, "sell", "100", "1")  # 0
        self.order(A, "sell", "101", "1")  # 1, the taker's own
        self.order(C, "sell", "102", "1")  # 2

    def taker(self, amount, stp, tif="GTC"):
        return self.order(A, "buy", "102", amount, tif, stp)

    def test_reject_before_any_fill(self):
        answer = self.taker("1.5", "reject")
        self.code(answer, 11018, "rejected")
        self.assertEqual(answer["fills"], [])
        self.assertEqual(len(self.book("sell")), 3)
        self.assertEqual(self.funds(A, "USDC"), ("100000", "0"))

    def test_only_an_own_order_that_is_reached(self):
        for stp in ("reject", "cancel_taker", "cancel_maker", "cancel_both"):
            self.setUp()
            answer = self.taker("1", stp)
            self.code(answer, 0, "filled")
            self.assertEqual(answer["cancelled_makers"], [])
            self.assertEqual(self.book("sell")[0][2], 1)

    def test_cancel_taker(self):
        answer = self.taker("1.5", "cancel_taker")
        self.code(answer, 0, "cancelled")
        self.assertEqual(answer["order"]["remaining_amount"], "0.5")
        self.assertEqual([k for _, _, k in self.book("sell")], [1, 2])
        self.assertEqual(self.book("buy"), [])

    def test_cancel_maker(self):
        answer = self.taker("2.5", "cancel_maker")
        self.code(answer, 0, "partial")
        self.assertEqual([f["maker"] for f in answer["fills"]], [0, 2])
        self.assertEqual(answer["cancelled_makers"], [1])
        self.assertEqual(self.funds(A, "BTC"), ("102", "0"))

    def test_cancel_both(self):
        answer = self.taker("2.5", "cancel_both")
        self.code(answer, 0, "cancelled")
        self.assertEqual(answer["cancelled_makers"], [1])
        self.assertEqual(answer["order"]["remaining_amount"], "1.5")
        self.assertEqual([k for _, _, k in self.book("sell")], [2])

    def test_fill_or_kill(self):
        # Others offer 2 in all; 2 is possible when the own order steps aside, 2.5 is not.
        answer = self.taker("2.5", "cancel_maker", "FOK")
        self.code(answer, 0, "cancelled")
        self.assertEqual((answer["fills"], answer["cancelled_makers"]), ([], []))
        for stp in ("cancel_taker", "cancel_both"):
            answer = self.taker("2", stp, "FOK")
            self.code(answer, 0, "cancelled")
            self.assertEqual((answer["fills"], answer["cancelled_makers"]), ([], []))
        self.assertEqual(len(self.book("sell")), 3)
        self.code(self.taker("2", "reject", "FOK"), 11018, "rejected")
        answer = self.taker("2", "cancel_maker", "FOK")
        self.code(answer, 0, "filled")
        self.assertEqual(answer["cancelled_makers"], [1])


class Money(Case):
    def test_fees_of_many_small_fills_are_those_of_one_large(self):
        self.start(min_notional="0", min_amount="0.0001")
        # Each fill 0.0001 x 100.07 = 0.010007; exact taker fee 0.000020014, maker 0.000010007.
        buyer = self.order(A, "buy", "100.07", "0.0003")
        fees = []
        for _ in range(3):
            fill = self.order(B, "sell", "100.07", "0.0001")["fills"][0]
            fees.append((fill["maker_fee"], fill["taker_fee"]))
        # The maker's order: ceil of 10.007, 20.014, 30.021 millionths = 11, 21, 31.
        # Each taker order is its own: ceil(20.014) = 21.
        self.assertEqual(fees, [("0.000011", "0.000021"), ("0.00001", "0.000021"),
                                ("0.00001", "0.000021")])
        self.assertEqual(self.x.orders[buyer["k"]].view()["fee"], "0.000031")
        self.assertEqual(exchange.show(self.x.fees["USDC"]), "0.000094")

    def test_taker_then_maker_parts_add_up_before_rounding(self):
        self.start(min_notional="0", min_amount="0.0001")
        self.order(A, "sell", "100.07", "0.0001")
        taker = self.order(B, "buy", "100.07", "0.0002")
        self.assertEqual(taker["order"]["fee"], "0.000021")  # ceil(20.014)
        fill = self.order(C, "sell", "100.07", "0.0001")["fills"][0]
        # ceil(20.014 + 10.007) = 31; 21 were charged.
        self.assertEqual(fill["maker_fee"], "0.00001")

    def test_hold_of_a_buy_is_quote_and_the_larger_fee(self):
        self.order(A, "buy", "100.01", "1.5")
        # 150.015 + ceil(0.30003)
        self.assertEqual(self.funds(A, "USDC"), ("99849.68497", "150.31503"))
        self.start(maker_fee_rate="0.003")
        self.order(A, "buy", "100", "1")
        self.assertEqual(self.funds(A, "USDC")[1], "100.3")

    def test_hold_of_a_partly_filled_buy(self):
        self.start(min_notional="0", min_amount="0.0001")
        self.order(A, "buy", "100.07", "0.0003")  # quote 0.030021, fee at 0.002: 60.042 -> 61
        self.assertEqual(self.funds(A, "USDC")[1], "0.030082")
        self.order(B, "sell", "100", "0.0001")  # at the maker's price, 100.07
        # Left quote 0.020014; exact fee so far 10.007, charged 11.
        # Hold 20014 + ceil(10.007 + 40.028) - 11 = 20014 + 51 - 11 = 20054 millionths.
        self.assertEqual(self.funds(A, "USDC"), ("99999.969928", "0.020054"))
        # 100000 - 0.010007 - 0.000011 - 0.020054 = 99999.969928

    def test_better_price_releases_at_once(self):
        self.order(B, "sell", "90", "1")
        self.order(A, "buy", "100", "2")
        # Paid 90 and 0.18. Held: 100 + ceil(0.18 + 0.2) - 0.18 = 100.2
        self.assertEqual(self.funds(A, "USDC"), ("99809.62", "100.2"))
        self.assertEqual(self.funds(B, "USDC"), ("100089.91", "0"))

    def test_sell_holds_the_amount_and_pays_from_proceeds(self):
        self.order(A, "sell", "100", "1.5")
        self.assertEqual(self.funds(A, "BTC"), ("98.5", "1.5"))
        self.order(B, "buy", "100", "0.5")
        self.assertEqual(self.funds(A, "BTC"), ("98.5", "1"))
        self.assertEqual(self.funds(A, "USDC"), ("100049.95", "0"))

    def test_balance_to_the_last_unit(self):
        self.credit(D, "USDC", "100.199999")
        self.code(self.order(D, "buy", "100", "1"), 12001)
        self.credit(D, "USDC", "0.000001")
        self.code(self.order(D, "buy", "100", "1"), 0, "open")
        self.assertEqual(self.funds(D, "USDC"), ("0", "100.2"))


class MarketOrders(Case):
    def test_protection_price_rounds_to_the_passive_side(self):
        self.order(A, "sell", "100.05", "1")
        self.order(A, "sell", "100.15", "1")
        self.order(A, "sell", "100.16", "1")
        # 100.05 x 1.001 = 100.15005, a buyer's passive side is down: 100.15
        answer = self.market(B, "buy", "3", slippage_bps=10)
        self.code(answer, 0, "cancelled")
        self.assertEqual([f["price"] for f in answer["fills"]], ["100.05", "100.15"])
        self.assertEqual(answer["order"]["remaining_amount"], "1")
        self.order(C, "buy", "99.95", "1")
        self.order(C, "buy", "99.86", "1")
        self.order(C, "buy", "99.85", "1")
        # 99.95 x 0.999 = 99.85005, a seller's passive side is up: 99.86
        answer = self.market(B, "sell", "3", slippage_bps=10)
        self.assertEqual([f["price"] for f in answer["fills"]], ["99.95", "99.86"])

    def test_default_slippage_is_100(self):
        self.order(A, "sell", "100", "1")
        self.order(A, "sell", "101", "1")
        self.order(A, "sell", "101.01", "1")
        answer = self.market(B, "buy", "3")
        self.assertEqual(len(answer["fills"]), 2)
        same = self.send({**self.last, "slippage_bps": 100})  # signs the same content
        self.assertEqual((same["order"], same["fills"]), (answer["order"], []))

    def test_no_liquidity_uses_the_nonce(self):
        self.code(self.market(B, "buy", "1"), 13004)
        used = dict(self.last)
        self.order(A, "sell", "100", "1")
        self.code(self.send(used), 13004)
        self.code(self.send({**used, "amount": "0.5"}), 11017)

    def test_notional_at_the_protection_price(self):
        self.order(A, "sell", "100", "1")
        # 0.0995 x 101 = 10.0495, 0.099 x 101 = 9.999
        self.code(self.market(B, "buy", "0.099"), 11010)
        self.code(self.market(B, "buy", "0.0995"), 0, "filled")

    def test_hold_at_the_protection_price(self):
        self.order(A, "sell", "100", "1")
        self.credit(D, "USDC", "101.201")  # 101 + 0.202 is one thousandth more
        self.code(self.market(D, "buy", "1"), 12001)
        self.credit(D, "USDC", "0.001")
        self.code(self.market(D, "buy", "1"), 0, "filled")
        self.assertEqual(self.funds(D, "USDC"), ("1.002", "0"))

    def test_budget(self):
        self.order(A, "sell", "100", "0.5")
        self.order(A, "sell", "100.5", "5")
        # 50 at 100; 50 left buy 0.4975 (49.99875) at 100.5, then no lot of 0.01005 for 0.00125.
        answer = self.market(B, "buy", quote="100")
        self.code(answer, 0, "filled")
        self.assertEqual([f["amount"] for f in answer["fills"]], ["0.5", "0.4975"])
        self.assertEqual(answer["order"], {
            "status": "filled", "filled_amount": "0.9975", "filled_quote": "99.99875",
            "remaining_amount": "0", "avg_price": "100.24", "fee": "0.199998"})
        # 100000 - 99.99875 - ceil(0.1999975)
        self.assertEqual(self.funds(B, "USDC"), ("99899.801252", "0"))

    def test_budget_beyond_the_book_is_cancelled(self):
        self.order(A, "sell", "100", "0.5")
        self.order(A, "sell", "102", "5")  # beyond the protection price of 101
        answer = self.market(B, "buy", quote="100")
        self.code(answer, 0, "cancelled")
        self.assertEqual(answer["order"]["filled_quote"], "50")
        self.assertEqual(answer["order"]["remaining_amount"], "0")

    def test_budget_that_takes_the_last_order_exactly_is_filled(self):
        self.order(A, "sell", "100", "0.5")
        self.code(self.market(B, "buy", quote="50"), 0, "filled")

    def test_budget_excludes_the_fee(self):
        self.order(A, "sell", "100", "1")
        self.credit(D, "USDC", "100")
        self.code(self.market(D, "buy", quote="100"), 12001)
        self.credit(D, "USDC", "0.2")
        self.code(self.market(D, "buy", quote="100"), 0, "filled")
        self.assertEqual(self.funds(D, "USDC"), ("0", "0"))

    def test_budget_meets_an_own_order_only_with_money_left(self):
        self.order(A, "sell", "100", "0.5")
        self.order(B, "sell", "100", "0.5")
        self.code(self.market(B, "buy", quote="50.005"), 0, "filled")  # 0.005 buys no lot
        self.order(A, "sell", "99.5", "0.5")
        self.code(self.market(B, "buy", quote="60"), 11018, "rejected")
        self.code(self.market(B, "buy", quote="60", stp="cancel_taker"), 0, "cancelled")


class Checks(Case):
    def test_price_and_size(self):
        self.code(self.order(A, "buy", "100.001", "1"), 11004)
        self.code(self.order(A, "buy", "100000.01", "1"), 11006)
        self.code(self.order(A, "buy", "100", "1.00001"), 11005)
        self.code(self.order(A, "buy", "100", "0.0009"), 11008)
        self.code(self.order(A, "buy", "100", "100.0001"), 11009)
        self.code(self.order(A, "buy", "99.99", "0.1"), 11010)
        self.code(self.order(A, "buy", "1000.01", "100"), 11020)
        self.code(self.order(A, "buy", "100.001", "1.00001"), 11004)  # price before size

    def test_refused_before_the_nonce_leaves_no_trace(self):
        self.code(self.order(A, "buy", "100.001", "1"), 11004)
        self.code(self.send({**self.last, "price": "100"}), 0, "open")

    def test_expiry(self):
        self.code(self.order(A, "buy", "100", "1", expire_at=NOW), 11011)
        self.code(self.order(A, "buy", "100", "1", expire_at=NOW + 1500), 10003)
        self.code(self.order(A, "buy", "100", "1", expire_at=NOW + 30 * DAY + 1000), 10003)
        late = self.order(A, "buy", "100", "1", expire_at=NOW + 30 * DAY)
        soon = self.order(A, "buy", "99", "1", expire_at=NOW + 1000)
        again = dict(self.last)
        both = self.order(A, "buy", "98", "1", expire_at=NOW + 1000)
        self.assertEqual(self.x.apply({"op": "time", "now": NOW + 999})["expired"], [])
        answer = self.x.apply({"op": "time", "now": NOW + 1000})
        self.assertEqual(answer["expired"], [soon["k"], both["k"]])
        self.code(self.send(again), 0, "expired")  # what it became, though now in the past
        self.assertEqual(self.book("buy"), [("100", "1", late["k"])])
        self.assertEqual(self.funds(A, "USDC")[1], "100.2")

    def test_never_funded_before_the_nonce_after_the_rules(self):
        self.code(self.order(D, "buy", "100.001", "1"), 11004)
        self.code(self.order(D, "buy", "100", "1"), 12001)
        self.code(self.market(D, "buy", "1"), 12001)
        self.credit(D, "USDC", "1000")
        self.code(self.send(self.last), 13004)  # the nonce was free
        self.code(self.send(self.last), 13004)

    def test_same_order_again(self):
        first = self.order(A, "buy", "100", "1")
        op = dict(self.last)
        again = self.send({**op, "price": "100.00", "wallet": A.upper().replace("X", "x")})
        self.assertEqual((again["code"], again["order"]), (0, first["order"]))
        self.order(B, "sell", "100", "0.25")
        again = self.send(op)
        self.code(again, 0, "partial")
        self.assertEqual((again["order"]["filled_amount"], again["fills"]), ("0.25", []))
        self.code(self.send({**op, "client_order_id": "x"}), 11017)
        self.assertEqual(self.book("buy"), [("100", "0.75", 0)])

    def test_refused_order_again(self):
        self.credit(D, "USDC", "1")
        self.code(self.order(D, "buy", "100", "1"), 12001)
        self.credit(D, "USDC", "1000")
        self.code(self.send(self.last), 12001)
        self.order(A, "sell", "100", "1")
        self.code(self.order(A, "buy", "100", "1"), 11018, "rejected")
        op = dict(self.last)
        self.x.apply({"op": "cancel_all", "wallet": A})
        self.code(self.send(op), 11018, "rejected")

    def test_nonce_window(self):
        nonces = [str(n) for n in range(10, 10 + 2 * 128, 2)]
        ops = []
        for nonce in nonces:
            self.order(A, "buy", "100", "1", "IOC", nonce=nonce)
            ops.append(dict(self.last))
        self.code(self.order(A, "buy", "100", "1", "IOC", nonce="9"), 11017)  # below the smallest
        self.code(self.send(ops[0]), 0, "cancelled")  # 128 are held, 10 among them
        self.code(self.order(A, "buy", "100", "1", "IOC", nonce="11"), 0, "cancelled")
        self.code(self.send(ops[0]), 11017)  # 10 was forgotten
        self.code(self.order(A, "buy", "100", "1", "IOC", nonce="13"), 0, "cancelled")
        self.code(self.order(A, "buy", "99", "1", "IOC", nonce="11"), 11017)
        self.code(self.send(ops[1]), 0, "cancelled")  # 12 is the smallest now
        self.code(self.order(A, "buy", "99", "1", "IOC", nonce="12"), 11017)
        self.code(self.order(B, "buy", "100", "1", "IOC", nonce="0"), 0, "cancelled")
        self.code(self.order(B, "buy", "100", "1", nonce=str(2**64 - 1)), 0, "open")
        self.code(self.order(B, "buy", "100", "1", nonce=str(2**64)), 10003)

    def test_client_order_id(self):
        first = self.order(A, "buy", "100", "1", client_order_id="a")
        self.code(self.order(A, "buy", "99", "1", client_order_id="a"), 11012)
        self.code(self.order(B, "buy", "99", "1", client_order_id="a"), 0, "open")
        self.x.apply({"op": "cancel", "wallet": A, "order": first["k"]})
        self.code(self.send(self.last), 0, "open")
        self.code(self.order(A, "buy", "99", "1", client_order_id="a"), 0, "open")

    def test_open_order_limit(self):
        self.start(limits={"open_orders_per_market": 2})
        self.order(A, "buy", "100", "1")
        self.order(A, "buy", "100", "1")
        self.code(self.order(A, "buy", "100", "1"), 11019)
        self.code(self.order(A, "buy", "100", "1", "GTX"), 11019)
        self.code(self.order(A, "buy", "100", "1", "IOC"), 0, "cancelled")
        self.code(self.order(B, "sell", "100", "1.5"), 0, "filled")
        self.code(self.order(A, "buy", "100", "1"), 0, "open")


class Cancels(Case):
    def cancel(self, wallet, number):
        return self.x.apply({"op": "cancel", "wallet": wallet, "order": number})

    def test_codes(self):
        first = self.order(A, "buy", "100", "1")["k"]
        self.code(self.cancel(B, first), 11001)
        self.code(self.cancel(A, "unknown"), 11001)
        self.order(B, "sell", "100", "0.4")
        answer = self.cancel(A, first)
        self.code(answer, 0, "cancelled")
        self.assertEqual(answer["order"]["remaining_amount"], "0.6")
        self.assertEqual(self.funds(A, "USDC")[1], "0")
        self.code(self.cancel(A, first), 11002)
        self.code(self.cancel(B, 1), 11003)
        rejected = self.order(A, "sell", "100", "1.00001")["k"]
        self.code(self.cancel(A, rejected), 11001)

    def test_all_with_filters(self):
        self.order(A, "sell", "101", "1")
        self.order(A, "buy", "100", "1")
        self.order(A, "buy", "99", "1")
        self.order(B, "buy", "99", "1")
        answer = self.x.apply({"op": "cancel_all", "wallet": A, "side": "buy"})
        self.assertEqual(answer, {"cancelled": [1, 2]})
        answer = self.x.apply({"op": "cancel_all", "wallet": A, "market": "BTC-USDC"})
        self.assertEqual(answer, {"cancelled": [0]})
        self.assertEqual(self.funds(A, "USDC"), ("100000", "0"))


class Guards(Case):
    def test_a_lost_unit_is_noticed(self):
        self.x.available[A, "USDC"] -= 1
        with self.assertRaises(AssertionError):
            self.order(B, "buy", "100", "1")

    def test_final_state(self):
        self.order(A, "sell", "100", "1")
        self.order(B, "buy", "100", "0.5")
        lines = self.x.final()
        self.assertEqual(lines[0], {"final": True})
        self.assertIn({"wallet": A, "token": "BTC", "available": "99", "frozen": "0.5"}, lines)
        self.assertIn({"fees": {"USDC": "0.15"}}, lines)
        self.assertIn({"market": "BTC-USDC", "bids": [], "asks": [["100", "0.5", 0]]}, lines)
        self.assertIn({"market": "BTC-USDC", "interval": "1h", "klines": [
            [1_699_999_200_000, "100", "100", "100", "100", "0.5", "50", 1]]}, lines)
        self.assertEqual(lines[-1]["ticker"], ["100", "100", "100", "100", "0.5", "50", 1])


class Generated(unittest.TestCase):
    def test_every_outcome_comes_up(self):
        seen = collections.Counter()
        for seed in range(60):
            ops = generate.generate(seed)
            self.assertEqual(ops, generate.generate(seed))
            x = exchange.Exchange()
            for op in ops:
                answer = x.apply(op)
                if op["op"] in ("order", "cancel") or op["op"].startswith("withdraw") and answer:
                    seen[op["op"], answer["code"]] += 1
                if op["op"] == "order" and answer["order"]:
                    form = "budget" if "quote_amount" in op else op["type"]
                    seen[form, op["time_in_force"], answer["order"]["status"]] += 1
                    if answer["cancelled_makers"]:
                        seen[op["stp"]] += 1
        wanted = [("order", code) for code in (
            0, 10003, 11004, 11005, 11006, 11008, 11009, 11010, 11011, 11012, 11017, 11018, 11019,
            11020, 11021, 12001, 13004)]
        wanted += [("cancel", code) for code in (0, 11001, 11002, 11003, 11013)]
        wanted += [("withdraw", code) for code in (0, 10003, 11017, 12001, 12002, 12004)]
        wanted += [("withdraw_cancel", code) for code in (0, 12005, 12006)]
        wanted += [("withdraw_step", code) for code in (0, 12005, 12006)]
        wanted += [("limit", "GTC", status) for status in (
            "open", "partial", "filled", "cancelled", "rejected", "expired")]
        wanted += [("limit", "FOK", status) for status in ("filled", "cancelled", "rejected")]
        wanted += [("limit", "IOC", status) for status in ("filled", "cancelled", "rejected")]
        wanted += [("limit", "GTX", "open"), ("limit", "GTX", "rejected")]
        wanted += [(form, "IOC", status) for form in ("market", "budget")
                   for status in ("filled", "cancelled", "rejected")]
        wanted += ["cancel_maker", "cancel_both"]
        self.assertEqual([want for want in wanted if not seen[want]], [])

    def test_dropped_operations_renumber_cancels(self):
        ops = [{"op": "order", "n": 0}, {"op": "order", "n": 1}, {"op": "cancel", "order": 1},
               {"op": "cancel", "order": 0}, {"op": "cancel", "order": "unknown"}]
        self.assertEqual(run.without(ops, 0, 1), [{"op": "order", "n": 1},
                                                  {"op": "cancel", "order": 0},
                                                  {"op": "cancel", "order": "unknown"}])


if __name__ == "__main__":
    unittest.main()
