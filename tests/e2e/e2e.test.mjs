// The whole protocol against one exchange, suite by suite; each leaves the books empty.
import { after, before, describe } from "node:test";
import { Exchange } from "./lib/exchange.mjs";
import markets from "./cases/markets.mjs";
import trading from "./cases/trading.mjs";
import kinds from "./cases/kinds.mjs";
import prepare from "./cases/prepare.mjs";
import authentication from "./cases/authentication.mjs";
import rules from "./cases/rules.mjs";
import nonces from "./cases/nonces.mjs";
import cancels from "./cases/cancels.mjs";
import lists from "./cases/lists.mjs";
import socket from "./cases/socket.mjs";
import socketOrders from "./cases/socket_orders.mjs";
import malformed from "./cases/malformed.mjs";
import afterwards from "./cases/afterwards.mjs";

const exchange = new Exchange();

describe("the exchange", () => {
    before(() => exchange.start());
    after(async () => {
        await exchange.stop().finally(() => exchange.remove());
    });
    for (const suite of [markets, trading, kinds, prepare, authentication, rules, nonces, cancels,
        lists, socket, socketOrders, malformed, afterwards])
        suite(exchange);
});
