//! HTTP/1 framing: the verdict on a connection's bytes does not depend on how they arrive.
#![no_main]

use countersign_gateway::reads_one_way;

libfuzzer_sys::fuzz_target!(|input: (Vec<u8>, u8)| {
    let (bytes, size) = input;
    let whole = reads_one_way([bytes.as_slice()]);
    assert_eq!(reads_one_way(bytes.chunks(usize::from(size).max(1))), whole);
    // What is refused stays refused, whatever comes after it.
    let longer = [bytes.as_slice(), b"\r\n\r\n0\r\n\r\n"];
    assert!(whole || !reads_one_way(longer));
});
