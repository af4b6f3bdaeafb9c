//! Double precision.
use super::two_over_pi::TWO_OVER_PI;
use super::{Real, bits, poly};

impl Real for f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const MANTISSA_BITS: f64 = 52.0;
    const LOG2_E: f64 = std::f64::consts::LOG2_E;
    const LN_2_HI: f64 = 0.693_147_180_559_663;
    const LN_2_LO: f64 = 2.823_529_056_303_157_7e-13;
    const EXP_MIN: f64 = -746.0;
    const EXP_MAX: f64 = 710.0;
    const SATURATED: f64 = 20.0;
    const EXP: &'static [f64] = &[
        0.5,
        0.166_666_666_666_666_77,
        0.041_666_666_666_666_7,
        0.008_333_333_333_321_648,
        0.001_388_888_888_886_698_6,
        0.000_198_412_698_860_844_3,
        2.480_158_736_030_925_3e-5,
        2.755_724_425_043_972_6e-6,
        2.755_724_294_113_96e-7,
        2.510_902_268_084_748e-8,
        2.092_439_450_961_623e-9,
    ];
    const PI_2_HI: f64 = std::f64::consts::FRAC_PI_2;
    const PI_2_LO: f64 = 6.123_233_995_736_766e-17;
    /// From 2⁴⁶ on the quotient by π/2 is no longer sure to the last bit.
    const NEAR: f64 = 70_368_744_177_664.0;
    const TAN_PI_8: f64 = 0.414_213_562_373_095_03;
    const SIN: &'static [f64] = &[
        -0.166_666_666_666_666_32,
        0.008_333_333_333_322_455,
        -0.000_198_412_698_298_164_79,
        2.755_731_368_904_006_5e-6,
        -2.505_075_697_082_983_2e-8,
        1.589_669_726_714_599e-10,
    ];
    const COS: &'static [f64] = &[
        0.041_666_666_666_666_616,
        -0.001_388_888_888_887_600_3,
        2.480_158_729_048_786_7e-5,
        -2.755_731_460_729_498e-7,
        2.087_575_419_181_150_6e-9,
        -1.136_109_367_673_915_9e-11,
    ];
    const ASIN: &'static [f64] = &[
        0.166_666_666_666_656_47,
        0.075_000_000_002_961_53,
        0.044_642_856_854_727_526,
        0.030_381_958_245_760_652,
        0.022_371_776_070_265_12,
        0.017_359_470_737_665_06,
        0.013_887_257_802_167_718,
        0.012_157_451_576_915_316,
        0.006_573_465_105_687_313,
        0.019_416_028_359_083_307,
        -0.016_064_410_614_008_075,
        0.031_812_281_599_119_405,
    ];
    const ATAN: &'static [f64] = &[
        -0.333_333_333_333_332_3,
        0.199_999_999_999_613_35,
        -0.142_857_142_808_443_8,
        0.111_111_108_113_956_47,
        -0.090_908_984_678_595_9,
        0.076_920_715_743_654_92,
        -0.066_632_216_303_955_33,
        0.058_486_758_503_256_66,
        -0.050_425_875_609_776_86,
        0.038_142_295_863_800_73,
        -0.017_986_951_788_974_05,
    ];
    const ERF: &'static [f64] = &[
        0.128_379_167_095_512_6,
        -0.376_126_389_031_837_5,
        0.112_837_916_709_548_85,
        -0.026_866_170_645_077_87,
        0.005_223_977_624_828_398_5,
        -0.000_854_832_698_142_404_8,
        0.000_120_553_311_329_132_91,
        -1.492_559_577_141_841_4e-5,
        1.646_100_846_923_569_7e-6,
        -1.635_039_616_600_527e-7,
        1.466_032_853_983_394_2e-8,
        -1.137_495_570_359_615e-9,
        5.960_686_283_472_96e-11,
    ];
    const ERFCX_K: f64 = 4.0;
    const ERFCX: &'static [f64] = &[
        1.095_995_661_000_491,
        -0.976_548_729_080_882,
        0.773_208_702_265_236_1,
        -0.540_853_831_313_235_3,
        0.330_851_587_878_076_67,
        -0.174_010_937_239_939_16,
        0.076_381_514_907_668_08,
        -0.026_370_053_340_049_81,
        0.006_112_055_677_120_789,
        -0.000_280_958_869_924_528_1,
        -0.000_455_052_847_924_080_57,
        0.000_176_812_853_656_500_05,
        -3.634_387_914_813_528e-6,
        -1.886_104_403_931_672e-5,
        4.692_019_102_932_998e-6,
        1.424_603_855_426_055e-6,
        -8.415_436_741_129_266e-7,
        -7.613_709_574_090_058e-8,
        1.186_280_826_947_528_4e-7,
        1.330_813_440_269_519e-9,
        -1.184_431_557_297_048_2e-8,
    ];
    const ARTANH: &'static [f64] = &[
        0.200_000_000_000_000_43,
        0.142_857_142_856_066_18,
        0.111_111_111_574_749_91,
        0.090_909_012_403_090_6,
        0.076_929_624_604_244_61,
        0.066_380_045_232_662_51,
        0.065_104_091_855_582_11,
    ];
    const THIRD_LO: f64 = 1.850_371_707_708_594e-17;

    const PER_BLOCK: usize = 2;

    #[inline(always)]
    fn units(words: [u32; 4]) -> [f64; 4] {
        const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
        // 26 and 27 bits: the conversion of 32-bit integers is what every instruction set has.
        let unit = |high: u32, low: u32| {
            let high = f64::from((high >> 6) as i32);
            high.mul_add((1 << 27) as f64, f64::from((low >> 5) as i32)) * UNIT
        };
        let (a, b) = (unit(words[0], words[1]), unit(words[2], words[3]));
        [a, b, a, b]
    }
    #[inline(always)]
    fn positive_units(words: [u32; 4]) -> [f64; 4] {
        Self::units(words).map(|u| u + 1.0 / (1_u64 << 53) as f64)
    }

    bits!(f64, u64, 52, std::f64::consts::FRAC_1_SQRT_2);

    #[inline(always)]
    fn ln_tail(f: f64) -> f64 {
        // With s = f / (2 + f): ln(1 + f) = 2 artanh(s) = f - s (f - R) and R = 2 artanh(s) / s - 2.
        const C: &[f64] = &[
            0.666_666_666_666_666_6,
            0.400_000_000_000_036_44,
            0.285_714_285_697_687_64,
            0.222_222_225_594_179_67,
            0.181_817_817_566_543_05,
            0.153_868_544_137_875_73,
            0.132_549_147_673_264_03,
            0.132_116_273_509_844_73,
        ];
        let s = f / (2.0 + f);
        let w = s * s;
        s * (0.5 * f * f + w * poly(w, C))
    }

    #[inline(always)]
    fn quadrant_near(self) -> (f64, f64) {
        const PI_2_LO_LO: f64 = -1.497_384_904_859_169_8e-33;
        let t = self.mul_add(std::f64::consts::FRAC_2_PI, f64::ROUND);
        let k = t - f64::ROUND;
        // Exact: the fused operation rounds once, and the difference has few enough bits.
        let r = k.mul_add(-f64::PI_2_HI, self);
        let product = k * f64::PI_2_LO;
        let lost = k.mul_add(f64::PI_2_LO, -product);
        let hi = r - product;
        (hi + k.mul_add(-PI_2_LO_LO, ((r - hi) - product) - lost), t)
    }

    /// The product with those bits of 2/π that matter (Payne and Hanek, 1983).
    #[inline(always)]
    fn quadrant_far(self) -> (f64, f64) {
        const R: f64 = f64::ROUND;
        const EXPONENT: u64 = f64::NEAR.to_bits() >> 52;
        let exponent = (self.abs().to_bits() >> 52).wrapping_sub(EXPONENT);
        let bits = &TWO_OVER_PI[(exponent >> 5) as usize % TWO_OVER_PI.len()];
        let x = self * (0.5 / (1_u128 << 127) as f64);
        // Products and what their rounding loses; whole turns are left out at once.
        let [a, b, c] = [bits[0], bits[1], bits[2]].map(|p| x * p);
        let [a_lo, b_lo, c_lo] =
            [(a, bits[0]), (b, bits[1]), (c, bits[2])].map(|(product, p)| x.mul_add(p, -product));
        let a = (0.25 * a).round_ties_even().mul_add(-4.0, a);
        let [k0, k1, k2] = [a, a_lo, b].map(|v| (v + R) - R);
        let (mut sum, mut low) = (a - k0, x.mul_add(bits[3], c_lo));
        for term in [a_lo - k1, b - k2, b_lo, c] {
            let lost;
            (sum, lost) = two_sum(sum, term);
            low += lost;
        }
        let k3 = (sum + R) - R;
        let (f, f_lo) = two_sum(sum - k3, low);
        let r = f.mul_add(f64::PI_2_HI, f.mul_add(f64::PI_2_LO, f_lo * f64::PI_2_HI));
        (r, k0 + k1 + k2 + k3 + R)
    }
}

/// a + b and what its rounding loses (Knuth).
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}
