/* Embedding, norm, GELU and cross-entropy of R replicas, forward and backward. */
#include "arithmetic.h"

/* x = embedding[token] + position: tokens [R, B, T] with `token_stride` between replicas.
 * Returns whether every token is below V; else it stops at the first that is not. */
int embed(const int64_t *tokens, ptrdiff_t token_stride, const real *embedding,
           const real *position, ptrdiff_t stride, real *x, ptrdiff_t R, ptrdiff_t B, ptrdiff_t T,
           ptrdiff_t W, ptrdiff_t V)
{
    for (ptrdiff_t r = 0; r < R; r++)
        for (ptrdiff_t i = 0; i < B * T; i++, x += W) {
            int64_t token = tokens[r * token_stride + i];
            if (token < 0 || token >= V)
                return 0;
            const real *e = embedding + r * stride + token * W;
            const real *p = position + r * stride + i % T * W;
#pragma omp simd
            for (ptrdiff_t w = 0; w < W; w++)
                x[w] = e[w] + p[w];
        }
    return 1;
}

void embed_backward(const int64_t *tokens, ptrdiff_t token_stride, const real *dx,
                    real *embedding, real *position, ptrdiff_t stride, ptrdiff_t R, ptrdiff_t B,
                    ptrdiff_t T, ptrdiff_t W)
{
    for (ptrdiff_t r = 0; r < R; r++)
        for (ptrdiff_t i = 0; i < B * T; i++, dx += W) {
            real *e = embedding + r * stride + tokens[r * token_stride + i] * W;
            real *p = position + r * stride + i % T * W;
#pragma omp simd
            for (ptrdiff_t w = 0; w < W; w++) {
                e[w] += dx[w];
                p[w] += dx[w];
            }
        }
}

/* x += late (a bias still missing, or NULL); out = gain (x - mean) / deviation + shift.
 * moments [R N, 2]: mean and 1 / deviation of each row, for the way back. */
void norm(real *x, const real *late, const real *gain, const real *shift, ptrdiff_t stride,
          real *out, real *moments, ptrdiff_t R, ptrdiff_t N, ptrdiff_t W)
{
    for (ptrdiff_t r = 0; r < R; r++)
        for (ptrdiff_t i = 0; i < N; i++, x += W, out += W, moments += 2) {
            const real *g = gain + r * stride, *s = shift + r * stride;
            real sum = 0, squares = 0;
            if (late) {
                const real *b = late + r * stride;
#pragma omp simd
                for (ptrdiff_t w = 0; w < W; w++)
                    x[w] += b[w];
            }
#pragma omp simd reduction(+ : sum)
            for (ptrdiff_t w = 0; w < W; w++)
                sum += x[w];
            real mean = sum / (real)W;
#pragma omp simd reduction(+ : squares)
            for (ptrdiff_t w = 0; w < W; w++)
                squares += (x[w] - mean) * (x[w] - mean);
            real inverse = (real)1 / (real)sqrt(squares / (real)W + (real)1e-5);
#pragma omp simd
            for (ptrdiff_t w = 0; w < W; w++)
                out[w] = (x[w] - mean) * inverse * g[w] + s[w];
            moments[0] = mean;
            moments[1] = inverse;
        }
}

/* dx (+)= the norm's share; dgain, dshift and, if given, dlate (of the bias added late) grow.
 * first: dx holds nothing yet. */
void norm_backward(const real *dout, const real *x, const real *moments, const real *gain,
                   ptrdiff_t stride, real *dx, ptrdiff_t first, real *dgain, real *dshift,
                   real *dlate, ptrdiff_t R, ptrdiff_t N, ptrdiff_t W)
{
    for (ptrdiff_t r = 0; r < R; r++) {
        const real *g = gain + r * stride;
        real *dg = dgain + r * stride, *ds = dshift + r * stride;
        for (ptrdiff_t i = 0; i < N; i++, x += W, dout += W, dx += W, moments += 2) {
            real mean = moments[0], inverse = moments[1], sum = 0, along = 0;
#pragma omp simd reduction(+ : sum, along)
            for (ptrdiff_t w = 0; w < W; w++) {
                real normed = (x[w] - mean) * inverse, d = dout[w] * g[w];
                dg[w] += dout[w] * normed;
                ds[w] += dout[w];
                sum += d;
                along += d * normed;
            }
            sum /= (real)W;
            along /= (real)W;
            if (first)
                memset(dx, 0, (size_t)W * sizeof *dx);
#pragma omp simd
            for (ptrdiff_t w = 0; w < W; w++) {
                real normed = (x[w] - mean) * inverse;
                dx[w] += inverse * (dout[w] * g[w] - sum - normed * along);
            }
            if (dlate) {
                real *db = dlate + r * stride;
#pragma omp simd
                for (ptrdiff_t w = 0; w < W; w++)
                    db[w] += dx[w];
            }
        }
    }
}

/* h = gelu(u + bias), gelu(x) = x Phi(x); u becomes the slope Phi(x) + x phi(x). */
void gelu(real *u, const real *bias, ptrdiff_t stride, real *h, ptrdiff_t R, ptrdiff_t N,
          ptrdiff_t F)
{
    for (ptrdiff_t r = 0; r < R; r++)
        for (ptrdiff_t i = 0; i < N; i++, u += F, h += F) {
            const real *b = bias + r * stride;
#pragma omp simd
            for (ptrdiff_t f = 0; f < F; f++) {
                real density, x = u[f] + b[f];
                real half = (real)0.5 * two_tails(x, &density);
                real below = x < 0 ? half : (real)1 - half;
                h[f] = x * below;
                u[f] = below + x * density * (real)0.39894228040143267794;
            }
        }
}

/* dh becomes d(u + bias) = dh slope; dbias grows by its sum over the tokens. */
void gelu_backward(real *dh, const real *slope, real *dbias, ptrdiff_t stride, ptrdiff_t R,
                   ptrdiff_t N, ptrdiff_t F)
{
    for (ptrdiff_t r = 0; r < R; r++)
        for (ptrdiff_t i = 0; i < N; i++, dh += F, slope += F) {
            real *db = dbias + r * stride;
#pragma omp simd
            for (ptrdiff_t f = 0; f < F; f++) {
                dh[f] *= slope[f];
                db[f] += dh[f];
            }
        }
}

/* losses [R, B] with `loss_stride` between replicas: means over T of -log softmax(logits)[target].
 * If scale is not 0, logits become scale (softmax - one-hot of the target).
 * Returns whether every target is below V; else it stops at the first that is not. */
int cross_entropy(real *logits, const int64_t *targets, ptrdiff_t target_stride, double scale,
                  real *losses, ptrdiff_t loss_stride, ptrdiff_t R, ptrdiff_t B, ptrdiff_t T,
                  ptrdiff_t V)
{
    for (ptrdiff_t r = 0; r < R; r++)
        for (ptrdiff_t b = 0; b < B; b++) {
            double total = 0;
            for (ptrdiff_t t = 0; t < T; t++, logits += V) {
                int64_t target = targets[r * target_stride + b * T + t];
                if (target < 0 || target >= V)
                    return 0;
                real highest = logits[0], sum = 0, chosen = logits[target];
#pragma omp simd reduction(max : highest)
                for (ptrdiff_t v = 0; v < V; v++)
                    highest = logits[v] > highest ? logits[v] : highest;
#pragma omp simd reduction(+ : sum)
                for (ptrdiff_t v = 0; v < V; v++) {
                    logits[v] = exponential(logits[v] - highest);
                    sum += logits[v];
                }
                total += log((double)sum) + ((double)highest - (double)chosen);
                if (scale != 0) {
                    real factor = (real)scale / sum;
#pragma omp simd
                    for (ptrdiff_t v = 0; v < V; v++)
                        logits[v] *= factor;
                    logits[target] -= (real)scale;
                }
            }
            losses[r * loss_stride + b] = (real)(total / (double)T);
        }
    return 1;
}
