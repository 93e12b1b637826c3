/* Opens what the kernel's vectors keep inline or static to the tests: rows of eight lanes, as memory has them. */
#if defined(__x86_64__)
#include "check_ifma.c"

#include "target_ifma.h" /* again: check_ifma.c has taken back what it said to clang */

static fe8 read8(uint64_t in[5][8])
{
    fe8 out;
    for (int i = 0; i < 5; i++)
        out.limb[i] = _mm512_loadu_si512(in[i]);
    return out;
}

static void write8(uint64_t out[5][8], const u64x8 in[5])
{
    for (int i = 0; i < 5; i++)
        _mm512_storeu_si512(out[i], in[i]);
}

void open_fe8_product(uint64_t out[5][8], uint64_t a[5][8], uint64_t b[5][8], int biased)
{
    const fe8 left = read8(a), right = read8(b);
    const wide8 product = biased ? fe8_product(&left, &right, 1) : fe8_product(&left, &right, 0);
    write8(out, product.column);
}

void open_fe8_reduce(uint64_t out[5][8], uint64_t columns[5][8])
{
    const fe8 in = read8(columns);
    wide8 wide;
    for (int k = 0; k < 5; k++)
        wide.column[k] = in.limb[k];
    const fe8 reduced = fe8_reduce(&wide);
    write8(out, reduced.limb);
}

void open_fe8_mul(uint64_t out[5][8], uint64_t a[5][8], uint64_t b[5][8])
{
    const fe8 left = read8(a), right = read8(b), product = fe8_mul(&left, &right);
    write8(out, product.limb);
}

void open_fe8_freeze(uint64_t out[5][8], uint64_t a[5][8])
{
    const fe8 in = read8(a), frozen = fe8_freeze(&in);
    write8(out, frozen.limb);
}

void open_invert_lanes(uint64_t out[5][8], uint64_t a[5][8])
{
    const fe8 in = read8(a), inverse = invert_lanes(&in);
    write8(out, inverse.limb);
}

uint64_t open_bias8(int i)
{
    return bias8(i);
}

void open_transpose8(uint64_t rows[8][8])
{
    u64x8 row[8];
    for (int i = 0; i < 8; i++)
        row[i] = _mm512_loadu_si512(rows[i]);
    transpose8(row);
    for (int i = 0; i < 8; i++)
        _mm512_storeu_si512(rows[i], row[i]);
}

/* As open_plan() in internals.c, for eight items: entry[step][lane], and a lane's bit of negative[step]. */
int open_plan8(int64_t entry[][8], uint8_t negative[], const base_table *base, const key_table *const keys[8],
               const scalar s[8], const scalar k[8])
{
    group g;
    plan p;
    for (int lane = 0; lane < 8; lane++) {
        g.key[lane] = keys[lane];
        for (int word = 0; word < 4; word++) {
            g.s[word][lane] = s[lane].word[word];
            g.k[word][lane] = k[lane].word[word];
        }
    }
    make_plan(&p, &g, base);
    for (int step = 0; step < STEPS; step++) {
        for (int lane = 0; lane < 8; lane++)
            entry[step][lane] = p.address[step][lane] - (step <= BASE_WINDOWS ? &base->neutral : &keys[lane]->neutral);
        negative[step] = p.negative[step];
    }
    return STEPS;
}

/* sum + multiple, or - in the lanes of `negative`: out has Y + X, Y - X, Z and T. */
void open_add_multiples(uint64_t out[4][5][8], uint64_t sum[4][5][8], const multiple *const m[8], uint8_t negative)
{
    const point8 before = {read8(sum[0]), read8(sum[1]), read8(sum[2]), read8(sum[3])};
    const point8 after = add_multiples(&before, m, negative);
    write8(out[0], after.y_plus_x.limb);
    write8(out[1], after.y_minus_x.limb);
    write8(out[2], after.z.limb);
    write8(out[3], after.t.limb);
}

/* p + q in every lane. */
void open_point8_add(uint64_t out[4][5][8], uint64_t p[4][5][8], uint64_t q[4][5][8])
{
    const point8 left = {read8(p[0]), read8(p[1]), read8(p[2]), read8(p[3])};
    const point8 right = {read8(q[0]), read8(q[1]), read8(q[2]), read8(q[3])};
    const point8 sum = point8_add(&left, &right);
    write8(out[0], sum.y_plus_x.limb);
    write8(out[1], sum.y_minus_x.limb);
    write8(out[2], sum.z.limb);
    write8(out[3], sum.t.limb);
}

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
