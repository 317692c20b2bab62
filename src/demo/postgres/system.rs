//! What the machine offers a private server: its programs, a user to run as, a port.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{PostgresError, io_error};

/// An unprivileged user to run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// A loopback port that nothing listens on at this moment.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

pub(super) fn search_places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    packaged.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    places.extend(packaged.into_iter().map(|(_, dir)| dir));
    places
}

pub(super) fn has_server(dir: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| dir.join(program).is_file())
}

/// Whom to run as: `None` where this process is not root.
pub(super) fn owner_for(dir: &Path) -> Result<Option<User>, PostgresError> {
    let probe = tempfile::tempfile_in(dir).map_err(io_error("write in", dir))?;
    let uid = probe.metadata().map_err(io_error("look at", dir))?.uid();
    if uid != 0 {
        return Ok(None);
    }
    let passwd = Path::new("/etc/passwd");
    let text = fs::read_to_string(passwd).map_err(io_error("read", passwd))?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| find_user(&text, name))
        .map(Some)
        .ok_or(PostgresError::NoUnprivilegedUser)
}

fn find_user(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User { name: name.to_owned(), uid, gid })
    })
}

pub(super) fn reachable(dir: &Path, user: &User) -> Result<(), PostgresError> {
    for folder in dir.ancestors() {
        let metadata = fs::metadata(folder).map_err(io_error("look at", folder))?;
        let mode = metadata.mode();
        let passes = mode & 0o001 != 0
            || (metadata.uid() == user.uid && mode & 0o100 != 0)
            || (metadata.gid() == user.gid && mode & 0o010 != 0);
        if !passes {
            return Err(PostgresError::Unreachable { user: user.name.clone(), path: folder.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_in_passwd_with_its_ids() {
        let text = "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:admin,,,:/var:/bin/bash\n";
        assert_eq!(
            find_user(text, "postgres"),
            Some(User { name: "postgres".to_owned(), uid: 101, gid: 104 })
        );
        assert_eq!(find_user(text, "nobody"), None);
    }
}
