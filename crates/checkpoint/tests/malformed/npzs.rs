//! Archives of NumPy arrays.
use super::{Case, Kind, Valid};
use flate2::Crc;
use slalom_array::Result;
use std::path::Path;

/// A member of an archive, with what its headers say of it.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) name: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) length: u32,
    pub(crate) crc: u32,
}

impl Member {
    pub(crate) fn stored(name: &str, bytes: Vec<u8>) -> Member {
        let mut crc = Crc::new();
        crc.update(&bytes);
        let length = bytes.len() as u32;
        Member { name: name.into(), bytes, method: 0, flags: 0, length, crc: crc.sum() }
    }
}

pub(crate) fn archive(members: &[Member]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let mut common = Vec::new();
        for number in [20, member.flags, member.method, 0, 0x21] {
            common.extend(u16::to_le_bytes(number));
        }
        for number in [member.crc, member.bytes.len() as u32, member.length] {
            common.extend(number.to_le_bytes());
        }
        common.extend([member.name.len() as u8, (member.name.len() >> 8) as u8, 0, 0]);
        let offset = (bytes.len() as u32).to_le_bytes();
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10], &offset, &member.name].concat());
        bytes.extend([b"PK\x03\x04", &common[..], &member.name, &member.bytes].concat());
    }
    let count = (members.len() as u16).to_le_bytes();
    let (size, start) = ((directory.len() as u32).to_le_bytes(), (bytes.len() as u32).to_le_bytes());
    [&bytes[..], &directory, b"PK\x05\x06\0\0\0\0", &count, &count, &size, &start, &[0, 0]].concat()
}

/// An npy file with this text as its header.
pub(crate) fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

const HEADER: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";

/// What is wrong in the header of an array of two numbers.
const WRONG: &[(&str, &str)] = &[
    ("(2,)", "(3,)"),
    ("(2,)", "(1,)"),
    ("(2,)", "()"),
    ("(2,)", "(2)"),
    ("(2,)", "(,)"),
    ("(2,)", "(2,,)"),
    ("(2,)", "(-2,)"),
    ("(2,)", "(+2,)"),
    ("(2,)", "(2.0,)"),
    ("(2,)", "(2L,)"),
    ("(2,)", "(0x2,)"),
    ("(2,)", "('2',)"),
    ("(2,)", "((2,),)"),
    ("(2,)", "[2]"),
    ("(2,)", "2"),
    ("(2,)", "None"),
    ("(2,)", "(2,"),
    ("(2,)", "(18446744073709551616,)"),
    ("(2,)", "(18446744073709551615,)"),
    ("(2,)", "(9223372036854775807, 2)"),
    ("(2,)", "(4294967296, 4294967296)"),
    ("(2,)", "(1000000000,)"),
    ("(2,)", "(2, 0)"),
    (
        "(2,)",
        "(2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)",
    ),
    ("'<f4'", "'>f4'"),
    ("'<f4'", "'=f4'"),
    ("'<f4'", "'<f2'"),
    ("'<f4'", "'<f8'"),
    ("'<f4'", "'<i8'"),
    ("'<f4'", "'<u4'"),
    ("'<f4'", "'<c8'"),
    ("'<f4'", "'|b1'"),
    ("'<f4'", "'|O'"),
    ("'<f4'", "'<U1'"),
    ("'<f4'", "''"),
    ("'<f4'", "'<f4"),
    ("'<f4'", "[('x', '<f4')]"),
    ("'<f4'", "None"),
    ("False", "false"),
    ("False", "0"),
    ("False", ""),
    ("'fortran_order': False, ", ""),
    ("'descr': '<f4', ", ""),
    (", 'shape': (2,)", ""),
    ("'shape'", "'shapes'"),
    ("'descr'", "descr"),
    ("'descr':", "'descr'"),
    ("{", "{'descr': '<f4', "),
    (", }", ", 'shape': (2,)}"),
    (", }", ", 'more': 1}"),
    (", }", " 'more'}"),
    (", }", ""),
    ("{", ""),
    ("{", "{{"),
    ("{'descr'", "import os; {'descr'"),
];

pub(crate) fn valid() -> Result<Vec<Valid>> {
    let data = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let mut files = Vec::new();
    for (file, name) in [("numpy.npz", "an npz"), ("numpy_compressed.npz", "a compressed npz")] {
        let (bytes, name) = (std::fs::read(data(file))?, name.to_owned());
        let head = bytes.len();
        files.push(Valid { name, kind: Kind::Npz, bytes, fits: true, head, others: Vec::new() });
    }
    let two = [1.0f32, 2.0].map(f32::to_le_bytes).concat();
    let good = Member::stored("x.npy", npy(HEADER, &two));
    let mut others: Vec<Case> = WRONG
        .iter()
        .map(|(from, to)| {
            let member = Member::stored("x.npy", npy(&HEADER.replacen(from, to, 1), &two));
            Case {
                name: format!("{from} replaced by {}", &to[..to.len().min(60)]),
                bytes: archive(&[member]),
            }
        })
        .collect();
    let mut add = |name: &str, members: &[Member]| {
        others.push(Case { name: name.to_owned(), bytes: archive(members) });
    };
    add("a name twice", &[good.clone(), good.clone()]);
    add("another extension", &[Member::stored("x.txt", good.bytes.clone())]);
    add("a folder", &[Member::stored("x/", Vec::new())]);
    add("a name that is not UTF-8", &[Member { name: b"\xff.npy".to_vec(), ..good.clone() }]);
    add("a long name", &[Member::stored(&format!("{}.npy", "x".repeat(3000)), good.bytes.clone())]);
    add("encrypted", &[Member { flags: 1, ..good.clone() }]);
    for method in [1, 7, 8, 9, 12, 14, 93, 99, u16::MAX] {
        add(&format!("method {method}"), &[Member { method, ..good.clone() }]);
    }
    for length in [0, 1, good.length - 1, good.length + 1, 1 << 30, u32::MAX - 1, u32::MAX] {
        add(&format!("stored with the length {length}"), &[Member { length, ..good.clone() }]);
    }
    add("a wrong checksum", &[Member { crc: good.crc ^ 1, ..good.clone() }]);
    add("no npy at all", &[Member::stored("x.npy", b"hello".to_vec())]);
    add("an empty member", &[Member::stored("x.npy", Vec::new())]);
    add("a header that is too long", &[Member::stored("x.npy", npy(&" ".repeat(60_000), &two))]);
    add(
        "a header that is not UTF-8",
        &[Member::stored("x.npy", [b"\x93NUMPY\x01\0\x02\0\xff\xff", &two[..]].concat())],
    );
    add("version 4", &[Member::stored("x.npy", [b"\x93NUMPY\x04\0\x02\0\0\0{}", &two[..]].concat())]);
    add(
        "a long version 2",
        &[Member::stored("x.npy", [b"\x93NUMPY\x02\0\xff\xff\xff\xff{}", &two[..]].concat())],
    );
    let bytes = archive(&[good]);
    for (place, what) in [(4, "disk"), (8, "count here"), (10, "count"), (12, "size"), (16, "start")] {
        for byte in [1, 0x7f, 0xff] {
            let mut bytes = bytes.clone();
            let at = bytes.len() - 22 + place;
            bytes[at] = bytes[at].wrapping_add(byte);
            others.push(Case { name: format!("the directory's {what} plus {byte}"), bytes });
        }
        let mut bytes = bytes.clone();
        let at = bytes.len() - 22 + place;
        bytes[at..at + 2].fill(0xff);
        others.push(Case { name: format!("a huge {what}"), bytes });
    }
    let head = bytes.len();
    files.push(Valid { name: "a small npz".into(), kind: Kind::Npz, bytes, fits: true, head, others });
    Ok(files)
}
