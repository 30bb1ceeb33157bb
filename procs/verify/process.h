/* process.h: eidos-verify on the run loop. One input ring from each api, one output ring to
 * trading; no socket, no file, and of shared memory only those rings, the process blocks and the
 * rules.
 *
 *   api@0 --ring--\
 *   api@1 --ring---+--> copy out, verify_message --proven, or MSG_REFUSED--> trading
 *
 * A message leaves its ingress ring only after it stands in trading's: what dies in between is
 * verified again, and trading answers a message that comes twice as it answered the first. While
 * trading's ring is full, work stays where it is, and the api answers 503. A ring that holds what
 * no api writes is closed for good, with a log line and a metric.
 */
#ifndef EIDOS_VERIFY_PROCESS_H
#define EIDOS_VERIFY_PROCESS_H

#include "procs/lib/run.h"
#include "procs/verify/verify.h"
#include "shm/trace.h"

#define VERIFY_BATCH    16U /* messages between two publishes: under a millisecond */
#define VERIFY_APIS_MAX 16U

struct ingress {
    struct ring_rx ring;
    bool broken;
};

/* run->state. */
struct verify_process {
    struct verify verify;
    struct region *rules;
    struct ring_tx trading;
    struct trace *trace;
    u32 apis, next; /* of ingress; whose turn it is */
    struct ingress ingress[VERIFY_APIS_MAX];
    union {
        struct msg head;
        u8 bytes[sizeof(struct msg_cancel) + MSG_CANCEL_IDS_MAX * sizeof(u64)];
    } message; /* copied out of its ring: nobody else can change it */
};

extern const struct proc_descriptor verify_descriptor;

#endif
