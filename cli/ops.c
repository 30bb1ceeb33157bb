#include "cli/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "procs/lib/wire.h"
#include "shm/codes.h"
#include "shm/err.h"

#define PATIENCE_NS 30000000000UL /* trading may be restarting */

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

int ops_open(struct ops *o, const struct segment *own, const struct segment *view)
{
    char path[sizeof own->boot.dir + 16];
    if (!o->patience_ns) o->patience_ns = PATIENCE_NS;
    snprintf(path, sizeof path, "%s/run/ops.lock", own->boot.dir);
    u64 until_ns = cli_monotonic_ns() + o->patience_ns;
    o->view = view;
    o->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (o->lock < 0) return err_sys("%s", path);
    while (flock(o->lock, LOCK_EX | LOCK_NB)) {
        if (errno != EINTR && errno != EWOULDBLOCK) return err_sys("locking %s", path);
        if (cli_monotonic_ns() > until_ns)
            return err_set("another eidosctl holds %s; try again when it is done", path);
        nap();
    }
    segment_ring_tx(own, ROLE_TRADING, 0, NULL, &o->tx);
    segment_ring_rx(own, ROLE_TRADING, 0, &o->rx);
    return 0;
}

void ops_close(struct ops *o)
{
    ring_leave_tx(&o->tx);
    ring_leave_rx(&o->rx);
    if (o->lock >= 0) close(o->lock);
}

/* Read answers until the one to `request`. Those to askers that gave up are dropped. */
static bool take_answer(struct ops *o, u64 request, struct msg_reply_ops *answer)
{
    static _Alignas(8) u8 buf[MSG_BYTES_MAX];
    for (int n; (n = ring_copy(&o->rx, buf, sizeof buf, sizeof(struct msg))) > 0;) {
        ring_release(&o->rx);
        memcpy(answer, buf, min_u64((u64)n, sizeof *answer));
        if (answer->head.kind == MSG_REPLY_OPS && answer->head.request == request) return true;
    }
    return false;
}

static bool wait_durable(const struct durable *durable, u64 seq, u64 until_ns)
{
    while (atomic_load_explicit(&durable->seq, memory_order_acquire) < seq) {
        if (cli_monotonic_ns() > until_ns) return false;
        nap();
    }
    return true;
}

int ops_ask(struct ops *o, struct msg *message, u16 *code, u64 *seq)
{
    u64 until_ns = cli_monotonic_ns() + o->patience_ns;
    struct msg_reply_ops answer = {0};
    void *place;
    CHECK(o->tx.ring);
    if (getrandom(&message->request, sizeof message->request, 0) != sizeof message->request)
        return err_sys("drawing a request number");
    message->request |= (u64)REQUEST_OPS << 48;
    message->sent_ns = cli_monotonic_ns();
    while (!(place = ring_alloc(&o->tx, message->length))) {
        if (cli_monotonic_ns() > until_ns)
            return err_set("trading takes no messages; see `eidosctl ps`. Nothing was done");
        nap();
    }
    memcpy(place, message, message->length);
    ring_push(&o->tx, message->length);
    ring_publish(&o->tx);
    while (!take_answer(o, message->request, &answer)) {
        if (cli_monotonic_ns() > until_ns)
            return err_set("trading gave no answer in %lu s, so whether it was done is unknown; "
                           "see `eidosctl ps`, and look at the account before you try again",
                           o->patience_ns / 1000000000UL);
        nap();
    }
    *code = answer.code;
    *seq = answer.seq;
    if (wait_durable(segment_object(o->view, "durable"), answer.seq, until_ns)) return 0;
    return err_set("command %lu was done, but is not on disk after %lu s; see `eidosctl ps`",
                   answer.seq, o->patience_ns / 1000000000UL);
}

int ops_deposit(struct ops *o, struct msg_credit *m, u64 *seq)
{
    u16 code = 0;
    m->head = (struct msg){.length = sizeof *m, .kind = MSG_CREDIT};
    if (ops_ask(o, &m->head, &code, seq)) return -1;
    if (code == CODE_NONCE_USED)
        return err_set("this transaction and log index were booked before, with another wallet, "
                       "token or amount");
    if (code) return err_set("trading refused: %u %s", code, wire_message(code));
    return 0;
}

int ops_credit(struct ops *o, const u8 wallet[WALLET_BYTES], u16 token, u64 amount, u64 *seq)
{
    struct msg_credit m = {.amount = amount, .token = token};
    memcpy(m.wallet, wallet, WALLET_BYTES);
    return ops_deposit(o, &m, seq);
}
