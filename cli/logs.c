#include "cli/logs.h"

#include "shm/err.h"

int logs_open(const struct cli *c, struct logs *logs)
{
    static struct segment segment;
    struct boot boot;
    const char *path = c->source.dir.s;
    *logs = (struct logs){0};
    if (logdir_open(&logs->dir, path, false)) return cli_fail(c, CLI_FAILED, "%s", err_text());
    if (segment_boot(path, &boot) || !segment_is_alive(&boot) ||
        segment_attach(&segment, path, ROLE_COUNT, 0))
        return CLI_OK;
    logs->segment = &segment;
    logs->durable = segment_object(&segment, "durable");
    return CLI_OK;
}

void logs_close(struct logs *logs)
{
    if (logs->segment) segment_detach(logs->segment);
    logdir_close(&logs->dir);
}

u64 logs_limit(const struct logs *logs, u32 log)
{
    if (!logs->durable) return UINT64_MAX;
    return atomic_load_explicit(&logs->durable->written[log], memory_order_acquire);
}
