//! Checkpoints and safetensors files.
use super::{Case, Kind, Valid};
use crate::common;
use sha2::{Digest, Sha256};
use slalom_array::{Array, DType, Generator, Result};
use slalom_checkpoint::{Checkpoint, write_arrays};
use slalom_optim::rules::{Adam, Sgd};
use slalom_optim::{Optimizer, rules};
use slalom_variable::Variable;

/// Where the checksum stands in a file.
const CHECKSUM: std::ops::Range<usize> = 37..101;

fn bytes_of(checkpoint: &Checkpoint) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("x");
    checkpoint.save(&path)?;
    Ok(std::fs::read(path)?)
}

/// A file of a header and the bytes behind it, with the right length and checksum.
pub(crate) fn sealed(header: &str, data: &[u8]) -> Vec<u8> {
    let header = header.as_bytes();
    let mut bytes = [&(header.len() as u64).to_le_bytes(), header, data].concat();
    if bytes.len() >= CHECKSUM.end {
        bytes[CHECKSUM].fill(b'0');
        let digits: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        bytes[CHECKSUM].copy_from_slice(digits.as_bytes());
    }
    bytes
}

/// The header and the bytes behind it.
fn parts(bytes: &[u8]) -> (String, &[u8]) {
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (String::from_utf8(bytes[8..8 + n].to_vec()).unwrap(), &bytes[8 + n..])
}

/// What is wrong in a header, as replacements of text.
const WRONG: &[(&str, &str)] = &[
    // offsets that overlap, leave a hole, are reversed, overflow or are not numbers
    ("[0,8]", "[0,9]"),
    ("[0,8]", "[8,0]"),
    ("[0,8]", "[1,8]"),
    ("[0,8]", "[8,16]"),
    ("[0,8]", "[0,18446744073709551615]"),
    ("[0,8]", "[18446744073709551608,18446744073709551615]"),
    ("[0,8]", "[0,18446744073709551616]"),
    ("[0,8]", "[-8,0]"),
    ("[0,8]", "[0.0,8.0]"),
    ("[0,8]", "[0]"),
    ("[0,8]", "[0,8,16]"),
    ("[0,8]", "[]"),
    ("[0,8]", "null"),
    ("[0,8]", "\"0,8\""),
    ("[8,12]", "[0,4]"),
    ("[8,12]", "[4,8]"),
    ("[8,12]", "[12,16]"),
    // shapes
    ("\"shape\":[]", "\"shape\":[2]"),
    ("\"shape\":[]", "\"shape\":[0]"),
    ("\"shape\":[]", "\"shape\":[-1]"),
    ("\"shape\":[]", "\"shape\":[1.5]"),
    ("\"shape\":[]", "\"shape\":[4294967296,4294967296]"),
    ("\"shape\":[]", "\"shape\":[9223372036854775807]"),
    ("\"shape\":[]", "\"shape\":[18446744073709551615,2]"),
    ("\"shape\":[]", "\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"),
    ("\"shape\":[]", "\"shape\":null"),
    ("\"shape\":[]", "\"shape\":{}"),
    ("\"shape\":[],", ""),
    ("\"shape\":[]", "\"shape\":[],\"shape\":[]"),
    // element types
    ("\"I64\"", "\"F64\""),
    ("\"I64\"", "\"I32\""),
    ("\"I64\"", "\"U64\""),
    ("\"I64\"", "\"BF16\""),
    ("\"I64\"", "\"i64\""),
    ("\"I64\"", "\"\""),
    ("\"I64\"", "8"),
    ("\"F32\"", "\"F16\""),
    ("\"F32\"", "\"I32\""),
    ("\"dtype\":\"I64\",", ""),
    ("\"dtype\":\"I64\"", "\"dtype\":\"I64\",\"dtype\":\"I64\""),
    ("\"dtype\":\"I64\"", "\"dtype\":\"I64\",\"type\":\"I64\""),
    // names
    ("\"iterations\"", "\"iteration\""),
    ("\"iterations\"", "\"variables/w\""),
    ("\"iterations\"", "\"__metadata__\""),
    ("\"iterations\"", "\"\""),
    ("\"iterations\"", "\"\\ud800\""),
    ("\"iterations\"", "\"optimizers/none/iterations\""),
    ("\"variables/w\"", "\"variables/v\""),
    ("\"slots/w/m\"", "\"slots/w/v\""),
    ("\"slots/w/m\"", "\"slots/w/momentum\""),
    // metadata
    ("slalom-checkpoint", "slalom-checkpoints"),
    ("\"version\":\"1\"", "\"version\":\"2\""),
    ("\"version\":\"1\"", "\"version\":1"),
    ("\"version\":\"1\",", ""),
    ("\"version\":\"1\"", "\"version\":\"1\",\"version\":\"1\""),
    ("\"version\":\"1\"", "\"version\":\"1\",\"format\":\"slalom-checkpoint\""),
    ("\"values\":", "\"value\":"),
    ("\"values\":\"{", "\"values\":\"["),
    ("\"values\":\"{", "\"values\":\"{{"),
    ("\"values\":\"{", "\"values\":\"{\\\"values\\\":{},"),
    ("\"values\":\"{", "\"values\":\"{\\\"more\\\":{},"),
    // values
    ("\\\"default_generator\\\":[", "\\\"default_generator\\\":[1,"),
    ("\\\"default_generator\\\":[", "\\\"default_generator\\\":[-"),
    ("\\\"generators\\\":{", "\\\"generators\\\":{\\\"none\\\":[1,2]}, \\\"more\\\":{"),
    ("\\\"generators\\\":{}", "\\\"generators\\\":{\\\"none\\\":[1,2]}"),
    ("\\\"generators\\\":{}", "\\\"generators\\\":{\\\"none\\\":7}"),
    ("\\\"generators\\\":{}", "\\\"generators\\\":[]"),
    ("\\\"optimizers\\\":{", "\\\"optimizers\\\":{\\\"none\\\":{},"),
    ("\\\"optimizers\\\":{\\\"\\\":", "\\\"optimizers\\\":{\\\"none\\\":"),
    ("\\\"optimizers\\\":{", "\\\"optimizers\\\":{\\\"none\\\":7,"),
    ("\\\"class_name\\\":\\\"Adam\\\"", "\\\"class_name\\\":\\\"Adamax\\\""),
    ("\\\"class_name\\\":\\\"Adam\\\"", "\\\"class_name\\\":7"),
    ("\\\"amsgrad\\\":false", "\\\"amsgrad\\\":true"),
    ("\\\"amsgrad\\\":false", "\\\"amsgrad\\\":0"),
    ("\\\"amsgrad\\\":false", ""),
    ("\\\"beta_1\\\":0.9", "\\\"beta_1\\\":\\\"0.9\\\""),
    ("\\\"beta_1\\\":0.9", "\\\"beta_1\\\":null"),
    ("\\\"beta_1\\\":0.9", "\\\"beta_1\\\":1e999"),
    ("\\\"beta_1\\\":0.9", "\\\"beta_1\\\":{\\\"callable\\\":0.9}"),
    ("\\\"beta_1\\\":0.9", "\\\"beta_1\\\":{\\\"variable\\\":0.9}"),
    ("\\\"beta_1\\\":0.9", "\\\"beta_1\\\":{\\\"class_name\\\":\\\"Unknown\\\",\\\"config\\\":{}}"),
    ("\\\"beta_1\\\":0.9", "\\\"beta_1\\\":{\\\"class_name\\\":\\\"ExponentialDecay\\\",\\\"config\\\":{}}"),
    ("\\\"beta_1\\\":0.9", "\\\"beta_1\\\":0.9,\\\"beta_1\\\":0.9"),
    ("\\\"beta_1\\\":0.9", "\\\"beta_3\\\":0.9"),
    ("\\\"beta_1\\\":0.9,", ""),
    ("\\\"clipnorm\\\":null", "\\\"clipnorm\\\":-1.0"),
    ("\\\"clipnorm\\\":null", "\\\"clipnorm\\\":\\\"NaN\\\""),
    ("\\\"clipnorm\\\":null", "\\\"clipnorm\\\":[]"),
    ("\\\"clipnorm\\\":null,", ""),
    (
        "\\\"clipnorm\\\":null,\\\"clipvalue\\\":null,\\\"global_clipnorm\\\":null",
        "\\\"clipnorm\\\":1.0,\\\"clipvalue\\\":null,\\\"global_clipnorm\\\":1.0",
    ),
    // the order of the weights
    ("\"weights\"", "\"weight\""),
    ("\"shape\":[3]", "\"shape\":[1,3]"),
    ("\"shape\":[3]", "\"shape\":[3,1]"),
    ("\"I32\",\"shape\":[3]", "\"F32\",\"shape\":[3]"),
    ("\\\"stages\\\":{", "\\\"weights\\\":null,\\\"stages\\\":{"),
    ("\\\"stages\\\":{", "\\\"weights\\\":[\\\"iterations\\\"],\\\"stages\\\":{"),
];

fn rewritten(bytes: &[u8]) -> Vec<Case> {
    let (header, data) = parts(bytes);
    let mut cases = Vec::new();
    for (from, to) in WRONG {
        if header.contains(from) {
            let name = format!("{from} replaced by {}", &to[..to.len().min(60)]);
            cases.push(Case { name, bytes: sealed(&header.replacen(from, to, 1), data) });
        }
    }
    let mut add = |name: &str, bytes| cases.push(Case { name: name.to_owned(), bytes });
    add("with more bytes", sealed(&header, &[data, &[0; 8]].concat()));
    add("with fewer bytes", sealed(&header, &data[..data.len() - 1]));
    add("without bytes", sealed(&header, &[]));
    for places in [[0, 1, 1], [0, 1, 3], [0, 3, 2], [0, 1, 4], [0, 1, -1], [i32::MIN, 1, 2], [i32::MAX, 1, 2]]
    {
        let places_of = places.map(i32::to_le_bytes).concat();
        add(&format!("with weights at {places:?}"), sealed(&header, &[&data[..20], &places_of].concat()));
    }
    add("with an empty header", sealed("{}", data));
    add("with a header of one array", sealed("[]", data));
    add("with a space before the header", sealed(&format!(" {header}"), data));
    add("with text after the header", sealed(&format!("{header}x"), data));
    add("with a deep header", sealed(&header.replacen("\"1\"", &"[".repeat(5000), 1), data));
    for n in [0, 1, 7, data.len() as u64, 16 << 20, (16 << 20) + 1, 1 << 40, 1 << 63, u64::MAX, u64::MAX - 7]
    {
        add(&format!("with {n} as the length"), [&n.to_le_bytes(), &bytes[8..]].concat());
    }
    for by in [-8i64, -1, 1, 8] {
        let n = (header.len() as i64 + by) as u64;
        add(&format!("with a length that is wrong by {by}"), [&n.to_le_bytes(), &bytes[8..]].concat());
    }
    cases
}

/// A checkpoint that the reader takes, one of each other optimizer, and plain safetensors.
pub(crate) fn valid() -> Result<Vec<Valid>> {
    let w = Variable::new(1.0f32).named("w");
    let mut adam = Optimizer::new(Adam::new(0.1))?;
    adam.minimize(|| &w * &w, &w)?;
    let small = bytes_of(&Checkpoint::new().optimizer(&adam, [&w])?)?;
    let (header, data) = parts(&small);
    assert!(header.contains("[0,8]") && header.contains("[8,12]") && data.len() == 32, "{header}");
    let head = 8 + header.len();
    let mut others = rewritten(&small);
    others.extend(other_optimizers()?);
    let name = "a checkpoint".to_owned();
    let mut files = vec![Valid { name, kind: Kind::Checkpoint, bytes: small, fits: true, head, others }];

    // Larger, of another model, with an array of each type.
    let large = Variable::new(Array::full([3000], 0.5, DType::F64)?).named("large");
    let mut sgd = Optimizer::new(Sgd::new(0.1).momentum(0.5))?;
    sgd.minimize(|| (&large * &large).sum(), &large)?;
    let checkpoint = Checkpoint::new().optimizer_named("sgd", &sgd, [&large])?;
    let checkpoint = checkpoint
        .generator("noise", &Generator::from_seed(1))
        .array("mask", Array::from_vec([3], vec![true, false, true])?)
        .array("order", Array::full([2, 3], 7.0, DType::I32)?)
        .value("position", serde_json::json!({"epoch": 3, "file": "images.bin"}));
    let bytes = bytes_of(&checkpoint)?;
    let mut not_a_boolean = parts(&bytes).1.to_vec();
    *not_a_boolean.last_mut().unwrap() = 2;
    let others =
        vec![Case { name: "2 as a boolean".into(), bytes: sealed(&parts(&bytes).0, &not_a_boolean) }];
    let name = "a large checkpoint".to_owned();
    files.push(Valid { name, kind: Kind::Checkpoint, bytes, fits: false, head: 256, others });
    files.push(plain()?);
    Ok(files)
}

/// Checkpoints of the same variable with each other optimizer.
fn other_optimizers() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for entry in rules::registry().entries().filter(|entry| entry.class_name != "Adam") {
        let w = Variable::new(1.0f32).named("w");
        let mut other = common::optimizer(entry.class_name)?;
        other.minimize(|| &w * &w, &w)?;
        let bytes = bytes_of(&Checkpoint::new().optimizer(&other, [&w])?)?;
        cases.push(Case { name: format!("of {}", entry.class_name), bytes });
    }
    let shapes = [Array::zeros([1], DType::F32)?, Array::zeros([2, 2], DType::F32)?, Array::scalar(1.0f64)];
    for value in shapes {
        let name = format!("of a variable of {} {}", value.dtype(), value.shape());
        let (w, adam) = (Variable::new(value).named("w"), Optimizer::new(Adam::new(0.1))?);
        cases.push(Case { name, bytes: bytes_of(&Checkpoint::new().optimizer(&adam, [&w])?)? });
    }
    cases.push(Case { name: "of no optimizer".into(), bytes: bytes_of(&Checkpoint::new())? });
    let v = Variable::new(1.0f32).named("v");
    let adam = Optimizer::new(Adam::new(0.1))?;
    cases.push(Case {
        name: "of another variable".into(),
        bytes: bytes_of(&Checkpoint::new().optimizer(&adam, [&v])?)?,
    });
    Ok(cases)
}

fn plain() -> Result<Valid> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("x.safetensors");
    let arrays =
        [("iterations".to_owned(), Array::scalar(7i64)), ("variables/w".to_owned(), Array::scalar(1.0f32))];
    write_arrays(&path, &arrays.into())?;
    let bytes = std::fs::read(path)?;
    let (header, data) = parts(&bytes);
    // Names are free, and a type may be another one of the same size.
    let free = ["\"iteration\"", "\"variables/v\"", "\"\"", "\"optimizers/none/iterations\""];
    let same_size = [("\"I64\"", "\"F64\""), ("\"F32\"", "\"I32\"")];
    let length = |header: &str| (header.len() as u64).to_le_bytes();
    let cases = WRONG.iter().filter(|(from, _)| header.contains(from));
    let cases = cases.filter(|wrong| !free.contains(&wrong.1) && !same_size.contains(wrong));
    let others = cases.map(|(from, to)| {
        let header = header.replacen(from, to, 1);
        Case {
            name: format!("{from} replaced by {to}"),
            bytes: [&length(&header), header.as_bytes(), data].concat(),
        }
    });
    let mut others: Vec<Case> = others.collect();
    others.extend(
        (0..bytes.len()).map(|at| Case { name: format!("cut at {at}"), bytes: bytes[..at].to_vec() }),
    );
    Ok(Valid { name: "safetensors".into(), kind: Kind::Safetensors, bytes, fits: true, head: 0, others })
}
