/* Integers modulo p = 2^255 - 19, eight at a time: five registers of eight 51-bit limbs (AVX-512 IFMA).
 *
 * vpmadd52 multiplies the low 52 bits of two lanes and adds the low or the high 52 bits of the product to a third. Its
 * operands must therefore be below 2^52, and one bound is enough:
 *   reduced   every limb < 2^51 + 2^16: what fe8_reduce returns, and fe8_product takes
 *
 * Products stay unreduced, as five columns, until they have been added or subtracted: that saves the reductions that sums
 * and differences would need before they can be multiplied again. Bounds of columns are in units of 2^52. */
#ifndef ONECODE_FIELD8_H
#define ONECODE_FIELD8_H

#include <immintrin.h>

#define LANES 8

typedef __m512i u64x8;

typedef struct {
    u64x8 limb[5];
} fe8;

/* A value that is not reduced yet: the sum of column[i] * 2^(51 i). */
typedef struct {
    u64x8 column[5];
} wide8;

static inline u64x8 all8(uint64_t value)
{
    return _mm512_set1_epi64((long long)value);
}

/* Column `i` of 512 p: 256 units, less a little. Added before a product is subtracted, it keeps every column above 0. */
static inline uint64_t bias8(int i)
{
    return 512 * ((UINT64_C(1) << 51) - (i == 0 ? 19 : 1));
}

static inline u64x8 times19(u64x8 a)
{
    u64x8 nineteen = all8(19);
    __asm__("" : "+v"(nineteen)); /* else gcc replaces it by shifts and sums: a tenth slower in all */
    return _mm512_mullo_epi64(a, nineteen);
}

/* a * b, and the bias above if `biased`.
 *
 * For a and b reduced, column k of the ten has n(k) = 1, 2, 3, 4, 5, 4, 3, 2, 1, 0 low halves, each below 1 unit, and
 * n(k-1) high halves, each below 1/4 + 2^-33 units and doubled since 2^52 is twice 2^51. Columns 0 to 9 are therefore
 * below 1, 2.6, 4.1, 5.6, 7.1, 6.6, 5.1, 3.6, 2.1 and 0.6 units, and the five folded ones (2^255 is 19) below 1 + 19 * 6.6
 * = 126.4 units, the bias apart. Where b is only known to be below 2^52, a high half is below 1/2 + 2^-34 units: columns
 * 0 and 5 are below 1 and 9.1 units then, and a folded one is below 1 + 19 * 9.1 = 173.9. */
static inline wide8 fe8_product(const fe8 *a, const fe8 *b, int biased)
{
    u64x8 column[10];
    wide8 out;
    for (int k = 0; k < 10; k++) /* half of the bias, since these columns are doubled below */
        column[k] = biased && k < 5 ? all8(bias8(k) / 2) : _mm512_setzero_si512();
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++)
            column[i + j + 1] = _mm512_madd52hi_epu64(column[i + j + 1], a->limb[i], b->limb[j]);
    for (int k = 0; k < 10; k++)
        column[k] = _mm512_add_epi64(column[k], column[k]);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++)
            column[i + j] = _mm512_madd52lo_epu64(column[i + j], a->limb[i], b->limb[j]);
    for (int k = 0; k < 5; k++)
        out.column[k] = _mm512_add_epi64(column[k], times19(column[k + 5]));
    return out;
}

static inline wide8 wide8_add(const wide8 *a, const wide8 *b)
{
    wide8 out;
    for (int k = 0; k < 5; k++)
        out.column[k] = _mm512_add_epi64(a->column[k], b->column[k]);
    return out;
}

/* Needs a biased a, and b's columns below the bias. */
static inline wide8 wide8_sub(const wide8 *a, const wide8 *b)
{
    wide8 out;
    for (int k = 0; k < 5; k++)
        out.column[k] = _mm512_sub_epi64(a->column[k], b->column[k]);
    return out;
}

/* For columns below 1024 units, 2^62: a carry is below 2^11, and 19 times that below 2^16. The largest input is
 * a biased product and another: 256 + 2 * 126.4 units. */
static inline fe8 fe8_reduce(const wide8 *a)
{
    const u64x8 mask = all8((UINT64_C(1) << 51) - 1);
    u64x8 rest[5], carry[5];
    fe8 out;
    for (int k = 0; k < 5; k++) {
        rest[k] = _mm512_and_si512(a->column[k], mask);
        carry[k] = _mm512_srli_epi64(a->column[k], 51);
    }
    out.limb[0] = _mm512_madd52lo_epu64(rest[0], carry[4], all8(19));
    for (int k = 1; k < 5; k++)
        out.limb[k] = _mm512_add_epi64(rest[k], carry[k - 1]);
    return out;
}

static inline fe8 fe8_mul(const fe8 *a, const fe8 *b)
{
    const wide8 product = fe8_product(a, b, 0);
    return fe8_reduce(&product);
}

/* Carries from limb to limb, and leaves limbs 0 to 3 below 2^51; returns the bits of limb 4 above 51. */
static inline u64x8 carry_up(fe8 *a)
{
    const u64x8 mask = all8((UINT64_C(1) << 51) - 1);
    for (int i = 0; i < 4; i++) {
        a->limb[i + 1] = _mm512_add_epi64(a->limb[i + 1], _mm512_srli_epi64(a->limb[i], 51));
        a->limb[i] = _mm512_and_si512(a->limb[i], mask);
    }
    const u64x8 over = _mm512_srli_epi64(a->limb[4], 51);
    a->limb[4] = _mm512_and_si512(a->limb[4], mask);
    return over;
}

/* The canonical element: every limb below 2^51 and the value below p. A reduced element is below 2^255 + 2^221; after
 * the first pass it is below 2^255, or just above 0 with the carry added. It is p or more where adding 19 carries out of
 * 255 bits, and then that 19 is added. */
static inline fe8 fe8_freeze(const fe8 *a)
{
    fe8 out = *a;
    const u64x8 over = carry_up(&out); /* before limb 0 is read: C has no order among arguments, and clang's is not gcc's */
    out.limb[0] = _mm512_madd52lo_epu64(out.limb[0], over, all8(19));
    fe8 tried = out;
    tried.limb[0] = _mm512_add_epi64(tried.limb[0], all8(19));
    const u64x8 is_large = carry_up(&tried);
    out.limb[0] = _mm512_madd52lo_epu64(out.limb[0], is_large, all8(19));
    carry_up(&out);
    return out;
}

#endif
