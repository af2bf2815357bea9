//! Whether everything below the root file system is encrypted by the kernel's device mapper: LUKS itself, or LVM, RAID
//! and partitions on top of it. File systems with encryption of their own (ZFS, ext4 directories) are not told.

use std::fs;
use std::path::Path;

use super::read_short;
use super::text::root_source;

/// Device stacks are a few layers; more is a loop.
const DEPTH: u8 = 16;

/// `None` when `/` does not lie on a block device that the kernel describes: an overlay, a network, a container.
pub(super) fn encrypted(root: &Path) -> Option<bool> {
    let mounts = read_short(&root.join("proc/self/mounts"))?;
    let source = root_source(&mounts)?.strip_prefix("/dev/")?;
    if source.split('/').any(|part| part == "..") {
        return None;
    }
    // `/dev/mapper/name` is a link to `../dm-0`.
    let node = root.join("dev").join(source);
    let target = fs::read_link(&node).unwrap_or(node);
    let name = target.file_name()?.to_str()?;
    layer(root, name, DEPTH)
}

fn layer(root: &Path, name: &str, depth: u8) -> Option<bool> {
    let device = root.join("sys/class/block").join(name);
    fs::metadata(&device).ok()?;
    if read_short(&device.join("dm/uuid")).is_some_and(|uuid| uuid.starts_with("CRYPT-")) {
        return Some(true);
    }
    let deeper = depth.checked_sub(1)?;
    let mut below = fs::read_dir(device.join("slaves")).into_iter().flatten().filter_map(Result::ok).peekable();
    if below.peek().is_none() {
        return Some(false);
    }
    // All of it, or it is not encrypted: one plain disk in an array is enough to read from.
    for entry in below {
        if !layer(root, entry.file_name().to_str()?, deeper)? {
            return Some(false);
        }
    }
    Some(true)
}
