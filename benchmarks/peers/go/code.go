package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	pb "onecode/benchmarks/peers/go/onecode/v1"
)

const national = "000000"

// What an authentic code says.
type claims struct {
	home      string
	subject   [16]byte
	level     pb.Level
	issuedAtS float64
}

// Why a code is not authentic.
type refusal struct {
	authenticity pb.Authenticity
	reason       pb.Reason
}

var malformed = &refusal{pb.Authenticity_AUTHENTICITY_MALFORMED, pb.Reason_REASON_CODE_MALFORMED}

type sign1 struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected header
	Payload     []byte
	Signature   []byte
}

type header struct {
	Algorithm int    `cbor:"1,keyasint,omitempty"`
	KeyID     []byte `cbor:"4,keyasint,omitempty"`
}

// The Sig_structure of RFC 9052, section 4.4.
type signedMessage struct {
	_         struct{} `cbor:",toarray"`
	Context   string
	Protected []byte
	External  []byte
	Payload   []byte
}

// The claims with fixed labels. A region's own are read with the labels that the trust list names.
type registered struct {
	Issuer    string   `cbor:"1,keyasint"`
	Expiry    *float64 `cbor:"4,keyasint"`
	NotBefore float64  `cbor:"5,keyasint"`
	IssuedAt  *float64 `cbor:"6,keyasint"`
	Subject   []byte   `cbor:"-65537,keyasint"`
	Level     string   `cbor:"-65538,keyasint"`
	Residence string   `cbor:"-65539,keyasint"`
}

// authenticate returns what an authentic code says.
func (c *checker) authenticate(code []byte, nowS float64) (claims, *refusal) {
	var none claims
	if len(code) < 4 || string(code[:4]) != "NC1:" {
		return none, &refusal{pb.Authenticity_AUTHENTICITY_MALFORMED, pb.Reason_REASON_FORMAT_UNKNOWN}
	}
	cose, err := base45(code[4:])
	if err != nil {
		return none, malformed
	}
	var envelope sign1
	var protected header
	if cbor.Unmarshal(untagged(cose), &envelope) != nil || cbor.Unmarshal(envelope.Protected, &protected) != nil {
		return none, malformed
	}
	if protected.Algorithm != -8 && protected.Algorithm != -19 {
		return none, &refusal{pb.Authenticity_AUTHENTICITY_MALFORMED, pb.Reason_REASON_ALGORITHM_NOT_ALLOWED}
	}
	keyID := protected.KeyID
	if keyID == nil {
		keyID = envelope.Unprotected.KeyID
	}
	signer := c.trust.keys[string(keyID)]
	if signer == nil {
		return none, &refusal{pb.Authenticity_AUTHENTICITY_UNKNOWN_ISSUER, pb.Reason_REASON_KEY_UNKNOWN}
	}
	message, err := cbor.Marshal(signedMessage{
		Context: "Signature1", Protected: envelope.Protected, External: []byte{}, Payload: envelope.Payload,
	})
	if err != nil || len(envelope.Signature) != ed25519.SignatureSize {
		return none, malformed
	}
	if !ed25519.Verify(signer.public, message, envelope.Signature) {
		return none, &refusal{pb.Authenticity_AUTHENTICITY_BAD_SIGNATURE, pb.Reason_REASON_SIGNATURE_INVALID}
	}
	return c.readClaims(envelope.Payload, signer, nowS)
}

func (c *checker) readClaims(payload []byte, signer *key, nowS float64) (claims, *refusal) {
	var said registered
	home := signer.region
	level, err := readLevel(payload, &said, home)
	if err != nil || said.IssuedAt == nil || said.Expiry == nil || len(said.Subject) != 16 {
		return claims{}, malformed
	}
	if said.Issuer != home.code {
		return claims{}, &refusal{pb.Authenticity_AUTHENTICITY_UNKNOWN_ISSUER, pb.Reason_REASON_ISSUER_MISMATCH}
	}
	if home.code == national && said.Residence != "" {
		home = c.trust.regions[said.Residence]
		if home == nil || !home.adoptsNational {
			return claims{}, &refusal{
				pb.Authenticity_AUTHENTICITY_UNKNOWN_ISSUER, pb.Reason_REASON_RESIDENCE_NOT_ADOPTER,
			}
		}
	}
	issuedAtS := *said.IssuedAt
	keyNotValid := pb.Authenticity_AUTHENTICITY_KEY_NOT_VALID
	switch {
	case signer.isRevoked:
		return claims{}, &refusal{keyNotValid, pb.Reason_REASON_KEY_REVOKED}
	case issuedAtS >= signer.retiredAt:
		return claims{}, &refusal{keyNotValid, pb.Reason_REASON_KEY_RETIRED}
	case min(issuedAtS, nowS) < signer.notBefore-c.skewS || max(issuedAtS, nowS) > signer.notAfter+c.skewS:
		return claims{}, &refusal{keyNotValid, pb.Reason_REASON_KEY_OUTSIDE_VALIDITY}
	case nowS < max(issuedAtS, said.NotBefore)-c.skewS:
		return claims{}, &refusal{pb.Authenticity_AUTHENTICITY_NOT_YET_VALID, pb.Reason_REASON_NOT_YET_VALID}
	case nowS >= *said.Expiry+c.skewS:
		return claims{}, &refusal{pb.Authenticity_AUTHENTICITY_EXPIRED, pb.Reason_REASON_EXPIRED}
	}
	return claims{home.code, [16]byte(said.Subject), level, issuedAtS}, nil
}

// readLevel fills in the claims and returns the level. Most regions keep the national labels, whose claims a struct
// takes in one pass; the others cost a map.
func readLevel(payload []byte, said *registered, home *region) (pb.Level, error) {
	if home.subject == -65537 && home.level == -65538 && home.issuedAt == 6 && home.expiry == 4 {
		err := cbor.Unmarshal(payload, said)
		return home.levels[said.Level], err
	}
	if err := cbor.Unmarshal(payload, said); err != nil {
		return 0, err
	}
	var all map[int64]any
	if err := cbor.Unmarshal(payload, &all); err != nil {
		return 0, err
	}
	said.Subject, _ = all[home.subject].([]byte)
	return home.levels[fmt.Sprint(all[home.level])], nil
}

// untagged drops tag 18, which says that this is a COSE_Sign1.
func untagged(cose []byte) []byte {
	if len(cose) > 0 && cose[0] == 0xd2 {
		return cose[1:]
	}
	return cose
}

var errBase45 = errors.New("not base45")

var base45Values = func() (values [256]uint8) {
	for i := range values {
		values[i] = 255
	}
	for i, character := range []byte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:") {
		values[character] = uint8(i)
	}
	return values
}()

// base45 returns the bytes that base45 text (RFC 9285) stands for.
func base45(text []byte) ([]byte, error) {
	data := make([]byte, 0, len(text)/3*2+1)
	for ; len(text) > 0; text = text[min(3, len(text)):] {
		value, place := uint32(0), uint32(1)
		for _, character := range text[:min(3, len(text))] {
			digit := base45Values[character]
			if digit == 255 {
				return nil, errBase45
			}
			value += uint32(digit) * place
			place *= 45
		}
		switch {
		case len(text) >= 3 && value <= 0xffff:
			data = append(data, byte(value>>8), byte(value))
		case len(text) == 2 && value <= 0xff:
			data = append(data, byte(value))
		default:
			return nil, errBase45
		}
	}
	return data, nil
}
