/* The check with AVX-512 IFMA: eight items at a time, one to a lane, and one inversion for up to 256 of them. */
#if defined(__x86_64__)
#include "target_ifma.h"

#include "bytes.h"
#include "check.h"
#include "plan8.h"
#include "point8.h"
#include "sha512.h"
#include "sha512x8.h"

/* Groups that share an inversion: 32 take 76 KiB of stack, and an inversion then costs each item 2 % of its time. */
#define GROUPS_MAX 32
/* How many steps ahead multiples are fetched: a step takes about as long as a read from main memory. */
#define AHEAD 3

_Static_assert(sizeof(void *) == 8, "a plan reckons addresses in lanes of 64 bits, which x32 does not have");

/* The eight items of a group. Lanes without an item add the neutral element. */
typedef struct {
    const uint8_t *r[LANES];
    const uint8_t *a[LANES];
    const uint8_t *message[LANES];
    size_t message_bytes[LANES];
    const key_table *key[LANES];
    uint64_t s[4][LANES], k[4][LANES]; /* word by word */
    __mmask8 checked;
} group;

/* Takes `count` items from `first` on, hashes them and reduces the hashes. */
static void fill_group(group *g, const batch *b, size_t first, int count)
{
    uint64_t wide[LANES][8];
    scalar s[LANES];
    g->checked = 0;
    for (int lane = 0; lane < LANES; lane++) {
        const item it = item_of(b, first + (size_t)(lane < count ? lane : 0));
        const int has_work = lane < count && it.key != NULL;
        g->r[lane] = it.signature;
        g->key[lane] = has_work ? it.key : NULL;
        g->a[lane] = has_work ? it.key->public_key : it.signature; /* hashed too, and not used */
        g->message[lane] = it.message;
        g->message_bytes[lane] = has_work ? it.message_bytes : 0;
        s[lane] = it.s;
        g->checked |= (__mmask8)(has_work << lane);
    }
    sha512x8_challenge(wide, g->r, g->a, g->message, g->message_bytes);
    for (int lane = 0; lane < LANES; lane++) {
        const scalar k = scalar_reduce(wide[lane]);
        for (int word = 0; word < 4; word++) { /* 0 in lanes without an item */
            g->s[word][lane] = g->key[lane] ? s[lane].word[word] : 0;
            g->k[word][lane] = g->key[lane] ? k.word[word] : 0;
        }
    }
}

static void make_plan(plan *p, const group *g, const base_table *base)
{
    uint64_t neutrals[LANES];
    for (int lane = 0; lane < LANES; lane++)
        neutrals[lane] = (uint64_t)(g->key[lane] ? &g->key[lane]->neutral : &base->neutral);
    plan_steps(p, 0, all8((uint64_t)&base->neutral), g->s, &BASE_BIAS, BASE_BITS, BASE_WINDOWS);
    plan_steps(p, BASE_WINDOWS + 1, _mm512_loadu_si512(neutrals), g->k, &KEY_BIAS, KEY_BITS, KEY_WINDOWS);
}

static inline void fetch_ahead(const plan *p, int step)
{
    for (int lane = 0; lane < LANES; lane++) {
        _mm_prefetch((const char *)p->address[step][lane], _MM_HINT_T0);
        _mm_prefetch((const char *)p->address[step][lane] + 64, _MM_HINT_T0);
    }
}

static point8 sum_of_multiples(const plan *p)
{
    point8 sum = point8_neutral();
    for (int step = 0; step < AHEAD; step++)
        fetch_ahead(p, step);
    for (int step = 0; step < STEPS; step++) {
        if (step + AHEAD < STEPS)
            fetch_ahead(p, step + AHEAD);
        sum = add_multiples(&sum, p->address[step], p->negative[step]);
    }
    return sum;
}

/* Encodes (RFC 8032, section 5.1.2) as four words a lane: y, and the lowest bit of x as the highest. */
static inline void encode(uint64_t words[4][LANES], const fe8 *x, const fe8 *y)
{
    const u64x8 *l = y->limb;
    _mm512_storeu_si512(words[0], _mm512_or_si512(l[0], _mm512_slli_epi64(l[1], 51)));
    _mm512_storeu_si512(words[1], _mm512_or_si512(_mm512_srli_epi64(l[1], 13), _mm512_slli_epi64(l[2], 38)));
    _mm512_storeu_si512(words[2], _mm512_or_si512(_mm512_srli_epi64(l[2], 26), _mm512_slli_epi64(l[3], 25)));
    _mm512_storeu_si512(words[3], _mm512_or_si512(_mm512_or_si512(_mm512_srli_epi64(l[3], 39), _mm512_slli_epi64(l[4], 12)),
                                                  _mm512_slli_epi64(x->limb[0], 63)));
}

/* Tells in which lanes the sum's encoding is R, and not of small order. `half_z_inverse` is 1 / 2 Z. */
static __mmask8 compare(const point8 *sum, const fe8 *half_z_inverse, const group *g)
{
    uint64_t words[4][LANES];
    const wide8 plus = fe8_product(&sum->y_plus_x, half_z_inverse, 1);
    const wide8 minus = fe8_product(&sum->y_minus_x, half_z_inverse, 0);
    const wide8 wide_x = wide8_sub(&plus, &minus), wide_y = wide8_add(&plus, &minus);
    fe8 x = fe8_reduce(&wide_x), y = fe8_reduce(&wide_y);
    x = fe8_freeze(&x);
    y = fe8_freeze(&y);
    encode(words, &x, &y);
    __mmask8 same = 0;
    for (int lane = 0; lane < LANES; lane++) {
        const uint8_t *r = g->r[lane];
        const uint64_t differs = (words[0][lane] ^ load_le(r)) | (words[1][lane] ^ load_le(r + 8)) |
                                 (words[2][lane] ^ load_le(r + 16)) | (words[3][lane] ^ load_le(r + 24));
        same |= (__mmask8)((differs == 0 && !point_encoding_is_small(r)) << lane);
    }
    return same & g->checked;
}

/* 1 / a in every lane, where no lane is 0. One lane after the other: the squarings of an inversion wait for each other,
 * and take longer in vectors than all that it needs besides to serve eight lanes. */
static fe8 invert_lanes(const fe8 *a)
{
    uint64_t lanes[5][LANES];
    point points[LANES]; /* of which the Z alone are used */
    fe inverses[LANES];
    fe8 out;
    for (int i = 0; i < 5; i++)
        _mm512_storeu_si512(lanes[i], a->limb[i]);
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 5; i++)
            points[lane].z.limb[i] = lanes[i][lane];
    point_invert_z(inverses, points, LANES); /* no Z is 0: the addition law is complete */
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 5; i++)
            lanes[i][lane] = inverses[lane].limb[i];
    for (int i = 0; i < 5; i++)
        out.limb[i] = _mm512_loadu_si512(lanes[i]);
    return out;
}

/* Checks `count` items from `first` on, at most LANES * GROUPS_MAX. */
static void check_groups(const batch *b, size_t first, size_t count, uint8_t answers[])
{
    group groups[GROUPS_MAX];
    point8 sums[GROUPS_MAX];
    fe8 products[GROUPS_MAX], half; /* products of all Z up to a group's */
    const size_t used = (count + LANES - 1) / LANES;
    for (size_t i = 0; i < used; i++) {
        const size_t left = count - i * LANES;
        plan p;
        fill_group(&groups[i], b, first + i * LANES, (int)(left < LANES ? left : LANES));
        make_plan(&p, &groups[i], b->base);
        sums[i] = sum_of_multiples(&p);
        products[i] = i ? fe8_mul(&products[i - 1], &sums[i].z) : sums[i].z;
    }
    for (int i = 0; i < 5; i++)
        half.limb[i] = all8(FE_HALF.limb[i]);
    fe8 inverse = invert_lanes(&products[used - 1]);
    inverse = fe8_mul(&inverse, &half);            /* and so every inverse below is halved */
    for (size_t i = used; i-- > 0;) {
        const fe8 half_z_inverse = i ? fe8_mul(&inverse, &products[i - 1]) : inverse;
        inverse = fe8_mul(&inverse, &sums[i].z);
        const __mmask8 good = compare(&sums[i], &half_z_inverse, &groups[i]);
        for (size_t lane = 0; lane < LANES && i * LANES + lane < count; lane++)
            answers[first + i * LANES + lane] = good >> lane & 1;
    }
}

void check_ifma(const batch *b, size_t count, uint8_t answers[])
{
    for (size_t done = 0; done < count; done += LANES * GROUPS_MAX) {
        const size_t left = count - done;
        check_groups(b, done, left < LANES * GROUPS_MAX ? left : LANES * GROUPS_MAX, answers);
    }
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
