//! Zip archives, in memory: nothing is ever written anywhere, so a name in an archive is a label and cannot lead out of a
//! folder. What a zip bomb can cost is bounded in files, bytes and ratio, by what really comes out and not by what the
//! archive says of itself.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::fault::{Cause, Fault};
use crate::limits::Limits;
use crate::observation::Place;

/// Below this a high ratio costs nothing.
const SMALL: usize = 1 << 20;

pub(crate) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Hands each file of the archive to `take`, one at a time. `spent` counts the bytes of the whole import.
pub(crate) fn each_file(
    archive: &str,
    bytes: &[u8],
    limits: &Limits,
    spent: &mut usize,
    mut take: impl FnMut(String, &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let unreadable = |fault: &ZipError| match fault {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Cause::Encrypted,
        _ => Cause::Archive("damaged, or packed in a way other than deflate".to_owned()),
    };
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|fault| unreadable(&fault).at(archive, None))?;
    if zip.len() > limits.archive_files {
        return Err(Cause::TooManyFiles { limit: limits.archive_files }.at(archive, None));
    }
    if zip.is_empty() {
        return Err(Cause::Empty.at(archive, None));
    }
    for index in 0..zip.len() {
        let entry = Some(Place::record("", u32::try_from(index).unwrap_or(u32::MAX)));
        let mut file = zip.by_index(index).map_err(|fault| unreadable(&fault).at(archive, entry))?;
        if file.is_dir() {
            continue;
        }
        let name = match file.name() {
            Ok(name) => format!("{archive}:{name}"),
            Err(_) => format!("{archive}:{index}"),
        };
        let packed = usize::try_from(file.compressed_size()).unwrap_or(usize::MAX);
        let most = packed.saturating_mul(limits.archive_ratio).max(SMALL);
        let left = limits.total_bytes.saturating_sub(*spent);
        let cap = most.min(limits.file_bytes).min(left);
        let mut content = Vec::new();
        let mut unpacked = (&mut file).take(u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1));
        if unpacked.read_to_end(&mut content).is_err() {
            return Err(Cause::Archive("a file in it is damaged".to_owned()).at(&name, None));
        }
        if content.len() > cap {
            let cause = if cap == left {
                Cause::TooLargeTogether { limit: limits.total_bytes }
            } else if cap == limits.file_bytes {
                Cause::TooLarge { limit: limits.file_bytes }
            } else {
                Cause::Ratio { limit: limits.archive_ratio }
            };
            return Err(cause.at(&name, None));
        }
        *spent += content.len();
        if is_archive(&content) {
            return Err(Cause::NestedArchive.at(&name, None));
        }
        take(name, &content)?;
    }
    Ok(())
}
