//! Room for reading what somebody wrote. Cedar's parser walks by recursion and knows no bound, and a stack that ends takes
//! the whole process with it: so text is measured before it is parsed, and parsed on a stack that what passes cannot use up.
//! What the text means is not looked at here.

/// Brackets within brackets, and conditions of `if` in one policy. What people write has less than twenty.
const NESTED: usize = 200;

/// Address space; what is not used is never backed by memory.
const STACK: usize = 512 * 1024 * 1024;

/// Where a text is nested deeper than anything that is read.
pub(crate) fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let word = |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let (mut open, mut conditions, mut at) = (0usize, 0usize, 0usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(inside) = bytes.get(at).filter(|inside| **inside != b'"') {
                    at += if *inside == b'\\' { 2 } else { 1 };
                }
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                while bytes.get(at).is_some_and(|inside| *inside != b'\n') {
                    at += 1;
                }
            }
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b';' => conditions = 0,
            b'i' if bytes.get(at + 1) == Some(&b'f') && !word(at + 2) && (at == 0 || !word(at - 1)) => conditions += 1,
            _ => {}
        }
        if open > NESTED || conditions > NESTED {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Why something was not done with room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum RoomError {
    #[error("there is no room to read this: the system gives no thread for it")]
    NoRoom,
    #[error("the parser stopped on this, which is a fault of Countersign: please report it")]
    Stopped,
}

/// Does it with all the room that it may need.
pub(crate) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, RoomError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        // What stopped it has been said by the hook for panics, on standard error.
        thread.map_err(|_| RoomError::NoRoom)?.join().map_err(|_| RoomError::Stopped)
    })
}
