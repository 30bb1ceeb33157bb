// A WebSocket client that keeps what came until a test asks for it.
import assert from "node:assert/strict";
import WebSocket from "ws";
import { timestamp } from "./client.mjs";
import { conformsMessage } from "./schema.mjs";

export class Socket {
    #kept = [];
    #waiting = new Set();
    #fault = null; // what schema/websocket.json does not allow
    closed = null; // {code, reason}

    static async open(exchange, options) {
        const s = new Socket();
        s.ws = new WebSocket(`ws://${exchange.host}:${exchange.port}/ws`, options);
        s.ws.on("message", (data, binary) => s.#take(binary ? { binary: data } : JSON.parse(data)));
        s.whenClosed = new Promise((resolve) => s.ws.on("close", (code, reason) => {
            s.closed = { code, reason: reason.toString() };
            resolve(s.closed);
        }));
        await new Promise((resolve, reject) => {
            s.ws.on("open", resolve);
            s.ws.on("error", reject);
        });
        const hello = await s.next("connected");
        assert.equal(typeof hello.timestamp, "number");
        return s;
    }

    #take(message) {
        try {
            conformsMessage(message);
        } catch (e) {
            this.#fault ??= e;
            for (const w of this.#waiting) w.reject(e);
        }
        for (const w of this.#waiting)
            if (w.wanted(message)) {
                this.#waiting.delete(w);
                clearTimeout(w.timer);
                return w.resolve(message);
            }
        this.#kept.push(message);
    }

    // The first message not yet taken that fits: a type, or a predicate.
    next(what, timeoutMs = 4000) {
        if (this.#fault) return Promise.reject(this.#fault);
        const wanted = typeof what === "string" ? (m) => m.type === what : what;
        const at = this.#kept.findIndex(wanted);
        if (at >= 0) return Promise.resolve(this.#kept.splice(at, 1)[0]);
        return new Promise((resolve, reject) => {
            const w = { wanted, resolve, reject };
            w.timer = setTimeout(() => {
                this.#waiting.delete(w);
                reject(new Error(`no message ${what}; kept: ` +
                    JSON.stringify(this.#kept).slice(0, 1500)));
            }, timeoutMs);
            this.#waiting.add(w);
        });
    }

    // Everything that fits and is there after `ms` of waiting.
    async drain(wanted, ms = 300) {
        await new Promise((resolve) => setTimeout(resolve, ms));
        if (this.#fault) throw this.#fault;
        const all = this.#kept.filter(wanted);
        this.#kept = this.#kept.filter((m) => !wanted(m));
        return all;
    }

    send(message) {
        this.ws.send(typeof message === "string" ? message : JSON.stringify(message));
    }

    // Send with an id; the answer repeats it.
    #id = 0;
    ask(message) {
        const id = `q${++this.#id}`;
        this.send({ id, ...message });
        return this.next((m) => m.id === (message.id ?? id));
    }

    async auth(trader, change = {}) {
        const at = timestamp();
        const signature = await trader.sign("Request", { method: "WS", path: "/ws", timestamp: at });
        return this.ask({ type: "auth",
            params: { wallet: trader.wallet, timestamp: at, signature, ...change } });
    }

    // The older form: a text signed with personal_sign.
    async authPersonal(trader) {
        const at = timestamp();
        const text = `Eidos Exchange WebSocket Authentication\nWallet: ${trader.wallet}\nTimestamp: ${at}`;
        const signature = await trader.signer.signMessage(text);
        return this.ask({ type: "auth", params: { wallet: trader.wallet, timestamp: at, signature } });
    }

    async subscribe(...channels) {
        const answer = await this.ask({ type: "subscribe", channels });
        assert.equal(answer.type, "subscribed", JSON.stringify(answer));
        return answer;
    }

    async close() {
        this.ws.close();
        await this.whenClosed;
    }
}
