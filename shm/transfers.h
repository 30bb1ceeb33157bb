/* transfers.h: deposits and withdrawals, as a table of the ledger.
 *
 *   slots   [pending][done][done][pending][free]...      id = generation << 32 | slot, as of orders
 *   account.transfers_last[kind] -> newest -> older -> ...       of that account and kind
 *   closed fifo -> oldest -> ... -> newest                       all accounts: reused next
 *
 * A withdrawal that is not over keeps its slot. One that is, and every deposit, can be looked up
 * until the table is full and it is the oldest that closed. One writer; other processes read with
 * transfers_read* under the owner's account version.
 */
#ifndef EIDOS_SHM_TRANSFERS_H
#define EIDOS_SHM_TRANSFERS_H

#include "shm/ledger.h"

struct transfer {
    struct transfer_view view;
    u32 prev, next; /* of the same account and kind: older, newer */
    u32 fifo_next;
    u32 zero32;
};
SIZE_IS(struct transfer, 176);

static inline struct transfer *transfers_slot(const struct ledger *l, u32 slot)
{
    return (struct transfer *)ptr_at(l, l->transfers_at) + slot;
}

/* Is this the status of a withdrawal that is over? */
static inline bool withdraw_is_over(u8 status)
{
    return status >= WITHDRAW_CONFIRMED;
}

/* May a withdrawal go from one status to another?
 *
 *   pending --> processing --> submitted --> confirmed
 *      |------> rejected  \        |------> failed
 *      '------> cancelled  '------------->  confirmed, failed
 */
bool withdraw_may_step(u8 from, u8 to);

/* The transfer with this very id, or NULL. For the writer. */
struct transfer *transfers_find(const struct ledger *l, u64 id);

/* The id the next one gets, or 0 when every slot holds one that is not over. */
u64 transfers_next_id(const struct ledger *l);

/* Take the slot of `id` (from transfers_next_id, a log or a snapshot): forgets the closed one that
 * had it, bracketing its owner's account, and returns the slot zeroed but for view.id. */
struct transfer *transfers_take(struct ledger *l, u64 id, u64 seq);

/* Link a filled one into its account's list, as the newest, and open. Inside the account's bracket.
 */
void transfers_link(struct ledger *l, struct transfer *t);

/* It is over from now on: the next to close, and to give up its slot after those before it. */
void transfers_close(struct ledger *l, struct transfer *t);

/* A deposit by this transaction and log index, or NULL. Looks at every slot. */
const struct transfer *transfers_find_tx(const struct ledger *l, const u8 tx_hash[TX_HASH_BYTES],
                                         u32 log_index);

/* Readers of other processes, as in ledger.h. 1 = found, 0 = there is none, or READ_BUSY; *seq is
 * the command the copy depends on. */
int transfers_read(const struct ledger *l, u64 id, struct transfer_view *out, u64 *seq);

/* Which to list, newest first; of one wallet the newest TRANSFERS_WALK_MAX are looked at. */
#define TRANSFERS_WALK_MAX 10000U

struct transfers_query {
    u32 account;
    u8 kind;
    u16 token;            /* NO_TOKEN = any */
    u8 status_mask;       /* bit per status; 0 = any */
    u64 start_ns, end_ns; /* created in [start, end] */
    u64 skip;
    u32 max;
};
struct transfers_found {
    u32 count; /* copied */
    u64 total; /* all matches */
    u64 seq;
    u64 gone_ns; /* all that were made later than this were looked at; 0 = all there ever were */
};
int transfers_read_list(const struct ledger *l, const struct transfers_query *q,
                        struct transfer_view *out, struct transfers_found *found);

/* Fold the whole table into a checksum. */
u64 transfers_mix(const struct ledger *l, u64 h, u64 (*mix)(u64 h, const void *data, size_t n));

#endif
