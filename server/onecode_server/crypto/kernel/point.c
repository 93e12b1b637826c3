/* Operations on points outside of the sum of multiples: reading, comparing, general addition. */
#include "point.h"

#include "bytes.h"

const point POINT_NEUTRAL = {{{0}}, {{1}}, {{1}}, {{0}}};
const multiple MULTIPLE_NEUTRAL = {{{1}}, {{1}}, {{0}}, 0};
/* y = 4/5, x even (RFC 8032, section 5.1) */
const point POINT_BASE = {
    {{0x62d608f25d51a, 0x412a4b4f6592a, 0x75b7171a4b31d, 0x1ff60527118fe, 0x216936d3cd6e5}},
    {{0x6666666666658, 0x4cccccccccccc, 0x1999999999999, 0x3333333333333, 0x6666666666666}},
    {{1, 0, 0, 0, 0}},
    {{0x68ab3a5b7dda3, 0x00eea2a5eadbb, 0x2af8df483c27e, 0x332b375274732, 0x67875f0fd78b7}},
};

point point_add(const point *p, const point *q)
{
    fe a = fe_sub(&p->y, &p->x), b = fe_add(&p->y, &p->x), t = fe_sub(&q->y, &q->x);
    a = fe_mul(&a, &t);
    t = fe_add(&q->y, &q->x);
    b = fe_mul(&b, &t);
    fe c = fe_mul(&p->t, &q->t), d = fe_mul(&p->z, &q->z);
    c = fe_mul(&c, &FE_2D);
    d = fe_add(&d, &d);
    const fe e = fe_sub(&b, &a), f = fe_sub(&d, &c), g = fe_add(&d, &c), h = fe_add(&b, &a);
    return (point){fe_mul(&e, &f), fe_mul(&g, &h), fe_mul(&f, &g), fe_mul(&e, &h)};
}

point point_negate(const point *p)
{
    point out = *p;
    const fe x = fe_sub(&FE_ZERO, &p->x), t = fe_sub(&FE_ZERO, &p->t);
    out.x = fe_mul(&x, &FE_ONE); /* reduced again */
    out.t = fe_mul(&t, &FE_ONE);
    return out;
}

int point_is_small(const point *p)
{
    point eight = *p;
    for (int doubling = 0; doubling < 3; doubling++)
        eight = point_add(&eight, &eight);
    return fe_equal(&eight.x, &FE_ZERO) && fe_equal(&eight.y, &eight.z);
}

/* x^2 = u / v with u = y^2 - 1 and v = d y^2 + 1: the candidate root is u v^3 (u v^7)^((p-5)/8), or that times the root
 * of -1 (RFC 8032, section 5.1.3). */
int point_decode(point *p, const uint8_t in[32])
{
    const fe y = fe_load(in), canonical = fe_freeze(&y);
    for (int i = 0; i < 5; i++)
        if (canonical.limb[i] != y.limb[i])
            return 0;
    const fe y2 = fe_square(&y), dy2 = fe_mul(&y2, &FE_D), u = fe_sub(&y2, &FE_ONE), v = fe_add(&dy2, &FE_ONE);
    const fe v2 = fe_square(&v), v3 = fe_mul(&v2, &v), v6 = fe_square(&v3), v7 = fe_mul(&v6, &v);
    const fe uv3 = fe_mul(&u, &v3), uv7 = fe_mul(&u, &v7), power = fe_power_p58(&uv7);
    fe x = fe_mul(&uv3, &power);
    const fe x2 = fe_square(&x), vx2 = fe_mul(&v, &x2);
    if (!fe_equal(&vx2, &u)) {
        const fe back = fe_add(&vx2, &y2);
        if (!fe_equal(&back, &FE_ONE)) /* v x^2 is neither u nor -u */
            return 0;
        x = fe_mul(&x, &FE_SQRT_MINUS_ONE);
    }
    x = fe_freeze(&x);
    const uint64_t sign = in[31] >> 7;
    if (fe_equal(&x, &FE_ZERO) && sign)
        return 0;
    if ((x.limb[0] & 1) != sign) {
        const fe minus = fe_sub(&FE_ZERO, &x);
        x = fe_freeze(&minus);
    }
    *p = (point){x, y, FE_ONE, fe_mul(&x, &y)};
    return 1;
}

/* The y of the points whose order divides 8, as four little-endian words: order 4, 1, 8, 8, 2. Their x is 0, or may have
 * either sign. */
static const uint64_t SMALL[5][4] = {
    {0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000},
    {0x0000000000000001, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000},
    {0xb027b2c28f95e826, 0xf098eff289f4c345, 0x3933c6d305acdfd5, 0x05fc536d880238b1},
    {0x4fd84d3d706a17c7, 0x0f67100d760b3cba, 0xc6cc392cfa53202a, 0x7a03ac9277fdc74e},
    {0xffffffffffffffec, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff},
};

int point_encoding_is_small(const uint8_t in[32])
{
    const uint64_t w0 = load_le(in), w1 = load_le(in + 8), w2 = load_le(in + 16);
    const uint64_t w3 = load_le(in + 24) & ~(UINT64_C(1) << 63);
    for (int i = 0; i < 5; i++)
        if (w0 == SMALL[i][0] && w1 == SMALL[i][1] && w2 == SMALL[i][2] && w3 == SMALL[i][3])
            return 1;
    return 0;
}

int point_is_encoded(const point *p, const fe *z_inverse, const uint8_t in[32])
{
    fe x = fe_mul(&p->x, z_inverse), y = fe_mul(&p->y, z_inverse);
    const fe claimed = fe_load(in);
    x = fe_freeze(&x);
    y = fe_freeze(&y);
    uint64_t differs = (x.limb[0] & 1) ^ (in[31] >> 7);
    for (int i = 0; i < 5; i++)
        differs |= y.limb[i] ^ claimed.limb[i];
    return differs == 0;
}

multiple point_to_multiple(const point *p, const fe *z_inverse)
{
    const fe x = fe_mul(&p->x, z_inverse), y = fe_mul(&p->y, z_inverse), xy = fe_mul(&x, &y);
    const fe plus = fe_add(&y, &x), minus = fe_sub(&y, &x), xy_2d = fe_mul(&xy, &FE_2D);
    return (multiple){fe_freeze(&plus), fe_freeze(&minus), fe_freeze(&xy_2d), 0};
}

void point_invert_z(fe out[], const point points[], int count)
{
    out[0] = points[0].z;
    for (int i = 1; i < count; i++)
        out[i] = fe_mul(&out[i - 1], &points[i].z);
    fe inverse = fe_invert(&out[count - 1]); /* no Z is 0: the addition laws are complete */
    for (int i = count - 1; i > 0; i--) {
        out[i] = fe_mul(&inverse, &out[i - 1]);
        inverse = fe_mul(&inverse, &points[i].z);
    }
    out[0] = inverse;
}
