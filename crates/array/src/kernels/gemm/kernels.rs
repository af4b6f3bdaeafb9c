//! The tables of compiled kernels, one for each element type and instruction set.
use super::matvec::{self, MatVec, MatVecFn};
use super::pack::{PackFn, Panel, pack};
use super::simd::{Portable, Simd};
use super::tile::{Tile, TileFn, tile};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};
use crate::Isa;

/// The kernels for one element type and instruction set.
pub(in crate::kernels) struct Kernels<T: 'static> {
    /// Elements in a vector.
    pub lanes: usize,
    /// `tiles[v - 1][r - 1]` computes tiles of `r` rows and `v` vectors. The wider, the fewer rows.
    pub tiles: &'static [&'static [TileFn<T>]],
    pub pack: PackFn<T>,
    /// Matrix times vector where the rows of the matrix are contiguous.
    pub rows: MatVecFn<T>,
    /// The same where its columns are contiguous; gives the same bits.
    pub columns: MatVecFn<T>,
}

/// Element types that have vector kernels.
pub(in crate::kernels) trait Float:
    Copy + Send + Sync + num_traits::Float + 'static
{
    /// The kernels for an instruction set that the processor has.
    fn kernels(isa: Isa) -> &'static Kernels<Self>;
}

/// A table of tiles: `name, [rows...]` for each number of vectors.
macro_rules! tiles {
    ($tile:ident, $s:ty, $($nv:literal: [$($mr:literal)*]),*) => {
        &[$(&[$($tile::<$s, $mr, $nv>),*]),*]
    };
}

macro_rules! kernels {
    ($s:ty, $tile:ident, $pack:ident, $rows:ident, $columns:ident, $($table:tt)*) => {
        &Kernels {
            lanes: <$s as Simd>::LANES,
            tiles: tiles!($tile, $s, $($table)*),
            pack: $pack::<$s>,
            rows: $rows::<$s>,
            columns: $columns::<$s>,
        }
    };
}

/// Tiles for sixteen registers and for thirty-two. Portable code has fewer, as each takes time to build.
#[cfg(target_arch = "x86_64")]
macro_rules! registers_16 {
    ($($head:tt)*) => {
        kernels!($($head)*, 1: [1 2 3 4 5 6], 2: [1 2 3 4 5 6], 3: [1 2 3 4], 4: [1 2])
    };
}
#[cfg(target_arch = "x86_64")]
macro_rules! registers_32 {
    ($($head:tt)*) => {
        kernels!(
            $($head)*,
            1: [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
            2: [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
            3: [1 2 3 4 5 6 7 8],
            4: [1 2 3 4 5 6]
        )
    };
}

macro_rules! float {
    ($t:ty) => {
        impl Float for $t {
            // One copy of the tables.
            #[inline(never)]
            fn kernels(isa: Isa) -> &'static Kernels<$t> {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => {
                        registers_32!(Avx512<$t>, tile_avx512, pack_avx512, rows_avx512, columns_avx512)
                    }
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => registers_16!(Avx2<$t>, tile_avx2, pack_avx2, rows_avx2, columns_avx2),
                    _ => kernels!(
                        Portable<$t>,
                        tile_portable,
                        pack_portable,
                        rows_portable,
                        columns_portable,
                        1: [1 2 3 4 5 6],
                        2: [1 2 3 4 5 6]
                    ),
                }
            }
        }
    };
}
float!(f32);
float!(f64);

/// The generic kernels, compiled with an instruction set switched on, if there is one.
macro_rules! compile {
    ($($features:literal,)? $tile:ident, $pack:ident, $rows:ident, $columns:ident) => {
        $(#[target_feature(enable = $features)])?
        unsafe fn $tile<S: Simd, const MR: usize, const NV: usize>(t: &Tile<S::Elem>) {
            // SAFETY: the caller's promise is passed on.
            unsafe { tile::<S, MR, NV>(t) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn $pack<S: Simd>(p: &Panel<S::Elem>) {
            // SAFETY: the caller's promise is passed on.
            unsafe { pack::<S>(p) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn $rows<S: Simd<Elem: num_traits::Float>>(p: &MatVec<S::Elem>) {
            // SAFETY: the caller's promise is passed on.
            unsafe { matvec::rows::<S>(p) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn $columns<S: Simd<Elem: num_traits::Float>>(p: &MatVec<S::Elem>) {
            // SAFETY: the caller's promise is passed on.
            unsafe { matvec::columns::<S>(p) }
        }
    };
}
#[cfg(target_arch = "x86_64")]
compile!(
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma",
    tile_avx512,
    pack_avx512,
    rows_avx512,
    columns_avx512
);
compile!(tile_portable, pack_portable, rows_portable, columns_portable);
#[cfg(target_arch = "x86_64")]
compile!("avx2,fma", tile_avx2, pack_avx2, rows_avx2, columns_avx2);
