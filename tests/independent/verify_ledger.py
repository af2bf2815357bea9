#!/usr/bin/env python3
"""Verifies a Countersign ledger with nothing but Python's standard library, from the specifications alone:
RFC 6962 (Merkle tree), RFC 8032 (Ed25519), C2SP signed-note, tlog-checkpoint and tlog-tiles. It shares no code with
Countersign; that is its point. It is not fast.

    verify_ledger.py DIRECTORY VERIFIER_KEY [--since CHECKPOINT] [--proof PROOF] [--archive DIRECTORY]

Exit status: 0 everything holds; 1 something does not, said on standard output; 2 it could not be judged.
"""

import argparse
import base64
import binascii
import hashlib
import json
import pathlib
import sys

TILE = 256

# --- Ed25519, RFC 8032 section 5.1 and its appendix's method -----------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def point_add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        scalar >>= 1
    return result


def point_equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point_decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else (0, y, 1, 0)
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P:
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = point_decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verify(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r = point_decompress(public), point_decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return point_equal(point_multiply(s, BASE), point_add(r, point_multiply(h, a)))


# --- Merkle tree, RFC 6962 section 2.1 ---------------------------------------------------------------------------------


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(hashes):
    """Over the leaves, or over the roots of perfect subtrees of one size (the last may be a smaller tree's)."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        paired = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        # A hash without a partner goes up as it is: that is RFC 6962's split at the largest power of two.
        hashes = paired + hashes[len(hashes) - len(hashes) % 2 :]
    return hashes[0]


def root_from_path(index, size, leaf, path):
    """RFC 9162 section 2.1.3.2; None if the path has the wrong length."""
    if index >= size:
        return None
    fn, sn, r = index, size - 1, leaf
    for step in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = node_hash(step, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, step)
        fn, sn = fn >> 1, sn >> 1
    return r if sn == 0 else None


# --- Signed notes ------------------------------------------------------------------------------------------------------


class Unusable(Exception):
    """Nothing can be said."""


class Refused(Exception):
    """Something was said, and it is wrong."""


class VerifierKey:
    def __init__(self, text):
        parts = text.split("+", 2)
        try:
            self.name, stated, encoded = parts
            data = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error) as error:
            raise Unusable("a verifier key is written NAME+HASH+BASE64") from error
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        if data[:1] != b"\1" or len(data) != 33 or stated != self.id.hex():
            raise Unusable("this is not the verifier key of an Ed25519 key")
        self.public = data[1:]

    def open(self, note, what):
        """(size, root) of a checkpoint that this key has signed."""
        try:
            text, signatures = note.decode().rsplit("\n\n", 1)
        except (UnicodeDecodeError, ValueError) as error:
            raise Refused(f"{what} is not a signed note") from error
        text += "\n"
        if not signatures.endswith("\n"):
            raise Refused(f"{what} is not a signed note")
        signed = False
        for line in signatures[:-1].split("\n"):
            parts = line.split(" ")
            if len(parts) != 3 or parts[0] != "\u2014":
                raise Refused(f"{what} is not a signed note")
            try:
                data = base64.b64decode(parts[2], validate=True)
            except binascii.Error as error:
                raise Refused(f"{what} has a malformed signature") from error
            if parts[1] == self.name and data[:4] == self.id:
                if not ed25519_verify(self.public, text.encode(), data[4:]):
                    raise Refused(f"{what} has a wrong signature")
                signed = True
        if not signed:
            raise Refused(f"{what} has no signature of {self.name} with this key")
        lines = text.split("\n")
        if len(lines) < 4 or lines[0] != self.name:
            raise Refused(f"{what} is for another log")
        size = int(lines[1]) if lines[1].isascii() and lines[1].isdigit() else -1
        root = base64.b64decode(lines[2], validate=True)
        if str(size) != lines[1] or len(root) != 32:
            raise Refused(f"{what} has no size and root")
        return size, root


# --- Files, C2SP tlog-tiles --------------------------------------------------------------------------------------------


def file_name(kind, n, width):
    groups = [f"{n % 1000:03}"]
    while n >= 1000:
        n //= 1000
        groups.insert(0, f"x{n % 1000:03}")
    return f"tile/{kind}/" + "/".join(groups) + (f".p/{width}" if width < TILE else "")


def split_bundle(data):
    """The entries, or None if the bundle breaks off."""
    entries, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        if at + 2 + length > len(data):
            return None
        entries.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return entries


def canonical(entry):
    """Whether an entry is spelled as the documentation says: docs/ledger.md, "Entries"."""
    try:
        value = json.loads(entry)
        again = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return again == entry and list(value) == ["v", "at", "body"] and value["v"] == 1


class Log:
    def __init__(self, directory, archive):
        self.directory, self.archive = directory, archive
        self.faults = []
        self.unread = 0
        try:
            self.archived = int((directory / "archived").read_text())
        except FileNotFoundError:
            self.archived = 0

    def fault(self, text):
        self.faults.append(text)

    def read(self, kind, n, width):
        places = [self.directory] + ([self.archive] if self.archive and kind == "entries" else [])
        for wanted in (width, TILE):
            for place in places:
                path = place / file_name(kind, n, wanted)
                if path.is_file():
                    return path.read_bytes()
        return None

    def tile(self, level, n, width):
        data = self.read(level, n, width)
        if data is None or len(data) % 32 or len(data) // 32 < width:
            return None
        return [data[i : i + 32] for i in range(0, width * 32, 32)]

    def verify(self, size, root):
        """The leaf hashes, with every fault noted."""
        leaves = []
        for n in range((size + TILE - 1) // TILE):
            width = min(TILE, size - n * TILE)
            name, tile = file_name("entries", n, width), self.tile(0, n, width)
            if tile is None:
                self.fault(f"{file_name(0, n, width)} is missing or cut")
            data = self.read("entries", n, width)
            if data is None and n < self.archived and tile is not None:
                leaves += tile
                self.unread += width
                continue
            entries = split_bundle(data) if data is not None else None
            if entries is None or len(entries) < width:
                self.fault(f"{name} is missing or cut: entries {n * TILE} to {n * TILE + width - 1}")
                leaves += tile or [b"\0" * 32] * width
                continue
            hashes = [leaf_hash(entry) for entry in entries[:width]]
            for place, entry in enumerate(entries[:width]):
                index = n * TILE + place
                if tile is not None and hashes[place] != tile[place]:
                    self.fault(f"entry {index} does not have the hash in {file_name(0, n, width)}")
                elif not canonical(entry):
                    self.fault(f"entry {index} is not in canonical form")
            leaves += hashes
        # Every tile above must be what the leaves make it.
        level, hashes = 1, leaves
        while len(hashes) >= TILE:
            hashes = [tree_root(hashes[i : i + TILE]) for i in range(0, len(hashes) - TILE + 1, TILE)]
            for n in range((len(hashes) + TILE - 1) // TILE):
                expected = hashes[n * TILE : (n + 1) * TILE]
                if self.tile(level, n, len(expected)) != expected:
                    self.fault(f"{file_name(level, n, len(expected))} does not agree with the level below")
            level += 1
        if tree_root(leaves) != root:
            self.fault("the entries do not lead to the signed root")
        return leaves


def check_proof(path, key):
    proof = json.loads(path.read_text())
    if sorted(proof) != ["checkpoint", "entry", "index", "path", "v"] or proof["v"] != 1:
        raise Refused("the proof is not a proof document of version 1")
    size, root = key.open(proof["checkpoint"].encode(), "the proof's checkpoint")
    hashes = [base64.b64decode(step, validate=True) for step in proof["path"]]
    leaf = leaf_hash(proof["entry"].encode())
    if any(len(step) != 32 for step in hashes) or root_from_path(proof["index"], size, leaf, hashes) != root:
        raise Refused("the proof does not lead from the entry to the signed root")
    return proof["index"], size


def run(arguments):
    key = VerifierKey(arguments.key)
    log = Log(arguments.directory, arguments.archive)
    note = arguments.directory / "checkpoint"
    if not note.is_file():
        raise Unusable("the log has no checkpoint")
    size, root = key.open(note.read_bytes(), "the checkpoint")
    leaves = log.verify(size, root)
    if arguments.since:
        since, old = key.open(arguments.since.read_bytes(), "the kept checkpoint")
        if since > size:
            log.fault(f"the log was rolled back: it had {since} entries, and has {size}")
        elif tree_root(leaves[:since]) != old:
            log.fault(f"the history was rewritten: the first {since} entries are not those of the kept checkpoint")
    if arguments.proof:
        try:
            index, proven = check_proof(arguments.proof, key)
            print(f"the proof holds: entry {index} is under the checkpoint of {proven} entries")
        except (Refused, ValueError, KeyError, TypeError, AttributeError) as error:
            log.fault(f"the proof does not hold: {error}")
    for fault in log.faults:
        print(f"FAULT: {fault}")
    if not log.faults:
        print(f"{size} entries hold under the checkpoint of {key.name}")
    if log.unread:
        print(f"the contents of {log.unread} of {size} entries were not read: they are archived")
    return 1 if log.faults else 0


def main():
    parser = argparse.ArgumentParser(description="Verifies a Countersign ledger.")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("key", help="NAME+HASH+BASE64")
    parser.add_argument("--since", type=pathlib.Path, help="a checkpoint that was kept from earlier")
    parser.add_argument("--proof", type=pathlib.Path, help="an inclusion proof to check as well")
    parser.add_argument("--archive", type=pathlib.Path, help="where archived bundles are")
    try:
        sys.exit(run(parser.parse_args()))
    except Refused as error:
        print(f"FAULT: {error}")
        sys.exit(1)
    except (Unusable, OSError, ValueError) as error:
        print(f"cannot verify: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
