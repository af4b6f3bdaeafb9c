//! As much of the zip format as npz needs: members that are stored or deflated, without encryption, of up to 4 GiB.
//!
//! A small reader of our own, because its use of memory must be bounded by the size of a hostile file, names may not repeat, and
//! lengths and checksums must be those that the directory says.
use crate::bytes;
use crate::differences::damaged;
use crate::file::{self, MAX_NAME, Source};
use flate2::Crc;
use flate2::read::DeflateDecoder;
use slalom_array::{Array, Error, ErrorKind, Result};
use std::io::{Read, SeekFrom, Write};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Bytes of the fixed parts of a local header, a header in the directory, and the end of the directory.
const SIZES: [usize; 3] = [30, 46, 22];
/// Of a member: names are ASCII or UTF-8.
const UTF8: u16 = 1 << 11;
const OP: &str = "zip";

/// A file in an archive.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// The number of bytes when unpacked.
    pub(crate) length: u64,
    packed: u64,
    method: u16,
    crc: u32,
    offset: u64,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// The members of an archive of `length` bytes, as its directory lists them.
pub(crate) fn members(source: &mut dyn Source, length: u64) -> Result<Vec<Member>> {
    // The end of the directory is followed by a comment of at most 64 KiB.
    let tail = length.min(SIZES[2] as u64 + u64::from(u16::MAX));
    let mut bytes = vec![0; tail as usize];
    source.seek(SeekFrom::Start(length - tail))?;
    file::fill(source, &mut bytes)?;
    let is_end = |&at: &usize| {
        let end = &bytes[at..];
        u32_at(end, 0) == END && SIZES[2] + usize::from(u16_at(end, 20)) == end.len()
    };
    let found = (0..(bytes.len() + 1).saturating_sub(SIZES[2])).rev().find(is_end);
    let end = &bytes[found.ok_or_else(|| damaged(OP, "the end of a directory", "nothing of the kind"))?..];
    let (count, total) = (u16_at(end, 8), u16_at(end, 10));
    let (size, start) = (u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
    let at = length - end.len() as u64;
    if u32_at(end, 4) != 0 || count != total || start + size != at {
        return Err(damaged(OP, "one archive of less than 4 GiB, and nothing else", "something else"));
    }
    source.seek(SeekFrom::Start(start))?;
    let mut left = size;
    let members = (0..count).map(|_| member(source, start, &mut left)).collect::<Result<Vec<_>>>()?;
    if left != 0 {
        return Err(damaged(OP, format_args!("a directory of {count} members"), "a longer one"));
    }
    Ok(members)
}

/// The next member in the directory, of which `left` bytes are left; the members' bytes end at `start`.
fn member(source: &mut dyn Source, start: u64, left: &mut u64) -> Result<Member> {
    let mut take = |bytes: &mut [u8]| {
        let rest = left.checked_sub(bytes.len() as u64);
        *left = rest.ok_or_else(|| damaged(OP, "a directory of the length that it says", "a longer one"))?;
        file::fill(source, bytes)
    };
    let mut fixed = [0; SIZES[1]];
    take(&mut fixed)?;
    if u32_at(&fixed, 0) != CENTRAL {
        return Err(damaged(OP, "a member in the directory", "something else"));
    }
    let name_length = usize::from(u16_at(&fixed, 28));
    if name_length > MAX_NAME + 4 {
        return Err(damaged(OP, format_args!("a name of at most {MAX_NAME} bytes"), name_length));
    }
    let mut name = vec![0; name_length];
    take(&mut name)?;
    let mut rest = vec![0; usize::from(u16_at(&fixed, 30)) + usize::from(u16_at(&fixed, 32))];
    take(&mut rest)?;
    let name = String::from_utf8(name).map_err(|error| damaged(OP, "a name in UTF-8", error))?;
    let member = Member {
        name,
        length: u32_at(&fixed, 24).into(),
        packed: u32_at(&fixed, 20).into(),
        method: u16_at(&fixed, 10),
        crc: u32_at(&fixed, 16),
        offset: u32_at(&fixed, 42).into(),
    };
    let refuse =
        |expected, got| Err(damaged(OP, expected, got).context(format_args!("member {:?}", member.name)));
    if u16_at(&fixed, 8) & 1 != 0 {
        return refuse("a member without encryption", "an encrypted one".to_owned());
    } else if !matches!(member.method, STORED | DEFLATED) {
        return refuse("a member that is stored or deflated", format!("method {}", member.method));
    } else if member.offset + SIZES[0] as u64 + member.packed > start {
        return refuse("a member that lies in the archive", "one behind its end".to_owned());
    } else if member.method == STORED && member.packed != member.length {
        return refuse("a stored member of one length", format!("{} and {}", member.packed, member.length));
    }
    Ok(member)
}

/// Gives the bytes of a member to `read`, and checks that they are all and those that the directory says.
pub(crate) fn read<T>(
    source: &mut dyn Source,
    member: &Member,
    read: impl FnOnce(&mut dyn Read) -> Result<T>,
) -> Result<T> {
    let mut fixed = [0; SIZES[0]];
    source.seek(SeekFrom::Start(member.offset))?;
    file::fill(source, &mut fixed)?;
    let mut name = vec![0; usize::from(u16_at(&fixed, 26))];
    file::fill(source, &mut name)?;
    let same =
        u32_at(&fixed, 0) == LOCAL && u16_at(&fixed, 8) == member.method && name == member.name.as_bytes();
    if !same {
        return Err(damaged(OP, "the member that the directory names", "something else"));
    }
    let extra = u64::from(u16_at(&fixed, 28));
    source.seek(SeekFrom::Start(member.offset + SIZES[0] as u64 + name.len() as u64 + extra))?;
    let packed = source.take(member.packed);
    let mut unpacked: Box<dyn Read> = match member.method {
        DEFLATED => Box::new(DeflateDecoder::new(packed)),
        _ => Box::new(packed),
    };
    let mut checked = Checked { reader: &mut unpacked, crc: Crc::new() };
    let value = read(&mut checked)?;
    let crc = checked.crc.sum();
    if unpacked.read(&mut [0]).map_err(|error| damaged(OP, "a whole member", error))? != 0 {
        return Err(damaged(OP, format_args!("{} bytes", member.length), "more"));
    } else if crc != member.crc {
        let expected = format!("content with the checksum {:08x}", member.crc);
        return Err(damaged(OP, expected, format_args!("{crc:08x}")));
    }
    Ok(value)
}

/// Computes the checksum of what is read.
struct Checked<'a> {
    reader: &'a mut dyn Read,
    crc: Crc,
}

impl Read for Checked<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let n = self.reader.read(bytes)?;
        self.crc.update(&bytes[..n]);
        Ok(n)
    }
}

/// Writes an archive of stored members.
pub(crate) struct Writer<'a> {
    out: &'a mut dyn Write,
    written: u64,
    directory: Vec<u8>,
    count: u16,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Writer<'a> {
        Writer { out, written: 0, directory: Vec::new(), count: 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Adds a member: a header and the bytes of an array.
    pub(crate) fn add(&mut self, name: &str, header: &[u8], array: &Array) -> Result<()> {
        let mut crc = Crc::new();
        crc.update(header);
        bytes::write(array, &mut |bytes| {
            crc.update(bytes);
            Ok(())
        })?;
        let length = small(header.len() as u64 + bytes::length(array.shape(), array.dtype())?)?;
        // Version 2.0 is needed; the date is the first of January 1980, so that equal arrays make equal files.
        let mut common = Vec::new();
        for number in [20, UTF8, STORED, 0, 0x21] {
            common.extend(u16::to_le_bytes(number));
        }
        for number in [crc.sum(), length, length] {
            common.extend(number.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0; 2]);
        let offset = small(self.written)?.to_le_bytes();
        self.directory.extend([&CENTRAL.to_le_bytes()[..], &[20, 0], &common, &[0; 10], &offset].concat());
        self.directory.extend(name.as_bytes());
        self.count += 1;
        self.write(&[&LOCAL.to_le_bytes()[..], &common, name.as_bytes(), header].concat())?;
        bytes::write(array, &mut |bytes| self.write(bytes))
    }

    /// Writes the directory.
    pub(crate) fn finish(mut self) -> Result<()> {
        let (start, directory) = (small(self.written)?, std::mem::take(&mut self.directory));
        let (count, size) = (self.count.to_le_bytes(), small(directory.len() as u64)?.to_le_bytes());
        self.write(&directory)?;
        let start = start.to_le_bytes();
        self.write(&[&END.to_le_bytes()[..], &[0; 4], &count, &count, &size, &start, &[0; 2]].concat())
    }
}

/// A number that the format has 32 bits for.
fn small(number: u64) -> Result<u32> {
    number.try_into().ok().filter(|&number| number < u32::MAX).ok_or_else(|| {
        let expected = "an archive of less than 4 GiB (safetensors takes more)";
        Error::new(ErrorKind::Argument, "npz", expected, number)
    })
}
