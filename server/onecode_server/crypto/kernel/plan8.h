/* The terms of eight checks at a time: the digits of eight scalars, as addresses of multiples. */
#ifndef ONECODE_PLAN8_H
#define ONECODE_PLAN8_H

#include "field8.h"
#include "table.h"

#define STEPS (BASE_WINDOWS + 1 + KEY_WINDOWS + 1)

/* The terms of each step: the addresses of eight multiples, and which of them are to be subtracted. */
typedef struct {
    const multiple *address[STEPS][LANES];
    __mmask8 negative[STEPS];
} plan;

/* The addresses of one step: multiple |digit| of a row that begins `row` multiples after the neutral one, or the
 * neutral one. */
static inline void plan_step(plan *p, int step, u64x8 tables, u64x8 digit, int row)
{
    const u64x8 index = _mm512_add_epi64(_mm512_abs_epi64(digit), all8((uint64_t)row));
    const u64x8 offset = _mm512_maskz_slli_epi64(_mm512_test_epi64_mask(digit, digit), index, 7);
    _mm512_storeu_si512(p->address[step], _mm512_add_epi64(tables, offset));
    p->negative[step] = _mm512_movepi64_mask(digit);
}

/* scalar + bias in every lane. */
static inline void add_bias(u64x8 out[4], const uint64_t words[4][LANES], const scalar *bias)
{
    __mmask8 carry = 0;
    for (int i = 0; i < 4; i++) {
        const u64x8 word = _mm512_loadu_si512(words[i]), sum = _mm512_add_epi64(word, all8(bias->word[i]));
        /* No word of the biases is all ones, so that a carry cannot cause another where the sum had none. */
        out[i] = _mm512_mask_add_epi64(sum, carry, sum, all8(1));
        carry = _mm512_cmplt_epu64_mask(out[i], word);
    }
}

/* Steps `step` and on: a digit for each window of the scalars in `words`. */
static inline void plan_steps(plan *p, int step, u64x8 tables, const uint64_t words[4][LANES], const scalar *bias, int bits,
                              int windows)
{
    u64x8 biased[4];
    add_bias(biased, words, bias);
    for (int i = 0; i < windows; i++) {
        const int at = i * bits, shift = at & 63;
        u64x8 group = _mm512_srli_epi64(biased[at >> 6], (unsigned)shift);
        if (shift + bits > 64)
            group = _mm512_or_si512(group, _mm512_slli_epi64(biased[(at >> 6) + 1], (unsigned)(64 - shift)));
        group = _mm512_and_si512(group, all8((UINT64_C(1) << bits) - 1));
        plan_step(p, step + i, tables, _mm512_sub_epi64(group, all8(UINT64_C(1) << (bits - 1))), i << (bits - 1));
    }
    const u64x8 top = _mm512_srli_epi64(biased[3], (unsigned)(TOP_BIT(bits, windows) - 192));
    plan_step(p, step + windows, tables, top, windows << (bits - 1));
}

#endif
