#include "procs/lib/tail.h"

#include "shm/err.h"

#include <string.h>

#define ANSWERS_BYTES   (4UL << 20)
#define FINISH_MOST     512U
#define MERGE_WAITS_MAX 20000U /* for match records that must be there */

/* --- Trading -----------------------------------------------------------------------------------*/

/* trading_reply_fn: keep the answer until its command is known to be answered. */
static void keep_answer(void *context, const struct msg *m)
{
    struct tail_trading *s = context;
    struct log_writer *w = &s->answers.writer;
    const struct rec *oldest;
    while (!log_room(w, RECORD_BYTES_MAX) && (oldest = owed_peek(&s->answers)))
        owed_pop(&s->answers, oldest);
    struct rec *rec = log_begin(w, m->kind, (u32)sizeof *rec + m->length);
    memcpy(rec + 1, m, m->length);
    log_commit(w, rec, 0, s->position);
}

static void drop_answers(struct tail_trading *s, u64 replied)
{
    const struct rec *rec;
    while ((rec = owed_peek(&s->answers)) && rec->cause <= replied) owed_pop(&s->answers, rec);
}

static int follow_logs(struct tail_trading *s, const struct recover_source *from,
                       const struct log *const *matches)
{
    if (follow_open(&s->commands, from->dir, LOG_COMMAND, from->command, from->durable,
                    s->position))
        return -1;
    s->commands.sees_all = true;
    for (u32 i = 0; i < from->params->matching; i++) {
        if (follow_open(&s->matches[i], from->dir, LOG_MATCH(i), matches[i], from->durable,
                        s->machine->ledger->merged[i]))
            return -1;
        s->matches[i].sees_all = true;
        s->matching_count++;
    }
    return 0;
}

int tail_trading_open(struct tail_trading *s, const struct recover_source *from,
                      struct trading *machine, const struct log *const *matches, u64 derived)
{
    memset(s, 0, sizeof *s);
    s->machine = machine;
    if (owed_open(&s->account, from->params->account_bytes) ||
        owed_open(&s->answers, ANSWERS_BYTES) ||
        recover_trading_standby(from, machine, derived, &s->account, &s->position))
        return -1;
    machine->account = &s->account.writer;
    machine->reply = keep_answer;
    machine->reply_context = s;
    mark_begin(&machine->mark, &s->account.writer, s->position);
    return follow_logs(s, from, matches);
}

void tail_trading_close(struct tail_trading *s)
{
    if (s->position) follow_close(&s->commands);
    for (u32 i = 0; i < s->matching_count; i++) follow_close(&s->matches[i]);
    owed_close(&s->account);
    owed_close(&s->answers);
}

/* Apply the match records that the merge names; they were published before it was. 1, 0 = not all
 * of them are there yet, -1. */
static int apply_merge(struct tail_trading *s)
{
    struct follow *f = &s->matches[s->merge.matching];
    const struct rec *rec;
    while (f->seq < s->merge.through) {
        int rc = follow_next(f, &rec);
        if (rc <= 0) return rc;
        trading_apply_match(s->machine, rec, &s->merge.head);
    }
    s->merge.head.seq = 0;
    return 1;
}

static int step_trading(struct tail_trading *s)
{
    const struct rec *cmd;
    if (!log_room(&s->account.writer, max_u64(ACCOUNT_STEP_BYTES, MERGE_ACCOUNT_BYTES))) return 0;
    if (s->merge.head.seq) return apply_merge(s);
    int rc = follow_next(&s->commands, &cmd);
    if (rc <= 0) return rc;
    s->position = cmd->seq;
    s->machine->now_ns = cmd->time_ns;
    trading_apply(s->machine, cmd);
    if (cmd->kind != CMD_MERGE) return 1;
    memcpy(&s->merge, cmd, sizeof s->merge);
    if (s->merge.matching < s->matching_count) return 1;
    return err_set("command %lu merges matching process %u, and there are %u of them", cmd->seq,
                   s->merge.matching, s->matching_count);
}

int tail_trading(struct tail_trading *s, u64 derived, u64 replied, u32 most)
{
    int work = 0, rc;
    owed_drop(&s->account, derived);
    drop_answers(s, replied);
    while (work < (int)most && (rc = step_trading(s))) {
        if (rc < 0) return -1;
        work++;
    }
    return work;
}

int tail_trading_finish(struct tail_trading *s, struct log_writer *command,
                        struct log_writer *account, u64 derived, u64 replied,
                        const struct owed_wait *wait)
{
    u32 waits = 0;
    for (;;) {
        int work = tail_trading(s, derived, replied, FINISH_MOST);
        if (work < 0 || owed_append(&s->account, "account", account, UINT32_MAX, wait)) return -1;
        if (work) continue;
        if (!s->merge.head.seq) break;
        if (++waits > MERGE_WAITS_MAX)
            return err_set("command %lu merges match record %lu of process %u, which is nowhere",
                           s->position, s->merge.through, s->merge.matching);
        wait->wait(wait->context);
    }
    if (owed_done(&s->account, "account", account)) return -1;
    if (command->seq != s->position)
        return err_set("the command log ends with record %lu, but the standby followed it through "
                       "%lu",
                       command->seq, s->position);
    s->machine->account = account;
    s->machine->command = command;
    return 0;
}

/* --- Matching ----------------------------------------------------------------------------------*/

int tail_matching_open(struct tail_matching *s, const struct recover_source *from,
                       struct matching *machine, u64 derived)
{
    u64 seq;
    memset(s, 0, sizeof *s);
    s->machine = machine;
    if (owed_open(&s->made, from->params->match_bytes) ||
        recover_matching_standby(from, machine, derived, &s->made, &seq))
        return -1;
    mark_begin(&machine->mark, &s->made.writer, seq);
    if (follow_open(&s->commands, from->dir, LOG_COMMAND, from->command, from->durable, seq))
        return -1;
    s->commands.sees_all = true;
    return 0;
}

void tail_matching_close(struct tail_matching *s)
{
    if (s->commands.sees_all) follow_close(&s->commands);
    owed_close(&s->made);
}

/* One command, or the next part of a long one: 1, 0 = there is none or no room, -1. */
static int step_matching(struct tail_matching *s)
{
    const struct rec *cmd;
    if (!log_room(&s->made.writer, MATCHING_STEP_BYTES)) return 0;
    if (s->sweeping) {
        s->sweeping = !matching_more(s->machine);
        return 1;
    }
    int rc = follow_next(&s->commands, &cmd);
    if (rc > 0) s->sweeping = !matching_apply(s->machine, cmd);
    return rc;
}

int tail_matching(struct tail_matching *s, u64 derived, u32 most)
{
    int work = 0, rc;
    owed_drop(&s->made, derived);
    while (work < (int)most && (rc = step_matching(s))) {
        if (rc < 0) return -1;
        work++;
    }
    return work;
}

int tail_matching_finish(struct tail_matching *s, struct log_writer *log, u64 derived,
                         const struct owed_wait *wait)
{
    int work;
    do {
        work = tail_matching(s, derived, FINISH_MOST);
        if (work < 0 || owed_append(&s->made, "match", log, UINT32_MAX, wait)) return -1;
    } while (work);
    if (owed_done(&s->made, "match", log)) return -1;
    s->machine->log = log;
    return 0;
}
