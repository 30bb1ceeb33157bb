/* log.c: eidosctl log: the log levels of a running exchange. */
#include <string.h>

#include "cli/cli.h"
#include "procs/lib/text_log.h"
#include "shm/err.h"

/* 0 = as configured, else 1 + enum text_level; -1 = no such word. */
static int level_of(const char *word)
{
    if (strcmp(word, "default") == 0) return 0;
    for (int i = 0; i < TEXT_LEVELS; i++)
        if (strcmp(word, text_level_name((enum text_level)i)) == 0) return 1 + i;
    return -1;
}

static const char *word_of(const struct config *config, u32 level)
{
    return text_level_name(level ? (enum text_level)(level - 1)
                                 : (enum text_level)config->logging.level);
}

static int set(const struct cli *c, const struct segment *s, struct proc_block *ops)
{
    int level = level_of(c->arg[0]);
    bool found = false;
    if (level < 0)
        return cli_fail(c, CLI_USAGE, "%s is no level: debug, info, warn, error or default",
                        c->arg[0]);
    for (u32 i = 0; i < s->topo.proc_count; i++) {
        if (c->args > 1 && strcmp(c->arg[1], s->topo.procs[i].name) != 0) continue;
        atomic_store_explicit(&ops->log_levels[i], (u8)level, memory_order_relaxed);
        found = true;
    }
    if (found) return CLI_OK;
    return cli_fail(c, CLI_USAGE, "there is no process %s; see `eidosctl ps`", c->arg[1]);
}

static void show(const struct cli *c, const struct segment *s, const struct proc_block *ops,
                 const struct config *config)
{
    bool json = cli_value(c, "--json");
    struct json_out out;
    if (json) cli_json_begin(&out), json_put_open(&out, '{');
    for (u32 i = 0; i < s->topo.proc_count; i++) {
        u32 level = atomic_load_explicit(&ops->log_levels[i], memory_order_relaxed);
        const char *name = s->topo.procs[i].name, *word = word_of(config, level);
        if (json) json_put_key(&out, name), json_put_cstring(&out, word);
        else printf("%-20s %s%s\n", name, word, level ? "" : "  (as configured)");
    }
    if (json) json_put_close(&out, '}'), cli_json_end(&out);
}

int cmd_log(int argc, char **argv)
{
    static struct segment s;
    struct config config;
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    /* Levels stand in the supervisor's block, which operators' commands may write as it may. */
    if (result || (result = cli_attach(&c, &s, c.args ? ROLE_OPS : ROLE_COUNT))) return result;
    struct proc_block *ops = segment_proc(&s, ROLE_OPS, 0);
    if (c.args) return set(&c, &s, ops);
    if (cli_running_config(s.boot.dir, &config)) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    show(&c, &s, ops, &config);
    return CLI_OK;
}
