// gocheck checks an export bundle with the code that Go's checksum database runs on: golang.org/x/mod/sumdb/note
// for signatures, golang.org/x/mod/sumdb/tlog for the tree. Nothing of ours decides here but the reading of files.
//
//	gocheck [-log-key KEY] [-export-key KEY] [-policy FILE] FOLDER
//
// Of timestamps it is checked what they are over; who signed them is for openssl.
//
// Built offline with Debian's golang-golang-x-mod-dev: GO111MODULE=off GOPATH=/usr/share/gocode go build main.go
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type manifest struct {
	Origin       string `json:"origin"`
	LogKey       string `json:"log_key"`
	ExportKey    string `json:"export_key"`
	Size         int64  `json:"size"`
	Root         string `json:"root"`
	From         int64  `json:"from"`
	End          int64  `json:"end"`
	Disclosed    int64  `json:"disclosed"`
	Omitted      int64  `json:"omitted"`
	PreviousSize *int64 `json:"previous_size"`
	PreviousRoot string `json:"previous_root"`
	Sums         string `json:"sha256sums"`
}

type bundle struct {
	folder    string
	m         manifest
	log       note.Verifier
	tree      tlog.Tree
	cosigners []note.Verifier // of the policy
	leaves    map[int64]tlog.Hash
	pruned    map[int64][2]int64 // what the log says is gone, by the event that says so
}

var unlisted = map[string]bool{"SHA256SUMS": true, "manifest.json": true, "manifest.json.note": true,
	"manifest.json.sig": true, "manifest.json.tsr": true, "custody.jsonl": true}

func (b *bundle) read(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(b.folder, filepath.FromSlash(name)))
}

// checkSums: every file but the few that cannot be listed is the one that was exported, and there is no other.
func (b *bundle) checkSums() error {
	text, err := b.read("SHA256SUMS")
	if err != nil {
		return err
	}
	listed := map[string]string{}
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		digest, name, ok := strings.Cut(line, "  ")
		if _, twice := listed[name]; !ok || twice || unlisted[name] {
			return fmt.Errorf("SHA256SUMS: line %q", line)
		}
		listed[name] = digest
	}
	err = filepath.WalkDir(b.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(b.folder, path)
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%q is not a plain file", name)
		}
		if unlisted[name] {
			return nil
		}
		data, err := b.read(name)
		if err != nil {
			return err
		}
		found := sha256.Sum256(data)
		if listed[name] != hex.EncodeToString(found[:]) {
			return fmt.Errorf("%q: expected %q, found %x", name, listed[name], found)
		}
		delete(listed, name)
		return nil
	})
	for name := range listed {
		if err == nil {
			err = fmt.Errorf("%q is missing", name)
		}
	}
	return err
}

// trusted gives the key that was handed in (itself, or a file that holds it), or else the stated one.
func trusted(given, stated string) (string, error) {
	if text, err := os.ReadFile(given); err == nil {
		given = strings.TrimSpace(string(text))
	}
	if given != "" && given != stated {
		return "", fmt.Errorf("expected %q, found %q", given, stated)
	}
	return stated, nil
}

func (b *bundle) checkManifest(logKey, exportKey string) error {
	text, err := b.read("manifest.json")
	if err != nil {
		return err
	}
	if err = json.Unmarshal(text, &b.m); err != nil {
		return err
	}
	if exportKey, err = trusted(exportKey, b.m.ExportKey); err != nil {
		return fmt.Errorf("the export key: %v", err)
	}
	if logKey, err = trusted(logKey, b.m.LogKey); err != nil {
		return fmt.Errorf("the log key: %v", err)
	}
	if b.log, err = note.NewVerifier(logKey); err != nil {
		return err
	}
	exporter, err := note.NewVerifier(exportKey)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(text)
	if err = b.checkSignatures(text, exportKey, exporter, digest[:]); err != nil {
		return err
	}
	sums, err := b.read("SHA256SUMS")
	if found := sha256.Sum256(sums); err != nil || b.m.Sums != hex.EncodeToString(found[:]) {
		return fmt.Errorf("SHA256SUMS: expected %q, found %x, %v", b.m.Sums, found, err)
	}
	return nil
}

func (b *bundle) checkSignatures(text []byte, key string, exporter note.Verifier, digest []byte) error {
	data, err := b.read("manifest.json.note")
	if err != nil {
		return err
	}
	opened, err := note.Open(data, note.VerifierList(exporter))
	if err != nil {
		return fmt.Errorf("manifest.json.note: %v", err)
	}
	expected := fmt.Sprintf("ifswarm export manifest v1\n%s\n%s\n", b.m.Origin, base64.StdEncoding.EncodeToString(digest))
	if opened.Text != expected {
		return fmt.Errorf("manifest.json.note: expected %q, found %q", expected, opened.Text)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(key, "+", 3)[2])
	signature, readErr := b.read("manifest.json.sig")
	if err != nil || readErr != nil || !ed25519.Verify(raw[1:], text, signature) {
		return fmt.Errorf("manifest.json.sig does not verify")
	}
	return nil
}

// checkpoint reads a note of this log.
func (b *bundle) checkpoint(data []byte) (tree tlog.Tree, err error) {
	opened, err := note.Open(data, note.VerifierList(b.log))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != b.log.Name() || lines[0] != b.m.Origin {
		return tree, fmt.Errorf("%q is no checkpoint of %s", opened.Text, b.m.Origin)
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func (b *bundle) checkCheckpoint() error {
	data, err := b.read("log/checkpoint")
	if err != nil {
		return err
	}
	if b.tree, err = b.checkpoint(data); err != nil {
		return fmt.Errorf("log/checkpoint: %v", err)
	}
	if b.m.Size != b.tree.N || b.m.Root != b.tree.Hash.String() || b.m.From < 0 || b.m.From >= b.m.End || b.m.End > b.m.Size {
		return fmt.Errorf("manifest.json: expected size %d and root %s, found %d and %s", b.tree.N, b.tree.Hash, b.m.Size, b.m.Root)
	}
	return nil
}

func (b *bundle) addLeaf(seq int64, leaf tlog.Hash) error {
	if _, twice := b.leaves[seq]; twice || seq < b.m.From || seq >= b.m.End {
		return fmt.Errorf("seq %d is outside the range or there twice", seq)
	}
	b.leaves[seq] = leaf
	return nil
}

type row struct {
	Seq   int64  `json:"seq"`
	Leaf  string `json:"leaf_hash"`
	Entry []byte `json:"entry_b64"`

	Reason string `json:"reason"`
	Event  int64  `json:"pruned_by"`
}

// said reads of an entry (EVIDENCE section 1) its seq, its type and the first two of its fields.
func said(entry []byte) (seq, kind, first, end int64, ok bool) {
	at := 0
	scalar := func() (value int64) {
		if at >= len(entry) {
			at = len(entry) + 1
			return 0
		}
		head := entry[at]
		at++
		size := 0
		switch {
		case head < 0x80:
			return int64(head)
		case head == 0xc0:
			return 0
		case head == 0xc4 && at < len(entry):
			at += 1 + int(entry[at])
			return 0
		case head >= 0xcc && head <= 0xcf:
			size = 1 << (head - 0xcc)
		default:
			at = len(entry) + 1
		}
		for ; size > 0 && at < len(entry); size-- {
			value = value<<8 | int64(entry[at])
			at++
		}
		return value
	}
	array := func(head byte) {
		if at < len(entry) && entry[at] == head {
			at++
		} else {
			at = len(entry) + 1
		}
	}
	array(0x9f)
	for element := 0; element < 12; element++ {
		value := scalar()
		if element == 1 {
			seq = value
		} else if element == 7 {
			kind = value
		}
	}
	array(0x94)
	first = scalar()
	end = scalar()
	return seq, kind, first, end, at < len(entry)
}

// readPruned: what log_pruned events say that the signed tree holds.
func (b *bundle) readPruned() error {
	b.pruned = map[int64][2]int64{}
	if _, err := b.read("data/pruned.jsonl"); os.IsNotExist(err) {
		return nil
	}
	reader := tlog.TileHashReader(b.tree, tiles{b})
	_, err := b.eachRow("data/pruned.jsonl", func(r row) error {
		seq, kind, first, end, ok := said(r.Entry)
		if !ok || seq != r.Seq || kind != 331 || end > seq || seq >= b.tree.N {
			return fmt.Errorf("no log_pruned")
		}
		hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, seq)})
		if err != nil {
			return err
		}
		if leaf := tlog.RecordHash(r.Entry); leaf != hashes[0] || hex.EncodeToString(leaf[:]) != r.Leaf {
			return fmt.Errorf("seq %d: expected %s, found %s", seq, hashes[0], leaf)
		}
		b.pruned[seq] = [2]int64{first, end}
		return nil
	})
	return err
}

func (b *bundle) eachRow(name string, visit func(row) error) (count int64, err error) {
	data, err := b.read(name)
	if err != nil {
		return 0, err
	}
	for _, line := range bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
		var r row
		if len(line) == 0 {
			continue
		}
		if err = json.Unmarshal(line, &r); err == nil {
			err = visit(r)
		}
		if err != nil {
			return count, fmt.Errorf("%s line %d: %v", name, count+1, err)
		}
		count++
	}
	return count, nil
}

func (b *bundle) readLeaves() error {
	b.leaves = map[int64]tlog.Hash{}
	disclosed, err := b.eachRow("data/events.jsonl", func(r row) error {
		leaf := tlog.RecordHash(r.Entry)
		if hex.EncodeToString(leaf[:]) != r.Leaf {
			return fmt.Errorf("leaf hash: expected %s, found %x", r.Leaf, leaf)
		}
		return b.addLeaf(r.Seq, leaf)
	})
	if err != nil {
		return err
	}
	omitted, err := b.eachRow("data/omissions.jsonl", func(r row) error {
		var leaf tlog.Hash
		if count, err := hex.Decode(leaf[:], []byte(r.Leaf)); err != nil || count != tlog.HashSize {
			return fmt.Errorf("leaf hash %q", r.Leaf)
		}
		if said := b.pruned[r.Event]; r.Reason == "pruned" && (r.Seq < said[0] || r.Seq >= said[1]) {
			return fmt.Errorf("seq %d is called pruned, and no log_pruned here says so", r.Seq)
		}
		return b.addLeaf(r.Seq, leaf)
	})
	if err == nil && (disclosed != b.m.Disclosed || omitted != b.m.Omitted || disclosed+omitted != b.m.End-b.m.From) {
		err = fmt.Errorf("expected %d disclosed and %d omitted of %d, found %d and %d", b.m.Disclosed, b.m.Omitted,
			b.m.End-b.m.From, disclosed, omitted)
	}
	return err
}

// tiles gives tlog the tiles of the bundle. C2SP's paths are Go's without the height.
type tiles struct{ b *bundle }

func (t tiles) Height() int                     { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(list []tlog.Tile) (all [][]byte, err error) {
	for _, tile := range list {
		data, err := t.b.read("log/tile/" + strings.TrimPrefix(tile.Path(), "tile/8/"))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// checkLeaves: tlog authenticates each tile against the signed root before it gives a hash of it.
func (b *bundle) checkLeaves() error {
	var places []int64
	var seqs []int64
	for seq := b.m.From; seq < b.m.End; seq++ {
		places = append(places, tlog.StoredHashIndex(0, seq))
		seqs = append(seqs, seq)
	}
	hashes, err := tlog.TileHashReader(b.tree, tiles{b}).ReadHashes(places)
	if err != nil {
		return err
	}
	for n, seq := range seqs {
		if b.leaves[seq] != hashes[n] {
			return fmt.Errorf("seq %d: expected %s, found %s", seq, hashes[n], b.leaves[seq])
		}
	}
	return nil
}

// checkEntries: where entry bundles are there, they hold the entries of the tree.
func (b *bundle) checkEntries() error {
	for first := b.m.From / 256 * 256; first < b.m.End; first += 256 {
		tile := tlog.Tile{H: 8, L: -1, N: first / 256, W: int(min(256, b.tree.N-first))}
		name := "log/tile/entries/" + strings.TrimPrefix(tile.Path(), "tile/8/data/")
		data, err := b.read(name)
		if os.IsNotExist(err) && b.m.Omitted > 0 {
			continue
		}
		if err != nil {
			return err
		}
		if err = b.checkEntryBundle(data, first, int64(tile.W)); err != nil {
			return fmt.Errorf("%s: %v", name, err)
		}
	}
	return nil
}

func (b *bundle) checkEntryBundle(data []byte, first, width int64) error {
	reader := tlog.TileHashReader(b.tree, tiles{b})
	for seq := first; seq < first+width; seq++ {
		if len(data) < 2 || len(data) < 2+int(data[0])<<8+int(data[1]) {
			return fmt.Errorf("it breaks off at seq %d", seq)
		}
		length := int(data[0])<<8 + int(data[1])
		hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, seq)})
		if err != nil {
			return err
		}
		if leaf := tlog.RecordHash(data[2 : 2+length]); leaf != hashes[0] {
			return fmt.Errorf("seq %d: expected %s, found %s", seq, hashes[0], leaf)
		}
		data = data[2+length:]
	}
	if len(data) > 0 {
		return fmt.Errorf("%d bytes too many", len(data))
	}
	return nil
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

// proof reads one of our two kinds of proof files.
func (b *bundle) proof(name, first, word string) (number int64, hashes []tlog.Hash, tree tlog.Tree, err error) {
	data, err := b.read(name)
	if err != nil {
		return
	}
	head, signed, _ := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	if len(lines) < 2 || lines[0] != first || !strings.HasPrefix(lines[1], word+" ") {
		err = fmt.Errorf("not a proof of this kind")
		return
	}
	if number, err = strconv.ParseInt(lines[1][len(word)+1:], 10, 64); err != nil {
		return
	}
	for _, line := range lines[2:] {
		hash, parseErr := tlog.ParseHash(line)
		if parseErr != nil {
			return 0, nil, tree, parseErr
		}
		hashes = append(hashes, hash)
	}
	tree, err = b.checkpoint([]byte(signed))
	return
}

func (b *bundle) checkInclusion() error {
	names, err := filepath.Glob(filepath.Join(b.folder, "proofs", "*.tlog-proof"))
	sort.Strings(names)
	for _, path := range names {
		name := "proofs/" + filepath.Base(path)
		seq, hashes, tree, err := b.proof(name, "c2sp.org/tlog-proof@v1", "index")
		if err == nil && name != fmt.Sprintf("proofs/%d.tlog-proof", seq) {
			err = fmt.Errorf("it is of seq %d", seq)
		}
		if err == nil {
			err = tlog.CheckRecord(hashes, tree.N, tree.Hash, seq, b.leaves[seq])
		}
		if err != nil {
			return fmt.Errorf("%s: %v", name, err)
		}
	}
	return err
}

func (b *bundle) checkConsistency() error {
	if b.m.PreviousSize == nil {
		return nil
	}
	number, hashes, old, err := b.proof("proofs/consistency.txt", "ifswarm.local/consistency@v1", "old")
	if err != nil {
		return fmt.Errorf("proofs/consistency.txt: %v", err)
	}
	if number != old.N || old.N != *b.m.PreviousSize || old.Hash.String() != b.m.PreviousRoot {
		return fmt.Errorf("proofs/consistency.txt: expected size %d, root %s, found %d, %s", *b.m.PreviousSize, b.m.PreviousRoot, old.N, old.Hash)
	}
	return tlog.CheckTree(hashes, b.tree.N, b.tree.Hash, old.N, old.Hash)
}

// cosigner is a witness of C2SP tlog-cosignature as a verifier of notes.
type cosigner struct {
	name   string
	hash   uint32
	public ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	head := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(signature))
	return ed25519.Verify(c.public, append([]byte(head), text...), signature[8:])
}

// newCosigner reads a verifier key of type 0x04; its hash must be that of name, newline and key.
func newCosigner(vkey string) (c cosigner, err error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return c, fmt.Errorf("%q is no verifier key", vkey)
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	digest := sha256.Sum256(append([]byte(parts[0]+"\n"), raw...))
	if err != nil || len(raw) != 33 || raw[0] != 4 || hex.EncodeToString(digest[:4]) != parts[1] {
		return c, fmt.Errorf("%q is no key of a witness, %v", vkey, err)
	}
	return cosigner{parts[0], binary.BigEndian.Uint32(digest[:4]), raw[1:]}, nil
}

// readPolicy takes the witnesses of a C2SP tlog-policy; the quorum is for the other checkers.
func (b *bundle) readPolicy(name string) error {
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "witness" {
			continue
		}
		witness, err := newCosigner(words[2])
		if err != nil {
			return err
		}
		b.cosigners = append(b.cosigners, witness)
	}
	return nil
}

// anchor reads a checkpoint that others spoke of: it and the bundle's own are of one tree. Nil: there is none.
func (b *bundle) anchor(kind string) ([]byte, error) {
	data, err := b.read("anchors/" + kind + ".checkpoint")
	if os.IsNotExist(err) {
		for _, stray := range []string{".proof", ".tsr"} {
			if _, err := b.read("anchors/" + kind + stray); err == nil {
				return nil, fmt.Errorf("anchors/%s%s without its checkpoint", kind, stray)
			}
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := b.checkpoint(data)
	if err != nil {
		return nil, err
	}
	older, newer := found, b.tree
	if older.N > newer.N {
		older, newer = newer, older
	}
	if older.N == newer.N {
		if older.Hash != newer.Hash {
			return nil, fmt.Errorf("expected root %s, found %s", b.tree.Hash, found.Hash)
		}
		return data, nil
	}
	number, hashes, stated, err := b.proof("anchors/"+kind+".proof", "ifswarm.local/consistency@v1", "old")
	if err == nil && (number != older.N || stated != older) {
		err = fmt.Errorf("expected a proof from size %d, found %d", older.N, number)
	}
	if err == nil {
		err = tlog.CheckTree(hashes, newer.N, newer.Hash, older.N, older.Hash)
	}
	return data, err
}

// checkCosigned: note.Open refuses a line of a witness that it knows and that does not verify.
func (b *bundle) checkCosigned() error {
	data, err := b.anchor("cosigned")
	if err != nil || data == nil {
		return err
	}
	opened, err := note.Open(data, note.VerifierList(append([]note.Verifier{b.log}, b.cosigners...)...))
	if err != nil {
		return err
	}
	for _, signature := range opened.Sigs[1:] {
		fmt.Println("ok", opened.Text[:strings.LastIndex(opened.Text[:len(opened.Text)-1], "\n")], "cosigned by", signature.Name)
	}
	return nil
}

// checkToken: an RFC 3161 response whose token is over these bytes.
func checkToken(response, data []byte) error {
	var reply struct {
		Status asn1.RawValue
		Token  struct {
			Type   asn1.ObjectIdentifier
			Signed struct {
				Version int
				Digests asn1.RawValue
				Content struct {
					Type asn1.ObjectIdentifier
					Info []byte `asn1:"explicit,tag:0"`
				}
				Certificates asn1.RawValue `asn1:"optional,tag:0"`
				Signers      asn1.RawValue
			} `asn1:"explicit,tag:0"`
		}
	}
	var info struct {
		Version int
		Policy  asn1.ObjectIdentifier
		Imprint struct {
			Algorithm asn1.RawValue
			Digest    []byte
		}
		Serial asn1.RawValue
		Rest   asn1.RawValue
	}
	if _, err := asn1.Unmarshal(response, &reply); err != nil {
		return err
	}
	if _, err := asn1.Unmarshal(reply.Token.Signed.Content.Info, &info); err != nil {
		return err
	}
	if digest := sha256.Sum256(data); !bytes.Equal(digest[:], info.Imprint.Digest) {
		return fmt.Errorf("expected a token over %x, found one over %x", digest, info.Imprint.Digest)
	}
	return nil
}

func (b *bundle) checkStamps() error {
	manifest, _ := b.read("manifest.json")
	token, err := b.read("manifest.json.tsr")
	if err == nil {
		if err = checkToken(token, manifest); err != nil {
			return fmt.Errorf("manifest.json.tsr: %v", err)
		}
	}
	data, err := b.anchor("stamped")
	if err != nil || data == nil {
		return err
	}
	if token, err = b.read("anchors/stamped.tsr"); err != nil {
		return err
	}
	return checkToken(token, data)
}

func main() {
	logKey := flag.String("log-key", "", "the log's verifier `key`, or a file that holds it")
	exportKey := flag.String("export-key", "", "the export `key`, the same way")
	policy := flag.String("policy", "", "a `file` that names the witnesses")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	b := &bundle{folder: flag.Arg(0)}
	if err := b.readPolicy(*policy); err != nil {
		fmt.Fprintln(os.Stderr, "gocheck:", err)
		os.Exit(2)
	}
	steps := []struct {
		name string
		run  func() error
	}{
		{"every file is that of SHA256SUMS", b.checkSums},
		{"the manifest is signed by the export key", func() error { return b.checkManifest(*logKey, *exportKey) }},
		{"the checkpoint is signed by the log's key", b.checkCheckpoint},
		{"the signed log says what was pruned", b.readPruned},
		{"every seq of the range is disclosed or named as omitted", b.readLeaves},
		{"every leaf is under the signed root", b.checkLeaves},
		{"entry bundles hold the entries of the tree", b.checkEntries},
		{"inclusion proofs lead to the root", b.checkInclusion},
		{"the previous export's log is a prefix", b.checkConsistency},
		{"what witnesses have cosigned is of this log", b.checkCosigned},
		{"timestamps are over this log and this manifest", b.checkStamps},
	}
	for _, step := range steps {
		if err := step.run(); err != nil {
			fmt.Printf("DOES NOT HOLD: not true that %s: %q\n", step.name, err.Error())
			os.Exit(1)
		}
		fmt.Println("ok", step.name)
	}
	fmt.Println("HOLDS")
}
