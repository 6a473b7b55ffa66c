/* Causal attention softmax(q k^T / sqrt(D)) v on packed q, k, v, forward and backward.
 *
 * A block of LANES queries is worked on at once, one query per lane: maxima, sums and the products
 * with single keys then need no exchange between lanes. Keys after the block are not looked at.
 * Rows and columns beyond T and D are zeros. `scratch`: see Kernels.scratch.
 */
#include "arithmetic.h"

typedef real vec __attribute__((vector_size(LANES * sizeof(real)), may_alias));

static inline ptrdiff_t padded(ptrdiff_t n) { return (n + LANES - 1) / LANES * LANES; }

/* out[j] (+)= sum_c a[j, c] part[c], j < count: a is scalar, part and out are vectors. */
static inline void combine(vec *restrict out, ptrdiff_t out_step, const real *restrict a,
                           ptrdiff_t a_step, const vec part[LANES], ptrdiff_t count, int add)
{
    for (ptrdiff_t j = 0; j < count; j++, a += a_step) {
        vec sum = add ? out[j * out_step] : (vec){0};
#pragma GCC unroll 16
        for (int c = 0; c < LANES; c++)
            sum += a[c] * part[c];
        out[j * out_step] = sum;
    }
}

/* out[c] = sum_j parts[j] a[j, c], j < count, c < LANES. */
static inline void contract(vec out[LANES], const vec *restrict parts, const real *restrict a,
                            ptrdiff_t a_step, ptrdiff_t count)
{
    vec sum[LANES] = {{0}};
    for (ptrdiff_t j = 0; j < count; j++, a += a_step) {
        vec part = parts[j];
#pragma GCC unroll 16
        for (int c = 0; c < LANES; c++)
            sum[c] += a[c] * part;
    }
    for (int c = 0; c < LANES; c++)
        out[c] = sum[c];
}

/* Rows of one head, [T, D] with `step` between rows, into [padded T, padded D]. */
static void gather(const real *rows, ptrdiff_t step, real *out, ptrdiff_t T, ptrdiff_t D)
{
    ptrdiff_t Dp = padded(D);
    memset(out, 0, (size_t)(padded(T) * Dp) * sizeof *out);
    for (ptrdiff_t t = 0; t < T; t++)
        memcpy(out + t * Dp, rows + t * step, (size_t)D * sizeof *out);
}

static void scatter(const real *rows, real *out, ptrdiff_t step, ptrdiff_t T, ptrdiff_t D)
{
    for (ptrdiff_t t = 0; t < T; t++)
        memcpy(out + t * step, rows + t * padded(D), (size_t)D * sizeof *out);
}

/* LANES rows of [., Dp] as Dp vectors, and back. */
static inline void turn(const real *restrict rows, vec *restrict out, ptrdiff_t Dp)
{
    real *flat = (real *)out;
    for (ptrdiff_t d = 0; d < Dp; d++)
        for (int l = 0; l < LANES; l++)
            flat[d * LANES + l] = rows[l * Dp + d];
}

static inline void turn_back(const vec *restrict in, real *restrict rows, ptrdiff_t Dp)
{
    const real *flat = (const real *)in;
    for (int l = 0; l < LANES; l++)
        for (ptrdiff_t d = 0; d < Dp; d++)
            rows[l * Dp + d] = flat[d * LANES + l];
}

/* s[j] = scale q . k[j] of a block of queries. */
static void scores(vec *s, const vec *q, const real *k, ptrdiff_t Dp, ptrdiff_t keys)
{
    for (ptrdiff_t c = 0; c < Dp; c += LANES)
        combine(s, 1, k + c, Dp, q + c, keys, c > 0);
}

static real *aligned(real *p)
{
    uintptr_t unit = LANES * sizeof(real);
    return (real *)(((uintptr_t)p + unit - 1) / unit * unit);
}

/* qkv [S, T, 3, H, D] -> y [S, T, H, D]; kept [S, H, 2, padded T]: maximum and 1 / sum. */
void attention(const real *qkv, real *y, real *kept, real *scratch, ptrdiff_t S, ptrdiff_t T,
               ptrdiff_t H, ptrdiff_t D)
{
    ptrdiff_t Tp = padded(T), Dp = padded(D), step = 3 * H * D;
    real scale = (real)(1.0 / sqrt((double)D));
    real *q = aligned(scratch), *k = q + Tp * Dp, *v = k + Tp * Dp, *out = v + Tp * Dp;
    vec *s = (vec *)(out + Tp * Dp), *turned = s + Tp;
    for (ptrdiff_t n = 0; n < S * H; n++, kept += 2 * Tp) {
        ptrdiff_t h = n % H;
        const real *from = qkv + n / H * T * step + h * D;
        gather(from, step, q, T, D);
        gather(from + H * D, step, k, T, D);
        gather(from + 2 * H * D, step, v, T, D);
        for (ptrdiff_t i = 0; i < Tp; i += LANES) {
            ptrdiff_t keys = i + LANES;
            turn(q + i * Dp, turned, Dp);
            scores(s, turned, k, Dp, keys);
            real highest[LANES], sum[LANES];
            for (int l = 0; l < LANES; l++)
                highest[l] = s[0][l] * scale, sum[l] = 0;
            for (ptrdiff_t j = 0; j < keys; j++) {
                const real *row = (real *)(s + j);
#pragma omp simd
                for (int l = 0; l < LANES; l++) {
                    real one = j <= i + l ? row[l] * scale : highest[l];
                    highest[l] = one > highest[l] ? one : highest[l];
                }
            }
            for (ptrdiff_t j = 0; j < keys; j++) {
                real *row = (real *)(s + j);
#pragma omp simd
                for (int l = 0; l < LANES; l++) {
                    real one = exponential(row[l] * scale - highest[l]);
                    row[l] = j <= i + l ? one : 0;
                    sum[l] += row[l];
                }
            }
            real *maxima = kept + i, *inverses = kept + Tp + i;
            for (int l = 0; l < LANES; l++) {
                maxima[l] = highest[l];
                inverses[l] = 1 / sum[l];
            }
            for (ptrdiff_t c = 0; c < Dp; c += LANES)
                contract(turned + c, s, v + c, Dp, keys);
            for (ptrdiff_t c = 0; c < Dp; c++)
                for (int l = 0; l < LANES; l++)
                    turned[c][l] *= inverses[l];
            turn_back(turned, out + i * Dp, Dp);
        }
        scatter(out, y + n / H * T * H * D + h * D, H * D, T, D);
    }
}

/* dy [S, T, H, D] -> dqkv in place of qkv, with dy_q . y_q = sum_j p_j (dy_q . v_j). */
void attention_backward(real *qkv, const real *dy, const real *kept, real *scratch, ptrdiff_t S,
                        ptrdiff_t T, ptrdiff_t H, ptrdiff_t D)
{
    ptrdiff_t Tp = padded(T), Dp = padded(D), step = 3 * H * D, rows = Tp * Dp;
    real scale = (real)(1.0 / sqrt((double)D));
    real *q = aligned(scratch), *k = q + rows, *v = k + rows, *g = v + rows;
    real *dq = g + rows, *dk = dq + rows, *dv = dk + rows;
    vec *p = (vec *)(dv + rows), *ds = p + Tp;
    vec *q_turned = ds + Tp, *g_turned = q_turned + Dp, *dq_turned = g_turned + Dp;
    for (ptrdiff_t n = 0; n < S * H; n++, kept += 2 * Tp) {
        ptrdiff_t h = n % H;
        real *from = qkv + n / H * T * step + h * D;
        gather(from, step, q, T, D);
        gather(from + H * D, step, k, T, D);
        gather(from + 2 * H * D, step, v, T, D);
        gather(dy + n / H * T * H * D + h * D, H * D, g, T, D);
        memset(dk, 0, (size_t)(2 * rows) * sizeof *dk); /* dv follows dk */
        for (ptrdiff_t i = 0; i < Tp; i += LANES) {
            ptrdiff_t keys = i + LANES;
            const real *highest = kept + i, *inverse = kept + Tp + i;
            real along[LANES] = {0};
            turn(q + i * Dp, q_turned, Dp);
            turn(g + i * Dp, g_turned, Dp);
            scores(p, q_turned, k, Dp, keys);
            scores(ds, g_turned, v, Dp, keys);
            for (ptrdiff_t j = 0; j < keys; j++) {
                real *one = (real *)(p + j), *other = (real *)(ds + j);
#pragma omp simd
                for (int l = 0; l < LANES; l++) {
                    real weight = exponential(one[l] * scale - highest[l]) * inverse[l];
                    one[l] = j <= i + l ? weight : 0;
                    other[l] = j <= i + l ? other[l] : 0;
                    along[l] += one[l] * other[l];
                }
            }
            for (ptrdiff_t j = 0; j < keys; j++) {
                const real *one = (real *)(p + j);
                real *other = (real *)(ds + j);
#pragma omp simd
                for (int l = 0; l < LANES; l++)
                    other[l] = one[l] * (other[l] - along[l]) * scale;
            }
            for (ptrdiff_t c = 0; c < Dp; c += LANES) {
                vec part[LANES];
                contract(dq_turned + c, ds, k + c, Dp, keys);
                for (int l = 0; l < LANES; l++)
                    part[l] = *(vec *)(g + (i + l) * Dp + c);
                combine((vec *)(dv + c), Dp / LANES, (real *)p, LANES, part, keys, 1);
                for (int l = 0; l < LANES; l++)
                    part[l] = *(vec *)(q + (i + l) * Dp + c);
                combine((vec *)(dk + c), Dp / LANES, (real *)ds, LANES, part, keys, 1);
            }
            turn_back(dq_turned, dq + i * Dp, Dp);
        }
        scatter(dq, from, step, T, D);
        scatter(dk, from + H * D, step, T, D);
        scatter(dv, from + 2 * H * D, step, T, D);
    }
}
