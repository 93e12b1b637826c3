/* The terms of one check: the digits of two scalars, as addresses of multiples. */
#ifndef ONECODE_PLAN_H
#define ONECODE_PLAN_H

#include "table.h"

#define STEPS (BASE_WINDOWS + 1 + KEY_WINDOWS + 1)

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

/* s*B - k*A: `key` has the multiples of -A. */
static inline void make_plan(plan *p, const base_table *base, const key_table *key, const scalar *s, const scalar *k)
{
    const scalar base_digits = scalar_add(s, &BASE_BIAS), key_digits = scalar_add(k, &KEY_BIAS);
    const int next = plan_steps(p, 0, &base->neutral, &base_digits, BASE_BITS, BASE_WINDOWS);
    plan_steps(p, next, &key->neutral, &key_digits, KEY_BITS, KEY_WINDOWS);
}

#endif
