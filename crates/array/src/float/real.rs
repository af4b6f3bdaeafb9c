//! What the functions need to know about the two types: their bits and the coefficients of the polynomials.

mod double;
mod single;
mod two_over_pi;

/// The part of [`Float`](super::Float) that is private: it seals the trait.
pub trait Real: Sized + 'static {
    /// Adding and subtracting this rounds a number of moderate size to an integer, which the low bits of the sum hold.
    const ROUND: Self;
    /// -log₂ of `EPSILON`.
    const MANTISSA_BITS: Self;
    /// 1 / ln 2.
    const LOG2_E: Self;
    /// ln 2 = `LN_2_HI + LN_2_LO`; the product of the first with an exponent is exact.
    const LN_2_HI: Self;
    /// See `LN_2_HI`.
    const LN_2_LO: Self;
    /// eˣ is 0 at and below this.
    const EXP_MIN: Self;
    /// eˣ is ∞ at and above this; half of it is not.
    const EXP_MAX: Self;
    /// From this on, 1 + e⁻ˣ and 1 + e⁻²ˣ are 1.
    const SATURATED: Self;
    /// (eʳ - 1 - r) / r² on |r| ≤ ln 2 / 2.
    const EXP: &'static [Self];
    /// The nearest number to π/2.
    const PI_2_HI: Self;
    /// The nearest number to π/2 - `PI_2_HI`.
    const PI_2_LO: Self;
    /// Angles below this in size are those of `quadrant_near`.
    const NEAR: Self;
    /// tan π/8 = √2 - 1.
    const TAN_PI_8: Self;
    /// (sin r / r - 1) / r², a polynomial in r², on |r| ≤ π/4.
    const SIN: &'static [Self];
    /// (cos r - 1 + r²/2) / r⁴, in r², on |r| ≤ π/4.
    const COS: &'static [Self];
    /// (asin z / z - 1) / z², in z², on |z| ≤ 1/2.
    const ASIN: &'static [Self];
    /// (atan z / z - 1) / z², in z², on |z| ≤ tan π/8.
    const ATAN: &'static [Self];
    /// erf(x) / x - 1, in x², on |x| ≤ 1.
    const ERF: &'static [Self];
    /// The fourth root of erfc(a), a polynomial in a, for a from 1 to `ERF_ONE`: by the Remez algorithm, with the weight
    /// 4 erfc(a)^¾, which makes it the absolute error of the fourth power. That is below 2⁻²⁶ in f32 and 2⁻⁵⁷ in f64.
    const ERFC_ROOT: &'static [Self];
    /// From this on, and from somewhat before, erf(x) rounds to 1.
    const ERF_ONE: Self;
    /// P of exp(a²/2) Φ(-a) = P(a) / (√(2π) a P(a) + R(a)), for a ≥ 0 up to where Φ(-a) underflows.
    ///
    /// By the Remez algorithm with P(0) = R(0) / 2, for the least relative error (2⁻²⁵ in f32, 2⁻⁵⁸ in f64) on a ≤ 0.7;
    /// beyond a = 2.7, where rounding does less, it may be four times (f64: twice) as large. P and R are then multiplied with
    /// a number: of 400 for f32, that for which [`gelu`](super::Float::gelu) was nearest at a million x.
    const GELU_P: &'static [Self];
    /// The R that belongs to `GELU_P`.
    const GELU_R: &'static [Self];
    /// The K of `ERFCX`.
    const ERFCX_K: Self;
    /// eˣ² erfc(x) (x + K), a polynomial in (x - K) / (x + K), for x ≥ 1/2 up to where erfc(x) underflows.
    const ERFCX: &'static [Self];
    /// (artanh s / s - 1 - s²/3) / s⁴, in s², on |s| ≤ (√2 - 1) / (√2 + 1).
    const ARTANH: &'static [Self];
    /// 1/3 - its nearest number.
    const THIRD_LO: Self;

    /// Random numbers that a block of four words gives.
    const PER_BLOCK: usize;

    /// Numbers in [0, 1), of which the first `PER_BLOCK` count.
    fn units(words: [u32; 4]) -> [Self; 4];
    /// Numbers in (0, 1], as fine as the type allows near 0.
    fn positive_units(words: [u32; 4]) -> [Self; 4];
    /// Two powers of two with the product 2ᵏ, for `t = ROUND + k` and |k| less than twice the largest exponent.
    fn scales(t: Self) -> (Self, Self);
    /// 2ᵏ, for `t = ROUND + k` with an exponent k of a normal number.
    fn scale(t: Self) -> Self;
    /// Mantissa in [√½, √2) and exponent of a positive normal number.
    fn split(self) -> (Self, Self);
    /// 2⁻ᵉ, for the exponent that [`split`](Self::split) found, unless that is the largest.
    fn unscale(e: Self) -> Self;
    /// ln(1 + f) - f + f²/2 for 1 + f in [√½, √2).
    fn ln_tail(f: Self) -> Self;
    /// r in [-π/4, π/4], a little more because of rounding, and t whose lowest two bits are k, with x = k π/2 + r, for
    /// |x| < `NEAR`: π/2 is subtracted in three parts (Cody and Waite, 1980).
    fn quadrant_near(self) -> (Self, Self);
    /// The same for any x, which takes several times as long.
    fn quadrant_far(self) -> (Self, Self);
    /// Bit `i` of the number's bits.
    fn bit(t: Self, i: u32) -> bool;
}

/// Σ c[i] xⁱ
#[inline(always)]
pub(super) fn poly<F: super::Float>(x: F, c: &[F]) -> F {
    c[..c.len() - 1].iter().rev().fold(c[c.len() - 1], |sum, &c| sum.mul_add(x, c))
}

/// What works on bits, and is the same for both types.
macro_rules! bits {
    ($t:ident, $u:ident, $mantissa:expr, $sqrt_half:expr) => {
        #[inline(always)]
        fn scales(t: $t) -> ($t, $t) {
            const BIAS: $u = $t::MAX_EXP as $u - 1;
            // The exponent fields of the two factors add up to k + 2 * BIAS; the high bits of t are shifted out.
            let sum = t.to_bits().wrapping_add(2 * BIAS);
            let first = sum >> 1;
            let second = sum.wrapping_sub(first);
            ($t::from_bits(first << $mantissa), $t::from_bits(second << $mantissa))
        }
        #[inline(always)]
        fn scale(t: $t) -> $t {
            const BIAS: $u = $t::MAX_EXP as $u - 1;
            $t::from_bits(t.to_bits().wrapping_add(BIAS) << $mantissa)
        }
        #[inline(always)]
        fn split(self) -> ($t, $t) {
            const ONE: $u = (1.0 as $t).to_bits();
            const SQRT_HALF: $u = ($sqrt_half as $t).to_bits();
            const INTEGER: $t = ((1 as $u) << $mantissa) as $t;
            const BIAS: $t = ($t::MAX_EXP - 1) as $t;
            // Adding ONE - SQRT_HALF carries into the exponent field where the mantissa is √2 or more.
            let bits = self.to_bits().wrapping_add(ONE - SQRT_HALF);
            let mantissa = (bits & ((1 << $mantissa) - 1)).wrapping_add(SQRT_HALF);
            // The exponent field in the low bits of 2^mantissa is that integer as a number.
            let exponent = $t::from_bits((bits >> $mantissa) | INTEGER.to_bits()) - (INTEGER + BIAS);
            ($t::from_bits(mantissa), exponent)
        }
        #[inline(always)]
        fn bit(t: $t, i: u32) -> bool {
            t.to_bits() & (1 << i) != 0
        }
        #[inline(always)]
        fn unscale(e: $t) -> $t {
            <$t as Real>::scale(Self::ROUND - e)
        }
    };
}
use bits;
