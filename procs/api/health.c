/* health.c: the operator's questions, on the public port, too: is it alive, ready, and how much? */
#include "procs/api/answer.h"
#include "procs/api/routes.h"
#include "procs/lib/metrics_text.h"
#include "procs/lib/ops_http.h"

static void health(struct api *a, struct request *r, bool ready)
{
    char text[1024];
    int status = ops_health(a->segment, (u32)a->segment->self, ready, a->now_ns, text, sizeof text);
    answer_plain(a, r, (u16)status, "application/json", text, strlen(text));
}

void health_live(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    health(a, r, false);
}

void health_ready(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    health(a, r, true);
}

/* Of all processes: whichever worker is asked, the answer is the same. */
void health_metrics(struct api *a, struct request *r, const u8 *wallet)
{
    (void)wallet;
    static char text[SCRATCH_BYTES];
    int len = metrics_text(a->segment, METRICS_ALL, a->now_ns, text, sizeof text);
    if (len < 0) answer_code(a, r, CODE_INTERNAL, 0);
    else answer_plain(a, r, 200, "text/plain; version=0.0.4", text, (size_t)len);
}
