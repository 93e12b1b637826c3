/* The check of one item with AVX-512 IFMA: each lane adds up an eighth of its multiples, and the lanes' sums are added. */
#if defined(__x86_64__)
#include "target_ifma.h"

#include "check.h"
#include "plan.h"
#include "point8.h"
#include "sha512.h"

/* Steps in which every lane adds a multiple. The last one is filled up with the neutral element. */
#define ROWS ((STEPS + LANES - 1) / LANES)

static uint64_t lowest(u64x8 a)
{
    return (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(a));
}

static point8 sums_of_multiples(const plan *p, const multiple *neutral)
{
    const multiple *address[ROWS][LANES];
    __mmask8 negative[ROWS] = {0};
    for (int i = 0; i < ROWS * LANES; i++) {
        const multiple *const m = i < STEPS ? p->multiple[i] : neutral;
        __builtin_prefetch(m); /* all at once: they are as many reads as a memory can have under way */
        __builtin_prefetch((const char *)m + 64);
        address[i / LANES][i % LANES] = m;
        negative[i / LANES] |= (__mmask8)((i < STEPS && p->negative[i]) << i % LANES);
    }
    point8 sums = point8_neutral();
    for (int row = 0; row < ROWS; row++)
        sums = add_multiples(&sums, address[row], negative[row]);
    return sums;
}

/* The lanes of a point in the order of `place`. */
static point8 moved(const point8 *p, u64x8 place)
{
    point8 out;
    for (int i = 0; i < 5; i++) {
        out.y_plus_x.limb[i] = _mm512_permutexvar_epi64(place, p->y_plus_x.limb[i]);
        out.y_minus_x.limb[i] = _mm512_permutexvar_epi64(place, p->y_minus_x.limb[i]);
        out.z.limb[i] = _mm512_permutexvar_epi64(place, p->z.limb[i]);
        out.t.limb[i] = _mm512_permutexvar_epi64(place, p->t.limb[i]);
    }
    return out;
}

/* The sum of all lanes, of which every lane has it in the end: to each the one at a distance of 4 is added, then 2, 1. */
static point sum_of_lanes(const point8 *sums)
{
    const u64x8 lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    point8 sum = *sums;
    for (uint64_t distance = LANES / 2; distance; distance /= 2) {
        const point8 other = moved(&sum, _mm512_xor_si512(lane, all8(distance)));
        sum = point8_add(&sum, &other);
    }
    fe plus, minus, z, t;
    for (int i = 0; i < 5; i++) {
        plus.limb[i] = lowest(sum.y_plus_x.limb[i]);
        minus.limb[i] = lowest(sum.y_minus_x.limb[i]);
        z.limb[i] = lowest(sum.z.limb[i]);
        t.limb[i] = lowest(sum.t.limb[i]);
    }
    /* Twice X, Y, Z and T are the same point, and X and Y need not be halved. Reduced in lanes is < 2^51 + 2^16: so much
     * fe_add and fe_sub take, and what they return are loose elements. */
    return (point){fe_sub(&plus, &minus), fe_add(&plus, &minus), fe_add(&z, &z), fe_add(&t, &t)};
}

int check_one_ifma(const base_table *base, const item *it)
{
    uint64_t wide[8];
    plan p;
    fe inverse;
    if (!it->key || point_encoding_is_small(it->signature))
        return 0;
    sha512_challenge(wide, it->signature, it->key->public_key, it->message, it->message_bytes);
    const scalar k = scalar_reduce(wide);
    make_plan(&p, base, it->key, &it->s, &k);
    const point8 sums = sums_of_multiples(&p, &base->neutral);
    const point sum = sum_of_lanes(&sums);
    point_invert_z(&inverse, &sum, 1);
    return point_is_encoded(&sum, &inverse, it->signature);
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
