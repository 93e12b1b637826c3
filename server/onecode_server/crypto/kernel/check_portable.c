/* The check on any 64-bit processor: one item after the other, and one inversion for up to 64 of them. */
#include "check.h"

#include "sha512.h"

#define STEPS (BASE_WINDOWS + 1 + KEY_WINDOWS + 1)
/* How many steps ahead multiples are fetched: a read from main memory takes about as long as one step. */
#define AHEAD 4

/* The multiple that each step adds or subtracts. */
typedef struct {
    const multiple *multiple[STEPS];
    uint8_t negative[STEPS];
} plan;

/* Plans the steps for one scalar, from `step` on; `neutral` is the beginning of its table. Returns the next step. */
static inline int plan_steps(plan *p, int step, const multiple *neutral, const scalar *biased, int bits, int windows)
{
    for (int i = 0; i <= windows; i++) {
        const int digit = i < windows ? table_digit(biased, bits, i) : table_top_digit(biased, TOP_BIT(bits, windows));
        const int row = i << (bits - 1), size = digit < 0 ? -digit : digit;
        p->multiple[step] = digit ? neutral + row + size : neutral;
        p->negative[step++] = digit < 0;
    }
    return step;
}

static point sum_of_multiples(const base_table *base, const key_table *key, const scalar *s, const scalar *k)
{
    plan p;
    point sum = POINT_NEUTRAL;
    const scalar base_digits = scalar_add(s, &BASE_BIAS), key_digits = scalar_add(k, &KEY_BIAS);
    const int next = plan_steps(&p, 0, &base->neutral, &base_digits, BASE_BITS, BASE_WINDOWS);
    plan_steps(&p, next, &key->neutral, &key_digits, KEY_BITS, KEY_WINDOWS);
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
