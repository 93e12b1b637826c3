package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"time"

	pb "onecode/benchmarks/peers/go/onecode/v1"
)

type checker struct {
	trust    *trustList
	statuses map[[16]byte][]record
	skewS    float64
}

// A publisher's word on a subject; times in Unix seconds.
type record struct {
	publisher               string
	level                   pb.Level
	scope                   pb.Scope
	effectiveAtS, expiresAt float64
	revision                uint64
}

// readStatuses reads a file of records, one JSON object a line.
func readStatuses(file string) (map[[16]byte][]record, error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	statuses := make(map[[16]byte][]record)
	lines := bufio.NewScanner(opened)
	for lines.Scan() {
		var line struct {
			Subject      string   `json:"subject"`
			Publisher    string   `json:"publisher"`
			Level        string   `json:"level"`
			Scope        string   `json:"scope"`
			EffectiveAtS float64  `json:"effective_at_s"`
			ExpiresAtS   *float64 `json:"expires_at_s"`
			Revision     uint64   `json:"revision"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, err
		}
		subject, err := hex.DecodeString(line.Subject)
		if err != nil || len(subject) != 16 {
			return nil, errors.New("a subject that is not 16 bytes")
		}
		level, scope := pb.Level_value["LEVEL_"+line.Level], pb.Scope_value["SCOPE_"+line.Scope]
		one := record{line.Publisher, pb.Level(level), pb.Scope(scope), line.EffectiveAtS, math.Inf(1), line.Revision}
		if line.ExpiresAtS != nil {
			one.expiresAt = *line.ExpiresAtS
		}
		statuses[[16]byte(subject)] = append(statuses[[16]byte(subject)], one)
	}
	return statuses, lines.Err()
}

// newest returns a publisher's record with the highest revision that is in effect, unless that one has expired.
func newest(records []record, publisher string, scope pb.Scope, nowS float64) *record {
	var found *record
	for i := range records {
		one := &records[i]
		if one.publisher == publisher && one.scope == scope && one.effectiveAtS <= nowS &&
			(found == nil || one.revision > found.revision) {
			found = one
		}
	}
	if found != nil && found.expiresAt <= nowS {
		return nil
	}
	return found
}

func levelOf(one *record) pb.Level {
	if one == nil {
		return pb.Level_LEVEL_UNSPECIFIED
	}
	return one.level
}

// check decides on one code.
func (c *checker) check(code []byte, host string, now time.Time) *pb.Verdict {
	nowS := float64(now.UnixMicro()) / 1e6
	said, why := c.authenticate(code, nowS)
	if why != nil {
		return &pb.Verdict{
			Decision: pb.Decision_DECISION_REFUSE, Authenticity: why.authenticity, Reason: why.reason,
		}
	}
	records := c.statuses[said.subject]
	own := newest(records, said.home, pb.Scope_SCOPE_NATIONAL, nowS)
	if own != nil && own.effectiveAtS < said.issuedAtS {
		own = nil // the code is newer than the record
	}
	byNation := own
	if said.home != national {
		byNation = newest(records, national, pb.Scope_SCOPE_NATIONAL, nowS)
	}
	hostRegion := c.trust.regions[host]
	var local *record
	if hostRegion != nil && hostRegion.adoptsNational {
		local = newest(records, host, pb.Scope_SCOPE_LOCAL, nowS)
	}
	level, beside := said.level, max(levelOf(byNation), levelOf(local))
	if own != nil {
		level = own.level
	}
	if level != pb.Level_LEVEL_UNSPECIFIED || beside == pb.Level_LEVEL_RED {
		level = max(level, beside)
	}
	verdict := &pb.Verdict{
		Authenticity: pb.Authenticity_AUTHENTICITY_VALID,
		Status:       pb.Status_STATUS_NONE,
		Recognition:  pb.Recognition_RECOGNITION_RECOGNISED,
		HomeRegion:   said.home,
	}
	if own != nil || byNation != nil || local != nil {
		verdict.Status = pb.Status_STATUS_CURRENT
	}
	if hostRegion == nil {
		verdict.Recognition = pb.Recognition_RECOGNITION_UNKNOWN_HOST
	}
	verdict.Decision, verdict.Level, verdict.Reason = c.decide(level, byNation, local, hostRegion, nowS)
	return verdict
}

func (c *checker) decide(
	level pb.Level, byNation, local *record, host *region, nowS float64,
) (pb.Decision, pb.Level, pb.Reason) {
	switch {
	case levelOf(byNation) == pb.Level_LEVEL_RED:
		return pb.Decision_DECISION_REFUSE, pb.Level_LEVEL_RED, pb.Reason_REASON_RED_BY_NATIONAL_AUTHORITY
	case levelOf(local) == pb.Level_LEVEL_RED:
		return pb.Decision_DECISION_REFUSE, pb.Level_LEVEL_RED, pb.Reason_REASON_RED_BY_HOST
	case host == nil:
		return pb.Decision_DECISION_CHECK, pb.Level_LEVEL_UNSPECIFIED, pb.Reason_REASON_HOST_UNKNOWN
	case level == pb.Level_LEVEL_RED:
		return pb.Decision_DECISION_REFUSE, pb.Level_LEVEL_RED, pb.Reason_REASON_RED
	case level == pb.Level_LEVEL_YELLOW:
		return pb.Decision_DECISION_CHECK, pb.Level_LEVEL_YELLOW, pb.Reason_REASON_YELLOW
	case level == pb.Level_LEVEL_GREEN && nowS <= c.trust.endsS:
		return pb.Decision_DECISION_ADMIT, pb.Level_LEVEL_GREEN, pb.Reason_REASON_GREEN
	case level == pb.Level_LEVEL_GREEN:
		return pb.Decision_DECISION_CHECK, pb.Level_LEVEL_UNSPECIFIED, pb.Reason_REASON_TRUST_LIST_OUT_OF_DATE
	}
	return pb.Decision_DECISION_CHECK, pb.Level_LEVEL_UNSPECIFIED, pb.Reason_REASON_LEVEL_UNMAPPED
}
