//! Who reads: a name and a password that shows nowhere.

use std::fmt;

/// The account that a directory is read with.
#[derive(Clone)]
pub struct Account {
    pub(crate) name: String,
    pub(crate) password: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AccountFault {
    /// RFC 4513, 5.1.2: a server answers a name without a password as if it had let somebody in.
    #[error("the password is empty; a directory would take the reader for nobody and say nothing of it")]
    NoPassword,
    #[error("the account has no name")]
    NoName,
}

impl Account {
    /// `name` is what the server takes: a distinguished name, or with Active Directory `reader@corp.example` or `CORP\reader`.
    ///
    /// # Errors
    /// When the name or the password is empty.
    pub fn new(name: &str, password: &[u8]) -> Result<Self, AccountFault> {
        if name.trim().is_empty() {
            return Err(AccountFault::NoName);
        }
        if password.is_empty() {
            return Err(AccountFault::NoPassword);
        }
        Ok(Self { name: name.to_owned(), password: password.to_owned() })
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({:?})", self.name)
    }
}
