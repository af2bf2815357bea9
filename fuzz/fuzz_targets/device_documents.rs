//! What a device sends: a certificate signing request and a signed posture report.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use countersign_device::{Authority, device_of, report};
use countersign_model::{DeviceId, Timestamp};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::create(NOW, "fuzz").expect("an authority"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = device_of(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = report::claimed_fingerprint(text);
        let device = DeviceId::new("laptop").expect("a name");
        let _ = AUTHORITY.sign_request(text, &device, Duration::from_secs(60), NOW);
        let _ = Authority::from_pem(text);
    }
});
