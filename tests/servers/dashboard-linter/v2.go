package lint

// Stands in for the linter's reader of dashboards of the second schema; see build.sh.

import (
	"encoding/json"
	"errors"
	"strings"
)

func isV2APIVersion(apiVersion string) bool {
	return strings.HasPrefix(apiVersion[strings.LastIndex(apiVersion, "/")+1:], "v2")
}

func newDashboardFromV2(json.RawMessage, string) (Dashboard, error) {
	return Dashboard{}, errors.New("dashboards of the second schema are not read by this build")
}
