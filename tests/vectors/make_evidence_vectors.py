#!/usr/bin/env python3
"""The evidence formats once more, in another language: what wrote entry.json, merkle.json, checkpoint.json, cosignature.json
and seal.json. It was run once. The vectors never change; it stays here as a second reading of docs and
headers (store/entry.h, merkle.h, checkpoint.h, seal.h). Needs the `cryptography` package."""
import base64, hashlib, json, os, struct

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def pattern(first, count):
    return bytes((first + i) & 0xFF for i in range(count))


# --- entries ---------------------------------------------------------------------------------------

def pack(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, int):
        if value < 0x80:
            return bytes([value])
        for first, form, size in ((0xCC, ">B", 1), (0xCD, ">H", 2), (0xCE, ">I", 4), (0xCF, ">Q", 8)):
            if value < 1 << (8 * size):
                return bytes([first]) + struct.pack(form, value)
    if isinstance(value, bytes):
        for first, form, size in ((0xC4, ">B", 1), (0xC5, ">H", 2), (0xC6, ">I", 4)):
            if len(value) < 1 << (8 * size):
                return bytes([first]) + struct.pack(form, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        if len(text) < 32:
            return bytes([0xA0 | len(text)]) + text
        for first, form, size in ((0xD9, ">B", 1), (0xDA, ">H", 2), (0xDB, ">I", 4)):
            if len(text) < 1 << (8 * size):
                return bytes([first]) + struct.pack(form, len(text)) + text
    if isinstance(value, list):
        head = bytes([0x90 | len(value)]) if len(value) < 16 else b"\xdc" + struct.pack(">H", len(value))
        return head + b"".join(pack(item) for item in value)
    raise TypeError(value)


def entry(**given):
    e = dict(version=1, seq=0, recorded_us=0, occurred_us=0, stream=3, stream_version=0, epoch=1, type=300,
             type_version=1, command_id=pattern(1, 16), trace_id=None, cause=None, fields=[], sealed=[],
             nonce=pattern(0x80, 16))
    e.update(given)
    return e


def listed(e):
    return list(e.values())


def plain(value):
    if isinstance(value, bytes):
        return {"bin": value.hex()}
    return [plain(v) for v in value] if isinstance(value, list) else value


ENTRIES = [
    ("the first event of a log", entry(recorded_us=1_700_000_000_000_000, occurred_us=1_700_000_000_000_000,
                                       fields=["ifswarm.local/node1", "ifswarm-evidence/v1"])),
    ("every number at the border of its form",
     entry(seq=0xFFFFFFFF, recorded_us=0x7FFFFFFFFFFFFFFF, occurred_us=0x100000000, stream=0x7F,
           stream_version=0x80, epoch=0xFF, type=0x100, type_version=0xFFFF, cause=0x10000,
           fields=[0, 127, 128, 255, 256, 65535, 65536, 0xFFFFFFFF, 1 << 32])),
    ("two sealed parts, a trace and a cause",
     entry(seq=300, recorded_us=1_700_000_000_500_000, occurred_us=1_700_000_000_400_000, stream=1,
           stream_version=17, epoch=2, type=101, trace_id=pattern(0x20, 16), cause=299,
           fields=[pattern(0x30, 16), pattern(0x40, 16), 1, pattern(0x50, 16), 7],
           sealed=[[pattern(0x30, 16), pattern(0x60, 16), 35, pattern(0, 32)],
                   [pattern(0x40, 16), pattern(0x70, 16), 25, pattern(0x20, 32)]])),
    ("a type of a later version", entry(seq=9, stream=1, type=64000, type_version=9,
                                        fields=["a" * 31, "b" * 32, "c" * 256, None, pattern(0, 255),
                                                pattern(0, 256)])),
]


def spoil():
    good = pack(listed(ENTRIES[0][1]))
    e = entry(seq=5, cause=4)
    yield "one byte too many", good + b"\x00"
    yield "one byte too few", good[:-1]
    yield "fourteen elements", pack(listed(e)[:14])
    yield "sixteen elements", pack(listed(e) + [0])
    yield "version 2", pack(listed(entry(version=2)))
    yield "a number longer than it must be", good.replace(b"\x9f\x01", b"\x9f\xcc\x01", 1)
    yield "a float as seq", b"\x9f\x01\xcb" + bytes(8) + good[3:]
    yield "a negative seq", b"\x9f\x01\xff" + good[3:]
    yield "true as a field", pack(listed(entry(fields=[0]))).replace(b"\x91\x00\x90", b"\x91\xc3\x90")
    yield "a map as fields", pack(listed(e)).replace(b"\x04\x90\x90", b"\x04\x80\x90")
    yield "an array within fields", pack(listed(entry(fields=[[1]])))
    yield "a cause that is not earlier", pack(listed(entry(seq=5, cause=5)))
    yield "a command id of 15 bytes", pack(listed(entry(command_id=bytes(15))))
    yield "a trace of zeroes instead of nil", pack(listed(entry(trace_id=bytes(16))))
    yield "no nonce", pack(listed(entry(nonce=None)))
    yield "three sealed parts", pack(listed(entry(sealed=[[pattern(1, 16), pattern(2, 16), 1,
                                                           pattern(3, 32)]] * 3)))
    yield "a sealed part of three elements", pack(listed(entry(sealed=[[pattern(1, 16), pattern(2, 16), 1]])))
    yield "longer than 65535 bytes", pack(listed(entry(fields=[bytes(65535)])))
    yield "nothing", b""


def entry_vectors():
    accepted = []
    for name, e in ENTRIES:
        data = pack(listed(e))
        accepted.append({"name": name, "elements": [plain(v) for v in listed(e)], "entry": data.hex(),
                         "leaf_hash": sha(b"\x00", data).hex()})
    return {"accepted": accepted, "refused": [{"name": n, "entry": d.hex()} for n, d in spoil()]}


# --- the tree --------------------------------------------------------------------------------------

def mth(leaves):
    if len(leaves) == 0:
        return sha()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha(b"\x01", mth(leaves[:k]), mth(leaves[k:]))


def tile_path(level, index, width):
    groups = ["%03d" % (index % 1000)]
    while index >= 1000:
        index //= 1000
        groups.insert(0, "x%03d" % (index % 1000))
    return "tile/%s/%s%s" % (level, "/".join(groups), "" if width == 256 else ".p/%d" % width)


def merkle_vectors():
    reference = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                 "606162636465666768696a6b6c6d6e6f"]
    known = [sha(b"\x00", bytes.fromhex(x)) for x in reference]
    counted = [sha(b"\x00", struct.pack(">I", i)) for i in range(65536 + 300)]
    sizes = [0, 1, 2, 3, 7, 8, 9, 255, 256, 257, 511, 512, 513, 1000, 65535, 65536, 65537, 65536 + 300]
    tiles = [(0, 0, 256), (0, 0, 1), (0, 999, 255), (1, 1000, 256), (0, 1234067, 256), (2, 1234067, 17),
             (7, 4294967295, 3), ("entries", 12, 256), ("entries", 1234, 200)]
    return {"reference_leaves": reference,
            "reference_roots": [mth(known[:n]).hex() for n in range(len(known) + 1)],
            "counted_leaf": "the leaf's index as 4 bytes, big-endian",
            "counted_roots": [{"size": n, "root": mth(counted[:n]).hex()} for n in sizes],
            "paths": [{"level": -1 if l == "entries" else l, "index": i, "width": w, "path": tile_path(l, i, w)}
                      for l, i, w in tiles]}


# --- checkpoints -----------------------------------------------------------------------------------

def checkpoint_vectors():
    origin, size, root, seed = "ifswarm.local/node1", 20852163, sha(b"root"), pattern(1, 32)
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    key_id = sha(origin.encode(), b"\n\x01", public)[:4]
    b64 = lambda data: base64.b64encode(data).decode()
    text = "%s\n%d\n%s\n" % (origin, size, b64(root))
    sign = lambda t: "— %s %s\n" % (origin, b64(key_id + key.sign(t.encode())))
    note = text + "\n" + sign(text)
    other = "— witness.example/w1 %s\n" % b64(pattern(9, 4 + 8 + 64))
    longer = text.replace("%d" % size, "%d" % (size + 1))
    extended = text + "extension line\n"
    padded = text.replace("%d" % size, "0%d" % size)
    foreign = text.replace("node1", "node2")
    huge = text.replace("%d" % size, "18446744073709551616")
    return {
        "seed": seed.hex(), "public_key": public.hex(), "origin": origin, "size": size, "root": root.hex(),
        "vkey": "%s+%s+%s" % (origin, key_id.hex(), b64(b"\x01" + public)), "note": note,
        "holds": [{"name": "cosigned by a witness", "note": note + other},
                  {"name": "the witness's line first", "note": text + "\n" + other + sign(text)}],
        "refused": [
            {"name": "a larger size under the same signature", "note": longer + "\n" + sign(text), "check": "forged"},
            {"name": "another origin, signed", "note": foreign + "\n" + sign(foreign), "check": "foreign"},
            {"name": "only a witness's line", "note": text + "\n" + other, "check": "foreign"},
            {"name": "an extension line, signed", "note": extended + "\n" + sign(extended), "check": "malformed"},
            {"name": "a size with a leading zero, signed", "note": padded + "\n" + sign(padded), "check": "malformed"},
            {"name": "a size beyond 64 bits, signed", "note": huge + "\n" + sign(huge), "check": "malformed"},
            {"name": "no signature", "note": text + "\n", "check": "malformed"},
            {"name": "no final newline", "note": note[:-1], "check": "malformed"},
            {"name": "a hyphen instead of the dash", "note": note.replace("—", "-"), "check": "malformed"},
            {"name": "a short signature", "note": text + "\n— %s %s\n" % (origin, b64(key_id + bytes(63))), "check": "malformed"},
            {"name": "carriage returns", "note": note.replace("\n", "\r\n"), "check": "malformed"},
            {"name": "nothing", "note": "", "check": "malformed"}],
    }


# --- cosignatures (C2SP tlog-cosignature v1) -----------------------------------------------------------

def cosignature_vectors():
    name, when, seed = "witness.example/w1", 1679315147, pattern(0x41, 32)
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    b64 = lambda data: base64.b64encode(data).decode()
    key_id = lambda kind: sha(name.encode(), b"\n", kind, public)[:4]
    text = "ifswarm.local/node1\n20852163\n%s\n" % b64(sha(b"root"))

    def line(t, at=when, header="cosignature/v1", kind=b"\x04", who=name):
        message = "%s\ntime %d\n%s" % (header, at, t)
        return "— %s %s" % (who, b64(key_id(kind) + struct.pack(">Q", at) + key.sign(message.encode())))

    bare = b64(key_id(b"\x04") + key.sign(text.encode()))
    return {
        "seed": seed.hex(), "public_key": public.hex(), "name": name, "time": when, "text": text,
        "vkey": "%s+%s+%s" % (name, key_id(b"\x04").hex(), b64(b"\x04" + public)), "line": line(text),
        "extended": {"text": text + "extension line\n", "line": line(text + "extension line\n")},
        "refused": [
            {"name": "of another size", "line": line(text.replace("63", "64")), "check": "forged"},
            {"name": "at another time", "line": line(text)[:-40] + line(text, when + 1)[-40:], "check": "forged"},
            {"name": "without a time", "line": line(text, 0), "check": "forged"},
            {"name": "a time beyond 63 bits", "line": line(text, 1 << 63), "check": "forged"},
            {"name": "another version", "line": line(text, header="cosignature/v2"), "check": "forged"},
            {"name": "under the key id of a log", "line": line(text, kind=b"\x01"), "check": "foreign"},
            {"name": "under another name", "line": line(text, who="witness.example/w2"), "check": "foreign"},
            {"name": "a plain note signature", "line": "— %s %s" % (name, bare), "check": "malformed"},
            {"name": "a hyphen instead of the dash", "line": line(text).replace("—", "-"), "check": "malformed"},
            {"name": "a newline behind it", "line": line(text) + "\n", "check": "malformed"},
            {"name": "nothing", "line": "", "check": "malformed"}],
    }


# --- sealing ---------------------------------------------------------------------------------------

def hkdf(key, label):
    return HKDF(hashes.SHA256(), 32, None, label.encode()).derive(key)


def seal_vectors():
    origin, key, wrap = "ifswarm.local/node1", pattern(0x10, 32), pattern(0xA0, 32)
    parts = []
    for name, seq, part, data in (("nothing to hide", 0, 0, b""), ("a name and an address", 300, 0,
                                  pack(["agent-1", bytes([192, 0, 2, 1, 0x0D, 0x96])])),
                                  ("the other part", 300, 1, pack(["default"])),
                                  ("the longest", 1 << 40, 1, pattern(0, 1024))):
        salt, key_id = pattern(seq + part, 32), pattern(0x60 + part, 16)
        aad = origin.encode() + b"\n" + struct.pack(">QB", seq, part) + key_id
        body = AESGCM(key).encrypt(salt[:12], data, aad)
        parts.append({"name": name, "seq": seq, "part": part, "key_id": key_id.hex(), "salt": salt.hex(),
                      "plain": data.hex(), "body": body.hex(),
                      "digest": sha(b"ifswarm/sealed/v1", salt, body).hex()})
    dump, annex, iv = b"dump", b"personal", pattern(0x33, 12)
    aad = origin.encode() + b"\n" + struct.pack(">QQ", 1, 42) + sha(dump)
    months = [(0, 197001), (951782400_000000, 200002), (951868799_999999, 200002), (951868800_000000, 200003),
              (1700000000_000000, 202311), (1767225599_999999, 202512), (1767225600_000000, 202601),
              (4107542400_000000, 210003)]
    return {"origin": origin, "key": key.hex(), "commitment": hkdf(key, "ifswarm/commit/v1").hex(),
            "wrap_key": wrap.hex(), "wrapped": keywrap.aes_key_wrap(wrap, key).hex(), "parts": parts,
            "annex": {"stream": 1, "version": 42, "dump": dump.hex(), "plain": annex.hex(), "iv": iv.hex(),
                      "box": (iv + AESGCM(hkdf(wrap, "ifswarm/snapshot/v1")).encrypt(iv, annex, aad)).hex()},
            "months": [{"time_us": t, "month": m} for t, m in months]}


for file, vectors in (("entry", entry_vectors()), ("merkle", merkle_vectors()),
                      ("checkpoint", checkpoint_vectors()), ("cosignature", cosignature_vectors()), ("seal", seal_vectors())):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), file + ".json"), "x") as out:
        json.dump(vectors, out, indent=1, ensure_ascii=False)
        out.write("\n")
