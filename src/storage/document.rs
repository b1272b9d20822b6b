//! Small files that are replaced as a whole: the list of tenants, and what is used of quotas.
//!
//! ```text
//! graphwire-document 1 <CRC-32 of the content, 8 hexadecimal digits> <its length in bytes>\n
//! content
//! ```

use std::path::Path;

use super::error::StorageError;
use super::fs::FileSystem;

const MAGIC: &str = "graphwire-document";
const VERSION: u32 = 1;

/// The content of a document; `None` if there is no such file.
///
/// # Errors
/// `XX001` if it is damaged, `0A000` if a newer version wrote it, `58030` if it cannot be read.
pub fn read_document(fs: &dyn FileSystem, path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    if !fs.exists(path) {
        return Ok(None);
    }
    let bytes = fs.read(path)?;
    let corrupt = |reason: &str| StorageError::corrupt(path, reason);
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| corrupt("its first line does not end"))?;
    let (head, content) = bytes.split_at(end);
    let content = content.get(1..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| corrupt("its first line is no text"))?;
    let words: Vec<&str> = head.split(' ').collect();
    let [MAGIC, version, crc, length] = words.as_slice() else {
        return Err(corrupt("its first line is not that of a document"));
    };
    let version: u32 = version.parse().map_err(|_| corrupt("its version is no number"))?;
    if version != VERSION {
        return Err(StorageError::Version { path: path.display().to_string(), version });
    }
    let crc = u32::from_str_radix(crc, 16).map_err(|_| corrupt("its checksum is no number"))?;
    if *length != content.len().to_string() || crc32fast::hash(content) != crc {
        return Err(corrupt("its checksum does not match"));
    }
    Ok(Some(content.to_vec()))
}

/// Replaces a document: after a crash the old content is there or the new.
///
/// # Errors
/// `53100` if there is no room, `58030` if it cannot be written.
pub fn write_document(
    fs: &dyn FileSystem,
    path: &Path,
    content: &[u8],
) -> Result<(), StorageError> {
    let crc = crc32fast::hash(content);
    let mut bytes = format!("{MAGIC} {VERSION} {crc:08x} {}\n", content.len()).into_bytes();
    bytes.extend_from_slice(content);
    fs.write_atomic(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::fs::LocalFileSystem;

    #[test]
    fn damage_is_found_wherever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("document");
        let fs = LocalFileSystem;
        assert_eq!(read_document(&fs, &path).unwrap(), None);
        write_document(&fs, &path, b"{\"a\":\n1}").unwrap();
        assert_eq!(read_document(&fs, &path).unwrap().as_deref(), Some(&b"{\"a\":\n1}"[..]));
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 4;
            std::fs::write(&path, &damaged).unwrap();
            assert!(read_document(&fs, &path).is_err(), "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(read_document(&fs, &path).is_err(), "cut at {at}");
        }
        write_document(&fs, &path, b"").unwrap();
        assert_eq!(read_document(&fs, &path).unwrap().as_deref(), Some(&b""[..]));
    }
}
