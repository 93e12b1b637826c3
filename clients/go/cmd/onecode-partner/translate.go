package main

import (
	"context"
	"errors"

	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"onecode/clients/go/input"
	onecodev1 "onecode/clients/go/onecode/v1"
)

// translate prints the code of the target region, or the verdict that does not allow one.
func translate(ctx context.Context, t task) error {
	code, err := t.code()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	client := onecodev1.NewRecognitionServiceClient(t.channel)
	answer, err := repeat(ctx, func(ctx context.Context) (*onecodev1.TranslateResponse, error) {
		return client.Translate(ctx, &onecodev1.TranslateRequest{Code: code, TargetRegion: t.region})
	})
	if err != nil {
		return err
	}
	if answer.GetVerdict() == nil {
		return status.Error(grpccodes.Internal, "the server did not answer the code with a verdict")
	}
	if err := t.print(t.translationLine(answer)); err != nil {
		return err
	}
	if len(answer.GetCode()) == 0 {
		// A script that stores the output as a code must not go on with this one.
		return errNotTranslated
	}
	return nil
}

func (t task) translationLine(answer *onecodev1.TranslateResponse) []byte {
	switch code := answer.GetCode(); {
	case t.json:
		return jsonLine(struct {
			Code    string       `json:"code"`
			Verdict shownVerdict `json:"verdict"`
		}{string(code), shown(1, answer.GetVerdict())})
	case len(code) == 0:
		return t.verdictLine(1, answer.GetVerdict())
	default:
		return append(code, '\n')
	}
}

// code gives the operand, or the one line of standard input, which may be empty.
func (t task) code() ([]byte, error) {
	if t.operand != "-" {
		return []byte(t.operand), nil
	}
	var code []byte
	count := 0
	for line, err := range input.Lines(t.stdin, lineBytesMax) {
		if err != nil {
			return nil, t.describeInput(err, lineBytesMax)
		}
		if count++; count > 1 {
			return nil, usageError{errors.New("standard input has more than one line, and translate takes one code")}
		}
		code = line
	}
	return code, nil
}
