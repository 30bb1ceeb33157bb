// One private exchange: its own directory, free ports, started and stopped through eidosctl.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const tree = fileURLToPath(new URL("../../../", import.meta.url));
const eidosctl = join(process.env.EIDOS_BIN ?? join(tree, "build/bin"), "eidosctl");

const OPTIONS = [
    "api.port=0", "ops.port=0", "limits.rates=off", "shm.hugepages=off",
    "trading.accounts_max=4096", "trading.balances_max=16384", "trading.orders_max=65536",
    "matching.orders_max=65536", "log.command_bytes=8M", "log.match_bytes=8M",
    "log.account_bytes=8M", "journal.segment_bytes=16M", "snapshot.interval=2s",
    ...(process.env.EIDOS_SET?.split(" ") ?? []),
];

export class Exchange {
    constructor() {
        this.dir = mkdtempSync(join(tmpdir(), "eidos-e2e-"));
    }

    async ctl(...args) {
        try {
            const { stdout } = await run(eidosctl, [...args, "--dir", this.dir], { timeout: 60000 });
            return stdout;
        } catch (e) {
            throw new Error(`eidosctl ${args.join(" ")}: ${e.message}\n${e.stdout}${e.stderr}`);
        }
    }

    async start(...more) {
        await this.ctl("up", "--detach", ...[...OPTIONS, ...more].flatMap((o) => ["--set", o]));
        await this.ctl("ready", "--wait", "60");
        const status = JSON.parse(await this.ctl("status", "--json"));
        const api = status.processes.find((p) => p.role === "api");
        this.host = "127.0.0.1";
        this.port = api.port;
        this.url = `http://${this.host}:${this.port}`;
        return status;
    }

    async status() {
        return JSON.parse(await this.ctl("status", "--json"));
    }

    // Amounts are decimal strings. Every credit is remembered, for the conservation at the end.
    credited = [];
    traders = [];
    async credit(wallet, token, amount) {
        await this.ctl("credit", wallet, token, amount);
        this.credited.push({ wallet, token, amount });
    }

    // kill -9 a process, and wait until the supervisor has it back.
    async kill(name) {
        const find = async () =>
            JSON.parse(await this.ctl("ps", "--json")).find((p) => p.name === name);
        const { pid } = await find();
        process.kill(pid, "SIGKILL");
        for (let i = 0; i < 400; i++) {
            const now = await find();
            if (now.pid !== pid && now.state === "ready") return;
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
        throw new Error(`${name} did not come back`);
    }

    async stop() {
        await this.ctl("down");
    }

    remove() {
        if (process.env.EIDOS_KEEP) return console.log(`kept: ${this.dir}`);
        rmSync(this.dir, { recursive: true, force: true });
    }
}
