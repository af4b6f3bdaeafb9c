//! Shared by the Rust peers: the counterpart of common.py. No dependencies; include it with
//! `#[path = "../../bench.rs"] mod bench;` and call `bench::main("name", ROWS, make)`.
#![allow(dead_code)]
use std::time::Instant;

/// One call is one step. With `true` it also returns the loss before the update.
pub type Work = Box<dyn FnMut(bool) -> f32>;

pub const ROWS: &[&str] = &[
    "W1",
    "W2",
    "W3.b32",
    "W3.b128",
    "W3.b1024",
    "W4.sgd",
    "W4.momentum",
    "W4.adam",
    "W4.adamw",
    "W4.adam_clip",
    "W4.adam_1000x1000",
    "W5.64",
    "W5.256",
    "W5.512",
    "W5.1024",
    "W5.2048",
    "W5.128x784x512",
    "W5.784x128x512_tA",
    "W6",
    "W7.sgd",
    "W7.adam",
    "W7.lazy_adam",
    "W8",
    "W9",
    "W10",
    "W12",
];

/// (m, k, n, A transposed) of a W5 row.
pub fn w5_dims(row: &str) -> (usize, usize, usize, bool) {
    let s = row.trim_start_matches("W5.");
    let ta = s.ends_with("_tA");
    let d: Vec<usize> = s.trim_end_matches("_tA").split('x').map(|x| x.parse().unwrap()).collect();
    if d.len() == 1 { (d[0], d[0], d[0], false) } else { (d[0], d[1], d[2], ta) }
}

pub struct Rng(u64);
impl Rng {
    pub fn new(seed: u64) -> Self {
        Rng(seed.wrapping_mul(0x9E3779B97F4A7C15) ^ 0x1234567)
    }
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E3779B97F4A7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D049BB133111EB);
        z ^ (z >> 31)
    }
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }
}

pub fn randn(n: usize, seed: u64, scale: f32) -> Vec<f32> {
    let mut r = Rng::new(seed);
    (0..n)
        .map(|_| ((-2.0 * r.unit().ln()).sqrt() * (std::f64::consts::TAU * r.unit()).cos()) as f32 * scale)
        .collect()
}

pub fn randint(n: usize, below: u64, seed: u64) -> Vec<u32> {
    let mut r = Rng::new(seed);
    (0..n).map(|_| (r.next() % below) as u32).collect()
}

/// A tensor of data/w3.safetensors (written by `python common.py`) as bytes.
fn w3_bytes(name: &str) -> Vec<u8> {
    let file = std::fs::read("data/w3.safetensors").expect("run `python common.py` first");
    let n = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let head = std::str::from_utf8(&file[8..8 + n]).unwrap();
    let entry = &head[head.find(&format!("\"{name}\"")).unwrap()..];
    let at = &entry[entry.find("data_offsets").unwrap()..];
    let at = &at[at.find('[').unwrap() + 1..at.find(']').unwrap()];
    let o: Vec<usize> = at.split(',').map(|x| x.trim().parse().unwrap()).collect();
    file[8 + n + o[0]..8 + n + o[1]].to_vec()
}

pub fn w3_f32(name: &str) -> Vec<f32> {
    w3_bytes(name).chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

pub fn w3_labels() -> Vec<u32> {
    w3_bytes("y").chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as u32).collect()
}

/// Median, minimum and maximum over 7 blocks, and the first call, in us.
fn measure(work: &mut Work, max_steps: usize) -> [f64; 4] {
    let mut block = |n: usize| {
        let t = Instant::now();
        (0..n).for_each(|_| {
            work(false);
        });
        t.elapsed().as_secs_f64() * 1e6 / n as f64
    };
    let first = block(1);
    block(3);
    let block_s: f64 = std::env::var("BLOCK_S").map_or(0.25, |s| s.parse().unwrap());
    let n = ((block_s * 1e6 / block(3)) as usize).clamp(1, max_steps);
    block((n / 3).max(1));
    let mut t: Vec<f64> = (0..7).map(|_| block(n)).collect();
    t.sort_by(f64::total_cmp);
    [t[3], t[0], t[6], first]
}

pub fn main(peer: &'static str, make: fn(mode: &str, row: &str) -> Result<Work, String>) {
    let body = move || {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let (mode, words) = args.split_first().expect("usage: MODE WORKLOAD...");
        let head = |row: &str| format!("{{\"peer\":\"{peer}\",\"mode\":\"{mode}\",\"workload\":\"{row}\"");
        for w in words {
            if w == "start" {
                make(mode, "W1").unwrap()(false);
                println!("done");
            } else if let Some(row) = w.strip_prefix("steps:") {
                let mut work = make(mode, row).unwrap();
                (0..50).for_each(|_| {
                    work(false);
                });
            } else if w == "check" {
                let mut work = make(mode, "W3.b128").unwrap();
                let losses: Vec<f32> = (0..11).map(|_| work(true)).collect();
                println!("{},\"metric\":\"losses\",\"losses\":{losses:.6?}}}", head("check"));
            } else {
                for row in ROWS.iter().filter(|r| *r == w || r.split('.').next() == Some(w)) {
                    match make(mode, row) {
                        Err(why) => println!("{},\"metric\":\"skip\",\"why\":\"{why}\"}}", head(row)),
                        Ok(mut work) => {
                            let training =
                                ["W3", "W6", "W8", "W10"].contains(&row.split('.').next().unwrap());
                            let [med, min, max, first] =
                                measure(&mut work, if training { 100 } else { usize::MAX });
                            println!(
                                "{},\"metric\":\"us\",\"median\":{med:.3},\"min\":{min:.3},\"max\":{max:.3},\"first_s\":{:.3}}}",
                                head(row),
                                first / 1e6
                            );
                        }
                    }
                }
            }
        }
    };
    // some peers walk the tape recursively (W12): give them a deep stack; untouched pages cost nothing
    std::thread::Builder::new().stack_size(1 << 30).spawn(body).unwrap().join().unwrap();
}
