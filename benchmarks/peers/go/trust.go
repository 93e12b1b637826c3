package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	pb "onecode/benchmarks/peers/go/onecode/v1"
)

const listGraceS = 86_400

// A region, as far as codes in the national format need it.
type region struct {
	code           string
	adoptsNational bool
	// The CBOR labels of its claims.
	subject, level, issuedAt, expiry int64
	levels                           map[string]pb.Level
}

// An issuer's key, times in Unix seconds.
type key struct {
	public                         ed25519.PublicKey
	region                         *region
	isRevoked                      bool
	retiredAt, notBefore, notAfter float64
}

// Which key, by its key id, speaks for which region.
type trustList struct {
	version uint64
	endsS   float64
	regions map[string]*region
	keys    map[string]*key
}

type document struct {
	Version    uint64 `json:"version"`
	NextUpdate any    `json:"next_update"`
	Regions    []struct {
		Code           string            `json:"code"`
		Format         string            `json:"format"`
		AdoptsNational bool              `json:"adopts_national"`
		Claims         map[string]any    `json:"claims"`
		Levels         map[string]string `json:"levels"`
		Keys           []keyEntry        `json:"keys"`
	} `json:"regions"`
}

type keyEntry struct {
	KeyID     string `json:"kid"`
	PublicKey string `json:"public_key"`
	Format    string `json:"format"`
	State     string `json:"state"`
	RetiredAt any    `json:"retired_at"`
	NotBefore any    `json:"not_before"`
	NotAfter  any    `json:"not_after"`
}

// readTrustList reads the list of a data directory and checks its signature by the root key.
func readTrustList(dataDir string) (*trustList, error) {
	rootText, err := os.ReadFile(filepath.Join(dataDir, "root.pub"))
	if err != nil {
		return nil, err
	}
	root, err := hex.DecodeString(strings.TrimSpace(string(rootText)))
	if err != nil || len(root) != ed25519.PublicKeySize {
		return nil, errors.New("root.pub: not a key")
	}
	jws, err := os.ReadFile(filepath.Join(dataDir, "trust-list.jws"))
	if err != nil {
		return nil, err
	}
	parts := strings.Split(strings.TrimSpace(string(jws)), ".")
	if len(parts) != 3 {
		return nil, errors.New("the trust list is not a JWS")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !ed25519.Verify(root, []byte(parts[0]+"."+parts[1]), signature) {
		return nil, errors.New("the trust list is not signed by the root key")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	var read document
	if err := json.Unmarshal(payload, &read); err != nil {
		return nil, err
	}
	return prepared(&read)
}

func prepared(read *document) (*trustList, error) {
	trust := &trustList{
		version: read.Version,
		endsS:   secondsOr(read.NextUpdate, 0) + listGraceS,
		regions: make(map[string]*region),
		keys:    make(map[string]*key),
	}
	for _, entry := range read.Regions {
		label := func(name string) int64 {
			number, _ := entry.Claims[name].(float64)
			return int64(number)
		}
		levels := make(map[string]pb.Level, len(entry.Levels))
		for word, level := range entry.Levels {
			levels[word] = pb.Level(pb.Level_value["LEVEL_"+level])
		}
		one := &region{
			entry.Code, entry.AdoptsNational,
			label("subject"), label("level"), label("issued_at"), label("expiry"), levels,
		}
		trust.regions[one.code] = one
		for _, listed := range entry.Keys {
			if listed.Format == "national" || listed.Format == "" && entry.Format == "national" {
				keyID, idErr := hex.DecodeString(listed.KeyID)
				public, keyErr := hex.DecodeString(listed.PublicKey)
				if err := errors.Join(idErr, keyErr); err != nil || len(public) != ed25519.PublicKeySize {
					return nil, fmt.Errorf("key %s: %w", listed.KeyID, err)
				}
				trust.keys[string(keyID)] = &key{
					public, one, listed.State == "revoked", secondsOr(listed.RetiredAt, math.Inf(1)),
					secondsOr(listed.NotBefore, math.Inf(-1)), secondsOr(listed.NotAfter, math.Inf(1)),
				}
			}
		}
	}
	return trust, nil
}

// secondsOr returns a time, a number or RFC 3339 text, in Unix seconds.
func secondsOr(value any, otherwise float64) float64 {
	switch given := value.(type) {
	case float64:
		return given
	case string:
		if when, err := time.Parse(time.RFC3339, given); err == nil {
			return float64(when.UnixMicro()) / 1e6
		}
	}
	return otherwise
}
