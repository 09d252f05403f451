#!/usr/bin/env python3
"""Checks an export bundle of an ifswarm log, with python3 and its standard library alone.

    verify.py [--log-key KEY] [--export-key KEY] [--policy FILE] BUNDLE

BUNDLE: the tar, or the folder it was unpacked to (default: the folder above this file).
KEY: a verifier key, or a file that holds it. The log's key decides: have it from elsewhere, not from the bundle.
FILE: the witnesses whose word counts, and their quorum (C2SP tlog-policy). Without it cosignatures are not judged.
Of timestamps it is checked what they are over; who signed them, verify.sh says (--tsa-ca).

Every break is named: what, where, expected, found. The last line is HOLDS or DOES NOT HOLD; exit code 0 or 1, and 2
when it was called wrongly. The format is docs/bundle.md; the rules are RFC 6962 (the tree), RFC 8032 (Ed25519), and
C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-proof, tlog-cosignature and tlog-policy; RFC 3161 (timestamps).
"""
import base64
import binascii
import csv
import hashlib
import io
import json
import os
import re
import sqlite3
import sys
import tarfile
import tempfile

ENTRY_BYTES_MAX = 65535
UNLISTED = {'SHA256SUMS', 'manifest.json', 'manifest.json.note', 'manifest.json.sig', 'manifest.json.tsr', 'custody.jsonl'}
NAME = re.compile(r'[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*')
COLUMNS = {'seq': 1, 'recorded_us': 2, 'occurred_us': 3, 'stream': 4, 'stream_version': 5, 'epoch': 6, 'type': 7,
           'type_version': 8, 'command_id': 9, 'trace_id': 10, 'cause': 11}

breaks = 0


def show(value):
    """Bytes from outside never drive a terminal."""
    text = value if isinstance(value, str) else repr(value)
    return ''.join(c if ' ' <= c <= '~' else '\\x%02x' % ord(c) for c in text)[:200]


def say(what, where, expected, found):
    global breaks
    breaks += 1
    print(f'BREAK {show(what)}\n  where    {show(where)}\n  expected {show(expected)}\n  found    {show(found)}')


def compare(what, where, expected, found):
    if expected != found:
        say(what, where, expected, found)
    return expected == found


class Wrong(Exception):
    """Bytes that are not what their format says."""


# --- Ed25519, RFC 8032 section 5.1: verification alone, so nothing here needs to hide its timing -------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # of -1


def point_add(a, b):
    """Extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, x*y = T/Z."""
    m = (a[1] - a[0]) * (b[1] - b[0]) % P
    n = (a[1] + a[0]) * (b[1] + b[0]) % P
    o = 2 * a[3] * b[3] * D % P
    q = 2 * a[2] * b[2] % P
    e, f, g, h = n - m, q - o, q + o, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_multiply(factor, point):
    result = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        factor >>= 1
    return result


def point_read(data):
    """None if these 32 bytes are not the one encoding of a point."""
    y = int.from_bytes(data, 'little')
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def point_equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


BASE = point_read((4 * pow(5, P - 2, P) % P).to_bytes(32, 'little'))


def ed25519_holds(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r = point_read(public), point_read(signature[:32])
    s = int.from_bytes(signature[32:], 'little')
    if a is None or r is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), 'little') % ORDER
    return point_equal(point_multiply(s, BASE), point_add(r, point_multiply(k, a)))

# --- Signed notes (C2SP signed-note) and checkpoints (tlog-checkpoint) ----------------------------------------


def base64_read(text):
    """The bytes of a canonical base64 text."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Wrong('not base64') from None
    if base64.b64encode(data).decode() != text:
        raise Wrong('not canonical base64')
    return data


LOG_KEY, COSIGNER_KEY = 1, 4


class Key:
    """name+hash+base64(kind || public key)"""

    def __init__(self, text, kind=LOG_KEY):
        parts = text.strip().split('+', 2)
        if len(parts) != 3 or not parts[0]:
            raise Wrong('not a verifier key')
        raw = base64_read(parts[2])
        self.name, self.public = parts[0], raw[1:]
        self.id = hashlib.sha256(self.name.encode() + b'\n' + raw).digest()[:4]
        if len(raw) != 33 or raw[0] != kind or self.id.hex() != parts[1]:
            raise Wrong('a verifier key whose parts do not belong together')


def note_read(data, key):
    """The text of a note that this key has signed."""
    try:
        text, _, signatures = data.decode().rpartition('\n\n')
    except UnicodeDecodeError:
        raise Wrong('not UTF-8') from None
    if not text or not signatures.endswith('\n'):
        raise Wrong('not a signed note')
    text += '\n'
    found = False
    for line in signatures[:-1].split('\n'):
        parts = line.split(' ')
        if len(parts) != 3 or parts[0] != '\u2014':
            raise Wrong('not a signature line: ' + line)
        raw = base64_read(parts[2])
        if parts[1] == key.name and raw[:4] == key.id:
            if not ed25519_holds(key.public, text.encode(), raw[4:]):
                raise Wrong('a signature by this key that does not verify')
            found = True
    if not found:
        raise Wrong('no signature by ' + key.name)
    return text


def cosignature_time(line, key, text):
    """When this key cosigned that text (C2SP tlog-cosignature); None: the line is by another."""
    name, raw = line.split(' ')[1], base64_read(line.split(' ')[2])
    if name != key.name or raw[:4] != key.id:
        return None
    time = int.from_bytes(raw[4:12], 'big')
    if len(raw) != 76 or not ed25519_holds(key.public, b'cosignature/v1\ntime %d\n' % time + text.encode(), raw[12:]):
        raise Wrong(f'a cosignature of {key.name} that does not verify')
    return time


def number_read(text, least=0):
    if not re.fullmatch('0|[1-9][0-9]{0,18}', text) or int(text) < least:
        raise Wrong('not a number: ' + text)
    return int(text)


def checkpoint_read(data, key):
    """(size, root) as this key signed it."""
    lines = note_read(data, key).split('\n')
    if len(lines) != 4 or lines[0] != key.name:
        raise Wrong('not a checkpoint of ' + key.name)
    root = base64_read(lines[2])
    if len(root) != 32:
        raise Wrong('a root that is not 32 bytes')
    return number_read(lines[1]), root


# --- The tree (RFC 6962 section 2.1) --------------------------------------------------------------------------


def leaf_hash(entry):
    return hashlib.sha256(b'\0' + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b'\1' + left + right).digest()


def hashes_root(hashes):
    """The root over hashes of subtrees of equal size."""
    if len(hashes) == 1:
        return hashes[0]
    middle = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(hashes_root(hashes[:middle]), hashes_root(hashes[middle:]))


def inclusion_root(seq, size, leaf, proof):
    """RFC 9162 section 2.1.3.2: the root that an inclusion proof leads to."""
    if seq >= size:
        raise Wrong('an index beyond the tree')
    place, last, root = seq, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise Wrong('more hashes than the tree is high')
        if place & 1 or place == last:
            root = node_hash(sibling, root)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise Wrong('fewer hashes than the tree is high')
    return root


def consistency_roots(old, size, old_root, proof):
    """RFC 9162 section 2.1.4.2: (old root, new root) that a consistency proof leads to."""
    if old == size:
        if proof:
            raise Wrong('hashes where none are needed')
        return old_root, old_root
    if not 0 < old < size or not proof:
        raise Wrong('sizes or hashes that no consistency proof has')
    proof = ([old_root] if old & (old - 1) == 0 else []) + proof
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            raise Wrong('more hashes than the tree is high')
        if place & 1 or place == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise Wrong('fewer hashes than the tree is high')
    return first, second


def range_root(size, start, end, leaves, outside):
    """The root from the leaves of a range and the subtrees outside it, in order."""
    outside = iter(outside)

    def walk(low, high):
        if high <= start or low >= end:
            return next(outside)
        if high - low == 1:
            return leaves[low]
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        left = walk(low, middle)
        return node_hash(left, walk(middle, high))

    try:
        root = walk(0, size)
    except StopIteration:
        raise Wrong('fewer hashes than the range needs') from None
    if next(outside, None) is not None:
        raise Wrong('more hashes than the range needs')
    return root


# --- Entries: canonical msgpack (EVIDENCE section 1) ----------------------------------------------------------


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Wrong('an entry that breaks off')
        self.at += count
        return self.data[self.at - count:self.at]

    def wide(self, width, least):
        value = int.from_bytes(self.take(width), 'big')
        if value < least:
            raise Wrong('not the shortest form')
        return value

    def value(self, depth=0):
        kind = self.take(1)[0]
        if kind < 0x80:
            return kind
        if kind == 0xc0:
            return None
        if 0xcc <= kind <= 0xcf:
            return self.wide(1 << kind - 0xcc, (0x80, 1 << 8, 1 << 16, 1 << 32)[kind - 0xcc])
        if 0xc4 <= kind <= 0xc5:
            return self.take(self.wide(1 << kind - 0xc4, 256 * (kind - 0xc4)))
        if 0xa0 <= kind <= 0xbf:
            return self.text(kind & 31)
        if 0xd9 <= kind <= 0xda:
            return self.text(self.wide(1 << kind - 0xd9, (32, 256)[kind - 0xd9]))
        if 0x90 <= kind <= 0x9f and depth < 8:
            return [self.value(depth + 1) for _ in range(kind & 15)]
        if kind == 0xdc and depth < 8:
            return [self.value(depth + 1) for _ in range(self.wide(2, 16))]
        raise Wrong('a kind of value that no entry has')

    def text(self, count):
        try:
            return self.take(count).decode()
        except UnicodeDecodeError:
            raise Wrong('a str that is not UTF-8') from None


def is_bin(value, count):
    return isinstance(value, bytes) and len(value) == count


def is_sealed(part):
    return (isinstance(part, list) and len(part) == 4 and is_bin(part[0], 16) and is_bin(part[1], 16)
            and isinstance(part[2], int) and is_bin(part[3], 32))


def entry_read(data):
    """The 15 elements, or Wrong."""
    reader = Reader(data)
    e = reader.value()
    if reader.at != len(data) or len(data) > ENTRY_BYTES_MAX or not isinstance(e, list) or len(e) != 15:
        raise Wrong('not exactly one array of 15 elements')
    if e[0] != 1 or not all(isinstance(n, int) for n in e[:9]):
        raise Wrong('not an entry of version 1')
    if not is_bin(e[9], 16) or not (e[10] is None or is_bin(e[10], 16)) or not is_bin(e[14], 16):
        raise Wrong('an id or nonce that is not 16 bytes')
    if not (e[11] is None or isinstance(e[11], int) and e[11] < e[1]):
        raise Wrong('a cause that is not earlier')
    if not isinstance(e[12], list) or any(isinstance(field, list) for field in e[12]):
        raise Wrong('fields that are not a flat array')
    if not isinstance(e[13], list) or len(e[13]) > 2 or not all(map(is_sealed, e[13])):
        raise Wrong('sealed parts of another form')
    return e


# --- The bundle's files ---------------------------------------------------------------------------------------


def name_check(name, where):
    if not NAME.fullmatch(name) or any(part in ('.', '..') for part in name.split('/')):
        say('a name that no file of a bundle has', where, 'letters, digits, ._- between single slashes', name)
        return False
    return True


class Tar:
    """Read where it lies; nothing is unpacked."""

    def __init__(self, path):
        self.members = {}
        try:
            self.tar = tarfile.open(path, 'r:')
            members = self.tar.getmembers()
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            say('the tar cannot be read', path, 'a ustar archive', str(error))
            return
        self.check_end(path, members)
        for member in members:
            # tarfile drops a trailing slash and pax headers rename: both are no plain file of ours.
            if not member.isreg() or member.pax_headers or member.type not in (b'0', b'\0'):
                say('a member that is not a plain file', member.name, 'plain files only', 'type %r' % member.type)
            elif name_check(member.name, 'tar'):
                if member.name in self.members:
                    say('a name that is there twice', member.name, 'once', 'twice')
                self.members[member.name] = member

    @staticmethod
    def check_end(path, members):
        end = max((m.offset_data + (m.size + 511) // 512 * 512 for m in members), default=0)
        with open(path, 'rb') as file:
            file.seek(end)
            rest = file.read(1 << 20)
        if len(rest) < 1024 or rest.strip(b'\0'):
            say('the tar does not end as it should', path, 'two blocks of zeroes after the last file', f'{len(rest)} other bytes')

    def names(self):
        return set(self.members)

    def read(self, name):
        member = self.members[name]
        try:
            data = self.tar.extractfile(member).read()
        except (tarfile.TarError, OSError) as error:
            raise Wrong(str(error)) from None
        if len(data) != member.size:
            raise Wrong('it breaks off')
        return data


class Folder:
    def __init__(self, path):
        self.path, self.found = path, set()
        for folder, folders, files in os.walk(path):
            for name in files + [f for f in folders if os.path.islink(os.path.join(folder, f))]:
                whole = os.path.join(folder, name)
                short = os.path.relpath(whole, path)
                if os.path.islink(whole) or not os.path.isfile(whole):
                    say('not a plain file', short, 'plain files only', 'a link, device or pipe')
                elif name_check(short, 'folder'):
                    self.found.add(short)

    def names(self):
        return self.found

    def read(self, name):
        with open(os.path.join(self.path, name), 'rb') as file:
            return file.read()


class Bundle:
    def __init__(self, path):
        self.files = Folder(path) if os.path.isdir(path) else Tar(path)
        self.names = self.files.names()

    def read(self, name):
        """Empty, and said, if it is not there."""
        if name not in self.names:
            say('a file is missing', name, 'a file', 'none')
            return b''
        try:
            return self.files.read(name)
        except (Wrong, OSError) as error:
            say('a file cannot be read', name, 'all its bytes', str(error))
            return b''

    def read_text(self, name):
        try:
            return self.read(name).decode()
        except UnicodeDecodeError:
            say('a file is not text', name, 'UTF-8', 'other bytes')
            return ''


# --- The checks -----------------------------------------------------------------------------------------------


def check_sums(bundle):
    listed = {}
    lines = bundle.read_text('SHA256SUMS').splitlines()
    for line in lines:
        match = re.fullmatch('([0-9a-f]{64})  (.+)', line)
        if not match or match[2] in listed or match[2] in UNLISTED:
            say('a line of SHA256SUMS', line, 'hash, two spaces, each name once', 'something else')
        else:
            listed[match[2]] = match[1]
    for name in sorted(bundle.names - UNLISTED - set(listed)):
        say('a file that SHA256SUMS does not list', name, 'no such file', 'a file')
    for name, stated in sorted(listed.items()):
        if name not in bundle.names:
            say('a file is missing', name, stated, 'no such file')
        else:
            compare('a file is not the one that was exported', name, stated, hashlib.sha256(bundle.read(name)).hexdigest())
    return f'{len(listed)} files are those of SHA256SUMS'


def strict_json(text):
    def once(pairs):
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError('a key twice')
        return found
    return json.loads(text, object_pairs_hook=once)


def manifest_read(bundle):
    try:
        manifest = strict_json(bundle.read_text('manifest.json'))
        for key in ('version', 'size', 'from', 'end', 'disclosed', 'omitted'):
            if type(manifest[key]) is not int or manifest[key] < 0:
                raise ValueError(key + ' is not a number')
        for key in ('origin', 'log_key', 'export_key', 'root', 'sha256sums'):
            if not isinstance(manifest[key], str):
                raise ValueError(key + ' is not a text')
        if manifest['version'] != 1 or not manifest['from'] < manifest['end'] <= manifest['size']:
            raise ValueError('not version 1, or a range outside the log')
        return manifest, {'log': Key(manifest['log_key']), 'export': Key(manifest['export_key'])}
    except (ValueError, KeyError, TypeError, RecursionError, Wrong) as error:
        say('the manifest cannot be read', 'manifest.json', 'what docs/bundle.md says', repr(error))
        return None, None


def check_manifest(bundle, manifest, keys):
    data = bundle.read('manifest.json')
    digest = hashlib.sha256(data).digest()
    if not ed25519_holds(keys['export'].public, data, bundle.read('manifest.json.sig')):
        say("the manifest's signature does not verify", 'manifest.json.sig', 'Ed25519 by ' + keys['export'].name, 'another')
    try:
        text = note_read(bundle.read('manifest.json.note'), keys['export'])
        expected = f"ifswarm export manifest v1\n{manifest['origin']}\n{base64.b64encode(digest).decode()}\n"
        compare('the note is over another manifest', 'manifest.json.note', expected, text)
    except Wrong as error:
        say("the manifest's note does not hold", 'manifest.json.note', 'a note by ' + keys['export'].name, str(error))
    compare('the manifest names other sums', 'SHA256SUMS', manifest['sha256sums'],
            hashlib.sha256(bundle.read('SHA256SUMS')).hexdigest())
    compare('the counts do not fill the range', 'manifest.json', manifest['end'] - manifest['from'],
            manifest['disclosed'] + manifest['omitted'])
    return 'the manifest is signed by ' + keys['export'].name


def check_checkpoint(bundle, manifest, keys):
    compare('the key is of another log', 'manifest.json', manifest['origin'], keys['log'].name)
    try:
        size, root = checkpoint_read(bundle.read('log/checkpoint'), keys['log'])
    except Wrong as error:
        say('the checkpoint does not hold', 'log/checkpoint', 'a checkpoint signed by ' + keys['log'].name, str(error))
        return None
    compare('the manifest names another size', 'manifest.json', size, manifest['size'])
    compare('the manifest names another root', 'manifest.json', base64.b64encode(root).decode(), manifest['root'])
    return size, root


def tile_path(level, index, width):
    digits = '%03d' % (index % 1000)
    while index >= 1000:
        index //= 1000
        digits = 'x%03d/' % (index % 1000) + digits
    return f'log/tile/{level}/{digits}' + (f'.p/{width}' if width < 256 else '')


class Tiles:
    """The hashes of every level, as far as they are in the bundle."""

    def __init__(self, bundle, size):
        self.bundle, self.size, self.kept = bundle, size, {}

    def read(self, level, index):
        width = min(256, (self.size >> 8 * level) - 256 * index)
        path = tile_path(level, index, width)
        if path not in self.kept:
            data = self.bundle.read(path)
            if len(data) != 32 * width:
                say('a tile has another length', path, 32 * width, len(data))
                data = bytes(32 * width)
            self.kept[path] = [data[at:at + 32] for at in range(0, len(data), 32)]
        return path, self.kept[path]


def check_tiles(bundle, manifest, size, root):
    tiles = Tiles(bundle, size)
    start, end = manifest['from'] // 256, (manifest['end'] + 255) // 256
    level, peaks = 0, []
    while size >> 8 * level:
        count = size >> 8 * level
        full, rest = divmod(count, 256)
        for index in range(full) if level else range(start, min(end, full)):
            path, hashes = tiles.read(level, index)
            above = tiles.read(level + 1, index // 256)[1]
            compare('a tile is not under its parent', path, above[index % 256].hex(), hashes_root(hashes).hex())
        if rest:
            hashes = tiles.read(level, full)[1]
            # The complete subtrees of a partial tile, largest first, are peaks of the tree.
            peaks.insert(0, hashes)
        level += 1
    total = None
    for hashes in reversed(peaks):
        at, parts = 0, []
        for bit in reversed(range(8)):
            if len(hashes) >> bit & 1:
                parts.append(hashes_root(hashes[at:at + (1 << bit)]))
                at += 1 << bit
        for part in reversed(parts):
            total = part if total is None else node_hash(part, total)
    compare('the tiles do not give the signed root', 'log/tile', root.hex(), total.hex() if total else 'nothing')
    return tiles


def rows_read(bundle, name, pattern):
    for number, line in enumerate(bundle.read_text(name).split('\n')[:-1], 1):
        where = f'{name} line {number}'
        try:
            row = strict_json(line)
            if not re.match(pattern, line):
                raise ValueError('the line begins otherwise')
            yield where, row
        except (ValueError, RecursionError) as error:
            say('a line cannot be read', where, 'a JSON object as docs/bundle.md says', str(error))


def check_columns(where, row, entry):
    for name, place in COLUMNS.items():
        truth = entry[place].hex() if isinstance(entry[place], bytes) else entry[place]
        if name not in row or row[name] != truth or type(row[name]) is not type(truth):
            say(f'column {name} is not what the entry says', where, truth, row.get(name, 'none'))


def check_sealed(where, row, entry):
    opened = row.get('sealed')
    if opened is None:
        return
    if not isinstance(opened, list) or len(opened) != len(entry[13]):
        say('sealed parts', where, len(entry[13]), repr(opened))
        return
    for part, reference in zip(opened, entry[13]):
        if part is None:
            continue
        try:
            salt, body = base64_read(part['salt']), base64_read(part['body'])
        except (Wrong, TypeError, KeyError) as error:
            say('a sealed part cannot be read', where, 'salt and body', repr(error))
            continue
        found = hashlib.sha256(b'ifswarm/sealed/v1' + salt + body).hexdigest()
        compare('a sealed part is not the one that was logged', where, reference[3].hex(), found)
        compare('a sealed part has another length', where, reference[2], len(body))


def check_events(bundle, manifest):
    """(seq -> leaf hash, the rows)"""
    leaves, rows, last_us, versions = {}, [], 0, {}
    for where, row in rows_read(bundle, 'data/events.jsonl', r'\{"seq":\d+,"leaf_hash":"[0-9a-f]{64}","entry_b64":"[A-Za-z0-9+/=]+"'):
        try:
            data = base64_read(row['entry_b64'])
            entry = entry_read(data)
        except Wrong as error:
            say('an entry is not canonical', where, 'an entry of EVIDENCE section 1', str(error))
            continue
        compare('an entry is not the one that was hashed', where, row['leaf_hash'], leaf_hash(data).hex())
        check_columns(where, row, entry)
        check_sealed(where, row, entry)
        if rows and row['seq'] <= rows[-1]['seq']:
            say('events are not in order', where, f"more than {rows[-1]['seq']}", row['seq'])
        if entry[2] < last_us:
            say('time goes back', where, f'{last_us} or later', entry[2])
        if entry[4] in versions and entry[5] <= versions[entry[4]][1]:
            say('a stream version goes back', where, f'more than {versions[entry[4]][1]}', entry[5])
        last_us, versions[entry[4]] = entry[2], (entry[1], entry[5])
        leaves[entry[1]] = leaf_hash(data)
        rows.append(row)
    compare('the manifest counts other disclosed events', 'data/events.jsonl', manifest['disclosed'], len(rows))
    if not manifest['omitted']:
        check_dense_versions(rows)
    return leaves, rows


def check_dense_versions(rows):
    heads = {}
    for row in rows:
        stream, version = row.get('stream'), row.get('stream_version')
        if stream in heads:
            compare(f'stream {stream} has a gap', f"seq {row['seq']}", heads[stream] + 1, version)
        heads[stream] = version


def check_pruned(bundle, tiles):
    """The ranges that log_pruned events of the signed tree say are gone: event -> (first, end)."""
    ranges = {}
    if 'data/pruned.jsonl' not in bundle.names:
        return ranges
    for where, row in rows_read(bundle, 'data/pruned.jsonl', r'\{"seq":\d+,"leaf_hash":"[0-9a-f]{64}","entry_b64":"[A-Za-z0-9+/=]+"'):
        try:
            data, seq = base64_read(row['entry_b64']), row['seq']
            entry = entry_read(data)
            if entry[1] != seq or entry[7] != 331 or len(entry[12]) != 4 or seq >= tiles.size:
                raise Wrong('another event')
            first, end = entry[12][:2]
            if not (isinstance(first, int) and isinstance(end, int) and end <= seq):
                raise Wrong('a range that was not there')
        except Wrong as error:
            say('a line cannot be read', where, 'a log_pruned as docs/bundle.md says', str(error))
            continue
        path, hashes = tiles.read(0, seq // 256)
        if len(hashes) == 256:
            compare('a tile is not under its parent', path, tiles.read(1, seq // 65536)[1][seq // 256 % 256].hex(), hashes_root(hashes).hex())
        compare('an entry is not the one in the tree', where, hashes[seq % 256].hex(), leaf_hash(data).hex())
        compare('an entry is not the one that was hashed', where, row['leaf_hash'], leaf_hash(data).hex())
        ranges[seq] = (first, end)
    return ranges


def check_omissions(bundle, manifest, leaves, pruned):
    last, count = -1, 0
    for where, row in rows_read(bundle, 'data/omissions.jsonl', r'\{"seq":\d+,"leaf_hash":"[0-9a-f]{64}","reason":"'):
        if row['seq'] <= last:
            say('omissions are not in order', where, f'more than {last}', row['seq'])
        if row['seq'] in leaves:
            say('an event is there twice', where, 'disclosed or omitted, once', f"seq {row['seq']} again")
        event = row.get('pruned_by')
        first, end = pruned.get(event, (0, 0)) if isinstance(event, int) else (0, 0)
        if row['reason'] == 'pruned' and not first <= row['seq'] < end:
            say('an entry is called pruned, and nothing here says so', f"seq {row['seq']}", 'a log_pruned of its range in data/pruned.jsonl', 'none')
        last, count = row['seq'], count + 1
        leaves.setdefault(row['seq'], bytes.fromhex(row['leaf_hash']))
    compare('the manifest counts other omissions', 'data/omissions.jsonl', manifest['omitted'], count)


def check_range(manifest, leaves, tiles):
    start, end = manifest['from'], manifest['end']
    for seq in sorted(leaves):
        if not start <= seq < end:
            say('an event outside the range', f'seq {seq}', f'{start} to {end - 1}', seq)
    for seq in range(start, end):
        if seq not in leaves:
            say('an event is neither disclosed nor omitted', f'seq {seq}', 'its entry or its leaf hash', 'nothing')
        else:
            compare('a leaf is not the one in the tree', f'seq {seq}', tiles.read(0, seq // 256)[1][seq % 256].hex(), leaves[seq].hex())
    return f'{end - start} leaves, seq {start} to {end - 1}, are under the root, each disclosed or named as omitted'


def check_entry_bundles(bundle, manifest, tiles):
    for index in range(manifest['from'] // 256, (manifest['end'] + 255) // 256):
        width = min(256, tiles.size - 256 * index)
        path = tile_path('entries', index, width)
        if path not in bundle.names:
            if not manifest['omitted']:
                say('an entry bundle is missing', path, 'a file', 'none')
            continue
        data, at, hashes = bundle.read(path), 0, tiles.read(0, index)[1]
        for place in range(width):
            length = int.from_bytes(data[at:at + 2], 'big')
            entry = data[at + 2:at + 2 + length]
            at += 2 + length
            compare('an entry is not the one in the tree', f'{path} entry {place}', hashes[place].hex(), leaf_hash(entry).hex())
        compare('an entry bundle has another length', path, at, len(data))


# --- Proofs ---------------------------------------------------------------------------------------------------


def hash_lines(lines):
    hashes = [base64_read(line) for line in lines]
    if any(len(h) != 32 for h in hashes):
        raise Wrong('a hash that is not 32 bytes')
    return hashes


def proof_read(bundle, name, first, word):
    """(the number, the hashes, the note) of a proof file."""
    head, _, note = bundle.read_text(name).partition('\n\n')
    lines = head.split('\n')
    if len(lines) < 2 or lines[0] != first or not lines[1].startswith(word + ' '):
        raise Wrong('not a proof of this kind')
    return number_read(lines[1][len(word) + 1:]), hash_lines(lines[2:]), note.encode()


def check_proof(bundle, name, leaves, key):
    seq, proof, note = proof_read(bundle, name, 'c2sp.org/tlog-proof@v1', 'index')
    compare('a proof is of another event than its name says', name, name[7:-11], str(seq))
    size, root = checkpoint_read(note, key)
    if seq not in leaves:
        raise Wrong(f'seq {seq} is not in this bundle')
    compare('an inclusion proof does not lead to the root', name, root.hex(), inclusion_root(seq, size, leaves[seq], proof).hex())


def check_proofs(bundle, leaves, key):
    names = sorted(name for name in bundle.names if re.fullmatch(r'proofs/.*\.tlog-proof', name))
    for name in names:
        try:
            check_proof(bundle, name, leaves, key)
        except Wrong as error:
            say('a proof cannot be followed', name, 'a C2SP tlog-proof', str(error))
    return f'{len(names)} inclusion proofs lead to signed roots'


def check_range_proof(bundle, manifest, leaves, root):
    try:
        proof = strict_json(bundle.read_text('proofs/range.json'))
        for key in ('from', 'end', 'size', 'root'):
            compare(f'range.json names another {key}', 'proofs/range.json', manifest[key], proof.get(key))
        found = range_root(manifest['size'], manifest['from'], manifest['end'], leaves, hash_lines(proof['hashes']))
        compare('the range proof does not lead to the root', 'proofs/range.json', root.hex(), found.hex())
    except KeyError as error:
        say('the range proof cannot be followed', 'proofs/range.json', 'every leaf of the range', f'none for {error}')
    except (Wrong, ValueError, TypeError, AttributeError, RecursionError) as error:
        say('the range proof cannot be followed', 'proofs/range.json', 'what docs/bundle.md says', repr(error))


def check_consistency(bundle, manifest, key, size, root):
    old = manifest.get('previous_size')
    if old is None:
        if 'proofs/consistency.txt' in bundle.names:
            say('a consistency proof without a previous export', 'proofs/consistency.txt', 'no such file', 'a file')
        return 'no previous export is named'
    try:
        stated, proof, note = proof_read(bundle, 'proofs/consistency.txt', 'ifswarm.local/consistency@v1', 'old')
        old_size, old_root = checkpoint_read(note, key)
        compare('the consistency proof is from another size', 'proofs/consistency.txt', old, stated)
        compare('the previous checkpoint has another size', 'proofs/consistency.txt', old, old_size)
        compare('the previous checkpoint has another root', 'proofs/consistency.txt', manifest.get('previous_root'),
                base64.b64encode(old_root).decode())
        first, second = consistency_roots(old_size, size, old_root, proof)
        compare('the proof does not lead to the previous root', 'proofs/consistency.txt', old_root.hex(), first.hex())
        compare('the proof does not lead to the root', 'proofs/consistency.txt', root.hex(), second.hex())
    except Wrong as error:
        say('the consistency proof cannot be followed', 'proofs/consistency.txt', 'a proof from the previous export', str(error))
    return f'the log of the previous export, size {old}, is a prefix of this one'


# --- What others said (docs/bundle.md, anchors/) --------------------------------------------------------------


class Policy:
    """C2SP tlog-policy: witnesses by name, and the rule that says how many are enough."""

    def __init__(self, text):
        self.witnesses, self.groups, self.quorum = {}, {}, None
        for line in text.splitlines():
            words = line.split()
            if not words or words[0].startswith('#') or words[0] == 'log':
                continue
            if words[0] == 'witness' and len(words) in (3, 4):
                self.witnesses[words[1]] = Key(words[2], COSIGNER_KEY)
            elif words[0] == 'group' and len(words) > 3:
                enough = {'any': '1', 'all': str(len(words) - 3)}.get(words[2], words[2])
                self.groups[words[1]] = (number_read(enough, 1), words[3:])
            elif words[0] == 'quorum' and len(words) == 2 and self.quorum is None:
                self.quorum = words[1]
            else:
                raise Wrong('not a line of a policy: ' + line)
        if self.quorum is None:
            raise Wrong('a policy without a quorum')

    def holds(self, met):
        met = set(met)
        for name, (enough, members) in self.groups.items():
            if len(met.intersection(members)) >= enough:
                met.add(name)
        return self.quorum == 'none' or self.quorum in met


def der_read(data, at):
    """(tag, first byte of the content, end) of the value there (X.690, the definite form)."""
    tag, length = data[at], data[at + 1]
    at += 2
    if length & 0x80:
        count = length & 0x7f
        at, length = at + count, int.from_bytes(data[at:at + count], 'big')
    if at + length > len(data):
        raise Wrong('DER that breaks off')
    return tag, at, at + length


def der_items(data, start, end):
    while start < end:
        item = der_read(data, start)
        yield item
        start = item[2]


def der_walk(data, *path):
    """The content of a value: each step goes into the item of that number."""
    tag, start, end = der_read(data, 0)
    for step in path:
        tag, start, end = list(der_items(data, start, end))[step]
    return data[start:end]


def token_holds(token, data):
    """When, as a token over these bytes says. Who signed it is not judged."""
    try:
        # TimeStampResp, its token, SignedData, encapContentInfo, eContent: a TSTInfo (RFC 3161 section 2.4.2).
        info = der_walk(token, 1, 1, 0, 2, 1, 0)
        algorithm, imprint, time = der_walk(info, 2, 0, 0), der_walk(info, 2, 1), der_walk(info, 4).decode()
    except (IndexError, UnicodeDecodeError):
        raise Wrong('not an RFC 3161 response with a token') from None
    if algorithm != bytes.fromhex('608648016503040201') or imprint != hashlib.sha256(data).digest():
        raise Wrong('a token over other bytes')
    return time


def check_tie(bundle, name, anchor, signed, key):
    """The smaller of both trees is a prefix of the larger."""
    if anchor[0] == signed[0]:
        compare("an anchor is not of this log's tree", name, signed[1].hex(), anchor[1].hex())
        return
    old, new = sorted((anchor, signed))
    stated, proof, note = proof_read(bundle, name, 'ifswarm.local/consistency@v1', 'old')
    if stated != old[0] or checkpoint_read(note, key) != old:
        raise Wrong('a proof from another checkpoint')
    compare("an anchor is not of this log's tree", name, (old[1].hex(), new[1].hex()),
            tuple(root.hex() for root in consistency_roots(old[0], new[0], old[1], proof)))


def anchor_read(bundle, kind, signed, key):
    """The note, its size; None if there is none, or it does not hold."""
    name = f'anchors/{kind}.checkpoint'
    if name not in bundle.names:
        for stray in (f'anchors/{kind}.proof', f'anchors/{kind}.tsr'):
            if stray in bundle.names:
                say('a file is missing', name, 'what the file beside it is of', 'none')
        return None
    try:
        note = bundle.read(name)
        anchor = checkpoint_read(note, key)
        before = breaks
        check_tie(bundle, f'anchors/{kind}.proof', anchor, signed, key)
        return (note, anchor[0]) if breaks == before else None
    except Wrong as error:
        say('an anchor cannot be followed', name, "a checkpoint of this log, and a proof that ties it to the bundle's", str(error))
        return None


def check_cosigned(bundle, signed, key, policy):
    found = anchor_read(bundle, 'cosigned', signed, key)
    if found is None:
        return 'no checkpoint that witnesses have cosigned is here'
    note, size = found
    text, _, lines = note.decode().rpartition('\n\n')
    lines = lines.splitlines()
    if policy is None:
        return f'{len(lines) - 1} cosignatures of size {size} were not judged: hand in the witnesses with --policy'
    met = {}
    for name, witness in policy.witnesses.items():
        for line in lines:
            try:
                time = cosignature_time(line, witness, text + '\n')
            except Wrong as error:
                say('a cosignature does not hold', 'anchors/cosigned.checkpoint', f'cosignature/v1 by {witness.name}', str(error))
                continue
            if time is not None:
                met[name] = time
    enough = 'enough' if met and policy.holds(met) else 'not enough'
    who = ', '.join(f'{name} at {time}' for name, time in met.items()) or 'none'
    return f'{len(met)} of {len(policy.witnesses)} witnesses, {enough}, have cosigned size {size}: {who}'


def check_stamp(bundle, token, over):
    try:
        return f'{over} was timestamped at {token_holds(bundle.read(token), bundle.read(over))}; who signed that was not judged'
    except Wrong as error:
        say('a timestamp does not hold', token, 'a token over ' + over, str(error))
        return ''


def check_anchors(bundle, signed, key, policy):
    before = breaks
    ok(before, check_cosigned(bundle, signed, key, policy))
    before = breaks
    if anchor_read(bundle, 'stamped', signed, key) is not None:
        ok(before, check_stamp(bundle, 'anchors/stamped.tsr', 'anchors/stamped.checkpoint'))


# --- The same rows elsewhere ----------------------------------------------------------------------------------


def check_csv(bundle, rows):
    if 'data/events.csv' not in bundle.names:
        return
    table = list(csv.reader(io.StringIO(bundle.read_text('data/events.csv'), newline=''), strict=True))
    if not table:
        say('the spreadsheet is empty', 'data/events.csv', 'a header', 'nothing')
        return
    columns = [(place, name) for place, name in enumerate(table[0]) if name in COLUMNS or name == 'leaf_hash']
    if 'seq' not in table[0]:
        say('the spreadsheet has no seq', 'data/events.csv', 'a column seq', 'none')
    compare('the spreadsheet has other rows', 'data/events.csv', len(rows), len(table) - 1)
    for line, row in zip(table[1:], rows):
        for place, name in columns:
            truth = '' if row.get(name) is None else str(row[name])
            compare(f'column {name} differs from the entry', f"data/events.csv seq {row['seq']}", truth, line[place] if place < len(line) else 'none')


def check_database(bundle, rows):
    if 'data/evidence.db' not in bundle.names:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'evidence.db')
        with open(path, 'wb') as file:
            file.write(bundle.read('data/evidence.db'))
        database = sqlite3.connect(f'file:{path}?mode=ro&immutable=1', uri=True)
        try:
            database.execute('pragma trusted_schema = off')
            check_table(database.execute('select * from event order by seq'), rows)
        except sqlite3.Error as error:
            say('the database cannot be read', 'data/evidence.db', 'table event', str(error))
        finally:
            database.close()


def check_table(cursor, rows):
    names = [column[0] for column in cursor.description]
    count = 0
    for line in cursor:
        if count < len(rows):
            row = rows[count]
            for name, value in zip(names, line):
                if name in COLUMNS or name in ('leaf_hash', 'entry_b64'):
                    compare(f'column {name} differs from the entry', f"data/evidence.db seq {row['seq']}", row.get(name), value)
        count += 1
    compare('the database has other rows', 'data/evidence.db', len(rows), count)


# --- All of it ------------------------------------------------------------------------------------------------


def ok(before, text):
    if breaks == before:
        print('ok', show(text))


def check_log(bundle, manifest, keys, policy):
    before = breaks
    signed = check_checkpoint(bundle, manifest, keys)
    if signed is None or breaks != before:
        return
    ok(before, f"the checkpoint of {keys['log'].name}, size {signed[0]}, is signed by the log's key")
    tiles = check_tiles(bundle, manifest, *signed)
    ok(before, 'the tiles give the signed root')
    before = breaks
    leaves, rows = check_events(bundle, manifest)
    ok(before, f'{len(rows)} entries are canonical and say what the rows beside them say')
    check_omissions(bundle, manifest, leaves, check_pruned(bundle, tiles))
    check_entry_bundles(bundle, manifest, tiles)
    ok(before, check_range(manifest, leaves, tiles))
    check_range_proof(bundle, manifest, leaves, signed[1])
    before = breaks
    ok(before, check_proofs(bundle, leaves, keys['log']))
    before = breaks
    ok(before, check_consistency(bundle, manifest, keys['log'], *signed))
    check_anchors(bundle, signed, keys['log'], policy)
    before = breaks
    try:
        check_csv(bundle, rows)
    except csv.Error as error:
        say('the spreadsheet cannot be read', 'data/events.csv', 'RFC 4180', str(error))
    check_database(bundle, rows)
    ok(before, 'the spreadsheet and the database, where they are there, have the same rows')


def check(path, trusted, policy):
    bundle = Bundle(path)
    ok(0, f'{len(bundle.names)} plain files')
    before = breaks
    ok(before, check_sums(bundle))
    manifest, keys = manifest_read(bundle)
    if manifest is None:
        return
    for name, key in trusted.items():
        compare(f'the {name} key is not the one you gave', 'manifest.json', key.public.hex(), keys[name].public.hex())
        compare(f'the {name} key has another name', 'manifest.json', key.name, keys[name].name)
        keys[name] = key
    before = breaks
    ok(before, check_manifest(bundle, manifest, keys))
    if 'manifest.json.tsr' in bundle.names:
        before = breaks
        ok(before, check_stamp(bundle, 'manifest.json.tsr', 'manifest.json'))
    check_log(bundle, manifest, keys, policy)
    for name in {'log', 'export'} - set(trusted):
        print(f'note: the {name} key is the one the bundle names; hand in yours with --{name}-key')


def key_argument(text):
    if os.path.isfile(text):
        with open(text, encoding='ascii') as file:
            text = file.read()
    return Key(text)


def policy_argument(path):
    with open(path, encoding='utf-8') as file:
        return Policy(file.read())


OPTIONS = {'--log-key': ('log', key_argument), '--export-key': ('export', key_argument), '--policy': ('policy', policy_argument)}


def main(arguments):
    trusted = {}
    while len(arguments) > 1 and arguments[0] in OPTIONS:
        name, read = OPTIONS[arguments[0]]
        try:
            trusted[name] = read(arguments[1])
        except (Wrong, OSError, ValueError) as error:
            print(f'verify.py: {arguments[1]}: {error}', file=sys.stderr)
            return 2
        arguments = arguments[2:]
    if len(arguments) > 1 or arguments and arguments[0].startswith('-'):
        print(__doc__)
        return 0 if arguments[0] in ('-h', '--help') else 2
    path = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not os.path.exists(path):
        print(f'verify.py: {path}: no such file or folder', file=sys.stderr)
        return 2
    check(path, trusted, trusted.pop('policy', None))
    print('HOLDS' if not breaks else f'DOES NOT HOLD: {breaks} breaks, named above')
    return 1 if breaks else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
