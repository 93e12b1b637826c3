/* Points of edwards25519 (RFC 8032, section 5.1): -x^2 + y^2 = 1 + d x^2 y^2. The addition laws here are complete: they
 * hold for all points, equal, opposite, neutral and of small order alike (Hisil, Wong, Carter, Dawson 2008). */
#ifndef ONECODE_POINT_H
#define ONECODE_POINT_H

#include <stdint.h>

#include "field.h"

/* Extended coordinates: x = X/Z, y = Y/Z, T = XY/Z. All reduced. */
typedef struct {
    fe x, y, z, t;
} point;

/* A point of a table: y + x, y - x and 2 d x y of its affine coordinates, every limb < 2^51. 128 bytes are two cache
 * lines, and the limbs need no conversion before a multiplication. */
typedef struct {
    fe y_plus_x, y_minus_x, xy_2d;
    uint64_t unused;
} multiple;

extern const point POINT_NEUTRAL, POINT_BASE;
extern const multiple MULTIPLE_NEUTRAL;

point point_add(const point *p, const point *q);
point point_negate(const point *p);

/* Tells whether a point's order divides 8: 1 or 0. */
int point_is_small(const point *p);

/* Reads a canonical encoding (RFC 8032, section 5.1.3). Returns 1, or 0 where the bytes are no such encoding. */
int point_decode(point *p, const uint8_t in[32]);

/* Tells whether 32 bytes are the canonical encoding of a point of small order, of which there are eight: 1 or 0. It is
 * also 1 for the two encodings with a sign for an x of 0, which callers refuse separately. */
int point_encoding_is_small(const uint8_t in[32]);

/* Tells whether 32 bytes are the canonical encoding of p: 1 or 0. `z_inverse` is 1/Z. */
int point_is_encoded(const point *p, const fe *z_inverse, const uint8_t in[32]);

/* Affine, as a table has it. `z_inverse` is 1/Z. */
multiple point_to_multiple(const point *p, const fe *z_inverse);

/* 1/Z of up to 64 points by one inversion (Montgomery's trick): three multiplications for each. */
#define POINT_INVERTED_MAX 64
void point_invert_z(fe out[], const point points[], int count);

/* p + m, or p - m where `negative` is 1. Reduced coordinates give loose sums and differences (field.h). */
static inline point point_add_multiple(const point *p, const multiple *m, int negative)
{
    const fe *plus = negative ? &m->y_minus_x : &m->y_plus_x, *minus = negative ? &m->y_plus_x : &m->y_minus_x;
    fe a = fe_sub(&p->y, &p->x), b = fe_add(&p->y, &p->x);
    a = fe_mul(&a, minus);
    b = fe_mul(&b, plus);
    const fe c = fe_mul(&p->t, &m->xy_2d), d = fe_add(&p->z, &p->z);
    const fe e = fe_sub(&b, &a), h = fe_add(&b, &a);
    const fe sum = fe_add(&d, &c), difference = fe_sub(&d, &c);
    /* The opposite of (x, y) is (-x, y), so that its 2 d x y is -c. */
    const fe f = negative ? sum : difference, g = negative ? difference : sum;
    return (point){fe_mul(&e, &f), fe_mul(&g, &h), fe_mul(&f, &g), fe_mul(&e, &h)};
}

#endif
