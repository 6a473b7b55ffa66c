/* Types, and functions that the compiler can put into vector code. -DWIDE: double, else float.
 *
 * Letters: R replicas, N tokens per replica, B sequences, T tokens, W width, H heads, D = W / H.
 * Weights are rows [R, P]: `stride` is P. Gradients are added to what is there. No fast-math:
 * a NaN must stay one.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef WIDE
typedef double real;
typedef int64_t whole;
typedef uint64_t natural;
#define LANES 8
#define SMALLEST (-708.0)
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10
#define ROUNDER 6755399441055744.0 /* 1.5 2^52: adding it rounds to a whole number */
#define MANTISSA 52
#define BIAS 1023
#define DEGREE 13
#else
typedef float real;
typedef int32_t whole;
typedef uint32_t natural;
#define LANES 16
#define SMALLEST (-87.0f)
#define LN2_HIGH 0.693359375f
#define LN2_LOW (-2.12194440e-4f)
#define ROUNDER 12582912.0f /* 1.5 2^23 */
#define MANTISSA 23
#define BIAS 127
#define DEGREE 7
#endif

/* 1 / n!: the remainder at |r| <= ln 2 / 2 is below half a unit in the last place. */
static const real INVERSE_FACTORIAL[14] = {
    1.0,           1.0,           1.0 / 2,        1.0 / 6,         1.0 / 24,
    1.0 / 120,     1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
    1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};

/* exp(x) for x <= 0; what is below SMALLEST counts as that; NaN stays. x = k ln 2 + r. */
static inline real exponential(real x)
{
    x = x < (real)SMALLEST ? (real)SMALLEST : x;
    real shifted = x * (real)1.44269504088896340736 + (real)ROUNDER;
    real k = shifted - (real)ROUNDER;
    real r = x - k * (real)LN2_HIGH - k * (real)LN2_LOW;
    real series = INVERSE_FACTORIAL[DEGREE];
    for (int n = DEGREE - 1; n >= 0; n--)
        series = series * r + INVERSE_FACTORIAL[n];
    whole bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (whole)(((natural)bits << MANTISSA) + ((natural)BIAS << MANTISSA));
    real power;
    memcpy(&power, &bits, sizeof power);
    return series * power;
}

/* The upper tail of the normal law at |x|, times 2, and exp(-x^2 / 2), which it is made of. */
static inline real two_tails(real x, real *density)
{
    real z = (x < 0 ? -x : x) * (real)0.70710678118654752440;
#ifdef WIDE
    *density = exp(x * x * -0.5);
    return erfc(z);
#else
    /* erfc(z) = exp(-z^2) t Q(t), t = 1 / (1 + 0.49 z): Q fitted, relative error below 3e-8. */
    *density = exponential(x * x * -0.5f); /* rounded once, -z^2 three times */
    real t = 1.0f / (1.0f + 0.49f * z);
    real q = -0.05676680657310293f;
    q = q * t + 0.28776872456050206f;
    q = q * t - 0.5292102257138038f;
    q = q * t + 0.3532569495409794f;
    q = q * t - 0.06351910946861414f;
    q = q * t + 0.21862680569391885f;
    q = q * t + 0.23632188705879975f;
    q = q * t + 0.27709397075014214f;
    q = q * t + 0.2764278096746823f;
    return *density * t * q;
#endif
}
