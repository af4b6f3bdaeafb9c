//! Single precision.
use super::{Real, bits, poly};

/// 2/π in two pieces, for |x| < 2^27 and for each further factor of 2^27. A larger |x| skips leading bits, whose
/// product with it is a multiple of 4.
const TWO_OVER_PI: [[f64; 2]; 5] = [
    [0.636_619_772_367_581_3, 7.166_494_911_215_068e-17],
    [0.136_619_772_367_581_33, 1.615_379_788_089_285_2e-17],
    [1.468_166_326_901_218_6e-9, 7.696_704_864_039_572e-26],
    [2.276_010_073_078_395_4e-18, 9.372_006_544_409_767e-34],
    [7.696_704_864_039_572e-26, 4.420_676_015_940_119e-42],
];

/// Piece `i` of 2/π for |x| = `a`.
#[inline(always)]
fn two_over_pi(a: f64, i: usize) -> f64 {
    const LIMITS: [f64; 4] = [
        134_217_728.0,
        18_014_398_509_481_984.0,
        2_417_851_639_229_258_349_412_352.0,
        3.245_185_536_584_267_3e32,
    ];
    let p = TWO_OVER_PI[4][i];
    let p = if a < LIMITS[3] { TWO_OVER_PI[3][i] } else { p };
    let p = if a < LIMITS[2] { TWO_OVER_PI[2][i] } else { p };
    let p = if a < LIMITS[1] { TWO_OVER_PI[1][i] } else { p };
    if a < LIMITS[0] { TWO_OVER_PI[0][i] } else { p }
}

impl Real for f32 {
    const ROUND: f32 = 12_582_912.0;
    const MANTISSA_BITS: f32 = 23.0;
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN_2_HI: f32 = 0.693_145_75;
    const LN_2_LO: f32 = 1.428_606_8e-6;
    const EXP_MIN: f32 = -104.0;
    const EXP_MAX: f32 = 89.0;
    const SATURATED: f32 = 10.0;
    const EXP: &'static [f32] =
        &[0.5, 0.166_666_67, 0.041_666_355, 0.008_333_273, 0.001_394_096_9, 0.000_199_142_4];
    const PI_2_HI: f32 = std::f32::consts::FRAC_PI_2;
    const PI_2_LO: f32 = -4.371_139e-8;
    const NEAR: f32 = 262_144.0;
    const TAN_PI_8: f32 = 0.414_213_57;
    const SIN: &'static [f32] = &[-0.166_666_55, 0.008_332_176, -0.000_195_169_56];
    const COS: &'static [f32] = &[0.041_666_646, -0.001_388_737_2, 2.443_875e-5];
    const ASIN: &'static [f32] = &[0.166_667_5, 0.074_953_34, 0.045_467_567, 0.024_187_908, 0.042_158_533];
    const ATAN: &'static [f32] = &[-0.333_333_16, 0.199_985_28, -0.142_444_42, 0.105_996_47, -0.060_913_153];
    const ERF: &'static [f32] = &[
        0.128_379_17,
        -0.376_126_26,
        0.112_836,
        -0.026_854_446,
        0.005_189_537_5,
        -0.000_802_086_14,
        7.889_184e-5,
    ];
    const ERFC_ROOT: &'static [f32] = &[
        1.002_190_4,
        -0.293_649_73,
        -0.093_175_79,
        -0.017_690_783,
        0.043_970_56,
        -0.012_824_758,
        0.000_797_187_97,
        0.000_174_586_5,
        -2.204_247_7e-5,
    ];
    const ERF_ONE: f32 = 4.0;
    const GELU_P: &'static [f32] = &[0.360_026_12, 0.338_637_92, 0.149_402_01, 0.035_238_02, 0.003_870_494_7];
    const GELU_R: &'static [f32] = &[0.720_052_24, 0.349_343_36, 0.088_718_094, 0.009_690_917];
    const ERFCX_K: f32 = 2.0;
    const ERFCX: &'static [f32] = &[
        1.021_582_7,
        -0.687_160_7,
        0.279_471_9,
        -0.036_443_74,
        -0.021_506_26,
        0.006_494_937,
        0.003_055_369_7,
        -0.000_899_623_96,
        -0.000_546_078_5,
        0.000_126_505_43,
    ];
    const ARTANH: &'static [f32] = &[0.200_000_24, 0.142_782_63, 0.116_080_71];
    const THIRD_LO: f32 = -9.934_108e-9;

    const PER_BLOCK: usize = 4;

    #[inline(always)]
    fn units(words: [u32; 4]) -> [f32; 4] {
        const UNIT: f32 = 1.0 / (1 << 24) as f32;
        words.map(|word| (word >> 8) as i32 as f32 * UNIT)
    }
    #[inline(always)]
    fn positive_units(words: [u32; 4]) -> [f32; 4] {
        const UNIT: f32 = 1.0 / (1_u64 << 32) as f32;
        words.map(|word| (word as f32).mul_add(UNIT, UNIT))
    }

    bits!(f32, u32, 23, std::f32::consts::FRAC_1_SQRT_2);

    #[inline(always)]
    fn ln_tail(f: f32) -> f32 {
        const C: &[f32] = &[
            0.333_333_1,
            -0.249_999_87,
            0.200_021_46,
            -0.166_692_17,
            0.142_200_14,
            -0.123_855_37,
            0.118_651_66,
            -0.117_808_1,
            0.069_211_21,
        ];
        f * f * f * poly(f, C)
    }

    #[inline(always)]
    fn quadrant_near(self) -> (f32, f32) {
        const PI_2_LO_LO: f32 = -1.715_124_5e-15;
        let t = self.mul_add(std::f32::consts::FRAC_2_PI, f32::ROUND);
        let k = t - f32::ROUND;
        // The inner one is exact: a multiple of 2⁻²⁴ below 1. The other two round once each, to 24 bits of what is left of
        // x, however near x is to a multiple of π/2.
        let r = k.mul_add(-f32::PI_2_LO, k.mul_add(-f32::PI_2_HI, self));
        (k.mul_add(-PI_2_LO_LO, r), t)
    }

    #[inline(always)]
    fn quadrant_far(self) -> (f32, f32) {
        // x · 2/π in f64, as the sum of a product, what its rounding lost, and a small product.
        const R: f64 = <f64 as Real>::ROUND;
        let x = f64::from(self);
        let p = two_over_pi(x.abs(), 0);
        let product = x * p;
        let rest = x.mul_add(two_over_pi(x.abs(), 1), x.mul_add(p, -product));
        let modulo_4 = (product.mul_add(0.25, R) - R).mul_add(-4.0, product);
        let k = (modulo_4 + R) - R;
        let f = (modulo_4 - k) + rest;
        let carry = (f + R) - R;
        let r = (f - carry) * std::f64::consts::FRAC_PI_2;
        (r as f32, f32::from_bits((k + carry + R).to_bits() as u32))
    }
}
