package main

import (
	"errors"
	"flag"
	"math"
	"strconv"
	"time"
)

// once is an option that may be given once.
type once struct {
	flag.Value
	given bool
}

func (o *once) Set(text string) error {
	if o.given {
		return errors.New("given twice")
	}
	o.given = true
	return o.Value.Set(text)
}

// IsBoolFlag lets --json stand without a value.
func (o *once) IsBoolFlag() bool {
	value, ok := o.Value.(interface{ IsBoolFlag() bool })
	return ok && value.IsBoolFlag()
}

// A day: whoever waits longer has no bound, and a duration ends after 292 years.
const secondsMax = 24 * time.Hour

// seconds is a duration as a number of seconds, or as Go writes it.
type seconds time.Duration

func (s *seconds) String() string { return time.Duration(*s).String() }

func (s *seconds) Set(text string) error {
	value, err := time.ParseDuration(text)
	if number, numeric := strconv.ParseFloat(text, 64); numeric == nil {
		if math.IsNaN(number) || math.Abs(number) > secondsMax.Seconds() {
			number = -1
		}
		value, err = time.Duration(number*float64(time.Second)), nil
	}
	if err != nil || value <= 0 || value > secondsMax {
		return errors.New("not a number of seconds above 0, at most a day")
	}
	*s = seconds(value)
	return nil
}
