//! Device: what they ask from (DV-1 to DV-6).

use super::{ControlDefined, asked, own};
use crate::gaps::Sequence;
use crate::own::Told;

pub(super) static CONTROLS: [ControlDefined; 6] = [
    ControlDefined {
        id: "device-inventory",
        title: "Every device is known and managed",
        requirement: "DV-1",
        sequence: Sequence::InventoryAndClassification,
        probes: &[
            own(
                Told::DevicesEnrolled,
                "Known devices that are enrolled",
                "Enrol the devices of one team after the other; whoever has none is limited to what needs none.",
            )
            .gating(),
            asked("unused-device"),
        ],
    },
    ControlDefined {
        id: "device-proof",
        title: "A device proves that it is that device",
        requirement: "DV-2",
        sequence: Sequence::DevicePosture,
        probes: &[own(
            Told::DevicesProven,
            "Enrolled devices with a key that cannot be copied",
            "Enrol again with a key in the TPM or secure enclave.",
        )],
    },
    ControlDefined {
        id: "posture",
        title: "Posture is verified, continuously",
        requirement: "DV-1, DV-3",
        sequence: Sequence::DevicePosture,
        probes: &[
            own(
                Told::DevicesCompliant,
                "Devices with fresh and compliant posture",
                "Mend what the devices report; a device that no longer reports is found or revoked.",
            )
            .gating(),
            own(
                Told::DecisionsWithVerifiedPosture,
                "Decisions with verified posture",
                "Ask for a compliant device in the policies of the resources where most decisions saw none.",
            )
            .gating(),
        ],
    },
    ControlDefined {
        id: "posture-in-session",
        title: "Sessions end when their device degrades",
        requirement: "DV-4",
        sequence: Sequence::DevicePosture,
        probes: &[own(
            Told::LeasesBoundToDevice,
            "Leases that end with their device's posture",
            "Ask for posture in the policies of those resources, so that leases depend on it.",
        )],
    },
    ControlDefined {
        id: "unmanaged-devices",
        title: "Unmanaged devices are limited, whatever the credentials",
        requirement: "DV-5",
        sequence: Sequence::DevicePosture,
        probes: &[own(
            Told::UnmanagedDevicesLimited,
            "Sensitive resources proven closed to unmanaged devices",
            "Add the guardrail that no unmanaged device gets in, and mend what its counterexamples show.",
        )
        .gating()],
    },
    ControlDefined {
        id: "measured-boot",
        title: "The state that a device booted into is proven",
        requirement: "DV-6",
        sequence: Sequence::DevicePosture,
        probes: &[own(
            Told::DevicesAttested,
            "Devices that prove their boot state",
            "Switch attestation on for devices that have a TPM, administrators' first.",
        )],
    },
];
