#include "procs/api/hub.h"

bool wave_join(struct hub *h, struct ws *ws)
{
    struct wave *v = NULL;
    for (struct link *l = h->waves.next; l != &h->waves && !v; l = l->next)
        if (LINK_OF(l, struct wave, of_hub)->conns < WAVE_CONNS)
            v = LINK_OF(l, struct wave, of_hub);
    if (!v) {
        v = calloc(1, sizeof *v); /* large, and touched only where its markets are */
        if (!v) return false;
        link_append(&h->waves, &v->of_hub);
        h->wave_count++;
    }
    v->conns++;
    ws->wave = v;
    return true;
}

void wave_leave(struct ws *ws)
{
    ws->wave->conns--;
    ws->wave = NULL;
}

void waves_delete(struct hub *h)
{
    while (!link_empty(&h->waves)) {
        struct wave *v = LINK_OF(link_pop(&h->waves), struct wave, of_hub);
        for (u32 i = 0; i < TOPICS_MAX; i++) {
            free(v->topics[i].view);
            free(v->topics[i].due[0].at);
            free(v->topics[i].due[1].at);
        }
        free(v);
    }
}
