/* Integers modulo p = 2^255 - 19, as five limbs of 51 bits: the value is the sum of limb[i] * 2^(51 i).
 *
 * Limbs may be larger than 51 bits, and two bounds say how much:
 *   reduced   every limb < 2^51 + 2^13: what fe_mul, fe_square and fe_load return
 *   loose     every limb < 2^54: what fe_mul and fe_square take. Sums and differences of reduced elements are loose.
 * The comment at each function shows that nothing overflows within them. */
#ifndef ONECODE_FIELD_H
#define ONECODE_FIELD_H

#include <stdint.h>

typedef struct {
    uint64_t limb[5];
} fe;

__extension__ typedef unsigned __int128 u128; /* gcc and clang have it on every 64-bit processor */

#define FE_MASK ((UINT64_C(1) << 51) - 1)

extern const fe FE_ZERO, FE_ONE, FE_HALF, FE_D, FE_2D, FE_SQRT_MINUS_ONE;

/* Reduced + reduced < 2^52 + 2^14: loose. Reduced + loose < 2^55 never occurs. */
static inline fe fe_add(const fe *a, const fe *b)
{
    fe sum;
    for (int i = 0; i < 5; i++)
        sum.limb[i] = a->limb[i] + b->limb[i];
    return sum;
}

/* a - b + 4p, for b < 2^53 - 76 in every limb (reduced, or the sum of two reduced) and a likewise:
 * the limbs of 4p are 2^53 - 76 and 2^53 - 4, so that none falls below 0, and the result is < 2^54. */
static inline fe fe_sub(const fe *a, const fe *b)
{
    fe difference;
    difference.limb[0] = a->limb[0] + (4 * (FE_MASK - 18) - b->limb[0]);
    for (int i = 1; i < 5; i++)
        difference.limb[i] = a->limb[i] + (4 * FE_MASK - b->limb[i]);
    return difference;
}

/* Products of loose elements, column by column, each column's carry going into the next: with that order the compiler
 * keeps one column in registers at a time (7 % faster than five columns and then their carries).
 *
 * 2^255 is 19: multiples of 2^255 are added at the bottom, 19 times. With limbs < 2^54, 19 times a limb is < 2^59, and
 * a column is at most (1 + 4 * 19) * 2^108 < 2^115. A carry is < 2^64 therefore, and a column with it still < 2^115. The
 * last column has no factor 19: it is < 2^111 with its carry, its own carry < 2^60, and 19 times that < 2^64. So limb 0
 * ends below 2^51, its second carry is below 2^13, and limb 1 below 2^51 + 2^13. */
static inline fe fe_mul(const fe *a, const fe *b)
{
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3], a4 = a->limb[4];
    const uint64_t b0 = b->limb[0], b1 = b->limb[1], b2 = b->limb[2], b3 = b->limb[3], b4 = b->limb[4];
    const uint64_t b1_19 = 19 * b1, b2_19 = 19 * b2, b3_19 = 19 * b3, b4_19 = 19 * b4;
    fe out;
    u128 c = (u128)a0 * b0 + (u128)a1 * b4_19 + (u128)a2 * b3_19 + (u128)a3 * b2_19 + (u128)a4 * b1_19;
    const uint64_t limb0 = (uint64_t)c & FE_MASK;
    c = (uint64_t)(c >> 51) + (u128)a0 * b1 + (u128)a1 * b0 + (u128)a2 * b4_19 + (u128)a3 * b3_19 + (u128)a4 * b2_19;
    const uint64_t limb1 = (uint64_t)c & FE_MASK;
    c = (uint64_t)(c >> 51) + (u128)a0 * b2 + (u128)a1 * b1 + (u128)a2 * b0 + (u128)a3 * b4_19 + (u128)a4 * b3_19;
    out.limb[2] = (uint64_t)c & FE_MASK;
    c = (uint64_t)(c >> 51) + (u128)a0 * b3 + (u128)a1 * b2 + (u128)a2 * b1 + (u128)a3 * b0 + (u128)a4 * b4_19;
    out.limb[3] = (uint64_t)c & FE_MASK;
    c = (uint64_t)(c >> 51) + (u128)a0 * b4 + (u128)a1 * b3 + (u128)a2 * b2 + (u128)a3 * b1 + (u128)a4 * b0;
    out.limb[4] = (uint64_t)c & FE_MASK;
    const uint64_t low = limb0 + 19 * (uint64_t)(c >> 51);
    out.limb[0] = low & FE_MASK;
    out.limb[1] = limb1 + (low >> 51);
    return out;
}

/* The columns of fe_mul(a, a), equal products taken together: a doubled limb is < 2^55, and no column is larger. */
static inline fe fe_square(const fe *a)
{
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3], a4 = a->limb[4];
    const uint64_t a0_2 = 2 * a0, a1_2 = 2 * a1, a2_2 = 2 * a2, a3_19 = 19 * a3, a4_19 = 19 * a4;
    fe out;
    u128 c = (u128)a0 * a0 + (u128)a1_2 * a4_19 + (u128)a2_2 * a3_19;
    const uint64_t limb0 = (uint64_t)c & FE_MASK;
    c = (uint64_t)(c >> 51) + (u128)a0_2 * a1 + (u128)a2_2 * a4_19 + (u128)a3 * a3_19;
    const uint64_t limb1 = (uint64_t)c & FE_MASK;
    c = (uint64_t)(c >> 51) + (u128)a0_2 * a2 + (u128)a1 * a1 + (u128)(2 * a3) * a4_19;
    out.limb[2] = (uint64_t)c & FE_MASK;
    c = (uint64_t)(c >> 51) + (u128)a0_2 * a3 + (u128)a1_2 * a2 + (u128)a4 * a4_19;
    out.limb[3] = (uint64_t)c & FE_MASK;
    c = (uint64_t)(c >> 51) + (u128)a0_2 * a4 + (u128)a1_2 * a3 + (u128)a2 * a2;
    out.limb[4] = (uint64_t)c & FE_MASK;
    const uint64_t low = limb0 + 19 * (uint64_t)(c >> 51);
    out.limb[0] = low & FE_MASK;
    out.limb[1] = limb1 + (low >> 51);
    return out;
}

/* The canonical element, with every limb < 2^51 and a value < p. Takes loose. */
fe fe_freeze(const fe *a);

/* 1 / a, and 0 for 0 (a^(p-2)). Takes loose, returns reduced. */
fe fe_invert(const fe *a);

/* a^((p-5)/8), the main part of a square root (RFC 8032, section 5.1.3). Takes loose, returns reduced. */
fe fe_power_p58(const fe *a);

/* The lower 255 bits of 32 bytes, little-endian: limbs < 2^51, but the value may be p or more. */
fe fe_load(const uint8_t in[32]);

/* Tells whether two loose elements are the same modulo p: 1 or 0. */
int fe_equal(const fe *a, const fe *b);

#endif
