/* mode.c: eidosctl mode: what may be asked of the exchange or of one market. */
#include <string.h>

#include "cli/ops.h"
#include "cli/view.h"
#include "procs/lib/wire.h"
#include "shm/err.h"

static const char *const names[] = {
    [MODE_NORMAL] = "normal", [MODE_CANCEL_ONLY] = "cancel-only", [MODE_HALTED] = "halted"};

static int mode_of(const char *text)
{
    for (u32 i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i], text) == 0) return (int)i;
    return -1;
}

static void print(const struct cli *c, const struct msg_mode *m, u64 seq)
{
    const char *market = m->market == NO_MARKET ? NULL : c->arg[1];
    if (!cli_value(c, "--json")) {
        printf("%s is %s, on disk as command %lu\n", market ? market : "the exchange",
               names[m->mode], seq);
        return;
    }
    struct json_out out;
    cli_json_begin(&out);
    json_put_open(&out, '{');
    json_put_key(&out, "mode"), json_put_cstring(&out, names[m->mode]);
    if (market) json_put_key(&out, "market"), json_put_cstring(&out, market);
    json_put_key(&out, "sequence"), json_put_u64(&out, seq);
    json_put_close(&out, '}');
    cli_json_end(&out);
}

int cmd_mode(int argc, char **argv)
{
    static struct segment own, view;
    struct cli c;
    struct ops ops = {0};
    u16 code = 0;
    u64 seq = 0;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    int mode = mode_of(c.arg[0]);
    if (mode < 0)
        return cli_fail(&c, CLI_USAGE, "%s: expected normal, cancel-only or halted", c.arg[0]);
    struct msg_mode m = {.head = {.length = sizeof m, .kind = MSG_MODE}, .market = NO_MARKET};
    m.mode = (u8)mode;
    if ((result = cli_attach(&c, &own, ROLE_OPS)) || (result = cli_attach(&c, &view, ROLE_COUNT)))
        return result;
    struct rules *rules = cli_object(&view, "rules");
    if (!rules) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    if (c.args > 1 && (m.market = view_market(&c, rules, c.arg[1])) == NO_MARKET) return CLI_USAGE;
    int failed = ops_open(&ops, &own, &view) || ops_ask(&ops, &m.head, &code, &seq);
    ops_close(&ops);
    if (failed) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    if (code) return cli_fail(&c, CLI_FAILED, "refused with code %u, %s", code, wire_message(code));
    print(&c, &m, seq);
    return CLI_OK;
}
