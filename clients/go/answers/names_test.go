package answers

import (
	"testing"

	onecodev1 "onecode/clients/go/onecode/v1"
)

func TestShortHasNoPrefixAndANewerValueStaysANumber(t *testing.T) {
	for want, got := range map[string]string{
		"ADMIT":       Short(onecodev1.Decision_DECISION_ADMIT),
		"UNSPECIFIED": Short(onecodev1.Level_LEVEL_UNSPECIFIED),
		"NONE":        Short(onecodev1.Status_STATUS_NONE),
		// The prefix has an underscore of its own, and a value one after it.
		"LEVEL_WITHOUT_WORD": Short(onecodev1.TranslationObstacle_TRANSLATION_OBSTACLE_LEVEL_WITHOUT_WORD),
		"9999":               Short(onecodev1.Reason(9999)),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
