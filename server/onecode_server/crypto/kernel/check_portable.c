/* The check on any 64-bit processor: one item after the other, and one inversion for up to 64 of them. */
#include "check.h"

#include "plan.h"
#include "sha512.h"

/* How many steps ahead multiples are fetched: a read from main memory takes about as long as one step. */
#define AHEAD 4

static point sum_of_multiples(const base_table *base, const key_table *key, const scalar *s, const scalar *k)
{
    plan p;
    point sum = POINT_NEUTRAL;
    make_plan(&p, base, key, s, k);
    for (int step = 0; step < STEPS + AHEAD; step++) {
        if (step < STEPS) {
            __builtin_prefetch(p.multiple[step]);
            __builtin_prefetch((const char *)p.multiple[step] + 64);
        }
        if (step >= AHEAD)
            sum = point_add_multiple(&sum, p.multiple[step - AHEAD], p.negative[step - AHEAD]);
    }
    return sum;
}

static void check_some(const batch *b, size_t first, int count, uint8_t answers[])
{
    point sums[POINT_INVERTED_MAX];
    fe inverses[POINT_INVERTED_MAX];
    size_t places[POINT_INVERTED_MAX];
    int kept = 0;
    for (size_t i = first; i < first + (size_t)count; i++) {
        const item it = item_of(b, i);
        answers[i] = 0;
        if (!it.key)
            continue;
        uint64_t wide[8];
        sha512_challenge(wide, it.signature, it.key->public_key, it.message, it.message_bytes);
        const scalar k = scalar_reduce(wide);
        sums[kept] = sum_of_multiples(b->base, it.key, &it.s, &k);
        places[kept++] = i;
    }
    if (kept)
        point_invert_z(inverses, sums, kept);
    for (int j = 0; j < kept; j++) {
        const uint8_t *r = b->signatures + 64 * places[j];
        answers[places[j]] = (uint8_t)(point_is_encoded(&sums[j], &inverses[j], r) && !point_encoding_is_small(r));
    }
}

void check_portable(const batch *b, size_t count, uint8_t answers[])
{
    for (size_t done = 0; done < count; done += POINT_INVERTED_MAX) {
        const size_t left = count - done;
        check_some(b, done, (int)(left < POINT_INVERTED_MAX ? left : POINT_INVERTED_MAX), answers);
    }
}
