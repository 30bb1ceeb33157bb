// The whole protocol against one exchange, suite by suite; each leaves the books empty.
//   EIDOS_SUITES=socket,afterwards   only these
//   EIDOS_SET="verify.workers=2"     options of the exchange beyond ours
//   EIDOS_KEEP=1                     leave its directory for a look
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Exchange } from "./lib/exchange.mjs";
import { unseen } from "./lib/schema.mjs";

const SUITES = ["markets", "klines", "trading", "kinds", "prepare", "authentication", "rules", "nonces",
    "cancels", "lists", "history", "transfers", "socket", "socket_orders", "documents", "malformed",
    "afterwards"];

const exchange = new Exchange();
const suites = [];
for (const name of process.env.EIDOS_SUITES?.split(",") ?? SUITES)
    suites.push((await import(`./cases/${name}.mjs`)).default);

describe("the exchange", () => {
    before(() => exchange.start());
    after(async () => {
        await exchange.stop().finally(() => exchange.remove());
    });
    for (const suite of suites) suite(exchange);
    it("has answered every documented operation", { skip: "EIDOS_SUITES" in process.env }, () =>
        assert.deepEqual(unseen(), []));
});
