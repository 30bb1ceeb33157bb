/* load_slots.c: which order a user sends at which turn. It follows from the plan, the user and the
 * turn alone, so a signature made ahead, 65 bytes, is all that has to be kept of an order.
 *
 *   sides: in every cycle of a user what rests is on one side, and what takes meets that side;
 *   the next cycle goes the other way. So the books neither grow nor run dry.
 *
 *          deep      rest  |  rest      deep
 *   -40..-20 steps  -5..-1 mid +1..+5  +20..+40      takers reach 6 steps beyond the middle
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "cli/load.h"
#include "shm/err.h"

#define REST_LEVELS 5U
#define DEEP_FROM   20U
#define SLIPPAGE    100U /* bps */
#define THREADS_MAX 64U

enum { BUY = 0, SELL = 1, LIMIT = 0, MARKET = 1, GTC = 0, IOC = 1, CANCEL_TAKER = 1 };

/* Begin somewhere in the cycle, so that not all users do the same at once. */
static u32 place_of(const struct load_plan *p, const struct load_user *u, u32 turn, u32 *round)
{
    u32 at = turn + u->phase % p->cycle_len;
    *round = at / p->cycle_len + u->phase;
    return at % p->cycle_len;
}

enum slot slot_of(const struct load_plan *p, const struct load_user *u, u32 turn)
{
    u32 round;
    return p->cycle[place_of(p, u, turn, &round)];
}

/* A finalizer of splitmix64; Steele et al. 2014 */
static u32 scatter(u64 x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9UL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebUL;
    return (u32)(x >> 33);
}

void slot_order(const struct load *l, const struct load_plan *p, const struct load_user *u,
                u32 turn, enum slot slot, struct client_order *o)
{
    const struct load_market *m = &l->markets[u->market];
    u32 round, where = scatter(u->nonce + turn);
    place_of(p, u, turn, &round);
    bool takes = slot == SLOT_TAKE || slot == SLOT_MARKET;
    u8 side = (u8)((round & 1) != takes);
    u64 steps = 1 + where % REST_LEVELS;
    if (slot == SLOT_DEEP) steps = DEEP_FROM + where % DEEP_FROM;
    if (slot == SLOT_TAKE) steps = REST_LEVELS + 1;
    bool below = (side == BUY) != takes; /* of the middle */
    u64 ticks = below ? m->mid - steps * m->step : m->mid + steps * m->step;
    *o = (struct client_order){.market = m->symbol,
                               .side = side,
                               .type = slot == SLOT_MARKET ? MARKET : LIMIT,
                               .tif = takes ? IOC : GTC,
                               .stp = CANCEL_TAKER,
                               .slippage_bps = slot == SLOT_MARKET ? SLIPPAGE : 0,
                               .price_wad = slot == SLOT_MARKET ? 0 : ticks * m->tick_wad,
                               .amount_wad =
                                   (takes ? p->take_units : p->rest_units) * m->unit * m->lot_wad,
                               .nonce = u->nonce + 2 * turn};
}

/* --- Signing ahead -----------------------------------------------------------------------------*/

struct signer {
    struct load *l;
    const struct load_plan *plan;
    u32 first, stride; /* users */
};

static void *sign_some(void *context)
{
    const struct signer *s = context;
    struct load *l = s->l;
    for (u32 i = s->first; i < l->user_count && !l->interrupted; i += s->stride) {
        const struct load_user *u = &l->users[i];
        for (u32 turn = 0; turn < u->planned; turn++) {
            enum slot slot = slot_of(s->plan, u, turn);
            struct client_order o;
            if (slot == SLOT_CANCEL) continue; /* it names an order that is not there yet */
            slot_order(l, s->plan, u, turn, slot, &o);
            client_sign_order(&l->domain, &u->wallet, &o, l->signatures[u->at + turn]);
        }
    }
    return NULL;
}

static int sign_all(struct load *l, const struct load_plan *p)
{
    static struct signer signers[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    u32 count = (u32)min_u64((u64)sysconf(_SC_NPROCESSORS_ONLN), THREADS_MAX), started = 0;
    u64 begun_ns = cli_monotonic_ns();
    for (u32 i = 0; i < count; i++) {
        signers[i] = (struct signer){l, p, i, count};
        if (i && pthread_create(&threads[started], NULL, sign_some, &signers[i])) {
            sign_some(&signers[i]);
            continue;
        }
        started += i != 0;
    }
    sign_some(&signers[0]);
    for (u32 i = 0; i < started; i++) pthread_join(threads[i], NULL);
    l->signing_seconds += (double)(cli_monotonic_ns() - begun_ns) / 1e9;
    return 0;
}

/* Turns continue from step to step: a user has one row of signatures for all of them. */
int slots_sign(struct load *l, const struct load_plan *p)
{
    u64 all = 0, base = cli_unix_ns() / 1000; /* above every nonce of an earlier run */
    for (u32 i = 0; i < l->user_count; i++) {
        struct load_user *u = &l->users[i];
        u64 planned = 0;
        for (u32 s = 0; s < p->steps; s++) planned += plan_count(&p->step[s], i);
        CHECK(planned <= UINT32_MAX && all + planned <= UINT32_MAX);
        u->at = (u32)all;
        u->planned = (u32)planned;
        u->turn = 0;
        u->nonce = base + LOAD_NONCES_BEFORE;
        u->phase = i / l->market_count;
        all += planned;
    }
    free(l->signatures);
    l->signatures = NULL;
    if (l->inline_signatures) return 0;
    l->signatures = malloc(max_u64(all, 1) * sizeof *l->signatures);
    if (!l->signatures)
        return err_set("no memory for %lu signatures; use a smaller --time, or --signatures inline",
                       all);
    l->signature_count += all;
    return sign_all(l, p);
}
