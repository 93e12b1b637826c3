/* Points of edwards25519, eight at a time: see point.h. */
#ifndef ONECODE_POINT8_H
#define ONECODE_POINT8_H

#include "field8.h"
#include "point.h"
#include "transpose8.h"

/* Extended coordinates with Y + X and Y - X in the place of X and Y, as the additions use them. */
typedef struct {
    fe8 y_plus_x, y_minus_x, z, t;
} point8;

/* 0, 1 in every lane. */
static inline point8 point8_neutral(void)
{
    point8 neutral;
    for (int i = 0; i < 5; i++) {
        neutral.y_plus_x.limb[i] = neutral.y_minus_x.limb[i] = neutral.z.limb[i] = all8(i == 0);
        neutral.t.limb[i] = all8(0);
    }
    return neutral;
}

/* The last steps of an addition (Hisil, Wong, Carter, Dawson 2008): `a` is the product of both Y - X, `b`, biased, that of
 * both Y + X, `c` that of both T times 2 d, and `d` twice that of both Z. */
static inline point8 added(const wide8 *a, const wide8 *b, const wide8 *c, const wide8 *d)
{
    wide8 biased, wide = wide8_sub(b, a);
    for (int k = 0; k < 5; k++)
        biased.column[k] = _mm512_add_epi64(d->column[k], all8(bias8(k)));
    const fe8 e = fe8_reduce(&wide);
    wide = wide8_add(b, a);
    const fe8 h = fe8_reduce(&wide);
    wide = wide8_add(d, c);
    const fe8 g = fe8_reduce(&wide);
    wide = wide8_sub(&biased, c);
    const fe8 f = fe8_reduce(&wide);
    const wide8 x = fe8_product(&e, &f, 0), y = fe8_product(&g, &h, 1);
    point8 out;
    wide = wide8_add(&y, &x);
    out.y_plus_x = fe8_reduce(&wide);
    wide = wide8_sub(&y, &x);
    out.y_minus_x = fe8_reduce(&wide);
    out.z = fe8_mul(&f, &g);
    out.t = fe8_mul(&e, &h);
    return out;
}

/* sum + multiple in every lane, or sum - multiple in the lanes of `negative`. */
static inline point8 add_multiples(const point8 *sum, const multiple *const address[LANES], __mmask8 negative)
{
    u64x8 low[LANES], high[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        low[lane] = _mm512_loadu_si512(address[lane]);
        high[lane] = _mm512_loadu_si512((const char *)address[lane] + 64);
    }
    transpose8(low);
    transpose8(high);
    const u64x8 word[15] = {low[0], low[1], low[2], low[3], low[4], low[5], low[6], low[7],
                            high[0], high[1], high[2], high[3], high[4], high[5], high[6]};
    fe8 plus, minus, xy_2d;
    for (int i = 0; i < 5; i++) { /* the opposite of (x, y) is (-x, y); 2 p - a limb is below 2^52 */
        plus.limb[i] = _mm512_mask_blend_epi64(negative, word[i], word[5 + i]);
        minus.limb[i] = _mm512_mask_blend_epi64(negative, word[5 + i], word[i]);
        xy_2d.limb[i] = _mm512_mask_sub_epi64(word[10 + i], negative, all8(bias8(i) / 256), word[10 + i]);
    }
    const wide8 a = fe8_product(&sum->y_minus_x, &minus, 0), b = fe8_product(&sum->y_plus_x, &plus, 1);
    const wide8 c = fe8_product(&sum->t, &xy_2d, 0);
    wide8 twice_z;
    for (int k = 0; k < 5; k++)
        twice_z.column[k] = _mm512_add_epi64(sum->z.limb[k], sum->z.limb[k]);
    return added(&a, &b, &c, &twice_z);
}

/* p + q in every lane. */
static inline point8 point8_add(const point8 *p, const point8 *q)
{
    fe8 two_d;
    for (int k = 0; k < 5; k++)
        two_d.limb[k] = all8(FE_2D.limb[k]);
    const wide8 a = fe8_product(&p->y_minus_x, &q->y_minus_x, 0), b = fe8_product(&p->y_plus_x, &q->y_plus_x, 1);
    const fe8 tt = fe8_mul(&p->t, &q->t);
    const wide8 c = fe8_product(&tt, &two_d, 0), zz = fe8_product(&p->z, &q->z, 0), d = wide8_add(&zz, &zz);
    return added(&a, &b, &c, &d);
}

#endif
