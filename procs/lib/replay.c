#include "procs/lib/replay.h"

#include <string.h>

void replay_begin(struct replay *p, struct replica *replica)
{
    *p = (struct replay){.replica = replica, .bytes = malloc(REPLAY_BYTES)};
    CHECK(p->bytes);
}

void replay_end(struct replay *p)
{
    free(p->bytes);
    p->bytes = NULL;
}

static void look_ahead(const struct replay *p)
{
    static const u32 behind[REPLICA_AHEAD_STAGES] = {0, REPLAY_WINDOW / 4, REPLAY_WINDOW / 2};
    for (u32 stage = 0; stage < REPLICA_AHEAD_STAGES; stage++) {
        if (p->put - p->applied <= behind[stage]) return;
        u64 i = p->put - 1 - behind[stage];
        replica_ahead(p->replica, p->records[i % REPLAY_WINDOW], stage);
    }
}

static int apply_oldest(struct replay *p)
{
    return replica_apply(p->replica, p->records[p->applied++ % REPLAY_WINDOW]);
}

int replay_put(struct replay *p, const struct rec *cmd)
{
    if (p->put - p->applied == REPLAY_WINDOW && apply_oldest(p)) return -1;
    if (p->at + cmd->length > REPLAY_BYTES) p->at = 0;
    memcpy(p->bytes + p->at, cmd, cmd->length);
    p->records[p->put++ % REPLAY_WINDOW] = (const struct rec *)(const void *)(p->bytes + p->at);
    p->at += cmd->length;
    look_ahead(p);
    return 0;
}

int replay_drain(struct replay *p)
{
    while (p->applied < p->put)
        if (apply_oldest(p)) return -1;
    return 0;
}
