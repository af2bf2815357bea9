#!/usr/bin/env python3
"""Verifies an evidence pack of Countersign with nothing but Python's standard library. It shares no code with
Countersign; that is its point.

    verify_pack.py PACK [--key VERIFIER_KEY] [FILE...]

FILEs are the exports that were assessed: each is looked up by its SHA-256 among the pack's sources. With the ledger's verifier
key the proofs in the pack are checked as well: that an entry which names the pack's root is in the signed log, or the acts that
imported all of its sources.

Exit status: 0 everything holds; 1 something does not, said on standard output; 2 it is no evidence pack.
"""

import argparse
import hashlib
import json
import pathlib
import sys


class NoPack(Exception):
    pass


def no_key_twice(pairs):
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise NoPack("a key stands twice in one object")
    return fields


def no_constant(name):
    raise NoPack(f"{name} is not JSON")


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def check_parts(manifest, parts):
    listed = set()
    for part in manifest["parts"]:
        name = part["name"]
        if name in listed:
            yield f"part {name!r} stands twice in the manifest"
        listed.add(name)
        if name not in parts:
            yield f"part {name!r} is in the manifest and not in the pack"
            continue
        text = canonical(parts[name])
        if sha256(text) != part["sha256"] or len(text) != part["bytes"]:
            yield f"part {name!r} was changed"
    for name in sorted(set(parts) - listed):
        yield f"part {name!r} is in the pack and not in the manifest"


def check_indicator(name, part, sources):
    found, passed, unknown = part["found"], part["passed"], part["not-assessed"]
    if found + passed + unknown != part["population"] or len(part["findings"]) != found:
        yield f"the numbers of {name!r} do not add up"
    cited = {row["sha256"] for finding in part["findings"] for row in finding["evidence"]} - {""}
    for digest in sorted(cited - sources):
        yield f"{name!r} rests on a file that is none of the sources: {digest}"


def check_proof(proof, key):
    import tempfile

    import verify_ledger

    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "proof")
        path.write_text(json.dumps(proof))
        try:
            verify_ledger.check_proof(path, verify_ledger.VerifierKey(key))
        except (verify_ledger.Refused, verify_ledger.Unusable, ValueError, KeyError, TypeError, AttributeError) as error:
            yield f"a proof does not hold: {error}"


def is_import_of(proof, files):
    """Whether the entry is the act that imported exactly these files: it has one hash over their hashes."""
    act = json.loads(proof["entry"])["body"].get("act", {})
    _, found, rest = act.get("detail", "").partition("(SHA-256 of their SHA-256 ")
    every = sha256("\n".join(sorted(files)).encode())
    return act.get("verb") == "estate.import" and bool(found) and rest.partition(")")[0] == every


def check_proofs(pack, key):
    if not pack["ledger"]:
        yield "there is no proof in it that a ledger recorded it"
        return
    named, imported = False, set()
    for document in pack["ledger"]:
        proof = document["proof"] if "files" in document else document
        faults = list(check_proof(proof, key))
        yield from faults
        if faults:
            continue
        if "files" not in document:
            if pack["root"] in proof["entry"]:
                named = True
            else:
                yield "a proof is of an entry that does not name this pack"
        elif is_import_of(proof, document["files"]):
            imported.update(document["files"])
        else:
            yield "a proof is of an entry that is no import of its files"
    for source in pack["manifest"]["sources"]:
        if not named and source["sha256"] not in imported:
            yield f"no proof says that {source['name']!r} was imported"


def check(pack, key, files):
    manifest, parts = pack["manifest"], pack["parts"]
    for field in sorted(set(pack) - {"ledger", "manifest", "parts", "root"}):
        yield f"the field {field!r} does not belong there"
    if sha256(canonical(manifest)) != pack["root"]:
        yield "the manifest is not the one whose root this is"
    yield from check_parts(manifest, parts)
    sources = {source["sha256"] for source in manifest["sources"]}
    for name, part in parts.items():
        if name.startswith("indicator/"):
            yield from check_indicator(name, part, sources)
    for path in files:
        if sha256(path.read_bytes()) not in sources:
            yield f"{path} is none of the sources, or was changed"
    if key:
        yield from check_proofs(pack, key)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=pathlib.Path)
    parser.add_argument("files", type=pathlib.Path, nargs="*")
    parser.add_argument("--key", help="the ledger's verifier key")
    options = parser.parse_args()
    try:
        text = options.pack.read_bytes().decode()
        pack = json.loads(text, object_pairs_hook=no_key_twice, parse_constant=no_constant)
        if pack["manifest"]["format"] != "countersign-evidence" or pack["manifest"]["version"] != 1:
            raise NoPack("another format or version")
        faults = list(check(pack, options.key, options.files))
    except (NoPack, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        print(f"this is no evidence pack: {error!r}")
        return 2
    for fault in faults:
        print(fault)
    if not faults:
        print(f"the pack holds: {len(pack['parts'])} parts, root {pack['root']}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
