// Package flagvalue has kinds of options that the flag package lacks.
package flagvalue

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

// Once lets each option be given once: twice is a mistake, and the flag package would take the last without a word.
func Once(flags *flag.FlagSet) {
	flags.VisitAll(func(f *flag.Flag) { f.Value = &once{Value: f.Value} })
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

// Seconds is a duration as a number of seconds, or as Go writes it.
type Seconds time.Duration

func (s *Seconds) String() string { return time.Duration(*s).String() }

// Set reads a duration above zero, at most a day.
func (s *Seconds) Set(text string) error {
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
	*s = Seconds(value)
	return nil
}
