/* The rarely used operations of the field: inverses, roots, the canonical form. */
#include "field.h"

#include "bytes.h"

const fe FE_ZERO = {{0, 0, 0, 0, 0}};
const fe FE_ONE = {{1, 0, 0, 0, 0}};
/* (p + 1) / 2 */
const fe FE_HALF = {{0x7fffffffffff7, 0x7ffffffffffff, 0x7ffffffffffff, 0x7ffffffffffff, 0x3ffffffffffff}};
/* -121665 / 121666 (RFC 8032, section 5.1) */
const fe FE_D = {{0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
/* Twice that */
const fe FE_2D = {{0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}};
/* 2^((p-1)/4), a square root of -1 */
const fe FE_SQRT_MINUS_ONE = {{0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d}};

/* A loose element is < 2^54 * (1 + 2^51 + ... + 2^204) < 8.1 p. Two passes of carries bring it below 2^255 + 2^51; then
 * q is 1 where the value is p or more: adding 19 would carry out of 255 bits. */
fe fe_freeze(const fe *a)
{
    fe out = *a;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 4; i++) {
            out.limb[i + 1] += out.limb[i] >> 51;
            out.limb[i] &= FE_MASK;
        }
        out.limb[0] += 19 * (out.limb[4] >> 51);
        out.limb[4] &= FE_MASK;
    }
    uint64_t q = (out.limb[0] + 19) >> 51;
    for (int i = 1; i < 5; i++)
        q = (out.limb[i] + q) >> 51;
    out.limb[0] += 19 * q;
    for (int i = 0; i < 4; i++) {
        out.limb[i + 1] += out.limb[i] >> 51;
        out.limb[i] &= FE_MASK;
    }
    out.limb[4] &= FE_MASK;
    return out;
}

/* The columns of fe_square, for a reduced element; returns reduced. fe_square carries from each column into the next, for
 * fewest operations. Here the columns do not wait for each other, for squares of squares: half of the time.
 *
 * A column is at most (1 + 4 * 19) * (2^51 + 2^13)^2 < 2^109, and its carry < 2^58; that of column 4, which is added 19
 * times, < 2^54. So limbs are < 2^60 after the first carries. The second ones are < 2^9, and 19 times that of limb 4,
 * which is < 2^57, is < 2^11. */
static inline fe square_of_reduced(const fe *a)
{
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3], a4 = a->limb[4];
    const uint64_t a0_2 = 2 * a0, a1_2 = 2 * a1, a2_2 = 2 * a2, a3_2 = 2 * a3, a3_19 = 19 * a3, a4_19 = 19 * a4;
    const u128 c0 = (u128)a0 * a0 + (u128)a1_2 * a4_19 + (u128)a2_2 * a3_19;
    const u128 c1 = (u128)a0_2 * a1 + (u128)a2_2 * a4_19 + (u128)a3 * a3_19;
    const u128 c2 = (u128)a0_2 * a2 + (u128)a1 * a1 + (u128)a3_2 * a4_19;
    const u128 c3 = (u128)a0_2 * a3 + (u128)a1_2 * a2 + (u128)a4 * a4_19;
    const u128 c4 = (u128)a0_2 * a4 + (u128)a1_2 * a3 + (u128)a2 * a2;
    const uint64_t b0 = ((uint64_t)c0 & FE_MASK) + 19 * (uint64_t)(c4 >> 51);
    const uint64_t b1 = ((uint64_t)c1 & FE_MASK) + (uint64_t)(c0 >> 51);
    const uint64_t b2 = ((uint64_t)c2 & FE_MASK) + (uint64_t)(c1 >> 51);
    const uint64_t b3 = ((uint64_t)c3 & FE_MASK) + (uint64_t)(c2 >> 51);
    const uint64_t b4 = ((uint64_t)c4 & FE_MASK) + (uint64_t)(c3 >> 51);
    return (fe){{(b0 & FE_MASK) + 19 * (b4 >> 51), (b1 & FE_MASK) + (b0 >> 51), (b2 & FE_MASK) + (b1 >> 51),
                 (b3 & FE_MASK) + (b2 >> 51), (b4 & FE_MASK) + (b3 >> 51)}};
}

static fe square_times(const fe *a, int times)
{
    fe out = *a;
    while (times-- > 0)
        out = square_of_reduced(&out);
    return out;
}

/* a^(2^250 - 1), and also a^11: the beginning of both powers below. x_n is a^(2^n - 1), made by doubling n. */
static fe power_250(const fe *a, fe *a11)
{
    fe t = fe_square(a);              /* 2 */
    fe a9 = square_times(&t, 2);      /* 8 */
    a9 = fe_mul(&a9, a);              /* 9 */
    *a11 = fe_mul(&a9, &t);           /* 11 */
    t = fe_square(a11);               /* 22 */
    const fe x5 = fe_mul(&t, &a9);    /* 31 */
    t = square_times(&x5, 5);
    const fe x10 = fe_mul(&t, &x5);
    t = square_times(&x10, 10);
    const fe x20 = fe_mul(&t, &x10);
    t = square_times(&x20, 20);
    const fe x40 = fe_mul(&t, &x20);
    t = square_times(&x40, 10);
    const fe x50 = fe_mul(&t, &x10);
    t = square_times(&x50, 50);
    const fe x100 = fe_mul(&t, &x50);
    t = square_times(&x100, 100);
    t = fe_mul(&t, &x100);
    t = square_times(&t, 50);
    return fe_mul(&t, &x50);
}

fe fe_invert(const fe *a)
{
    fe a11, t = power_250(a, &a11);
    t = square_times(&t, 5);
    return fe_mul(&t, &a11); /* 2^255 - 32 + 11 = p - 2 */
}

fe fe_power_p58(const fe *a)
{
    fe a11, t = power_250(a, &a11);
    t = square_times(&t, 2);
    return fe_mul(&t, a); /* 2^252 - 4 + 1 = (p - 5) / 8 */
}

fe fe_load(const uint8_t in[32])
{
    const uint64_t w0 = load_le(in), w1 = load_le(in + 8), w2 = load_le(in + 16), w3 = load_le(in + 24);
    return (fe){{w0 & FE_MASK, (w0 >> 51 | w1 << 13) & FE_MASK, (w1 >> 38 | w2 << 26) & FE_MASK,
                 (w2 >> 25 | w3 << 39) & FE_MASK, w3 >> 12 & FE_MASK}};
}

int fe_equal(const fe *a, const fe *b)
{
    const fe left = fe_freeze(a), right = fe_freeze(b);
    uint64_t differs = 0;
    for (int i = 0; i < 5; i++)
        differs |= left.limb[i] ^ right.limb[i];
    return differs == 0;
}
