//! How a product is cut, and what of it is packed.
use super::Mat;
use super::kernels::Kernels;

/// Bytes of a row of the left operand in one pass over the summed dimension.
const PASS_BYTES: usize = 2048;
/// Most rows and columns of a chunk.
const MAX_ROWS: usize = 112;
const MAX_COLUMNS: usize = 512;
/// A product of fewer multiply-adds is not cut: it takes less than a hundred microseconds.
const SERIAL_WORK: usize = 1 << 22;
/// A chunk of fewer multiply-adds is not cut further.
const MIN_WORK: usize = 1 << 21;
/// Chunks beyond which no more are made.
const ENOUGH_CHUNKS: usize = 16;
/// Up to this many rows, a right operand is read where it is, if its rows are contiguous.
const DIRECT_ROWS: usize = 256;
/// Up to this many even if its rows compete for the cache.
const FEW_ROWS: usize = 96;
/// Addresses that are a multiple of this apart compete for the same few places in the first-level cache.
const WAY_BYTES: usize = 4096;

/// How a product is cut. It depends on the shape, the strides and the kernels alone.
pub(super) struct Plan {
    /// Rows and columns of a tile.
    pub mr: usize,
    pub nr: usize,
    /// Rows and columns of a chunk: multiples of the tile's, or all.
    pub mc: usize,
    pub nc: usize,
    /// Steps along the summed dimension in one pass.
    pub kc: usize,
    /// Whether the operands are packed.
    pub pack_a: bool,
    pub pack_b: bool,
}

impl Plan {
    /// The plan for `a b`; no dimension is zero.
    pub(super) fn new<T>(kernels: &Kernels<T>, a: &Mat<T>, b: &Mat<T>) -> Plan {
        let (m, k, n) = (a.rows, a.cols, b.cols);
        let (mr, nr) = tile(kernels, m, n);
        let (mc, nc) = chunk((m, k, n), (mr, nr));
        let kc = even(k, PASS_BYTES / size_of::<T>());
        Plan { mr, nr, mc, nc, kc, pack_a: pack_a(a, mr, kc, n > nr), pack_b: pack_b(b, m, kc) }
    }
}

/// Rows and columns of a tile: wide where there are few rows, and of even height.
fn tile<T>(kernels: &Kernels<T>, m: usize, n: usize) -> (usize, usize) {
    let widest = kernels.tiles.iter().rposition(|tiles| m <= tiles.len()).map_or(2, |v| (v + 1).max(2));
    let vectors = widest.min(n.div_ceil(kernels.lanes));
    let tallest = kernels.tiles[vectors - 1].len();
    (even(m, tallest), vectors * kernels.lanes)
}

/// The size of even parts of `total` that are not larger than `limit`.
fn even(total: usize, limit: usize) -> usize {
    if total <= limit { total } else { total.div_ceil(total.div_ceil(limit)) }
}

/// Rows and columns of a chunk: the whole result, or the largest chunk cut in halves until there are enough of them.
fn chunk((m, k, n): (usize, usize, usize), (mr, nr): (usize, usize)) -> (usize, usize) {
    if m * n * k < SERIAL_WORK {
        return (m, n);
    }
    let (mut down, mut across) = (m.min(MAX_ROWS).div_ceil(mr), n.min(MAX_COLUMNS).div_ceil(nr));
    loop {
        let (mc, nc) = (down * mr, across * nr);
        let chunks = m.div_ceil(mc) * n.div_ceil(nc);
        if chunks >= ENOUGH_CHUNKS || mc * nc * k < MIN_WORK || (down == 1 && across == 1) {
            return (mc, nc);
        }
        if down > 1 && (nc < 4 * mc || across == 1) {
            down = down.div_ceil(2);
        } else {
            across = across.div_ceil(2);
        }
    }
}

/// How many bytes apart the places in the cache are that elements `stride` apart fall on.
fn spread<T>(stride: isize) -> usize {
    let (mut x, mut y) = (WAY_BYTES, stride.unsigned_abs() * size_of::<T>());
    while y > 0 {
        (x, y) = (y, x % y);
    }
    x
}

/// Tiles read the left operand where it is if its rows or columns are contiguous and do not compete for the cache.
fn pack_a<T>(a: &Mat<T>, mr: usize, kc: usize, reused: bool) -> bool {
    if a.col_stride == 1 {
        mr > 8 && spread::<T>(a.row_stride) == WAY_BYTES
    } else {
        reused && (a.row_stride != 1 || kc * spread::<T>(a.col_stride) > 1 << 20)
    }
}

/// Tiles read the right operand where it is if its rows are contiguous, and either few tiles read it or its rows do
/// not compete for the cache.
fn pack_b<T>(b: &Mat<T>, m: usize, kc: usize) -> bool {
    let direct = m <= FEW_ROWS || (m <= DIRECT_ROWS && kc * spread::<T>(b.row_stride) < 1 << 20);
    b.col_stride != 1 || !direct
}
