#include "shm/limits.h"

#include <string.h>

#define COUNT_MASK ((1UL << LIMITS_COUNT_BITS) - 1)

void limits_begin(struct limits *own)
{
    for (u32 set = 0; set < LIMITS_SETS; set++)
        for (u32 i = 0; i < LIMITS_WAYS; i++)
            atomic_store_explicit(&own->slots[set][i].open, 0, memory_order_relaxed);
}

/* The finalizer of MurmurHash3: every bit of the result depends on every bit of x. */
static u64 mix(u64 x)
{
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdUL;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53UL;
    return x ^ x >> 33;
}

u64 limits_key(const struct limits_view *v, u32 kind, const void *who, size_t len)
{
    u64 words[3] = {0}, key = mix(v->salt ^ kind);
    CHECK(len <= sizeof words);
    if (len) memcpy(words, who, len);
    for (u32 i = 0; i < COUNT_OF(words); i++) key = mix(key ^ words[i]) + v->salt;
    return key ? key : 1;
}

static const struct limits_slot *find(const struct limits *l, u64 key)
{
    const struct limits_slot *set = l->slots[key % LIMITS_SETS];
    for (u32 i = 0; i < LIMITS_WAYS; i++)
        if (atomic_load_explicit(&set[i].key, memory_order_relaxed) == key) return &set[i];
    return NULL;
}

static u64 end_of(const struct limits_slot *s)
{
    return atomic_load_explicit(&s->used, memory_order_relaxed) >> LIMITS_COUNT_BITS;
}

/* The own slot of a key, made if need be; NULL = its set is full of others in use. */
static struct limits_slot *make(struct limits *own, u64 key, u64 now_s)
{
    struct limits_slot *set = own->slots[key % LIMITS_SETS], *oldest = NULL;
    for (u32 i = 0; i < LIMITS_WAYS; i++) {
        struct limits_slot *s = &set[i];
        if (atomic_load_explicit(&s->key, memory_order_relaxed) == key) return s;
        if (atomic_load_explicit(&s->open, memory_order_relaxed)) continue;
        if (!oldest || end_of(s) < end_of(oldest)) oldest = s;
    }
    if (!oldest || end_of(oldest) > now_s) return NULL;
    /* Others must not read the former owner's count under the new key. */
    atomic_store_explicit(&oldest->key, 0, memory_order_relaxed);
    atomic_store_explicit(&oldest->used, 0, memory_order_release);
    atomic_store_explicit(&oldest->key, key, memory_order_release);
    return oldest;
}

/* Requests of one table; 0 when the slot is of another window, or became another's meanwhile. */
static u32 used_in(const struct limits *l, u64 key, u64 end_s)
{
    const struct limits_slot *s = find(l, key);
    if (!s) return 0;
    u64 used = atomic_load_explicit(&s->used, memory_order_acquire);
    if (atomic_load_explicit(&s->key, memory_order_relaxed) != key) return 0;
    return used >> LIMITS_COUNT_BITS == end_s ? (u32)(used & COUNT_MASK) : 0;
}

u32 limits_used(const struct limits_view *v, u64 key, u64 end_s)
{
    u32 sum = 0;
    for (u32 i = 0; i < v->count; i++) sum += used_in(v->all[i], key, end_s);
    return sum;
}

bool limits_take(const struct limits_view *v, u64 key, u64 end_s, u32 most, u32 *used)
{
    *used = limits_used(v, key, end_s);
    if (*used >= most) return false;
    struct limits_slot *s = make(v->own, key, end_s - 1);
    if (!s) return true;
    u64 now = atomic_load_explicit(&s->used, memory_order_relaxed);
    if (now >> LIMITS_COUNT_BITS != end_s) now = end_s << LIMITS_COUNT_BITS;
    if ((now & COUNT_MASK) < COUNT_MASK) now++;
    atomic_store_explicit(&s->used, now, memory_order_release);
    ++*used;
    return true;
}

u64 limits_open(const struct limits_view *v, u64 key)
{
    u64 sum = 0;
    for (u32 i = 0; i < v->count; i++) {
        const struct limits_slot *s = find(v->all[i], key);
        if (s) sum += atomic_load_explicit(&s->open, memory_order_relaxed);
    }
    return sum;
}

void limits_connection(const struct limits_view *v, u64 key, int change, u64 now_s)
{
    struct limits_slot *s = make(v->own, key, now_s);
    if (!s) return;
    u64 open = atomic_load_explicit(&s->open, memory_order_relaxed);
    if (change > 0) open++;
    else if (open) open--;
    atomic_store_explicit(&s->open, open, memory_order_relaxed);
}
