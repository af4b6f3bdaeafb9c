//! Files that ask for much more memory than they have bytes.
use super::checkpoints::sealed;
use super::npzs::{Member, archive, npy};
use super::{Case, Kind};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write;

const LARGE: usize = 15 << 20;

/// As many copies of a text as fit into `bytes`.
fn filled(text: &str, bytes: usize) -> String {
    text.repeat(bytes / text.len())
}

fn array(name: &str, dtype: &str, shape: &str) -> String {
    format!("\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":[{shape}],\"data_offsets\":[0,0]}}")
}

fn arrays(count: usize) -> String {
    (0..count).map(|i| array(&format!("{i}"), "F32", "0")).collect::<Vec<_>>().join(",")
}

/// Headers of safetensors files, without the braces.
fn headers() -> Vec<(&'static str, String)> {
    let names: Vec<_> = (0..14_000).map(|i| array(&format!("{i:01000}"), "F32", "0")).collect();
    let entries: Vec<_> = (0..LARGE / 12).map(|i| format!("\"{i}\":\"\"")).collect();
    vec![
        ("arrays without number", arrays(200_000)),
        ("a long name", array(&"x".repeat(LARGE), "F32", "0")),
        ("a long name of escapes", array(&filled("\\u0041", LARGE), "F32", "0")),
        ("names that are as long as allowed", names.join(",") + ","),
        ("a long type", array("x", &filled("\\n", LARGE), "0")),
        ("a long shape", array("x", "F32", &format!("{}1", filled("1,", LARGE)))),
        ("a long unknown key", format!("\"x\":{{\"{}\":1}}", filled("\\n", LARGE))),
        ("nested lists", format!("\"x\":{}", filled("[", LARGE))),
        ("nested objects", filled("\"\":{", LARGE)),
        ("metadata without number", metadata(&entries.join(","))),
    ]
}

fn metadata(text: &str) -> String {
    format!("\"__metadata__\":{{{text}}}")
}

/// Metadata that a safetensors file may have, and a checkpoint, which has others, may not.
fn long_metadata() -> Vec<(&'static str, String)> {
    let text = "x".repeat(LARGE / 64);
    let long: Vec<_> = (0..64).map(|i| format!("\"{i}\":\"{text}\"")).collect();
    vec![
        ("long metadata", metadata(&long.join(","))),
        ("a long value in the metadata", metadata(&format!("\"\":\"{}\"", filled("\\n", LARGE)))),
    ]
}

/// JSON of nearly as many bytes as are allowed.
fn jsons() -> Vec<(&'static str, String)> {
    const BYTES: usize = 255 << 10;
    let list = |element: &str| format!("[{}0]", filled(&format!("{element},"), BYTES));
    let nested = |open: &str, close: &str| format!("{}0{}", open.repeat(120), close.repeat(120));
    let keys: Vec<_> = (0..BYTES / 9).map(|i| format!("\"{i}\":0")).collect();
    vec![
        ("numbers", list("0")),
        ("lists", list("[0]")),
        ("objects", list("{\"\":0}")),
        ("nested objects", list(&nested("{\"\":", "}"))),
        ("nested lists", list(&nested("[", "]"))),
        ("deep lists", filled("[", BYTES)),
        ("keys", format!("{{{}}}", keys.join(","))),
        ("a long string", format!("\"{}\"", filled("\\n", BYTES))),
        ("a long number", filled("1", BYTES)),
        ("too many numbers", format!("[{}0]", filled("0,", LARGE))),
    ]
}

fn deflated(zeros: usize, start: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(start).unwrap();
    let piece = vec![0; 1 << 16];
    (0..zeros / piece.len()).for_each(|_| encoder.write_all(&piece).unwrap());
    encoder.finish().unwrap()
}

fn archives() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = 128 << 20;
    let header = npy(&format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},)}}", zeros / 4), &[]);
    let bomb = Member {
        method: 8,
        length: (zeros + header.len()) as u32,
        ..Member::stored("x.npy", deflated(zeros, &header))
    };
    let small = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", &[0; 8]);
    let disguised = Member { length: small.len() as u32, ..bomb.clone() };
    let unread =
        Member { method: 8, length: small.len() as u32, ..Member::stored("x.npy", deflated(zeros, &small)) };
    let many = (0..65_535).map(|i| Member::stored(&format!("{i}"), Vec::new())).collect::<Vec<_>>();
    vec![
        ("zeros", archive(std::slice::from_ref(&bomb))),
        ("zeros, said to be few", archive(&[disguised])),
        ("zeros behind an array", archive(&[unread])),
        ("many times zeros", archive(&vec![bomb; 30])),
        ("members without number", archive(&many)),
    ]
}

/// All of them.
pub(crate) fn all() -> Vec<(Kind, Case)> {
    let mut cases = Vec::new();
    let mut add = |kind: Kind, name: String, bytes| cases.push((kind, Case { name, bytes }));
    let beginning = format!("{{\"__metadata__\":{{\"checksum\":\"{}\"}},", "0".repeat(64));
    for (name, header) in headers() {
        add(Kind::Safetensors, format!("safetensors with {name}"), sealed_plain(&format!("{{{header}}}")));
    }
    for (name, header) in headers().into_iter().chain(long_metadata()) {
        add(
            Kind::Checkpoint,
            format!("a checkpoint with {name}"),
            sealed(&format!("{beginning}{header}}}"), &[]),
        );
    }
    for (name, json) in jsons() {
        let quoted = serde_json::Value::from(json.as_str());
        let start = format!(
            "{{\"__metadata__\":{{\"checksum\":\"{}\",\"format\":\"slalom-checkpoint\"",
            "0".repeat(64)
        );
        let header = format!("{start},\"version\":\"1\",\"isa\":\"\",\"values\":{quoted}}}}}");
        add(Kind::Checkpoint, format!("a checkpoint with {name}"), sealed(&header, &[]));
        add(Kind::Config, format!("a config of {name}"), json.into_bytes());
    }
    add(Kind::Checkpoint, "a checkpoint of one weight many times".to_owned(), repeated_weight());
    for (name, bytes) in archives() {
        add(Kind::Npz, format!("an archive of {name}"), bytes);
    }
    cases
}

/// A checkpoint whose optimizer has one array with a long name, again and again among its weights.
fn repeated_weight() -> Vec<u8> {
    const COUNT: usize = 1 << 20;
    let values = r#"{"optimizers":{"":{}},"default_generator":[1,2],"generators":{},"values":{}}"#;
    let metadata = [("format", "slalom-checkpoint"), ("version", "1"), ("isa", ""), ("values", values)];
    let metadata = metadata.map(|(key, value)| format!("\"{key}\":{}", serde_json::Value::from(value)));
    let weights = format!("{{\"dtype\":\"I32\",\"shape\":[{COUNT}],\"data_offsets\":[0,{}]}}", 4 * COUNT);
    let header = format!(
        "{{\"__metadata__\":{{\"checksum\":\"{}\",{}}},{},\"weights\":{weights}}}",
        "0".repeat(64),
        metadata.join(","),
        array(&"x".repeat(1000), "F32", "0"),
    );
    sealed(&header, &vec![0; 4 * COUNT])
}

fn sealed_plain(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

/// Safetensors files that are valid, and as large as they may be.
pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let mut headers = long_metadata();
    headers.push(("many arrays", arrays(100_000)));
    headers.into_iter().map(|(name, header)| (name, sealed_plain(&format!("{{{header}}}")))).collect()
}
