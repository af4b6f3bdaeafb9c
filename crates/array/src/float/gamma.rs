//! The gamma function's logarithm and its derivatives, and the inverses of the error function. All are computed in double
//! precision, and rounded to the type in question.
use super::Float;
use super::real::poly;

/// `B₂ₖ / 2k` with the sign that ψ has it, from k = 1 on.
const DIGAMMA: &[f64] = &[
    -1.0 / 12.0,
    1.0 / 120.0,
    -1.0 / 252.0,
    1.0 / 240.0,
    -1.0 / 132.0,
    691.0 / 32_760.0,
    -1.0 / 12.0,
    3_617.0 / 8_160.0,
];

/// `B₂ₖ / (2k)!`, from k = 1 on.
const ZETA: [f64; 12] = [
    1.0 / 12.0,
    -1.0 / 720.0,
    1.0 / 30_240.0,
    -1.0 / 1_209_600.0,
    1.0 / 47_900_160.0,
    -691.0 / 1_307_674_368_000.0,
    1.0 / 74_724_249_600.0,
    -3_617.0 / 10_670_622_842_880_000.0,
    43_867.0 / 5_109_094_217_170_944_000.0,
    -174_611.0 / 802_857_662_698_291_200_000.0,
    77_683.0 / 14_101_100_039_391_805_440_000.0,
    -236_364_091.0 / 1_693_824_136_731_743_669_452_800_000.0,
];

/// How far an argument is moved up before an asymptotic series is used.
const SHIFT: u32 = 10;

/// ψ(x) for x > 0: the asymptotic series at x + 10, and the recurrence ψ(x + 1) = ψ(x) + 1/x back.
#[inline(always)]
fn digamma_positive(x: f64) -> f64 {
    let mut sum = 0.0;
    for k in (0..SHIFT).rev() {
        sum += 1.0 / (x + f64::from(k));
    }
    let w = x + f64::from(SHIFT);
    let q = 1.0 / w;
    let square = q * q;
    (Float::ln(w) - 0.5 * q + square * poly(square, DIGAMMA)) - sum
}

/// ψ(x); NaN at 0 and the negative integers.
#[inline(always)]
pub(super) fn digamma(x: f64) -> f64 {
    // ψ(x) = ψ(1 - x) - π cot πx
    let mirrored = x <= 0.0;
    let y = digamma_positive(if mirrored { 1.0 - x } else { x });
    let fraction = x - Float::round_ties_even(x);
    let reflected = y - f64::PI / Float::tan(f64::PI * fraction);
    let reflected = if fraction == 0.0 { f64::NAN } else { reflected };
    if mirrored { reflected } else { y }
}

/// xⁿ by squaring.
fn power(mut x: f64, mut n: u32) -> f64 {
    let mut y = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            y *= x;
        }
        x *= x;
        n >>= 1;
    }
    y
}

/// Hurwitz's ζ(s, x) = Σ (x + k)⁻ˢ for x > 0 and s > 1, by the formula of Euler and Maclaurin, where `power` gives x⁻ˢ.
fn zeta_positive(s: f64, x: f64, power: &dyn Fn(f64) -> f64) -> f64 {
    let w = x + f64::from(SHIFT);
    let (q, last) = (1.0 / w, power(w));
    let (mut term, mut tail) = (last * s * q, 0.0);
    if last != 0.0 {
        for (j, coefficient) in ZETA.iter().enumerate() {
            tail += coefficient * term;
            let next = s + (2 * j + 1) as f64;
            term *= next * (next + 1.0) * q * q;
        }
    }
    let mut sum = tail + last * (0.5 + w / (s - 1.0));
    for k in (0..SHIFT).rev() {
        sum += power(x + f64::from(k));
    }
    // Far away the powers underflow before they are multiplied with an infinite argument.
    if x == f64::INFINITY { 0.0 } else { sum }
}

/// ζ(s, x) for integer s ≥ 2 and any x; ∞ at 0 and the negative integers.
fn zeta_of_integer(s: f64, x: f64, power: &dyn Fn(f64) -> f64) -> f64 {
    if x > 0.0 || x.is_nan() {
        zeta_positive(s, x, power)
    } else if x == x.floor() {
        f64::INFINITY
    } else {
        // For x between -m and 1 - m: the terms up to the last negative one, mirrored, and the rest.
        let (up, down) = (x - x.floor(), x.ceil() - x);
        let negative = zeta_positive(s, down, power) - zeta_positive(s, 1.0 - x, power);
        zeta_positive(s, up, power) + if s % 2.0 == 0.0 { negative } else { -negative }
    }
}

/// Hurwitz's `ζ(s, q) = Σ (q + k)⁻ˢ`, the sum over all `k ≥ 0`; ∞ at `s = 1`, NaN below. For negative `q` the exponent
/// must be an integer, else NaN; at the poles 0, -1, .. it is ∞ for even `s`, NaN for others.
pub fn zeta(s: f64, q: f64) -> f64 {
    let power = |x: f64| libm::pow(x, -s);
    if s == 1.0 {
        f64::INFINITY
    } else if s.is_nan() || s < 1.0 {
        f64::NAN
    } else if q > 0.0 {
        zeta_positive(s, q, &power)
    } else if s != s.floor() || (q == q.floor() && s % 2.0 != 0.0) {
        f64::NAN
    } else {
        zeta_of_integer(s, q, &power)
    }
}

/// ψ⁽ⁿ⁾(x) = (-1)ⁿ⁺¹ n! ζ(n + 1, x).
pub(super) fn polygamma(n: u32, x: f64) -> f64 {
    if n == 0 {
        return digamma(x);
    }
    let sum = zeta_of_integer(f64::from(n + 1), x, &|x| power(1.0 / x, n + 1));
    let factorial: f64 = (1..=n).map(f64::from).product();
    if n.is_multiple_of(2) { -factorial * sum } else { factorial * sum }
}

/// The quantile of the normal distribution at 1/2 + q, where `tail` is the probability beyond it, 1/2 - |q| (M. J.
/// Wichura, "Algorithm AS 241", Applied Statistics 37, 1988).
#[inline(always)]
fn quantile(q: f64, tail: f64) -> f64 {
    const NEAR: [&[f64]; 2] = [
        &[
            3.387_132_872_796_366_5,
            133.141_667_891_784_38,
            1_971.590_950_306_551_3,
            13_731.693_765_509_46,
            45_921.953_931_549_87,
            67_265.770_927_008_7,
            33_430.575_583_588_13,
            2_509.080_928_730_122_7,
        ],
        &[
            1.0,
            42.313_330_701_600_91,
            687.187_007_492_057_9,
            5_394.196_021_424_751,
            21_213.794_301_586_597,
            39_307.895_800_092_71,
            28_729.085_735_721_943,
            5_226.495_278_852_854,
        ],
    ];
    const MIDDLE: [&[f64]; 2] = [
        &[
            1.423_437_110_749_683_5,
            4.630_337_846_156_546,
            5.769_497_221_460_691,
            3.647_848_324_763_204_5,
            1.270_458_252_452_368_4,
            0.241_780_725_177_450_6,
            0.022_723_844_989_269_184,
            7.745_450_142_783_414e-4,
        ],
        &[
            1.0,
            2.053_191_626_637_759,
            1.676_384_830_183_803_8,
            0.689_767_334_985_1,
            0.148_103_976_427_480_08,
            0.015_198_666_563_616_457,
            5.475_938_084_995_345e-4,
            1.050_750_071_644_416_9e-9,
        ],
    ];
    const FAR: [&[f64]; 2] = [
        &[
            6.657_904_643_501_103,
            5.463_784_911_164_114,
            1.784_826_539_917_291_3,
            0.296_560_571_828_504_87,
            0.026_532_189_526_576_124,
            0.001_242_660_947_388_078_4,
            2.711_555_568_743_487_6e-5,
            2.010_334_399_292_288_1e-7,
        ],
        &[
            1.0,
            0.599_832_206_555_888,
            0.136_929_880_922_735_8,
            0.014_875_361_290_850_615,
            7.868_691_311_456_133e-4,
            1.846_318_317_510_054_8e-5,
            1.421_511_758_316_446e-7,
            2.044_263_103_389_939_8e-15,
        ],
    ];
    let ratio = |[above, below]: [&[f64]; 2], r: f64| poly(r, above) / poly(r, below);
    let central = q * ratio(NEAR, 0.180_625 - q * q);
    let r = Float::sqrt(-Float::ln(tail));
    let outer = if r <= 5.0 { ratio(MIDDLE, r - 1.6) } else { ratio(FAR, r - 5.0) };
    let outer = if tail == 0.0 { f64::INFINITY } else { outer };
    if q.abs() <= 0.425 { central } else { Float::copysign(outer, q) }
}

/// The inverse of erf: ±∞ at ±1, NaN outside.
#[inline(always)]
pub(super) fn erfinv(x: f64) -> f64 {
    std::f64::consts::FRAC_1_SQRT_2 * quantile(0.5 * x, 0.5 - 0.5 * x.abs())
}

/// The inverse of erfc, exact for small x also: ∞ at 0, -∞ at 2, NaN outside.
#[inline(always)]
pub(super) fn erfcinv(x: f64) -> f64 {
    -std::f64::consts::FRAC_1_SQRT_2 * ndtri(0.5 * x)
}

/// The quantile of the normal distribution: ∓∞ at 0 and 1, NaN outside.
#[inline(always)]
pub(super) fn ndtri(p: f64) -> f64 {
    quantile(p - 0.5, if p < 0.5 { p } else { 1.0 - p })
}
