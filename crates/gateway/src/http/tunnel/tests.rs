//! The end of a frame is found however the bytes are cut up.
#![expect(clippy::indexing_slicing, reason = "a test may stop")]

use super::{Frames, payload_length};

fn frame(length: usize, masked: bool) -> Vec<u8> {
    let mut frame = vec![0x82];
    let mask = if masked { 0x80 } else { 0 };
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => frame.push(mask | short),
        (_, Ok(length)) => {
            frame.push(mask | 126);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(mask | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(vec![7; length + if masked { 4 } else { 0 }]);
    frame
}

#[test]
fn frames_are_followed() {
    let stream: Vec<u8> = [(0, false), (1, true), (125, false), (126, true), (300, false), (70_000, false)]
        .iter()
        .fold(Vec::new(), |mut stream, &(length, masked)| {
            stream.extend(frame(length, masked));
            stream
        });
    for step in [1, 2, 3, 7, 4096, stream.len()] {
        let mut frames = Frames::default();
        stream.chunks(step).for_each(|piece| frames.follow(piece));
        assert!(frames.between(), "in steps of {step}");
    }
    let mut frames = Frames::default();
    frames.follow(&frame(300, false)[..200]);
    assert!(!frames.between());
    let mut frames = Frames::default();
    frames.follow(&[0x82]);
    assert!(!frames.between());
}

#[test]
fn heads_are_read_when_complete() {
    assert_eq!(payload_length(&[0x82]), None);
    assert_eq!(payload_length(&[0x82, 5]), Some(5));
    assert_eq!(payload_length(&[0x82, 0x85, 1, 2, 3]), None);
    assert_eq!(payload_length(&[0x82, 0x85, 1, 2, 3, 4]), Some(5));
    assert_eq!(payload_length(&[0x82, 126, 1]), None);
    assert_eq!(payload_length(&[0x82, 126, 1, 0]), Some(256));
    assert_eq!(payload_length(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]), Some(65536));
}
